// What every call does with nonsense: ENOSYS, EFAULT, EBADF, EINVAL, and never a crash.
// linkage: dynamic musl
#include "check.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static char *bad;  // One byte before memory that is not there.

static void fault(const char *name, long result) { check(result == -1 && errno == EFAULT, name); }
#define FAULT(call, name) (errno = 0, fault(name, call))

int main(void) {
    check_fails(syscall(-1), ENOSYS, "system call -1");
    check_fails(syscall(1000), ENOSYS, "system call 1000");
    check_fails(syscall(0x40000000 + 39), ENOSYS, "an x32 system call");

    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(page + 4096, 4096);
    bad = page + 4095;
    *bad = 'x';
    int fd = open("file", O_RDWR | O_CREAT, 0644), pipes[2], sockets[2];
    need(write(fd, "0123456789", 10) == 10 && pipe(pipes) == 0 &&
             socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0,
         "descriptors");
    char *null = NULL, *kernel = (char *)0xffff800000000000, *odd = (char *)0x800000000000;
    struct {
        char *at;
        const char *name;
    } places[] = {{null, "NULL"}, {kernel, "a kernel address"}, {odd, "a non-canonical address"}};
    for (int i = 0; i < 3; i++) {
        char *at = places[i].at, name[100];
#define EACH(call, what) snprintf(name, sizeof name, "%s: %s", what, places[i].name), FAULT(call, name)
        EACH(syscall(SYS_write, fd, at, 10), "write");
        EACH(syscall(SYS_read, pipes[0], (write(pipes[1], "abc", 3), at), 3), "read of a pipe");
        EACH(syscall(SYS_pread64, fd, at, 5, 0), "pread");
        EACH(syscall(SYS_writev, fd, at, 1), "writev");
        EACH(syscall(SYS_open, at, O_RDONLY), "open");
        EACH(syscall(SYS_stat, "file", at), "stat");
        EACH(syscall(SYS_fstat, fd, at), "fstat");
        EACH(syscall(SYS_getcwd, at, 100), "getcwd");
        EACH(syscall(SYS_pipe2, at, 0), "pipe2");
        EACH(syscall(SYS_clock_gettime, 0, at), "clock_gettime");
        EACH(syscall(SYS_nanosleep, at, NULL), "nanosleep");
        EACH(syscall(SYS_uname, at), "uname");
        EACH(syscall(SYS_getrandom, at, 16, 0), "getrandom");
        EACH(syscall(SYS_poll, at, 1, 0), "poll");
        EACH(syscall(SYS_epoll_ctl, syscall(SYS_epoll_create1, 0), 1, pipes[0], at), "epoll_ctl");
        EACH(syscall(SYS_sendto, sockets[0], at, 5, 0, NULL, 0), "send");
        EACH(syscall(SYS_sendmsg, sockets[0], at, 0), "sendmsg");
        EACH(syscall(SYS_bind, sockets[0], at, 16), "bind");
        EACH(syscall(SYS_futex, at ? at : (char *)16, 0, 0, NULL, NULL, 0), "futex");
        EACH(syscall(SYS_readlink, "/proc/self/exe", at, 10), "readlink");
        EACH(syscall(SYS_getdents64, open(".", O_RDONLY), at, 1000), "getdents64");
        EACH(syscall(SYS_statfs, "/", at), "statfs");
        EACH(syscall(SYS_getresuid, at, at, at), "getresuid");
        EACH(syscall(SYS_prctl, 16 /* PR_GET_NAME */, at), "prctl");
    }
    // What stands right before a hole is read to its last byte and not further.
    check_eq(pwrite(fd, bad, 1, 0), 1, "the last byte before a hole");
    FAULT(syscall(SYS_open, bad, O_RDONLY), "a path that runs into a hole");
    memcpy(bad - 4, "file", 5 - 1);
    *bad = 0;
    check(open(bad - 4, O_RDONLY) >= 0, "a path that ends right before it");
    check_eq(pwrite(fd, bad, 2, 0), 1, "a buffer of which half is there");

    int closed = dup(fd);
    close(closed);
    int wrong[] = {-1, closed, 1 << 20, -100};
    for (int i = 0; i < 4; i++) {
        int w = wrong[i];
        char name[100];
#define BAD_FD(call, what) \
    snprintf(name, sizeof name, "%s: bad descriptor %d", what, i), check_fails(call, EBADF, name)
        BAD_FD(read(w, page, 1), "read");
        BAD_FD(write(w, page, 1), "write");
        BAD_FD(lseek(w, 0, SEEK_SET), "lseek");
        BAD_FD(close(w), "close");
        BAD_FD(dup(w), "dup");
        BAD_FD(fcntl(w, F_GETFL), "fcntl");
        BAD_FD(syscall(SYS_ioctl, w, 0x5401, page), "ioctl");
        BAD_FD(syscall(SYS_fstat, w, page), "fstat");
        BAD_FD(ftruncate(w, 0), "ftruncate");
        BAD_FD(fsync(w), "fsync");
        BAD_FD(listen(w, 1), "listen");
        BAD_FD(send(w, page, 1, 0), "send");
        BAD_FD(syscall(SYS_getdents64, w, page, 100), "getdents64");
        BAD_FD(syscall(SYS_mmap, 0, 4096, PROT_READ, MAP_PRIVATE, w, 0), "mmap");
        BAD_FD(syscall(SYS_fchdir, w), "fchdir");
        BAD_FD(syscall(SYS_epoll_ctl, w, 1, pipes[0], page), "epoll_ctl");
    }
    check_fails(listen(fd, 1), ENOTSOCK, "a file is no socket");
    check_fails(lseek(pipes[0], 0, SEEK_SET), ESPIPE, "a pipe has no offset");
    check_fails(pread(pipes[0], page, 1, 0), ESPIPE, "nor pread");
    return check_done();
}
