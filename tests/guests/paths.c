// Names: the …at calls, links, renames, and what they refuse.
#include "check.h"
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int exists(const char *path) {
    struct stat st;
    return lstat(path, &st) == 0;
}

static ino_t inode(const char *path) {
    struct stat st;
    return lstat(path, &st) ? 0 : st.st_ino;
}

static void touch(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (write(fd, text, strlen(text)) < 0) exit(1);
    close(fd);
}

static int holds(const char *path, const char *text) {
    char buffer[64] = "";
    int fd = open(path, O_RDONLY);
    ssize_t length = read(fd, buffer, sizeof buffer - 1);
    close(fd);
    return length == (ssize_t)strlen(text) && strcmp(buffer, text) == 0;
}

static void renames(void) {
    touch("a", "A"), touch("b", "B");
    check_eq(rename("a", "c"), 0, "rename to a new name");
    check(!exists("a") && holds("c", "A"), "moves the file");
    check_eq(rename("c", "b"), 0, "rename over a file");
    check(!exists("c") && holds("b", "A"), "replaces it");
    touch("c", "C");
    check_fails(renameat2(AT_FDCWD, "b", AT_FDCWD, "c", RENAME_NOREPLACE), EEXIST, "RENAME_NOREPLACE");
    check_eq(renameat2(AT_FDCWD, "b", AT_FDCWD, "c", RENAME_EXCHANGE), 0, "RENAME_EXCHANGE");
    check(holds("b", "C") && holds("c", "A"), "exchanges the two");
    check_fails(renameat2(AT_FDCWD, "b", AT_FDCWD, "absent", RENAME_EXCHANGE), ENOENT,
                "RENAME_EXCHANGE needs both");
    check_fails(renameat2(AT_FDCWD, "b", AT_FDCWD, "c", RENAME_EXCHANGE | RENAME_NOREPLACE), EINVAL,
                "not both flags");
    check_fails(rename("absent", "x"), ENOENT, "rename of nothing");
    check_eq(rename("b", "b"), 0, "rename to itself");
    check(holds("b", "C"), "does nothing");
    check_eq(link("b", "b2"), 0, "a hard link");
    check_eq(rename("b", "b2"), 0, "rename to the same inode");
    check(exists("b") && exists("b2"), "does nothing either");

    mkdir("d1", 0755), mkdir("d1/sub", 0755), touch("d1/sub/file", "deep");
    check_eq(rename("d1", "d2"), 0, "rename of a directory");
    check(holds("d2/sub/file", "deep") && !exists("d1"), "moves all below it");
    check_fails(rename("d2", "d2/sub/d3"), EINVAL, "not below itself");
    mkdir("empty", 0755);
    check_eq(rename("d2", "empty"), 0, "rename over an empty directory");
    mkdir("other", 0755);
    check_fails(rename("other", "empty"), ENOTEMPTY, "not over a full one");
    check_fails(rename("other", "b"), ENOTDIR, "a directory not over a file");
    check_fails(rename("b", "other"), EISDIR, "a file not over a directory");
    int fd = open("empty/sub", O_RDONLY | O_DIRECTORY);
    check_eq(rename("empty/sub", "moved"), 0, "rename of an open directory");
    int file = openat(fd, "file", O_RDONLY);
    check(file >= 0, "which stays open at its new place");
    close(file);
    file = openat(fd, "../b", O_RDONLY);
    check(file >= 0, "with its new parent");
    close(file), close(fd);
    check_eq(renameat2(AT_FDCWD, "moved", AT_FDCWD, "b", RENAME_EXCHANGE), 0,
             "exchange a directory and a file");
    check(holds("moved", "C") && holds("b/file", "deep"), "both have moved");
}

static void links(void) {
    struct stat st;
    touch("target", "T");
    check_eq(link("target", "hard"), 0, "link");
    check(inode("hard") == inode("target") && stat("hard", &st) == 0 && st.st_nlink == 2,
          "two names of one inode");
    check_eq(unlink("target"), 0, "unlink one");
    check(holds("hard", "T") && stat("hard", &st) == 0 && st.st_nlink == 1, "the other stays");
    check_fails(link("absent", "x"), ENOENT, "a link to nothing");
    check_fails(link("hard", "hard"), EEXIST, "a link to what exists");
    check_fails(link(".", "x"), EPERM, "a link to a directory");
    check_eq(symlink("hard", "soft"), 0, "symlink");
    check_eq(linkat(AT_FDCWD, "soft", AT_FDCWD, "hardsoft", 0), 0, "linkat does not follow");
    check_eq(inode("hardsoft"), inode("soft"), "so it is the symlink");
    check_eq(linkat(AT_FDCWD, "soft", AT_FDCWD, "followed", AT_SYMLINK_FOLLOW), 0, "AT_SYMLINK_FOLLOW");
    check_eq(inode("followed"), inode("hard"), "so it is the target");
    char buffer[8];
    check_eq(readlink("soft", buffer, sizeof buffer), 4, "readlink");
    check(memcmp(buffer, "hard", 4) == 0, "gives the text");
    check_eq(readlink("soft", buffer, 2), 2, "a short buffer cuts");
    check_fails(readlink("hard", buffer, 8), EINVAL, "readlink of a file");
    check_fails(readlink("soft", buffer, 0), EINVAL, "readlink into nothing");
    check_fails(symlink("", "x"), ENOENT, "an empty symlink");
    check_fails(symlink("x", "soft"), EEXIST, "a symlink over what exists");
    check(lstat("soft", &st) == 0 && S_ISLNK(st.st_mode) && st.st_size == 4, "lstat of a symlink");

    // A file that has no name lives on while it is open.
    int fd = open("hard", O_RDWR);
    unlink("hard"), unlink("followed");
    check(fstat(fd, &st) == 0 && st.st_nlink == 0, "no name is left");
    check_eq(pread(fd, buffer, 8, 0), 1, "its data is still there");
    check_eq(write(fd, "more", 4), 4, "and can be written");
    close(fd);
}

