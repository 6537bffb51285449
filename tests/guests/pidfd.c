// Descriptors of processes: pidfd_open, pidfd_send_signal, pidfd_getfd, waitid of one, and clone3 that gives one.
#include "check.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

static pid_t sleeper(void) {
    pid_t pid = fork();
    if (pid < 0) exit(1);
    if (pid == 0) for (;;) pause();
    return pid;
}

static int is_readable(int fd, int wait) {
    struct pollfd entry = {.fd = fd, .events = POLLIN};
    // Later versions of Linux add POLLHUP once it was waited for.
    return poll(&entry, 1, wait) == 1 && entry.revents & POLLIN;
}

int main(void) {
    pid_t pid = sleeper();
    int fd = syscall(SYS_pidfd_open, pid, 0);
    need(fd >= 0, "pidfd_open");
    check_eq(fcntl(fd, F_GETFD), FD_CLOEXEC, "it is closed on exec");
    check(!is_readable(fd, 0), "it is not readable while the process lives");
    char byte;
    check_fails(read(fd, &byte, 1), EINVAL, "it cannot be read");
    check_eq(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0), 0, "signal 0");
    check_fails(syscall(SYS_pidfd_send_signal, 0, SIGTERM, NULL, 0), EBADF, "another kind of descriptor");
    check_fails(syscall(SYS_pidfd_send_signal, fd, 99, NULL, 0), EINVAL, "no such signal");
    siginfo_t info = {0};
    check_eq(waitid(P_PIDFD, fd, &info, WEXITED | WNOHANG), 0, "waitid while it lives");
    check_eq(info.si_pid, 0, "tells nothing");
    int epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    check_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0, "it can be watched");
    check_eq(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0), 0, "SIGTERM");
    check_eq(epoll_wait(epoll, &event, 1, 5000), 1, "its end is told");
    check(is_readable(fd, 5000), "it is readable once the process has ended");
    check(waitid(P_PIDFD, fd, &info, WEXITED) == 0 && info.si_pid == pid && info.si_status == SIGTERM, "waitid");
    check_fails(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0), ESRCH, "there is nobody any more");
    check(is_readable(fd, 0), "it stays readable");
    close(fd);
    check_fails(syscall(SYS_pidfd_open, pid, 0), ESRCH, "a number that is free");
    check_fails(syscall(SYS_pidfd_open, -1, 0), EINVAL, "no number");
    check_fails(syscall(SYS_pidfd_open, getpid(), 1), EINVAL, "a wrong flag");

    int ends[2];
    need(pipe(ends) == 0, "a pipe");
    pid = fork();
    if (pid == 0) {
        dup2(ends[1], 50);
        (void)!write(ends[1], "r", 1);
        for (;;) pause();
    }
    need(read(ends[0], &byte, 1) == 1, "the child is ready");
    fd = syscall(SYS_pidfd_open, pid, 0);
    int theirs = syscall(SYS_pidfd_getfd, fd, 50, 0);
    check(theirs >= 0, "pidfd_getfd");
    check(write(theirs, "x", 1) == 1 && read(ends[0], &byte, 1) == 1 && byte == 'x', "it is the child's pipe");
    check_fails(syscall(SYS_pidfd_getfd, fd, 51, 0), EBADF, "a descriptor that the child has not");
    check_fails(syscall(SYS_pidfd_getfd, fd, 50, 1), EINVAL, "a flag");
    kill(pid, SIGKILL);
    check(waitid(P_PIDFD, fd, &info, WEXITED) == 0, "the end");
    close(fd);

    int made = -1;
    struct clone_args args = {
        .flags = CLONE_PIDFD,
        .pidfd = (uint64_t)(uintptr_t)&made,
        .exit_signal = SIGCHLD,
    };
    pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0) _exit(6);
    check(pid > 0 && made >= 0, "clone3 gives a descriptor");
    check(waitid(P_PIDFD, made, &info, WEXITED) == 0 && info.si_pid == pid && info.si_status == 6, "of its child");

    // PIDFD_NONBLOCK, which is O_NONBLOCK.
    pid = fork();
    if (pid == 0) {
        read(ends[0], &byte, 1);
        _exit(7);
    }
    fd = syscall(SYS_pidfd_open, pid, O_NONBLOCK);
    check(fd >= 0 && (fcntl(fd, F_GETFL) & O_NONBLOCK), "a descriptor that does not wait");
    check_fails(waitid(P_PIDFD, fd, &info, WEXITED), EAGAIN, "does not wait for the end");
    check_eq(waitid(P_PIDFD, fd, &info, WEXITED | WNOHANG), 0, "nor does a call");
    siginfo_t other = {.si_signo = SIGUSR2, .si_code = SI_QUEUE};
    check_fails(syscall(SYS_pidfd_send_signal, fd, SIGUSR1, &other, 0), EINVAL, "two signals at once");
    write(ends[1], "x", 1);
    struct pollfd ready = {fd, POLLIN, 0};
    check_eq(poll(&ready, 1, -1), 1, "the end comes");
    check(waitid(P_PIDFD, fd, &info, WEXITED) == 0 && info.si_status == 7, "and is told");
    return check_done();
}
