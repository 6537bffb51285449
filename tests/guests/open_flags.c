// What open does for each of its flags.
#include "check.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static off_t size_of(const char *path) {
    struct stat st;
    return stat(path, &st) ? -1 : st.st_size;
}

static mode_t mode_of(const char *path) {
    struct stat st;
    return stat(path, &st) ? 0 : st.st_mode & 07777;
}

int main(void) {
    char buffer[16];
    int fd;
    umask(0);
    check_fails(open("absent", O_RDONLY), ENOENT, "no such file");
    check((fd = open("file", O_WRONLY | O_CREAT | O_EXCL, 0640)) >= 0, "O_CREAT");
    check_eq(mode_of("file"), 0640, "the mode of a new file");
    check_eq(write(fd, "12345", 5), 5, "some bytes");
    close(fd);
    check_fails(open("file", O_WRONLY | O_CREAT | O_EXCL, 0644), EEXIST, "O_EXCL on what exists");
    check((fd = open("file", O_RDONLY | O_CREAT, 0777)) >= 0, "O_CREAT on what exists");
    check_eq(mode_of("file"), 0640, "its mode stays");
    check_eq(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY, "F_GETFL has the access mode");
    close(fd);

    check((fd = open("file", O_WRONLY | O_APPEND)) >= 0, "O_APPEND");
    check_eq(lseek(fd, 0, SEEK_SET), 0, "seek to the start");
    check_eq(write(fd, "678", 3), 3, "append");
    check_eq(size_of("file"), 8, "it was written at the end");
    check_eq(fcntl(fd, F_SETFL, 0), 0, "F_SETFL clears O_APPEND");
    check_eq(pwrite(fd, "x", 1, 0), 1, "now at the start");
    check_eq(size_of("file"), 8, "so the size stays");
    close(fd);

    check((fd = open("file", O_WRONLY | O_TRUNC)) >= 0, "O_TRUNC");
    check_eq(size_of("file"), 0, "nothing is left");
    close(fd);

    check_eq(mkdir("dir", 0755), 0, "mkdir");
    check((fd = open("dir", O_RDONLY | O_DIRECTORY)) >= 0, "O_DIRECTORY on a directory");
    check_fails(read(fd, buffer, 1), EISDIR, "reading a directory");
    close(fd);
    check_fails(open("file", O_RDONLY | O_DIRECTORY), ENOTDIR, "O_DIRECTORY on a file");
    check_fails(open("dir", O_WRONLY), EISDIR, "a directory for writing");
    check_fails(open("dir", O_RDWR | O_CREAT, 0644), EISDIR, "O_CREAT on a directory");
    check_fails(open("file/below", O_RDONLY), ENOTDIR, "a file is no directory");
    check_fails(open("file/", O_RDONLY), ENOTDIR, "a file with a slash");
    check_fails(open("new/", O_RDWR | O_CREAT, 0644), EISDIR, "O_CREAT with a slash");
    check_fails(open("", O_RDONLY), ENOENT, "an empty path");
    char name[300];
    memset(name, 'a', 299), name[299] = 0;
    check_fails(open(name, O_RDWR | O_CREAT, 0644), ENAMETOOLONG, "a long name");
    static char path[5000];
    for (int i = 0; i + 2 < 5000; i += 2) memcpy(path + i, "./", 2);
    check_fails(open(path, O_RDONLY), ENAMETOOLONG, "a long path");

    check_eq(symlink("file", "link"), 0, "symlink");
    check_fails(open("link", O_RDONLY | O_NOFOLLOW), ELOOP, "O_NOFOLLOW");
    check((fd = open("link", O_RDONLY)) >= 0, "a symlink is followed");
    close(fd);
    check_eq(symlink("self", "self"), 0, "a symlink to itself");
    check_fails(open("self", O_RDONLY), ELOOP, "never ends");
    check_eq(symlink("made", "dangling"), 0, "a dangling symlink");
    check_fails(open("dangling", O_RDONLY | O_CREAT | O_EXCL, 0644), EEXIST, "O_EXCL does not follow");
    check((fd = open("dangling", O_WRONLY | O_CREAT, 0600)) >= 0, "O_CREAT follows");
    check_eq(size_of("made"), 0, "and makes the target");
    close(fd);

    check((fd = open("link", O_PATH | O_NOFOLLOW)) >= 0, "O_PATH on a symlink");
    struct stat st;
    check(fstat(fd, &st) == 0 && S_ISLNK(st.st_mode), "is the symlink");
    check_fails(read(fd, buffer, 1), EBADF, "O_PATH cannot read");
    check_eq(readlinkat(fd, "", buffer, sizeof buffer), 4, "readlinkat with an empty path");
    close(fd);
    check((fd = open("dir", O_PATH)) >= 0, "O_PATH on a directory");
    int at;
    check((at = openat(fd, "inside", O_RDWR | O_CREAT, 0644)) >= 0, "openat an O_PATH directory");
    close(at), close(fd);
    check_eq(size_of("dir/inside"), 0, "it is inside");

    check((fd = open(".", O_TMPFILE | O_RDWR, 0600)) >= 0, "O_TMPFILE");
    check_eq(write(fd, "temporary", 9), 9, "can be written");
    check(fstat(fd, &st) == 0 && st.st_nlink == 0, "has no name");
    char proc[64];
    snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
    check_eq(linkat(AT_FDCWD, proc, AT_FDCWD, "named", AT_SYMLINK_FOLLOW), 0, "and can be given one");
    check_eq(size_of("named"), 9, "with its data");
    close(fd);
    check_fails(open("file", O_TMPFILE | O_RDWR, 0600), ENOTDIR, "O_TMPFILE needs a directory");
    check_fails(open(".", O_TMPFILE | O_RDONLY, 0600), EINVAL, "O_TMPFILE needs writing");

    check((fd = open("/proc/self/cwd/named", O_RDONLY)) >= 0, "through /proc/self/cwd");
    check_eq(fcntl(fd, F_GETFD), 0, "no FD_CLOEXEC unless asked for");
    close(fd);
    check((fd = open("named", O_RDONLY | O_CLOEXEC)) >= 0, "O_CLOEXEC");
    check_eq(fcntl(fd, F_GETFD), FD_CLOEXEC, "sets FD_CLOEXEC");
    close(fd);
    check((fd = creat("named", 0644)) >= 0, "creat");
    check_eq(size_of("named"), 0, "truncates");
    check_eq(fcntl(fd, F_GETFL) & O_ACCMODE, O_WRONLY, "and writes only");
    close(fd);
    return check_done();
}
