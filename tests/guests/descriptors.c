// Descriptors: duplicates, flags, limits, close_range.
#include "check.h"
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

static int in_child_with_table(int (*body)(void)) {
    int status = -1;
    pid_t child = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0L, 0L, 0L, 0L);
    if (child == 0) _exit(body());
    return waitpid(child, &status, 0) == child ? status : -1;
}

static int close_own(void) { return syscall(SYS_close_range, 60, 61, 2 /* CLOSE_RANGE_UNSHARE */) || is_open(60) || is_open(61); }
static int mark_own(void) { return syscall(SYS_close_range, 60, 60, 2 | 4) || fcntl(60, F_GETFD) != FD_CLOEXEC; }
static int close_shared(void) { return close(60); }
static int execute(void) {
    execl("/proc/self/exe", "descriptors", "61", NULL);
    return 1;
}

// Processes that share their descriptors, as with CLONE_FILES.
static void shared_tables(void) {
    dup2(0, 60);
    dup2(0, 61);
    check_eq(in_child_with_table(close_own), 0, "CLOSE_RANGE_UNSHARE in a child that shares its descriptors");
    check(is_open(60) && is_open(61), "closes the child's alone");
    check_eq(in_child_with_table(mark_own), 0, "CLOSE_RANGE_UNSHARE with CLOSE_RANGE_CLOEXEC");
    check_eq(fcntl(60, F_GETFD), 0, "marks the child's alone");
    check_eq(in_child_with_table(close_shared), 0, "without it");
    check(!is_open(60) && is_open(61), "a child closes its parent's");
    fcntl(61, F_SETFD, FD_CLOEXEC);
    check_eq(in_child_with_table(execute), 0, "a program that a child executes");
    check(is_open(61), "has descriptors of its own");
    close(61);
}

int main(int count, char **arguments) {
    if (count > 1) return is_open(atoi(arguments[1]));
    char buffer[8];
    // Whatever the parent left open.
    syscall(SYS_close_range, 3, ~0U, 0);
    int fd = open("file", O_RDWR | O_CREAT, 0644);
    check_eq(fd, 3, "the lowest free number");
    check_eq(dup(fd), 4, "dup");
    check_eq(dup2(fd, 10), 10, "dup2");
    check_eq(write(4, "abc", 3), 3, "write through one");
    check_eq(lseek(10, 0, SEEK_CUR), 3, "the offset is shared");
    check_eq(dup2(fd, fd), fd, "dup2 to itself");
    check_fails(dup3(fd, fd, 0), EINVAL, "dup3 not");
    check_eq(dup3(fd, 11, O_CLOEXEC), 11, "dup3");
    check_eq(fcntl(11, F_GETFD), FD_CLOEXEC, "O_CLOEXEC");
    check_eq(fcntl(fd, F_GETFD), 0, "is not shared");
    check_fails(dup3(fd, 12, O_APPEND), EINVAL, "no other flag");
    check_eq(fcntl(fd, F_DUPFD, 20), 20, "F_DUPFD");
    check_eq(fcntl(fd, F_DUPFD_CLOEXEC, 20), 21, "F_DUPFD_CLOEXEC");
    check_eq(fcntl(21, F_GETFD), FD_CLOEXEC, "sets it");
    check_eq(fcntl(21, F_SETFD, 0), 0, "F_SETFD");
    check_eq(fcntl(21, F_GETFD), 0, "clears it");
    check_eq(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK), 0, "F_SETFL");
    check((fcntl(4, F_GETFL) & (O_APPEND | O_NONBLOCK | O_ACCMODE)) == (O_APPEND | O_NONBLOCK | O_RDWR),
          "status flags are shared");
    int on = 1;
    check_eq(ioctl(21, FIOCLEX), 0, "FIOCLEX");
    check_eq(fcntl(21, F_GETFD), FD_CLOEXEC, "is the same flag");
    check_eq(ioctl(fd, FIONBIO, &on), 0, "FIONBIO");
    check_fails(ioctl(fd, 0xdead), ENOTTY, "an unknown ioctl");
    check_fails(isatty(fd) - 1, ENOTTY, "a file is no terminal");

    check_eq(close(4), 0, "close");
    check_fails(close(4), EBADF, "twice");
    check_eq(open("file", O_RDONLY), 4, "the number is free again");
    check_fails(read(99, buffer, 1), EBADF, "no such descriptor");
    check_fails(dup(99), EBADF, "nothing to duplicate");
    check_fails(dup2(fd, -1), EBADF, "a negative number");
    check_fails(fcntl(99, F_GETFL), EBADF, "fcntl of nothing");
    check_fails(fcntl(fd, 9999), EINVAL, "a wrong command");

    check_eq(syscall(SYS_close_range, 10, 20, 0), 0, "close_range");
    check(!is_open(10) && !is_open(11) && !is_open(20) && is_open(21) && is_open(4), "closes that range");
    check_eq(syscall(SYS_close_range, 4, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */), 0, "CLOSE_RANGE_CLOEXEC");
    check(is_open(4) && fcntl(4, F_GETFD) == FD_CLOEXEC, "only marks");
    check_fails(syscall(SYS_close_range, 5, 4, 0), EINVAL, "a range upside down");

    shared_tables();

    struct rlimit limit;
    check_eq(getrlimit(RLIMIT_NOFILE, &limit), 0, "getrlimit");
    limit.rlim_cur = 30;
    check_eq(setrlimit(RLIMIT_NOFILE, &limit), 0, "setrlimit");
    int last = -1;
    while ((fd = dup(0)) >= 0) last = fd;
    check(errno == EMFILE && last == 29, "EMFILE at the limit");
    check_fails(dup2(0, 30), EBADF, "dup2 past the limit");
    check_fails(fcntl(0, F_DUPFD, 30), EINVAL, "F_DUPFD past the limit");
    int pipes[2];
    check_fails(pipe(pipes), EMFILE, "a pipe needs two");
    close(29);
    check_fails(pipe(pipes), EMFILE, "not one");
    check_eq(dup(0), 29, "which it leaves free");
    return check_done();
}
