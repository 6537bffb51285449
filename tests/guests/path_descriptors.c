// Descriptors that are a path only (O_PATH): nearly every call refuses them with EBADF.
// linkage: dynamic
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

static char byte[16];
static struct iovec piece = {byte, 1};

static void refused(int path, int file) {
    struct itimerspec timer = {{0, 0}, {0, 0}};
    struct epoll_event event = {.events = EPOLLIN};
    struct timespec times[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
    struct sockaddr address = {0};
    socklen_t length = sizeof address;
    int number = 0, instance = epoll_create1(0);
    check_fails(read(path, byte, 1), EBADF, "read");
    check_fails(write(path, byte, 1), EBADF, "write");
    check_fails(pread(path, byte, 1, 0), EBADF, "pread");
    check_fails(readv(path, &piece, 1), EBADF, "readv");
    check_fails(pwritev(path, &piece, 1, 0), EBADF, "pwritev");
    check_fails(lseek(path, 0, SEEK_SET), EBADF, "lseek");
    check_fails(fsync(path), EBADF, "fsync");
    check_fails(syncfs(path), EBADF, "syncfs");
    check_fails(sync_file_range(path, 0, 1, 0), EBADF, "sync_file_range");
    check_fails(ftruncate(path, 0), EBADF, "ftruncate");
    check_fails(fallocate(path, 0, 0, 1), EBADF, "fallocate");
    check_eq(posix_fadvise(path, 0, 1, POSIX_FADV_NORMAL), EBADF, "fadvise");
    check_fails(readahead(path, 0, 1), EBADF, "readahead");
    check_fails(flock(path, LOCK_SH), EBADF, "flock");
    check_fails(fchmod(path, 0600), EBADF, "fchmod");
    check_fails(fchown(path, -1, -1), EBADF, "fchown");
    check_fails(futimens(path, times), EBADF, "futimens");
    check_fails(fgetxattr(path, "user.x", byte, 1), EBADF, "fgetxattr");
    check_fails(ioctl(path, FIONREAD, &number), EBADF, "ioctl");
    check_fails(syscall(SYS_getdents64, path, byte, sizeof byte), EBADF, "getdents64");
    check(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, path, 0) == MAP_FAILED && errno == EBADF, "mmap");
    check_fails(sendfile(file, path, NULL, 1), EBADF, "sendfile from it");
    check_fails(sendfile(path, file, NULL, 1), EBADF, "sendfile to it");
    check_fails(copy_file_range(path, NULL, file, NULL, 1, 0), EBADF, "copy_file_range");
    check_fails(epoll_ctl(instance, EPOLL_CTL_ADD, path, &event), EBADF, "epoll_ctl");
    check_fails(epoll_wait(path, &event, 1, 0), EBADF, "epoll_wait");
    check_fails(inotify_add_watch(path, ".", IN_OPEN), EBADF, "inotify_add_watch");
    check_fails(timerfd_settime(path, 0, &timer, NULL), EBADF, "timerfd_settime");
    check_fails(accept(path, NULL, NULL), EBADF, "accept");
    check_fails(connect(path, &address, sizeof address), EBADF, "connect");
    check_fails(getsockname(path, &address, &length), EBADF, "getsockname");
    check_fails(send(path, byte, 1, 0), EBADF, "send");
    check_fails(setsockopt(path, SOL_SOCKET, SO_KEEPALIVE, &number, sizeof number), EBADF, "setsockopt");
    check_fails(fcntl(path, F_SETFL, 0), EBADF, "F_SETFL");
    check_fails(fcntl(path, F_GETOWN), EBADF, "F_GETOWN");
    struct pollfd look = {.fd = path, .events = POLLIN};
    check(poll(&look, 1, 0) == 1 && look.revents == POLLNVAL, "poll");
    fd_set set;
    FD_ZERO(&set);
    FD_SET(path, &set);
    struct timeval now = {0, 0};
    check_eq(select(path + 1, &set, NULL, NULL, &now), 1, "select takes it for ready");
}

static void allowed(int path) {
    struct stat stat_of;
    struct statfs statfs_of;
    int copy = dup(path);
    check(copy >= 0 && close(copy) == 0, "dup and close");
    check_eq(fcntl(path, F_GETFL) & O_PATH, O_PATH, "F_GETFL");
    check_eq(fcntl(path, F_GETFD), 0, "F_GETFD");
    check_eq(fstat(path, &stat_of), 0, "fstat");
    check_eq(fstatfs(path, &statfs_of), 0, "fstatfs");
    check_eq(fstatat(path, "", &stat_of, AT_EMPTY_PATH), 0, "fstatat");
    check_eq(fchownat(path, "", -1, -1, AT_EMPTY_PATH), 0, "fchownat");
    int here = open(".", O_PATH);
    check_eq(fchdir(here), 0, "fchdir");
    int within = openat(here, "file", O_RDONLY);
    check(within >= 0, "openat");
}

int main(void) {
    int file = open("file", O_RDWR | O_CREAT, 0600);
    int path = open("file", O_PATH);
    need(file >= 0 && path >= 0, "a file and its path");
    refused(path, file);
    allowed(path);
    return check_done();
}
