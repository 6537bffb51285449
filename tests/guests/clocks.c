// Time: clocks, sleeping, and what they say of each other.
// linkage: dynamic static musl
#include "check.h"
#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

static long nanoseconds(clockid_t clock) {
    struct timespec time;
    return clock_gettime(clock, &time) ? -1 : time.tv_sec * 1000000000 + time.tv_nsec;
}

static void burn(long ns) {
    for (long end = nanoseconds(CLOCK_THREAD_CPUTIME_ID) + ns; nanoseconds(CLOCK_THREAD_CPUTIME_ID) < end;) {
    }
}

static void *backwards(void *unused) {
    (void)unused;
    long last = 0, bad = 0;
    for (int i = 0; i < 200000; i++) {
        long time = nanoseconds(CLOCK_MONOTONIC);
        bad += time < last;
        last = time;
    }
    return (void *)bad;
}

int main(void) {
    struct {
        clockid_t clock;
        const char *name;
    } clocks[] = {
        {CLOCK_REALTIME, "CLOCK_REALTIME"},
        {CLOCK_MONOTONIC, "CLOCK_MONOTONIC"},
        {CLOCK_MONOTONIC_RAW, "CLOCK_MONOTONIC_RAW"},
        {CLOCK_BOOTTIME, "CLOCK_BOOTTIME"},
        {CLOCK_TAI, "CLOCK_TAI"},
        {CLOCK_REALTIME_COARSE, "CLOCK_REALTIME_COARSE"},
        {CLOCK_MONOTONIC_COARSE, "CLOCK_MONOTONIC_COARSE"},
        {CLOCK_PROCESS_CPUTIME_ID, "CLOCK_PROCESS_CPUTIME_ID"},
        {CLOCK_THREAD_CPUTIME_ID, "CLOCK_THREAD_CPUTIME_ID"},
    };
    for (int i = 0; i < 9; i++) {
        struct timespec resolution = {0, 0};
        long before = nanoseconds(clocks[i].clock), last = before;
        int forward = before > 0 && clock_getres(clocks[i].clock, &resolution) == 0 && resolution.tv_nsec > 0;
        for (int j = 0; j < 1000; j++) {
            long time = nanoseconds(clocks[i].clock);
            forward &= time >= last;
            last = time;
        }
        // Processor time passes only while one works.
        if (i >= 7)
            burn(12000000);
        else
            usleep(12000);
        forward &= nanoseconds(clocks[i].clock) > before;
        check(forward, clocks[i].name);
    }
    check_fails(clock_gettime(77, &(struct timespec){0}), EINVAL, "no such clock");
    check_fails(clock_settime(CLOCK_MONOTONIC, &(struct timespec){1, 0}), EINVAL,
                "the monotonic clock is not set");

    struct timeval day;
    long real = nanoseconds(CLOCK_REALTIME);
    check(gettimeofday(&day, NULL) == 0 && (day.tv_sec * 1000000 + day.tv_usec) - real / 1000 < 1000000,
          "gettimeofday");
    time_t seconds;
    check(time(&seconds) == seconds && labs(seconds - real / 1000000000) <= 1, "time");
    check(labs(nanoseconds(CLOCK_BOOTTIME) - nanoseconds(CLOCK_MONOTONIC)) >= 0, "CLOCK_BOOTTIME");
    struct timespec raw;
    long vdso = nanoseconds(CLOCK_MONOTONIC);
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &raw);
    long call = raw.tv_sec * 1000000000 + raw.tv_nsec, again = nanoseconds(CLOCK_MONOTONIC);
    check(vdso <= call && call <= again, "the vDSO and the system call agree");

    pthread_t threads[4];
    long bad = 0;
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, backwards, NULL);
    for (int i = 0; i < 4; i++) {
        void *count;
        pthread_join(threads[i], &count);
        bad += (long)count;
    }
    check_eq(bad, 0, "never backwards in four threads");
    struct timespec first, second;
    clock_gettime(CLOCK_MONOTONIC, &first);
    clock_gettime(CLOCK_MONOTONIC, &second);
    check((second.tv_sec - first.tv_sec) * 1000000000 + second.tv_nsec - first.tv_nsec < 100000000,
          "two readings are close");

    long start = nanoseconds(CLOCK_MONOTONIC);
    struct timespec wait = {0, 25000000}, left = {7, 7};
    check_eq(nanosleep(&wait, &left), 0, "nanosleep");
    check(nanoseconds(CLOCK_MONOTONIC) - start >= 25000000, "not too short");
    check_eq(left.tv_sec, 7, "nothing is left, nothing is written");
    wait.tv_nsec = 1000000000;
    check_fails(nanosleep(&wait, NULL), EINVAL, "a wrong time");
    wait = (struct timespec){-1, 0};
    check_fails(nanosleep(&wait, NULL), EINVAL, "a negative time");
    long target = nanoseconds(CLOCK_MONOTONIC) + 20000000;
    wait = (struct timespec){target / 1000000000, target % 1000000000};
    check_eq(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wait, NULL), 0, "clock_nanosleep until a time");
    check(nanoseconds(CLOCK_MONOTONIC) >= target, "which has come");
    check_eq(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wait, NULL), 0, "a time that has passed");
    target = nanoseconds(CLOCK_REALTIME) + 20000000;
    wait = (struct timespec){target / 1000000000, target % 1000000000};
    check(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &wait, NULL) == 0 &&
              nanoseconds(CLOCK_REALTIME) >= target,
          "by CLOCK_REALTIME");

    struct tms use;
    check(times(&use) != (clock_t)-1, "times");
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    burn(40000000);
    check_eq(getrusage(RUSAGE_SELF, &after), 0, "getrusage");
    check(after.ru_utime.tv_sec * 1000000 + after.ru_utime.tv_usec + after.ru_stime.tv_sec * 1000000 +
                  after.ru_stime.tv_usec >
              before.ru_utime.tv_sec * 1000000 + before.ru_utime.tv_usec + before.ru_stime.tv_sec * 1000000 +
                  before.ru_stime.tv_usec,
          "counts the time");
    check(after.ru_maxrss > 0, "and the memory");
    check_eq(getrusage(RUSAGE_THREAD, &after), 0, "RUSAGE_THREAD");
    clockid_t mine;
    check(pthread_getcpuclockid(pthread_self(), &mine) == 0 && nanoseconds(mine) > 0, "a thread's own clock");
    check(clock_getcpuclockid(0, &mine) == 0 && nanoseconds(mine) > 0, "a process's own clock");
    check(clock() > 0, "clock");
    return check_done();
}
