// Signals that meet a thread in a system call: EINTR, SA_RESTART, the time that is left.
// linkage: dynamic musl
#include "check.h"
#include <pthread.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static atomic_int calls;
static pthread_t main_thread;
static int pipes[2];

static void handler(int signal) {
    (void)signal;
    calls++;
}

static void *interrupt(void *unused) {
    usleep(30000);
    pthread_kill(main_thread, SIGUSR1);
    return unused;
}

static void *interrupt_then_write(void *unused) {
    interrupt(NULL);
    usleep(30000);
    if (write(pipes[1], "x", 1) < 0) calls = 99;
    return unused;
}

static void with(int flags) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigaction(SIGUSR1, &action, NULL);
    calls = 0;
}

// Evaluates a call while another thread sends the signal.
#define interrupted(call, name)                          \
    do {                                                 \
        pthread_t thread_;                               \
        pthread_create(&thread_, NULL, interrupt, NULL); \
        check_fails(call, EINTR, name);                  \
        pthread_join(thread_, NULL);                     \
    } while (0)

int main(void) {
    char byte;
    main_thread = pthread_self();
    need(pipe(pipes) == 0, "a pipe");
    with(0);
    interrupted(read(pipes[0], &byte, 1), "read of a pipe");
    check_eq(calls, 1, "the handler ran");
    struct pollfd fd = {pipes[0], POLLIN, 0};
    int epoll = epoll_create1(0), sockets[2];
    struct epoll_event event = {.events = EPOLLIN};
    epoll_ctl(epoll, EPOLL_CTL_ADD, pipes[0], &event);
    socketpair(AF_UNIX, SOCK_STREAM, 0, sockets);
    interrupted(recv(sockets[0], &byte, 1, 0), "recv");
    interrupted(poll(&fd, 1, -1), "poll");
    interrupted(epoll_wait(epoll, &event, 1, -1), "epoll_wait");
    fd_set set;
    FD_ZERO(&set);
    FD_SET(pipes[0], &set);
    interrupted(select(pipes[0] + 1, &set, NULL, NULL, NULL), "select");
    interrupted(pause(), "pause");
    struct timespec left = {0, 0}, wait = {10, 0};
    interrupted(nanosleep(&wait, &left), "nanosleep");
    check(left.tv_sec == 9 && left.tv_nsec > 500000000, "tells what is left");

    with(SA_RESTART);
    pthread_t thread;
    pthread_create(&thread, NULL, interrupt_then_write, NULL);
    check_eq(read(pipes[0], &byte, 1), 1, "SA_RESTART: read goes on");
    check_eq(calls, 1, "after the handler");
    pthread_join(thread, NULL);
    interrupted(poll(&fd, 1, -1), "poll never restarts");
    interrupted(epoll_wait(epoll, &event, 1, -1), "nor epoll_wait");
    interrupted(nanosleep(&wait, &left), "nor nanosleep");
    interrupted(clock_nanosleep(CLOCK_MONOTONIC, 0, &wait, NULL) ? (errno = EINTR, -1) : 0,
                "nor clock_nanosleep");
    struct timeval timeout = {5, 0};
    setsockopt(sockets[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    interrupted(recv(sockets[0], &byte, 1, 0), "nor recv with a timeout");

    // ppoll and epoll_pwait change the mask only while they wait.
    sigset_t blocked, open;
    sigemptyset(&blocked), sigaddset(&blocked, SIGUSR1), sigemptyset(&open);
    pthread_sigmask(SIG_BLOCK, &blocked, NULL);
    calls = 0;
    raise(SIGUSR1);
    check_eq(poll(&fd, 1, 0), 0, "poll with the signal blocked");
    check_eq(calls, 0, "it stays pending");
    check_fails(ppoll(&fd, 1, NULL, &open), EINTR, "ppoll lets it in");
    check_eq(calls, 1, "the handler ran in ppoll");
    raise(SIGUSR1);
    check_eq(calls, 1, "and the mask is back");
    check_fails(epoll_pwait(epoll, &event, 1, -1, &open), EINTR, "epoll_pwait");
    raise(SIGUSR1);
    check_fails(pselect(0, NULL, NULL, NULL, NULL, &open), EINTR, "pselect");
    check_eq(calls, 3, "three times in all");
    return check_done();
}
