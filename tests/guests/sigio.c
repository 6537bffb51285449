// O_ASYNC: a signal to the owner of an open file when something happens to it.
// linkage: dynamic
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef F_DUPFD_QUERY
#define F_DUPFD_QUERY 1027
#endif

static volatile int told, code, descriptor;
static volatile long band;

static void handler(int number, siginfo_t *info, void *unused) {
    (void)unused;
    code = info->si_code;
    descriptor = info->si_fd;
    band = info->si_band;
    told = number;
}

static int wait_for(int number) {
    for (int tries = 0; tries < 2000 && told != number; tries++) usleep(1000);
    int was = told;
    told = 0;
    return was == number;
}

static void settings(int fd) {
    struct f_owner_ex owner = {99, 99};
    check_eq(fcntl(fd, F_GETOWN), 0, "nobody is told at first");
    check_eq(fcntl(fd, F_GETSIG), 0, "by the usual signal");
    check_eq(fcntl(fd, F_SETOWN, getpid()), 0, "an owner");
    check_eq(fcntl(fd, F_GETOWN), getpid(), "is kept");
    check(fcntl(fd, F_GETOWN_EX, &owner) == 0 && owner.type == F_OWNER_PID && owner.pid == getpid(), "as a process");
    check_eq(fcntl(fd, F_SETOWN, -getpgrp()), 0, "a group");
    check(fcntl(fd, F_GETOWN_EX, &owner) == 0 && owner.type == F_OWNER_PGRP && owner.pid == getpgrp(), "is kept, too");
    owner = (struct f_owner_ex){F_OWNER_TID, getpid()};
    check_eq(fcntl(fd, F_SETOWN_EX, &owner), 0, "a thread");
    owner.type = 77;
    check_fails(fcntl(fd, F_SETOWN_EX, &owner), EINVAL, "a kind that there is not");
    check_fails(fcntl(fd, F_SETOWN_EX, (void *)8), EFAULT, "an owner nowhere");
    check_fails(fcntl(fd, F_SETOWN, 4194000), ESRCH, "nobody");
    check_eq(fcntl(fd, F_SETSIG, SIGRTMIN + 2), 0, "another signal");
    check_eq(fcntl(fd, F_GETSIG), SIGRTMIN + 2, "is kept");
    check_fails(fcntl(fd, F_SETSIG, 65), EINVAL, "a signal that there is not");
    check_eq(fcntl(fd, F_SETSIG, 0), 0, "the usual one again");
    check_eq(fcntl(fd, F_SETOWN, 0), 0, "nobody again");
    check_eq(fcntl(fd, F_GETOWN), 0, "is kept");
}

static void signals(int reads, int writes, const char *what) {
    char text[64], byte = 'x';
    fcntl(reads, F_SETOWN, getpid());
    fcntl(reads, F_SETFL, fcntl(reads, F_GETFL) | O_ASYNC);
    snprintf(text, sizeof text, "O_ASYNC of %s", what);
    check(fcntl(reads, F_GETFL) & O_ASYNC, text);
    if (write(writes, &byte, 1) != 1) exit(1);
    snprintf(text, sizeof text, "SIGIO of %s", what);
    check(wait_for(SIGIO), text);
    fcntl(reads, F_SETSIG, SIGRTMIN);
    if (write(writes, &byte, 1) != 1) exit(1);
    snprintf(text, sizeof text, "a signal of one's own of %s", what);
    check(wait_for(SIGRTMIN), text);
    snprintf(text, sizeof text, "which says what happened to %s", what);
    check(code == POLL_IN && descriptor == reads && band & POLLIN, text);
    fcntl(reads, F_SETFL, fcntl(reads, F_GETFL) & ~O_ASYNC);
    if (write(writes, &byte, 1) != 1) exit(1);
    usleep(20000);
    snprintf(text, sizeof text, "nothing more of %s", what);
    check_eq(told, 0, text);
}

int main(void) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigaction(SIGIO, &action, NULL);
    sigaction(SIGRTMIN, &action, NULL);
    int ends[2], pair[2];
    need(pipe(ends) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "a pipe and a pair of sockets");
    settings(ends[0]);
    signals(ends[0], ends[1], "a pipe");
    signals(pair[0], pair[1], "a socket");
    // Of another process, to this one.
    fcntl(ends[0], F_SETFL, fcntl(ends[0], F_GETFL) | O_ASYNC);
    pid_t child = fork();
    if (child == 0) _exit(write(ends[1], "x", 1) != 1);
    check(wait_for(SIGRTMIN), "what another process does");
    waitpid(child, NULL, 0);
    check_eq(fcntl(ends[0], F_DUPFD_QUERY, ends[0]), 1, "a descriptor of the same open file");
    check_eq(fcntl(ends[0], F_DUPFD_QUERY, ends[1]), 0, "of another one");
    check_fails(fcntl(ends[0], F_DUPFD_QUERY, 99), EBADF, "of none");
    return check_done();
}
