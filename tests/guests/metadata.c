// What a file says of itself: stat and statx, modes, owners, times.
#include "check.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include <utime.h>

static struct stat of(const char *path) {
    struct stat st = {0};
    lstat(path, &st);
    return st;
}

static void times(int fd) {
    struct timespec set[2] = {{1000000000, 123456789}, {1500000000, 987654321}};
    check_eq(utimensat(AT_FDCWD, "file", set, 0), 0, "utimensat");
    struct stat st = of("file");
    check(st.st_atim.tv_sec == 1000000000 && st.st_atim.tv_nsec == 123456789,
          "the access time, to the nanosecond");
    check(st.st_mtim.tv_sec == 1500000000 && st.st_mtim.tv_nsec == 987654321, "the modification time");
    check(st.st_ctim.tv_sec > 1500000000, "the change time is now");
    set[0].tv_nsec = UTIME_OMIT, set[1].tv_sec = 42, set[1].tv_nsec = 0;
    check_eq(futimens(fd, set), 0, "futimens with UTIME_OMIT");
    st = of("file");
    check(st.st_atim.tv_sec == 1000000000 && st.st_mtim.tv_sec == 42, "one time only");
    set[1].tv_nsec = UTIME_NOW;
    check_eq(futimens(fd, set), 0, "UTIME_NOW");
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    st = of("file");
    check(st.st_mtim.tv_sec <= now.tv_sec && st.st_mtim.tv_sec > now.tv_sec - 60, "is now");
    set[1].tv_nsec = 1000000000;
    check_fails(futimens(fd, set), EINVAL, "a wrong nanosecond");
    check_eq(utimes("file", (struct timeval[2]){{7, 8}, {9, 10}}), 0, "utimes");
    check(of("file").st_atim.tv_nsec == 8000 && of("file").st_mtim.tv_sec == 9, "takes microseconds");
    check_eq(utime("file", &(struct utimbuf){1, 2}), 0, "utime");
    check_eq(of("file").st_mtim.tv_sec, 2, "takes seconds");
    symlink("file", "link");
    check_eq(utimensat(AT_FDCWD, "link", (struct timespec[2]){{5, 0}, {6, 0}}, AT_SYMLINK_NOFOLLOW), 0,
             "times of a symlink");
    check(of("link").st_mtim.tv_sec == 6 && of("file").st_mtim.tv_sec == 2, "of the symlink only");
    check_eq(write(fd, "x", 1), 1, "write");
    check(of("file").st_mtim.tv_sec > 2, "changes the modification time");
    mkdir("d", 0755);
    utimensat(AT_FDCWD, "d", (struct timespec[2]){{5, 0}, {6, 0}}, 0);
    close(creat("d/new", 0644));
    check(of("d").st_mtim.tv_sec > 6, "a new name changes its directory");
}

static void modes(int fd) {
    check_eq(chmod("file", 04755), 0, "chmod");
    check_eq(of("file").st_mode, S_IFREG | 04755, "set-user-ID and all");
    check_eq(fchmod(fd, 0600), 0, "fchmod");
    check_eq(of("file").st_mode, S_IFREG | 0600, "and back");
    check_eq(fchmodat(AT_FDCWD, "file", 0640, 0), 0, "fchmodat");
    check_eq(of("file").st_mode & 07777, 0640, "its mode");
    check_fails(chmod("absent", 0644), ENOENT, "chmod of nothing");
    umask(027);
    close(open("masked", O_CREAT | O_WRONLY, 0666));
    check_eq(of("masked").st_mode & 07777, 0640, "umask");
    check_eq(umask(0), 027, "umask gives the old one");
    check_eq(chown("file", 12, 34), 0, "chown");
    check(of("file").st_uid == 12 && of("file").st_gid == 34, "the owner");
    check_eq(fchown(fd, -1, 56), 0, "fchown");
    check(of("file").st_uid == 12 && of("file").st_gid == 56, "-1 leaves one as it is");
    check_eq(lchown("link", 78, -1), 0, "lchown");
    check(of("link").st_uid == 78 && of("file").st_uid == 12, "of the symlink only");
    check_eq(fchownat(fd, "", 0, 0, AT_EMPTY_PATH), 0, "fchownat with an empty path");
    check_eq(of("file").st_uid, 0, "root again");
    chmod("file", 06755), chown("file", 1, 1);
    check_eq(of("file").st_mode & 07777, 0755, "chown clears set-user-ID");
}