static void directories(void) {
    check_eq(mkdir("dir", 0755), 0, "mkdir");
    check_fails(mkdir("dir", 0755), EEXIST, "mkdir twice");
    check_fails(mkdir("no/where", 0755), ENOENT, "mkdir without a parent");
    check_eq(mkdir("slash/", 0755), 0, "mkdir with a slash");
    int dir = open("dir", O_RDONLY | O_DIRECTORY);
    check_eq(mkdirat(dir, "below", 0700), 0, "mkdirat");
    struct stat st;
    check(stat("dir", &st) == 0 && (st.st_nlink == 3 || st.st_nlink == 1), "a directory counts its children");
    check_fails(rmdir("dir"), ENOTEMPTY, "rmdir of a full directory");
    check_fails(unlink("dir"), EISDIR, "unlink of a directory");
    check_fails(unlinkat(dir, "below", 0), EISDIR, "unlinkat of a directory");
    check_eq(unlinkat(dir, "below", AT_REMOVEDIR), 0, "AT_REMOVEDIR");
    touch("dir/file", "");
    check_fails(unlinkat(dir, "file", AT_REMOVEDIR), ENOTDIR, "AT_REMOVEDIR of a file");
    check_fails(unlinkat(dir, "file", 0xff), EINVAL, "unlinkat with a wrong flag");
    check_eq(unlinkat(dir, "file", 0), 0, "unlinkat");
    check_fails(rmdir("dir/."), EINVAL, "rmdir of dot");
    check_fails(rmdir("dir/.."), ENOTEMPTY, "rmdir of dot dot");
    check_eq(rmdir("dir"), 0, "rmdir");
    check_fails(openat(dir, "new", O_WRONLY | O_CREAT, 0644), ENOENT, "nothing is made in a dead directory");
    close(dir);
    check_fails(openat(dir, "x", O_RDONLY), EBADF, "openat a closed descriptor");
    int fd = open("plain", O_RDWR | O_CREAT, 0644);
    check_fails(openat(fd, "x", O_RDONLY), ENOTDIR, "openat a file");
    close(fd);
    check_fails(rmdir("/"), EBUSY, "rmdir of the root");
    check(exists("slash/../slash/./"), "dots and slashes");
    check(exists("slash//..////plain"), "many slashes");
}

static void access_checks(void) {
    touch("read", "");
    chmod("read", 0400);
    check_eq(access("read", F_OK), 0, "F_OK");
    check_eq(access("read", R_OK), 0, "R_OK");
    check_fails(access("read", X_OK), EACCES, "X_OK");
    check_fails(access("absent", F_OK), ENOENT, "absent");
    symlink("absent", "dangling");
    check_fails(faccessat(AT_FDCWD, "dangling", F_OK, 0), ENOENT, "faccessat follows");
    check_eq(syscall(SYS_faccessat2, AT_FDCWD, "dangling", F_OK, AT_SYMLINK_NOFOLLOW), 0,
             "faccessat2 need not");
    check_fails(syscall(SYS_faccessat2, AT_FDCWD, "read", F_OK, 0x8000), EINVAL,
                "faccessat2 with a wrong flag");
    check_fails(access("read", 8), EINVAL, "access with a wrong mode");
    struct open_how {
        unsigned long long flags, mode, resolve;
    } how = {.flags = O_RDONLY};
    int fd = syscall(SYS_openat2, AT_FDCWD, "read", &how, sizeof how);
    check(fd >= 0, "openat2");
    close(fd);
    how.resolve = 8;  // RESOLVE_BENEATH
    check_fails(syscall(SYS_openat2, AT_FDCWD, "../x", &how, sizeof how), EXDEV, "RESOLVE_BENEATH");
    how.resolve = 1;  // RESOLVE_NO_XDEV
    need(symlink("/proc/self/exe", "absolute") == 0, "an absolute link");
    check_fails(syscall(SYS_openat2, AT_FDCWD, "absolute", &how, sizeof how), EXDEV,
                "RESOLVE_NO_XDEV takes the root for another file system");
    how.resolve = 4;  // RESOLVE_NO_SYMLINKS
    check_fails(syscall(SYS_openat2, AT_FDCWD, "dangling", &how, sizeof how), ELOOP, "RESOLVE_NO_SYMLINKS");
}

int main(void) {
    renames();
    mkdir("l", 0755), chdir("l"), links(), chdir("..");
    mkdir("m", 0755), chdir("m"), directories(), chdir("..");
    mkdir("n", 0755), chdir("n"), access_checks(), chdir("..");
    return check_done();
}
