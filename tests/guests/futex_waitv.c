// futex_waitv: waiting on several futexes at once.
#include "check.h"
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WAITV 449
#define U32 2
#define PRIVATE 128
#define MOST 128

struct waiter {
    uint64_t value, address;
    uint32_t flags, reserved;
};

static _Atomic uint32_t words[MOST + 1];
static struct waiter waiters[MOST + 1];

static long waitv(void *list, unsigned count, unsigned flags, const void *timeout, int clock) {
    return syscall(WAITV, list, count, flags, timeout, clock);
}

static long wake(void *at, int private) {
    return syscall(SYS_futex, at, 1 | private, 1, NULL, NULL, 0);
}

static void reset(unsigned flags) {
    for (int i = 0; i <= MOST; i++) {
        words[i] = 0;
        waiters[i] = (struct waiter){0, (uintptr_t)&words[i], flags, 0};
    }
}

static void errors(void) {
    struct timespec past = {1, 0}, bad = {0, 1000000000};
    void *nowhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    reset(U32 | PRIVATE);
    check_fails(waitv(waiters, 1, 1, NULL, 0), EINVAL, "flags");
    check_fails(waitv(waiters, 0, 0, NULL, 0), EINVAL, "no futex");
    check_fails(waitv(waiters, MOST + 1, 0, NULL, 0), EINVAL, "too many");
    check_fails(waitv(NULL, 1, 0, NULL, 0), EINVAL, "no list");
    check_fails(waitv(nowhere, 1, 1, nowhere, 99), EINVAL, "flags come before pointers");
    check_fails(waitv(nowhere, 1, 0, nowhere, 99), EINVAL, "the clock before its time");
    check_fails(waitv(nowhere, 1, 0, &past, CLOCK_BOOTTIME), EINVAL, "another clock");
    check_fails(waitv(nowhere, 1, 0, &bad, CLOCK_MONOTONIC), EINVAL, "a time that is none");
    check_fails(waitv(waiters, 1, 0, nowhere, CLOCK_MONOTONIC), EFAULT, "a time that cannot be read");
    check_fails(waitv(nowhere, 1, 0, NULL, 99), EFAULT, "a list that cannot be read; no clock without a time");
    words[0] = 1;
    check_fails(waitv(waiters, 2, 0, NULL, 0), EAGAIN, "the first has another value");
    waiters[1].flags = PRIVATE;
    check_fails(waitv(waiters, 2, 0, NULL, 0), EINVAL, "a size of 8 bits, before values are compared");
    waiters[1].flags = 3 | PRIVATE;
    check_fails(waitv(waiters, 2, 0, NULL, 0), EINVAL, "a size of 64 bits");
    waiters[1].flags = U32 | PRIVATE | 256;
    check_fails(waitv(waiters, 2, 0, NULL, 0), EINVAL, "a flag that does not exist");
    waiters[1].flags = U32 | PRIVATE, waiters[1].reserved = 1;
    check_fails(waitv(waiters, 2, 0, NULL, 0), EINVAL, "what is reserved");
    waiters[1].reserved = 0, waiters[1].value = 1ull << 32;
    check_fails(waitv(waiters, 2, 0, NULL, 0), EINVAL, "a value beyond 32 bits");
    waiters[1].value = 0, waiters[1].address += 2;
    check_fails(waitv(waiters, 2, 0, NULL, 0), EINVAL, "an address between two words, before values");
    waiters[1].address = (uintptr_t)nowhere;
    check_fails(waitv(waiters, 2, 0, NULL, 0), EAGAIN, "a private one is looked at in its turn");
    waiters[1].flags = U32;
    check_fails(waitv(waiters, 2, 0, NULL, 0), EFAULT, "a shared one at once");
    words[0] = 0;
    waiters[1].flags = U32 | PRIVATE;
    check_fails(waitv(waiters, 2, 0, NULL, 0), EFAULT, "no memory");
    reset(U32 | PRIVATE);
    words[MOST - 1] = 7;
    check_fails(waitv(waiters, MOST, 0, NULL, 0), EAGAIN, "the last has another value");
    words[MOST - 1] = 0;
    check_fails(waitv(waiters, MOST, 0, &past, CLOCK_MONOTONIC), ETIMEDOUT, "CLOCK_MONOTONIC has passed");
    check_fails(waitv(waiters, MOST, 0, &past, CLOCK_REALTIME), ETIMEDOUT, "CLOCK_REALTIME has passed");
    check_eq(wake(&words[3], PRIVATE), 0, "nobody waits any more");
}

static void *waker(void *at) {
    while (wake(at, PRIVATE) == 0) sched_yield();
    return NULL;
}

static void wakes(void) {
    reset(U32 | PRIVATE);
    for (int i = 0; i < MOST; i += 42) {
        pthread_t thread;
        pthread_create(&thread, NULL, waker, (void *)&words[i]);
        check_eq(waitv(waiters, MOST, 0, NULL, 0), i, "the index of the one that was woken");
        pthread_join(thread, NULL);
    }
    waiters[5].address = waiters[2].address;
    pthread_t thread;
    pthread_create(&thread, NULL, waker, (void *)&words[2]);
    long index = waitv(waiters, 8, 0, NULL, 0);
    check(index == 2 || index == 5, "the same one twice");
    pthread_join(thread, NULL);
}

static void shared(void) {
    _Atomic uint32_t *memory =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    need(memory != MAP_FAILED, "shared memory");
    reset(U32);
    waiters[1].address = (uintptr_t)memory;
    pid_t child = fork();
    if (child == 0) {
        while (wake(memory, 0) == 0) sched_yield();
        _exit(0);
    }
    check_eq(waitv(waiters, 2, 0, NULL, 0), 1, "woken by another process");
    int status;
    check(waitpid(child, &status, 0) == child && status == 0, "which ends");
}

static void nothing(int number) {
    (void)number;
}

static volatile int handled;

static void wake_last(int number) {
    (void)number;
    handled++;
    words[1] = 1;
}

static void interrupts(void) {
    reset(U32 | PRIVATE);
    struct sigaction action = {.sa_handler = nothing};
    sigaction(SIGALRM, &action, NULL);
    struct timespec soon = {0, 20000000};
    struct itimerspec once = {.it_value = soon};
    timer_t timer;
    need(timer_create(CLOCK_MONOTONIC, NULL, &timer) == 0, "a timer");
    timer_settime(timer, 0, &once, NULL);
    check_fails(waitv(waiters, 2, 0, NULL, 0), EINTR, "a signal ends it");
    action = (struct sigaction){.sa_handler = wake_last, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    timer_settime(timer, 0, &once, NULL);
    check_fails(waitv(waiters, 2, 0, NULL, 0), EAGAIN, "SA_RESTART makes it again, and values are compared again");
    check_eq(handled, 1, "after the handler");
}

int main(void) {
    errors();
    wakes();
    shared();
    interrupts();
    return check_done();
}
