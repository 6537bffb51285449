// CPU time leaves out what was spent waiting, and counts what threads and children used.
#include "check.h"
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long now(clockid_t clock) {
    struct timespec time = {0};
    if (clock_gettime(clock, &time)) return -1;
    return time.tv_sec * 1000000000L + time.tv_nsec;
}

static long of(struct timeval time) {
    return time.tv_sec * 1000000000L + time.tv_usec * 1000L;
}

static long used(int who) {
    struct rusage usage;
    if (getrusage(who, &usage)) return -1;
    return of(usage.ru_utime) + of(usage.ru_stime);
}

static void burn(long nanoseconds) {
    volatile unsigned long count = 0;
    long end = now(CLOCK_THREAD_CPUTIME_ID) + nanoseconds;
    while (now(CLOCK_THREAD_CPUTIME_ID) < end)
        for (int i = 0; i < 10000; i++) count++;
}

static volatile sig_atomic_t caught;

static void catches(int number) {
    caught = number;
}

static int pipe_ends[2];

static void *waits(void *argument) {
    (void)argument;
    char byte;
    return (void *)read(pipe_ends[0], &byte, 1);
}

static void *burns(void *argument) {
    (void)argument;
    burn(30000000);
    return NULL;
}

// Waits for 300 ms in one way; less than half of that may count.
static void waiting(void) {
    const long enough = 150000000;
    struct timespec pause = {0, 300000000};
    long process = now(CLOCK_PROCESS_CPUTIME_ID), thread = now(CLOCK_THREAD_CPUTIME_ID), usage = used(RUSAGE_SELF);
    struct tms times_before, times_after;
    times(&times_before);
    nanosleep(&pause, NULL);
    check(now(CLOCK_PROCESS_CPUTIME_ID) - process < enough, "CLOCK_PROCESS_CPUTIME_ID leaves out sleep");
    check(now(CLOCK_THREAD_CPUTIME_ID) - thread < enough, "CLOCK_THREAD_CPUTIME_ID leaves out sleep");
    check(used(RUSAGE_SELF) - usage < enough, "so does getrusage");
    times(&times_after);
    check(times_after.tms_utime - times_before.tms_utime < 15, "and times");
    process = now(CLOCK_PROCESS_CPUTIME_ID);
    poll(NULL, 0, 300);
    check(now(CLOCK_PROCESS_CPUTIME_ID) - process < enough, "poll is waiting");
    pthread_t other;
    pthread_create(&other, NULL, waits, NULL);
    process = now(CLOCK_PROCESS_CPUTIME_ID);
    nanosleep(&pause, NULL);
    check(now(CLOCK_PROCESS_CPUTIME_ID) - process < enough, "and so is another thread's read");
    if (write(pipe_ends[1], "x", 1) != 1) exit(1);
    pthread_join(other, NULL);
}

static void running(void) {
    long process = now(CLOCK_PROCESS_CPUTIME_ID), thread = now(CLOCK_THREAD_CPUTIME_ID);
    burn(30000000);
    check(now(CLOCK_PROCESS_CPUTIME_ID) - process >= 30000000, "work counts for the process");
    check(now(CLOCK_THREAD_CPUTIME_ID) - thread >= 30000000, "and for the thread");
    check(used(RUSAGE_THREAD) > 0, "RUSAGE_THREAD");
    pthread_t other;
    process = now(CLOCK_PROCESS_CPUTIME_ID);
    thread = now(CLOCK_THREAD_CPUTIME_ID);
    pthread_create(&other, NULL, burns, NULL);
    clockid_t clock;
    check(pthread_getcpuclockid(other, &clock) == 0 && now(clock) >= 0, "another thread's clock");
    pthread_join(other, NULL);
    check(now(CLOCK_PROCESS_CPUTIME_ID) - process >= 30000000, "what a thread did stays when it has ended");
    check(now(CLOCK_THREAD_CPUTIME_ID) - thread < 30000000, "and is not the first thread's");
    check(clock_getcpuclockid(0, &clock) == 0 && now(clock) > 0, "one's own clock");
    check(clock_getcpuclockid(getpid(), &clock) == 0 && now(clock) > 0, "by number");
    struct timespec time;
    check_fails(clock_gettime((clockid_t)(~4000000u << 3 | 2), &time), EINVAL, "nobody's clock");
}

static void interval_timers(void) {
    struct sigaction action = {.sa_handler = catches};
    sigaction(SIGPROF, &action, NULL);
    sigaction(SIGVTALRM, &action, NULL);
    struct itimerval soon = {{0, 0}, {0, 100000}}, left;
    check_eq(setitimer(ITIMER_PROF, &soon, NULL), 0, "ITIMER_PROF");
    struct timespec pause = {0, 300000000};
    check_eq(nanosleep(&pause, NULL), 0, "does not go off during a sleep");
    check(getitimer(ITIMER_PROF, &left) == 0 && left.it_value.tv_usec > 50000, "and has most of its time left");
    while (!caught) burn(1000000);
    check_eq(caught, SIGPROF, "but goes off during work");
    caught = 0;
    check_eq(setitimer(ITIMER_VIRTUAL, &soon, NULL), 0, "ITIMER_VIRTUAL");
    check_eq(nanosleep(&pause, NULL), 0, "does not, either");
    while (!caught) burn(1000000);
    check_eq(caught, SIGVTALRM, "but then does");
    caught = 0;
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGPROF};
    check_eq(timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer), 0, "timer_create");
    struct itimerspec later = {.it_value = {0, 100000000}};
    timer_settime(timer, 0, &later, NULL);
    check_eq(nanosleep(&pause, NULL), 0, "a timer of the thread's time does not go off, either");
    while (!caught) burn(1000000);
    check_eq(caught, SIGPROF, "until the thread works");
    timer_delete(timer);
}

static void children(void) {
    check_eq(used(RUSAGE_CHILDREN), 0, "no children yet");
    pid_t child = fork();
    if (!child) {
        if (now(CLOCK_PROCESS_CPUTIME_ID) > 20000000) _exit(1);
        burn(50000000);
        _exit(0);
    }
    struct rusage usage;
    int status;
    check(wait4(child, &status, 0, &usage) == child && status == 0, "a child begins at 0");
    check(of(usage.ru_utime) + of(usage.ru_stime) >= 49000000, "wait4 tells what it used");
    check(used(RUSAGE_CHILDREN) >= 49000000, "and so does RUSAGE_CHILDREN");
    struct tms all;
    times(&all);
    check(all.tms_cutime + all.tms_cstime >= 4, "and times");
    long before = used(RUSAGE_CHILDREN);
    child = fork();
    if (!child) {
        child = fork();
        if (!child) {
            burn(30000000);
            _exit(0);
        }
        wait(&status);
        _exit(0);
    }
    wait(&status);
    check(used(RUSAGE_CHILDREN) - before >= 29000000, "with what its own children used");
}

int main(void) {
    if (pipe(pipe_ends)) return 1;
    waiting();
    running();
    interval_timers();
    children();
    return check_done();
}
