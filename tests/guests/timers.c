// Timers that send signals: alarm, setitimer, timer_create.
// linkage: dynamic musl
#include "check.h"
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static atomic_int calls, value, code;
static sem_t fired;

static void handler(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    calls++;
    code = info->si_code;
    value = info->si_value.sival_int;
}

static void notified(union sigval with) {
    value = with.sival_int;
    sem_post(&fired);
}

static long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static void wait_calls(int count) {
    for (long end = now() + 5000; calls < count && now() < end;) usleep(1000);
}

int main(void) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigaction(SIGALRM, &action, NULL), sigaction(SIGUSR1, &action, NULL), sigaction(SIGVTALRM, &action, NULL);
    sigaction(SIGPROF, &action, NULL);

    long start = now();
    struct itimerval timer = {.it_value = {0, 50000}}, left;
    check_eq(setitimer(ITIMER_REAL, &timer, NULL), 0, "setitimer");
    check(getitimer(ITIMER_REAL, &left) == 0 && left.it_value.tv_usec > 0 && left.it_value.tv_usec <= 50000,
          "getitimer");
    wait_calls(1);
    check(calls == 1 && now() - start >= 50 && code == SI_KERNEL, "one SIGALRM, not too early");
    check(getitimer(ITIMER_REAL, &left) == 0 && left.it_value.tv_sec == 0 && left.it_value.tv_usec == 0,
          "it is over");
    calls = 0;
    timer.it_interval.tv_usec = timer.it_value.tv_usec = 10000;
    setitimer(ITIMER_REAL, &timer, NULL);
    wait_calls(5);
    check(calls >= 5, "an interval");
    timer = (struct itimerval){0};
    check(setitimer(ITIMER_REAL, &timer, &left) == 0 && left.it_interval.tv_usec == 10000, "is switched off");
    calls = 0;
    usleep(30000);
    check_eq(calls, 0, "and stays off");
    check_eq(alarm(100), 0, "alarm");
    int remaining = (int)alarm(0);
    check(remaining == 100 || remaining == 99, "tells what is left");
    timer.it_value.tv_usec = 1000000;
    check_fails(setitimer(ITIMER_REAL, &timer, NULL), EINVAL, "a wrong time");
    timer.it_value.tv_usec = 20000;
    setitimer(ITIMER_VIRTUAL, &timer, NULL);
    calls = 0;
    for (long end = now() + 5000; !calls && now() < end;) {
    }
    check_eq(calls, 1, "ITIMER_VIRTUAL counts the process's own time");

    struct sigevent event = {
        .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 12};
    timer_t id;
    check_eq(timer_create(CLOCK_MONOTONIC, &event, &id), 0, "timer_create");
    struct itimerspec set = {.it_value = {0, 20000000}}, old;
    calls = 0;
    start = now();
    check_eq(timer_settime(id, 0, &set, NULL), 0, "timer_settime");
    wait_calls(1);
    check(calls == 1 && code == SI_TIMER && value == 12 && now() - start >= 20, "SI_TIMER and the value");
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    set.it_value.tv_sec = time.tv_sec - 1, set.it_value.tv_nsec = 0;
    check_eq(timer_settime(id, TIMER_ABSTIME, &set, NULL), 0, "a time that has passed");
    wait_calls(2);
    check_eq(calls, 2, "fires at once");
    sigset_t mask;
    sigemptyset(&mask), sigaddset(&mask, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &mask, NULL);
    set.it_value = (struct timespec){0, 1000000}, set.it_interval = (struct timespec){0, 1000000};
    timer_settime(id, 0, &set, NULL);
    usleep(50000);
    siginfo_t info;
    check(sigwaitinfo(&mask, &info) == SIGUSR1 && info.si_overrun > 5, "overruns are counted, not queued");
    set = (struct itimerspec){0};
    check(timer_settime(id, 0, &set, &old) == 0 && old.it_interval.tv_nsec == 1000000, "stopped");
    check(timer_gettime(id, &old) == 0 && old.it_value.tv_nsec == 0 && old.it_value.tv_sec == 0,
          "timer_gettime");
    check_eq(timer_delete(id), 0, "timer_delete");
    check(syscall(SYS_timer_delete, 1234567) == -1 && errno == EINVAL, "no such timer");

    // What a timer has sent is gone with it, and the next one has nothing of it.
    set.it_value = (struct timespec){0, 1000000};
    event = (struct sigevent){.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    need(timer_create(CLOCK_MONOTONIC, &event, &id) == 0, "a timer whose signal is blocked");
    timer_settime(id, 0, &set, NULL);
    usleep(20000);
    check_eq(timer_delete(id), 0, "is deleted");
    struct timespec none = {0};
    check_fails(sigtimedwait(&mask, &info, &none), EAGAIN, "with its signal");

    // What repeats from a time that has passed has been missed.
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR2);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    event = (struct sigevent){.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};
    need(timer_create(CLOCK_REALTIME, &event, &id) == 0, "another timer");
    clock_gettime(CLOCK_REALTIME, &set.it_value);
    set.it_value.tv_nsec -= 50000000;
    if (set.it_value.tv_nsec < 0) set.it_value.tv_sec--, set.it_value.tv_nsec += 1000000000;
    set.it_interval = (struct timespec){0, 10000000};
    int past = timerfd_create(CLOCK_REALTIME, 0);
    timerfd_settime(past, TFD_TIMER_ABSTIME, &set, NULL);
    timer_settime(id, TIMER_ABSTIME, &set, NULL);
    check_eq(sigwaitinfo(&blocked, &info), SIGUSR2, "a time that has passed");
    check(info.si_overrun >= 4 && timer_getoverrun(id) >= 4, "and what would have come since");
    uint64_t times = 0;
    check(read(past, &times, 8) == 8 && times >= 5, "also by a descriptor");
    timer_delete(id);
    close(past);
    set.it_interval = (struct timespec){0};

    sem_init(&fired, 0, 0);
    event = (struct sigevent){.sigev_notify = SIGEV_THREAD, .sigev_value.sival_int = 34};
    event.sigev_notify_function = notified;
    check_eq(timer_create(CLOCK_REALTIME, &event, &id), 0, "SIGEV_THREAD");
    set.it_value = (struct timespec){0, 10000000};
    timer_settime(id, 0, &set, NULL);
    while (sem_wait(&fired)) {
    }
    check_eq(value, 34, "runs a function in a thread");
    timer_delete(id);
    check_fails(timer_create(999, NULL, &id), EINVAL, "no such clock");
    return check_done();
}