int main(void) {
    umask(0);
    int fd = open("file", O_RDWR | O_CREAT, 0644);
    need(fd >= 0 && write(fd, "12345", 5) == 5, "a file");
    struct stat st, again;
    check_eq(fstat(fd, &st), 0, "fstat");
    check(S_ISREG(st.st_mode) && st.st_size == 5 && st.st_nlink == 1 && st.st_uid == geteuid(),
          "a regular file");
    check(st.st_blksize >= 512 && st.st_ino != 0, "block size and inode number");
    check(stat("file", &again) == 0 && again.st_ino == st.st_ino && again.st_dev == st.st_dev,
          "stat says the same");
    check(fstatat(fd, "", &again, AT_EMPTY_PATH) == 0 && again.st_ino == st.st_ino, "AT_EMPTY_PATH");
    check_fails(fstatat(AT_FDCWD, "file", &st, 0x8000000), EINVAL, "fstatat with a wrong flag");
    check_fails(stat("file/x", &st), ENOTDIR, "below a file");
    check(stat(".", &st) == 0 && S_ISDIR(st.st_mode) && of("..").st_ino != st.st_ino, "directories");

    struct statx x;
    check_eq(statx(AT_FDCWD, "file", 0, STATX_BASIC_STATS, &x), 0, "statx");
    check((x.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS, "has the basic fields");
    check(x.stx_size == 5 && x.stx_ino == again.st_ino && x.stx_mode == again.st_mode, "and says the same");
    check_eq(makedev(x.stx_dev_major, x.stx_dev_minor), again.st_dev, "the device too");
    check(statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &x) == 0 && x.stx_size == 5, "statx of a descriptor");
    check_fails(statx(AT_FDCWD, "absent", 0, STATX_SIZE, &x), ENOENT, "statx of nothing");
    check_fails(statx(AT_FDCWD, "file", 0, STATX__RESERVED, &x), EINVAL, "statx with a reserved bit");

    check(stat("/dev/null", &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3), "a device");
    int pipes[2];
    check(pipe(pipes) == 0 && fstat(pipes[0], &st) == 0 && S_ISFIFO(st.st_mode), "a pipe");
    struct statfs fs;
    check(statfs(".", &fs) == 0 && fs.f_bsize > 0 && fs.f_blocks > 0 && fs.f_namelen == 255, "statfs");
    check(fstatfs(fd, &fs) == 0 && fs.f_bavail <= fs.f_blocks, "fstatfs");
    check(statfs("/proc", &fs) == 0 && fs.f_type == 0x9fa0, "statfs of /proc");
    struct statvfs vfs;
    check(statvfs(".", &vfs) == 0 && vfs.f_namemax == 255, "statvfs");
    check_fails(statfs("absent", &fs), ENOENT, "statfs of nothing");
    times(fd);
    modes(fd);
    check_eq(mknod("fifo", S_IFIFO | 0600, 0), 0, "mknod of a FIFO");
    check(S_ISFIFO(of("fifo").st_mode), "is one");
    check_eq(mknod("regular", S_IFREG | 0600, 0), 0, "mknod of a file");
    check(S_ISREG(of("regular").st_mode), "is one too");
    sync();
    check(fsync(fd) == 0 && fdatasync(fd) == 0 && syncfs(fd) == 0, "sync");
    check_fails(fsync(pipes[0]), EINVAL, "a pipe has nothing to sync");
    return check_done();
}
