// The set-user-ID and set-group-ID bits: under a umask, inherited from directories, lost by chown, by writes and by truncation.
// linkage: dynamic
#include "check.h"
#include <fcntl.h>
#include <grp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OTHER = 4321, GROUP = 1234 };

static int mode_of(const char *path) {
    struct stat st;
    return stat(path, &st) ? -1 : (int)(st.st_mode & 07777);
}

static int group_of(const char *path) {
    struct stat st;
    return stat(path, &st) ? -1 : (int)st.st_gid;
}

static void make(const char *path, int mode) {
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, "text", 4) != 4 || fchmod(fd, (mode_t)mode) != 0) _exit(90);
    close(fd);
}

static void creation(void) {
    umask(0);
    check_eq(close(open("created", O_RDWR | O_CREAT | O_EXCL, 06777)), 0, "created with all bits");
    check_eq(mode_of("created"), 06777, "which it has");
    umask(077);
    check_eq(close(open("masked", O_RDWR | O_CREAT | O_EXCL, 06777)), 0, "created under a umask");
    check_eq(mode_of("masked"), 06700, "which masks permissions only");
    umask(07777);
    close(open("none", O_RDWR | O_CREAT | O_EXCL, 06777));
    check_eq(mode_of("none"), 06000, "not the high bits of it");
    check_eq((int)umask(022), 0777, "which it does not have");
}

static void inheritance(void) {
    check_eq(mkdir("shared", 0775), 0, "a directory");
    check_eq(chown("shared", (uid_t)-1, GROUP), 0, "of a group");
    check_eq(chmod("shared", 02775), 0, "for the group's files");
    check_eq(mkdir("shared/inner", 0700), 0, "a directory in it");
    check(group_of("shared/inner") == GROUP && mode_of("shared/inner") == 02700, "has its group and its bit");
    close(open("shared/file", O_RDWR | O_CREAT | O_EXCL, 02775));
    check(group_of("shared/file") == GROUP && mode_of("shared/file") == 02755, "a file has its group");
    check_eq(mknod("shared/fifo", S_IFIFO | 0644, 0), 0, "a fifo");
    check_eq(group_of("shared/fifo"), GROUP, "has its group");
    check_eq(symlink("file", "shared/link"), 0, "a link");
    struct stat st;
    check(lstat("shared/link", &st) == 0 && (int)st.st_gid == GROUP, "has its group");
    chmod("shared", 0775);
    check_eq(mkdir("shared/later", 02700), 0, "without the bit");
    check(group_of("shared/later") == (int)getegid() && mode_of("shared/later") == 0700, "nothing is inherited");
    chmod("shared", 02777);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        // Of another group than the directory's: a file that runs as the group is not made.
        if (setgroups(0, NULL) != 0 || setgid(OTHER) != 0 || setuid(OTHER) != 0) _exit(9);
        umask(0);
        close(open("shared/foreign", O_RDWR | O_CREAT | O_EXCL, 02775));
        if (mode_of("shared/foreign") != 0775 || group_of("shared/foreign") != GROUP) _exit(1);
        close(open("shared/plain", O_RDWR | O_CREAT | O_EXCL, 02765));
        if (mode_of("shared/plain") != 02765) _exit(2);
        if (mkdir("shared/theirs", 0755) != 0 || mode_of("shared/theirs") != 02755) _exit(3);
        if (chmod("shared/foreign", 02775) != 0 || mode_of("shared/foreign") != 0775) _exit(4);
        _exit(0);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    check_eq(status, 0, "who is not of the group makes no file that runs as it");
}

static void owners(void) {
    make("owned", 06775);
    check_eq(chown("owned", OTHER, (gid_t)-1), 0, "a file changes hands");
    check_eq(mode_of("owned"), 0775, "and loses both bits");
    make("owned", 06765);
    check_eq(chown("owned", (uid_t)-1, GROUP), 0, "a file that does not run as its group");
    check_eq(mode_of("owned"), 02765, "keeps that bit");
    make("owned", 06777);
    check_eq(chown("owned", (uid_t)-1, (gid_t)-1), 0, "to nobody");
    check_eq(mode_of("owned"), 0777, "takes them as well");
    check_eq(mkdir("owned directory", 0755), 0, "a directory");
    chmod("owned directory", 06755);
    chown("owned directory", OTHER, GROUP);
    check_eq(mode_of("owned directory"), 06755, "keeps them");
}

static void as_other(const char *path, int (*act)(const char *), int want, const char *name) {
    fflush(stdout);
    make(path, 06777);
    pid_t pid = fork();
    if (pid == 0) {
        if (setgid(OTHER) != 0 || setuid(OTHER) != 0) _exit(9);
        _exit(act(path));
    }
    int status = -1;
    waitpid(pid, &status, 0);
    if (status != 0) check_eq(status, 0, name);
    else check_eq(mode_of(path), want, name);
}

static int act_write(const char *path) {
    int fd = open(path, O_WRONLY);
    return write(fd, "x", 1) != 1;
}
static int act_write_nothing(const char *path) {
    int fd = open(path, O_WRONLY);
    return write(fd, "x", 0) != 0;
}
static int act_truncate(const char *path) { return truncate(path, 1); }
static int act_open_truncate(const char *path) { return open(path, O_WRONLY | O_TRUNC) < 0; }
static int act_ftruncate(const char *path) {
    int fd = open(path, O_WRONLY);
    return ftruncate(fd, 4);
}
static int act_allocate(const char *path) {
    int fd = open(path, O_WRONLY);
    return fallocate(fd, 0, 0, 100);
}
static int act_map(const char *path) {
    int fd = open(path, O_RDWR);
    char *at = mmap(NULL, 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) return 1;
    at[0] = 'm';
    return msync(at, 4, MS_SYNC);
}
static int act_copy(const char *path) {
    int fd = open(path, O_WRONLY), from = open("source", O_RDONLY);
    return copy_file_range(from, NULL, fd, NULL, 3, 0) != 3;
}
static int act_nothing(const char *path) { return open(path, O_WRONLY) < 0; }

int main(void) {
    if (geteuid() != 0) return 77;
    umask(0);
    creation();
    umask(022);
    inheritance();
    owners();
    chmod(".", 0777);
    make("source", 0644);
    as_other("target", act_nothing, 06777, "opening changes nothing");
    as_other("target", act_write, 0777, "a write by another user");
    as_other("target", act_write_nothing, 06777, "of nothing");
    as_other("target", act_truncate, 0777, "truncate");
    as_other("target", act_open_truncate, 0777, "O_TRUNC");
    as_other("target", act_ftruncate, 0777, "ftruncate to the same size");
    as_other("target", act_allocate, 0777, "fallocate");
    as_other("target", act_map, 06777, "a write to memory");
    as_other("target", act_copy, 0777, "copy_file_range");
    make("target", 06777);
    check(act_write("target") == 0 && mode_of("target") == 06777, "root's writes change nothing");
    return check_done();
}
