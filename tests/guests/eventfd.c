// eventfd, timerfd and signalfd: events that are read.
// linkage: dynamic musl
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static int fd;

static int events(int of) {
    struct pollfd poller = {of, POLLIN | POLLOUT, 0};
    poll(&poller, 1, 0);
    return poller.revents;
}

static void *add_later(void *amount) {
    uint64_t value = (uint64_t)(intptr_t)amount;
    usleep(20000);
    return (void *)(intptr_t)write(fd, &value, 8);
}

static void event_counters(void) {
    uint64_t value = 0;
    fd = eventfd(3, EFD_NONBLOCK | EFD_CLOEXEC);
    need(fd >= 0, "eventfd");
    check_eq(events(fd), POLLIN | POLLOUT, "ready for both");
    check(read(fd, &value, 8) == 8 && value == 3, "its first value");
    check_eq(events(fd), POLLOUT, "now nothing to read");
    check_fails(read(fd, &value, 8), EAGAIN, "EAGAIN");
    value = 5;
    check(write(fd, &value, 8) == 8 && write(fd, &value, 8) == 8, "two writes");
    check(read(fd, &value, 8) == 8 && value == 10, "add up");
    check_fails(read(fd, &value, 4), EINVAL, "8 bytes only");
    value = UINT64_MAX;
    check_fails(write(fd, &value, 8), EINVAL, "not the largest number");
    value = UINT64_MAX - 1;
    check_eq(write(fd, &value, 8), 8, "one less");
    check_eq(events(fd), POLLIN, "is full");
    value = 1;
    check_fails(write(fd, &value, 8), EAGAIN, "no more");
    close(fd);
    fd = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
    check(read(fd, &value, 8) == 8 && value == 1, "EFD_SEMAPHORE");
    check(read(fd, &value, 8) == 8 && value == 1, "counts down");
    check_fails(read(fd, &value, 8), EAGAIN, "to zero");
    close(fd);
    fd = eventfd(0, 0);
    pthread_t thread;
    pthread_create(&thread, NULL, add_later, (void *)7);
    check(read(fd, &value, 8) == 8 && value == 7, "waits");
    pthread_join(thread, NULL);
    close(fd);
    check_fails(eventfd(0, 0x10), EINVAL, "a wrong flag");
}

static long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

static void timers(void) {
    uint64_t value;
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    need(timer >= 0, "timerfd");
    struct itimerspec set = {.it_value = {0, 30000000}}, old;
    check_fails(read(timer, &value, 8), EAGAIN, "not set");
    long start = now();
    check_eq(timerfd_settime(timer, 0, &set, NULL), 0, "timerfd_settime");
    check_eq(events(timer), 0, "not yet");
    check(timerfd_gettime(timer, &old) == 0 && old.it_value.tv_nsec > 0 && old.it_value.tv_nsec <= 30000000,
          "timerfd_gettime");
    struct pollfd poller = {timer, POLLIN, 0};
    check_eq(poll(&poller, 1, 5000), 1, "poll waits for it");
    check(now() - start >= 30000, "not too early");
    check(read(timer, &value, 8) == 8 && value == 1, "one expiration");
    check_fails(read(timer, &value, 8), EAGAIN, "once");
    set.it_interval.tv_nsec = set.it_value.tv_nsec = 5000000;
    timerfd_settime(timer, 0, &set, NULL);
    usleep(52000);
    check(read(timer, &value, 8) == 8 && value >= 10, "an interval counts");
    fcntl(timer, F_SETFL, 0);
    check(read(timer, &value, 8) == 8 && value >= 1, "a blocking read waits");
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    set = (struct itimerspec){.it_value = {at.tv_sec, at.tv_nsec ? at.tv_nsec - 1 : 1}};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &set, &old);
    check_eq(old.it_interval.tv_nsec, 5000000, "the old setting");
    check(read(timer, &value, 8) == 8 && value == 1, "a time that has passed");
    set = (struct itimerspec){0};
    check_eq(timerfd_settime(timer, 0, &set, NULL), 0, "switched off");
    check_eq(events(timer), 0, "stays off");
    set.it_value.tv_nsec = 1000000000;
    check_fails(timerfd_settime(timer, 0, &set, NULL), EINVAL, "a wrong time");
    close(timer);
    check_fails(timerfd_create(77, 0), EINVAL, "a wrong clock");
    check_fails(timerfd_settime(fd = eventfd(0, 0), 0, &set, NULL), EINVAL, "not a timer");
    close(fd);
    timer = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC);
    set = (struct itimerspec){.it_value = {0, 1000000}};
    check(timerfd_settime(timer, 0, &set, NULL) == 0 && read(timer, &value, 8) == 8, "CLOCK_REALTIME");
    close(timer);
}

static void signals(void) {
    sigset_t mask;
    sigemptyset(&mask), sigaddset(&mask, SIGUSR1), sigaddset(&mask, SIGRTMIN);
    pthread_sigmask(SIG_BLOCK, &mask, NULL);
    int signals = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
    need(signals >= 0, "signalfd");
    struct signalfd_siginfo info[4];
    check_fails(read(signals, info, sizeof info), EAGAIN, "no signal");
    kill(getpid(), SIGUSR1);
    check_eq(events(signals), POLLIN, "one is pending");
    sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 11}),
        sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 22});
    check_eq(read(signals, info, sizeof info), 3 * sizeof *info, "three are read");
    check(
        info[0].ssi_signo == SIGUSR1 && info[0].ssi_code == SI_USER && info[0].ssi_pid == (unsigned)getpid(),
        "kill");
    check(info[1].ssi_signo == (unsigned)SIGRTMIN && info[1].ssi_int == 11 && info[2].ssi_int == 22,
          "sigqueue, in order");
    sigset_t pending;
    sigpending(&pending);
    check(!sigismember(&pending, SIGUSR1), "they are gone");
    sigdelset(&mask, SIGUSR1);
    check_eq(signalfd(signals, &mask, 0), signals, "another set");
    raise(SIGUSR1);
    check_eq(events(signals), 0, "is not watched any more");
    check_fails(read(signals, info, 10), EINVAL, "a short buffer");
    close(signals);
}

int main(void) {
    event_counters();
    timers();
    signals();
    return check_done();
}
