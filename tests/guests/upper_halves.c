// Linux takes arguments of type int and unsigned as 32 bits: the upper half of their registers is not looked at.
// linkage: dynamic static
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

// The lower half is the argument, the upper half is rubbish.
#define H(value) ((long)((unsigned long)(unsigned)(value) | 0x5a5a5a5aul << 32))

static int opens(long fd, const char *name) {
    int is_open = check(fd >= 0 && fd < 1024, name);
    if (is_open) close((int)fd);
    return is_open;
}

int main(void) {
    char bytes[256];
    int two[2];

    // Descriptors and flags.
    int fd = open("upper", O_RDWR | O_CREAT, 0644);
    need(fd >= 0, "open");
    check_eq(syscall(SYS_write, H(fd), "abcd", 4), 4, "write");
    check_eq(syscall(SYS_pread64, H(fd), bytes, 4, 0), 4, "pread64");
    check_eq(syscall(SYS_lseek, H(fd), 1, H(SEEK_SET)), 1, "lseek");
    check_eq(syscall(SYS_fsync, H(fd)), 0, "fsync");
    check_eq(syscall(SYS_ftruncate, H(fd), 100), 0, "ftruncate");
    check_eq(syscall(SYS_fallocate, H(fd), H(0), 0, 200), 0, "fallocate");
    check_eq(syscall(SYS_fadvise64, H(fd), 0, 0, H(POSIX_FADV_NORMAL)), 0, "fadvise64");
    opens(syscall(SYS_openat, H(AT_FDCWD), "upper", H(O_RDONLY), H(0)), "openat");
    opens(syscall(SYS_open, "upper", H(O_RDONLY | O_CLOEXEC), H(0)), "open");
    opens(syscall(SYS_dup, H(fd)), "dup");
    opens(syscall(SYS_dup3, H(fd), H(60), H(O_CLOEXEC)), "dup3");
    check_eq(syscall(SYS_dup2, H(fd), H(fd)), fd, "dup2 of itself");
    check_eq(syscall(SYS_dup2, H(fd), H(60)), 60, "dup2");
    check_eq(syscall(SYS_close_range, H(60), H(60), H(0)), 0, "close_range");
    check_eq(syscall(SYS_close, H(60)) == -1 && errno == EBADF, 1, "closed");
    opens(syscall(SYS_fcntl, H(fd), H(F_DUPFD), H(3)), "F_DUPFD");
    check_eq(syscall(SYS_fcntl, H(fd), H(F_SETFD), H(FD_CLOEXEC)), 0, "F_SETFD");
    check_eq(syscall(SYS_fcntl, H(fd), H(F_GETFD), 0), FD_CLOEXEC, "F_GETFD");
    check_eq(syscall(SYS_fcntl, H(fd), H(F_SETFL), H(O_NONBLOCK)), 0, "F_SETFL");
    check_eq(syscall(SYS_flock, H(fd), H(LOCK_EX | LOCK_NB)), 0, "flock");
    check_eq(syscall(SYS_flock, H(fd), H(LOCK_UN)), 0, "flock, LOCK_UN");

    // Calls that make descriptors.
    check_eq(syscall(SYS_pipe2, two, H(O_CLOEXEC)), 0, "pipe2");
    opens(syscall(SYS_eventfd2, H(1), H(O_NONBLOCK)), "eventfd2");
    long timer = syscall(SYS_timerfd_create, H(CLOCK_MONOTONIC), H(TFD_NONBLOCK));
    check(timer >= 0, "timerfd_create");
    struct itimerspec spec = {{0, 0}, {100, 0}};
    check_eq(syscall(SYS_timerfd_settime, H(timer), H(0), &spec, 0), 0, "timerfd_settime");
    unsigned long set = 1ul << (SIGUSR1 - 1);
    opens(syscall(SYS_signalfd4, H(-1), &set, 8, H(O_CLOEXEC)), "signalfd4");
    opens(syscall(SYS_memfd_create, "name", H(MFD_CLOEXEC)), "memfd_create");
    long epoll = syscall(SYS_epoll_create1, H(EPOLL_CLOEXEC));
    check(epoll >= 0, "epoll_create1");
    struct epoll_event event = {.events = EPOLLIN};
    check_eq(syscall(SYS_epoll_ctl, H(epoll), H(EPOLL_CTL_ADD), H(two[0]), &event), 0, "epoll_ctl");
    check_eq(syscall(SYS_epoll_wait, H(epoll), &event, H(1), H(0)), 0, "epoll_wait");
    struct pollfd poll = {.fd = two[0], .events = POLLIN};
    check_eq(syscall(SYS_poll, &poll, H(1), H(0)), 0, "poll");
    struct timeval now = {0, 0};
    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(two[0], &readable);
    check_eq(syscall(SYS_select, H(two[0] + 1), &readable, 0, 0, &now), 0, "select");

    // Copies.
    struct iovec piece = {bytes, 4};
    check_eq(write(two[1], "xy", 2), 2, "write to the pipe");
    check_eq(syscall(SYS_vmsplice, H(two[1]), &piece, 1, H(0)), 4, "vmsplice");
    int other[2];
    need(pipe(other) == 0, "pipe");
    check_eq(syscall(SYS_tee, H(two[0]), H(other[1]), 2, H(SPLICE_F_NONBLOCK)), 2, "tee");
    check_eq(syscall(SYS_splice, H(two[0]), 0, H(other[1]), 0, 2, H(SPLICE_F_NONBLOCK)), 2, "splice");
    int copy = open("upper2", O_RDWR | O_CREAT, 0644);
    long start = 0;
    check_eq(syscall(SYS_copy_file_range, H(fd), &start, H(copy), 0, 3, H(0)), 3, "copy_file_range");
    check_eq(syscall(SYS_preadv2, H(fd), &piece, 1, 0, 0, H(0)), 4, "preadv2");
    check_eq(syscall(SYS_pwritev2, H(fd), &piece, 1, 0, 0, H(0)), 4, "pwritev2");

    // Names.
    check_eq(syscall(SYS_faccessat, H(AT_FDCWD), "upper", H(R_OK)), 0, "faccessat");
    check_eq(syscall(SYS_faccessat2, H(AT_FDCWD), "upper", H(R_OK), H(AT_EACCESS)), 0, "faccessat2");
    check_eq(syscall(SYS_access, "upper", H(R_OK)), 0, "access");
    check_eq(syscall(SYS_fchmodat, H(AT_FDCWD), "upper", H(0600)), 0, "fchmodat");
    check_eq(syscall(SYS_fchownat, H(AT_FDCWD), "upper", H(-1), H(-1), H(0)), 0, "fchownat");
    struct stat stat;
    check_eq(syscall(SYS_newfstatat, H(AT_FDCWD), "upper", &stat, H(AT_SYMLINK_NOFOLLOW)), 0, "newfstatat");
    check_eq(stat.st_mode, S_IFREG | 0600, "mode");
    check_eq(syscall(SYS_statx, H(AT_FDCWD), "upper", H(0), H(0x7ff), bytes), 0, "statx");
    check_eq(syscall(SYS_utimensat, H(AT_FDCWD), "upper", 0, H(0)), 0, "utimensat");
    check_eq(syscall(SYS_linkat, H(AT_FDCWD), "upper2", H(AT_FDCWD), "upper3", H(0)), 0, "linkat");
    check_eq(syscall(SYS_renameat2, H(AT_FDCWD), "upper3", H(AT_FDCWD), "upper4", H(RENAME_NOREPLACE)), 0,
             "renameat2");
    check_eq(syscall(SYS_unlinkat, H(AT_FDCWD), "upper4", H(0)), 0, "unlinkat");
    check_eq(syscall(SYS_mkdirat, H(AT_FDCWD), "upperd", H(0700)), 0, "mkdirat");
    check_eq(syscall(SYS_unlinkat, H(AT_FDCWD), "upperd", H(AT_REMOVEDIR)), 0, "unlinkat, AT_REMOVEDIR");
    check_eq(syscall(SYS_mknodat, H(AT_FDCWD), "upperf", H(S_IFIFO | 0600), H(0)), 0, "mknodat");
    check_eq(syscall(SYS_unlinkat, H(AT_FDCWD), "upperf", H(0)), 0, "unlinkat of a FIFO");
    check_eq(syscall(SYS_symlinkat, "to", H(AT_FDCWD), "uppers"), 0, "symlinkat");
    check_eq(syscall(SYS_readlinkat, H(AT_FDCWD), "uppers", bytes, H(2)), 2, "readlinkat");
    unlink("uppers");

    // Memory.
    char *page = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check_eq(syscall(SYS_madvise, page, 4096, H(MADV_NORMAL)), 0, "madvise");
    check_eq(syscall(SYS_msync, page, 4096, H(MS_SYNC)), 0, "msync");
    check_eq(syscall(SYS_mlockall, H(MCL_CURRENT)) == 0 || errno == ENOMEM || errno == EPERM, 1, "mlockall");
    munlockall();
    check_eq(syscall(SYS_getrandom, bytes, 8, H(1)), 8, "getrandom");

    // Signals and time.
    check_eq(syscall(SYS_rt_sigprocmask, H(SIG_BLOCK), &set, 0, 8), 0, "rt_sigprocmask");
    check_eq(syscall(SYS_kill, H(getpid()), H(SIGUSR1)), 0, "kill");
    check_eq(syscall(SYS_tgkill, H(getpid()), H(gettid()), H(SIGUSR1)), 0, "tgkill");
    check_eq(syscall(SYS_clock_gettime, H(CLOCK_MONOTONIC), bytes), 0, "clock_gettime");
    check_eq(syscall(SYS_clock_getres, H(CLOCK_MONOTONIC_COARSE), bytes), 0, "clock_getres");
    struct timespec past = {1, 0}, resolution;
    check_eq(syscall(SYS_clock_getres, H(CLOCK_MONOTONIC_COARSE), &resolution), 0, "clock_getres again");
    check(resolution.tv_nsec >= 1000000, "a coarse clock is coarse");
    check_eq(syscall(SYS_clock_nanosleep, H(CLOCK_REALTIME), H(TIMER_ABSTIME), &past, 0), 0, "clock_nanosleep");
    struct itimerval interval = {{0, 0}, {100, 0}};
    check_eq(syscall(SYS_setitimer, H(ITIMER_REAL), &interval, 0), 0, "setitimer");
    check_eq(syscall(SYS_getitimer, H(ITIMER_REAL), &interval), 0, "getitimer");
    check_eq(syscall(SYS_alarm, H(0)), 100, "alarm");
    int number = -1;
    check_eq(syscall(SYS_timer_create, H(CLOCK_MONOTONIC), 0, &number), 0, "timer_create");
    // Long after any machine's start, so that it does not expire.
    struct itimerspec far = {{0, 0}, {1l << 32, 0}};
    check_eq(syscall(SYS_timer_settime, H(number), H(TIMER_ABSTIME), &far, 0), 0, "timer_settime");
    check_eq(syscall(SYS_timer_delete, H(number)), 0, "timer_delete");

    // Processes.
    struct rlimit limit;
    check_eq(syscall(SYS_getrlimit, H(RLIMIT_NOFILE), &limit), 0, "getrlimit");
    check_eq(syscall(SYS_prlimit64, H(0), H(RLIMIT_NOFILE), 0, &limit), 0, "prlimit64");
    struct rusage usage;
    check_eq(syscall(SYS_getrusage, H(RUSAGE_SELF), &usage), 0, "getrusage");
    check_eq(syscall(SYS_getpgid, H(0)), getpgrp(), "getpgid");
    check_eq(syscall(SYS_getpriority, H(PRIO_PROCESS), H(0)), 20, "getpriority");
    check_eq(syscall(SYS_setpriority, H(PRIO_PROCESS), H(0), H(0)), 0, "setpriority");
    check_eq(syscall(SYS_prctl, H(PR_GET_DUMPABLE), 0, 0, 0, 0), 1, "prctl");
    unsigned long base;
    check_eq(syscall(SYS_arch_prctl, H(0x1003), &base), 0, "arch_prctl");
    cpu_set_t processors;
    long size = syscall(SYS_sched_getaffinity, H(0), H(sizeof processors), &processors);
    check(size > 0, "sched_getaffinity");
    check_eq(syscall(SYS_sched_setaffinity, H(0), H(sizeof processors), &processors), 0, "sched_setaffinity");
    check_eq(syscall(SYS_sched_getscheduler, H(0)), SCHED_OTHER, "sched_getscheduler");
    check_eq(syscall(SYS_sched_get_priority_max, H(SCHED_FIFO)), 99, "sched_get_priority_max");
    int word = 0;
    check_eq(syscall(SYS_futex, &word, H(1), H(1), 0, 0, H(0)), 0, "futex, FUTEX_WAKE");
    check_fails(syscall(SYS_futex, &word, H(0), H(1), 0, 0, 0), EAGAIN, "futex, FUTEX_WAIT");
    void *head;
    size_t len;
    check_eq(syscall(SYS_get_robust_list, H(0), &head, &len), 0, "get_robust_list");
    check_eq(syscall(SYS_getgroups, H(0), 0) >= 0, 1, "getgroups");
    check_eq(syscall(SYS_personality, H(-1)), 0, "personality");

    // Sockets.
    check_eq(syscall(SYS_socketpair, H(AF_UNIX), H(SOCK_STREAM | SOCK_CLOEXEC), H(0), two), 0, "socketpair");
    check_eq(syscall(SYS_sendto, H(two[0]), "ab", 2, H(MSG_NOSIGNAL), 0, 0), 2, "sendto");
    check_eq(syscall(SYS_recvfrom, H(two[1]), bytes, 2, H(MSG_DONTWAIT), 0, 0), 2, "recvfrom");
    struct mmsghdr message = {.msg_hdr = {.msg_iov = &piece, .msg_iovlen = 1}};
    check_eq(syscall(SYS_sendmmsg, H(two[0]), &message, H(1), H(0)), 1, "sendmmsg");
    check_eq(syscall(SYS_recvmmsg, H(two[1]), &message, H(1), H(MSG_WAITFORONE), 0), 1, "recvmmsg");
    int on = 1;
    check_eq(syscall(SYS_setsockopt, H(two[0]), H(SOL_SOCKET), H(SO_KEEPALIVE), &on, H(sizeof on)), 0, "setsockopt");
    check_eq(syscall(SYS_shutdown, H(two[0]), H(SHUT_RDWR)), 0, "shutdown");
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr address = {.sa_family = AF_UNIX};
    check_eq(syscall(SYS_bind, H(listener), &address, H(2)), 0, "bind");
    check_eq(syscall(SYS_listen, H(listener), H(1)), 0, "listen");
    check_fails(syscall(SYS_accept4, H(listener), 0, 0, H(SOCK_CLOEXEC)), EAGAIN, "accept4");

    unlink("upper");
    unlink("upper2");
    return check_done();
}
