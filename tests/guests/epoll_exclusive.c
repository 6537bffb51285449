// EPOLLEXCLUSIVE: of several instances that watch one object, an event wakes one for which somebody waits.
// linkage: dynamic
#include "check.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { WAITERS = 4 };

static int ends[2];
static atomic_int ready, woken;

static int instance(unsigned how) {
    struct epoll_event event = {.events = EPOLLIN | how};
    int epoll = epoll_create1(0);
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, ends[0], &event) != 0) return -1;
    return epoll;
}

static void *wait_once(void *how) {
    int epoll = instance((unsigned)(unsigned long)how);
    struct epoll_event event;
    ready++;
    if (epoll_wait(epoll, &event, 1, 10000) == 1) woken++;
    close(epoll);
    return NULL;
}

// Until so many are woken; whether no other one is, a while later.
static int are_woken(int wanted) {
    for (int tries = 0; tries < 5000 && woken < wanted; tries++) usleep(1000);
    usleep(30000);
    return woken == wanted;
}

static void start(pthread_t *threads, unsigned how) {
    ready = woken = 0;
    for (int at = 0; at < WAITERS; at++)
        pthread_create(&threads[at], NULL, wait_once, (void *)(unsigned long)how);
    while (ready < WAITERS) usleep(1000);
    // They wait by then.
    usleep(50000);
}

int main(void) {
    char byte = 0;
    pthread_t threads[WAITERS];
    need(pipe(ends) == 0, "a pipe");
    start(threads, EPOLLET | EPOLLEXCLUSIVE);
    check_eq(woken, 0, "nobody is woken by nothing");
    for (int at = 1; at <= WAITERS; at++) {
        check_eq(write(ends[1], &byte, 1), 1, "a byte comes");
        check(are_woken(at), "and wakes one of them");
        check_eq(read(ends[0], &byte, 1), 1, "it is read");
    }
    for (int at = 0; at < WAITERS; at++) pthread_join(threads[at], NULL);

    start(threads, EPOLLET);
    write(ends[1], &byte, 1);
    check(are_woken(WAITERS), "without the flag all are woken");
    for (int at = 0; at < WAITERS; at++) pthread_join(threads[at], NULL);
    read(ends[0], &byte, 1);

    // Instances for which nobody waits keep it for later.
    int first = instance(EPOLLEXCLUSIVE), second = instance(EPOLLEXCLUSIVE), plain = instance(0);
    struct epoll_event event;
    write(ends[1], &byte, 1);
    check_eq(epoll_wait(second, &event, 1, 0), 1, "the second one knows");
    check_eq(epoll_wait(first, &event, 1, 0), 1, "as does the first one");
    check_eq(epoll_wait(plain, &event, 1, 0), 1, "and one without the flag");
    return check_done();
}
