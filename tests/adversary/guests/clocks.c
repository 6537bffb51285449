// Clocks under a host that lies about them: its date is believed, but time never runs back.
#include "claims.h"
#include <poll.h>
#include <pthread.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/syscall.h>
#include <time.h>

static int64_t clock_of(clockid_t id, int by_vdso) {
    struct timespec now = {-1, -1};
    int result = by_vdso ? clock_gettime(id, &now) : (int)syscall(SYS_clock_gettime, id, &now);
    promise(result == 0, errno);
    promise(now.tv_sec >= 0 && now.tv_nsec >= 0 && now.tv_nsec < 1000000000, now.tv_sec);
    return now.tv_sec * 1000000000 + now.tv_nsec;
}

static void *watch(void *unused) {
    int64_t last = 0;
    for (int i = 0; i < 20000; i++) {
        int64_t now = clock_of(i % 7 ? CLOCK_MONOTONIC : CLOCK_BOOTTIME, i % 64);
        promise(now >= last, last - now);
        last = now;
    }
    return unused;
}

int main(void) {
    keep_secrets();
    pthread_t other;
    int has_other = pthread_create(&other, NULL, watch, NULL) == 0;
    if (!has_other) errors_seen++;
    watch(NULL);
    if (has_other) pthread_join(other, NULL);

    int64_t start = clock_of(CLOCK_MONOTONIC, 1);
    struct timespec little = {0, 2000000};
    if (seen(nanosleep(&little, NULL)) == 0) promise(clock_of(CLOCK_MONOTONIC, 1) - start >= 2000000, 0);
    start = clock_of(CLOCK_MONOTONIC, 0);
    if (seen(poll(NULL, 0, 3)) == 0) promise(clock_of(CLOCK_MONOTONIC, 0) - start >= 3000000, 0);
    // Longer than the clock goes without the host.
    struct timespec second = {1, 100000000};
    start = clock_of(CLOCK_MONOTONIC, 1);
    if (seen(nanosleep(&second, NULL)) == 0) promise(clock_of(CLOCK_MONOTONIC, 1) - start >= 1100000000, 0);
    watch(NULL);

    struct timeval day;
    promise(gettimeofday(&day, NULL) == 0 && day.tv_usec >= 0 && day.tv_usec < 1000000, day.tv_usec);
    promise(time(NULL) >= 0, 0);
    clock_of(CLOCK_REALTIME, 1);
    clock_of(CLOCK_REALTIME, 0);
    clock_of(CLOCK_PROCESS_CPUTIME_ID, 0);
    clock_of(CLOCK_THREAD_CPUTIME_ID, 0);

    int timer = seen(timerfd_create(CLOCK_MONOTONIC, 0));
    struct itimerspec every = {{0, 1000000}, {0, 1000000}};
    seen(timerfd_settime(timer, 0, &every, NULL));
    uint64_t expired = 0;
    if (seen(read(timer, &expired, 8)) == 8) promise(expired >= 1, expired);
    int day_timer = seen(timerfd_create(CLOCK_REALTIME, 0));
    struct itimerspec at = {{0, 0}, {1, 0}};
    // In 1970: long ago, so at once, whatever the date.
    seen(timerfd_settime(day_timer, TFD_TIMER_ABSTIME, &at, NULL));
    struct pollfd entry = {day_timer, POLLIN, 0};
    seen(poll(&entry, 1, 50));
    return end();
}
