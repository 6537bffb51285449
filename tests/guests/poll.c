// poll, ppoll, select, pselect.
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int pipes[2];

static void *write_later(void *unused) {
    usleep(30000);
    if (write(pipes[1], "x", 1) != 1) return NULL;
    return unused;
}

static long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

int main(void) {
    char byte;
    need(pipe(pipes) == 0, "a pipe");
    // A small number: select does not look at numbers beyond the table's size, which starts at 64.
    int closed = dup(pipes[0]);
    need(closed >= 0 && closed < 64 && close(closed) == 0, "a descriptor that is closed");
    struct pollfd fds[4] = {{pipes[0], POLLIN, 0}, {pipes[1], POLLOUT, 0}, {-1, POLLIN, 77}, {closed, POLLIN, 0}};
    check_eq(poll(fds, 3, 0), 1, "poll");
    check(fds[0].revents == 0 && fds[1].revents == POLLOUT && fds[2].revents == 0,
          "one is ready, a negative one is left out");
    check(poll(fds, 4, -1) == 2 && fds[3].revents == POLLNVAL, "POLLNVAL");
    long start = now();
    check_eq(poll(fds, 1, 40), 0, "a timeout");
    check(now() - start >= 40, "not too early");
    check_eq(poll(NULL, 0, 1), 0, "nothing to wait for");
    pthread_t thread;
    pthread_create(&thread, NULL, write_later, NULL);
    check(poll(fds, 1, -1) == 1 && fds[0].revents == POLLIN, "waits");
    pthread_join(thread, NULL);
    int file = open("file", O_RDWR | O_CREAT, 0644);
    fds[0] = (struct pollfd){file, POLLIN | POLLOUT | POLLPRI, 0};
    check(poll(fds, 1, 0) == 1 && fds[0].revents == (POLLIN | POLLOUT), "a file is always ready");
    struct timespec soon = {0, 10000000};
    fds[0] = (struct pollfd){pipes[0], POLLPRI, 0};
    check_eq(ppoll(fds, 1, &soon, NULL), 0, "ppoll");
    soon.tv_nsec = 1000000000;
    check_fails(ppoll(fds, 1, &soon, NULL), EINVAL, "a wrong time");
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 3;
    struct rlimit old;
    getrlimit(RLIMIT_NOFILE, &old);
    setrlimit(RLIMIT_NOFILE, &limit);
    check_fails(poll(fds, 4, 0), EINVAL, "more than RLIMIT_NOFILE");
    setrlimit(RLIMIT_NOFILE, &old);

    fd_set in, out, except;
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_ZERO(&except);
    FD_SET(pipes[0], &in);
    FD_SET(pipes[1], &out);
    FD_SET(pipes[1], &except);
    check_eq(select(pipes[1] + 1, &in, &out, &except, NULL), 2, "select counts all sets");
    check(FD_ISSET(pipes[0], &in) && FD_ISSET(pipes[1], &out) && !FD_ISSET(pipes[1], &except),
          "and changes them");
    check_eq(read(pipes[0], &byte, 1), 1, "empty it");
    FD_ZERO(&in);
    FD_SET(pipes[0], &in);
    struct timeval left = {0, 50000};
    start = now();
    check_eq(select(pipes[0] + 1, &in, NULL, NULL, &left), 0, "select times out");
    check(now() - start >= 49 && left.tv_sec == 0 && left.tv_usec == 0, "and tells that nothing is left");
    check(!FD_ISSET(pipes[0], &in), "the set is empty");
    FD_SET(pipes[0], &in);
    left = (struct timeval){10, 0};
    pthread_create(&thread, NULL, write_later, NULL);
    check_eq(select(pipes[0] + 1, &in, NULL, NULL, &left), 1, "select waits");
    pthread_join(thread, NULL);
    check(left.tv_sec == 9 && left.tv_usec > 0, "and tells what is left");
    FD_ZERO(&in);
    need(close(file) == 0, "one descriptor less");
    FD_SET(file, &in);
    check_fails(select(file + 1, &in, NULL, NULL, NULL), EBADF, "no such descriptor");
    check_fails(select(-1, NULL, NULL, NULL, NULL), EINVAL, "a negative count");
    soon.tv_nsec = 1000000;
    check_eq(pselect(0, NULL, NULL, NULL, &soon, NULL), 0, "pselect");
    close(pipes[1]);
    fds[0] = (struct pollfd){pipes[0], 0, 0};
    read(pipes[0], &byte, 1);
    check(poll(fds, 1, 0) == 1 && fds[0].revents == POLLHUP, "POLLHUP is told unasked");
    return check_done();
}
