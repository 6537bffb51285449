// futex_wake, futex_wait and futex_requeue, the calls that took futex's operations apart.
// linkage: dynamic
#include "check.h"
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FUTEX_WAKE2 = 454, FUTEX_WAIT2 = 455, FUTEX_REQUEUE2 = 456 };
enum { SIZE_U8 = 0, SIZE_U32 = 2, SIZE_U64 = 3, PRIVATE = 128, UNKNOWN = 0x40 };
enum { WAITERS = 3 };

struct waitv {
    unsigned long value, address;
    unsigned flags, reserved;
};

static unsigned words[2];
static int woken[WAITERS + 1];

static long wake(void *word, unsigned long mask, int most, unsigned flags) {
    return syscall(FUTEX_WAKE2, word, mask, most, flags);
}

static long wait_for(void *word, unsigned long value, unsigned long mask, unsigned flags,
                     const struct timespec *until, clockid_t clock) {
    return syscall(FUTEX_WAIT2, word, value, mask, flags, until, clock);
}

static void *waiter(void *number) {
    long mask = 1l << (long)number;
    woken[(long)number] = wait_for(&words[0], 0, mask, SIZE_U32 | PRIVATE, NULL, CLOCK_MONOTONIC) == 0;
    return NULL;
}

// Wakes until as many as are wanted were there: a thread says that it waits by nothing else.
static long wake_in_time(void *word, unsigned long mask, int most) {
    for (int tries = 0; tries < 5000; tries++) {
        long count = wake(word, mask, most, SIZE_U32 | PRIVATE);
        if (count != 0) return count;
        usleep(1000);
    }
    return 0;
}

static void arguments(void) {
    unsigned word = 0;
    unsigned long wide = 1ul << 32;
    check_eq(wake(&word, 1, 1, SIZE_U32 | PRIVATE), 0, "nobody waits");
    check_fails(wake(&word, 0, 1, SIZE_U32), EINVAL, "an empty mask");
    check_fails(wake(&word, wide, 1, SIZE_U32), EINVAL, "a mask of more bits than the word");
    check_fails(wake(&word, 1, 1, SIZE_U32 | UNKNOWN), EINVAL, "an unknown flag");
    check_fails(wake(&word, 1, 1, SIZE_U8), EINVAL, "words of 8 bits");
    check_fails(wake(&word, 1, 1, SIZE_U64), EINVAL, "words of 64 bits");
    check_fails(wake((char *)&word + 1, 1, 1, SIZE_U32), EINVAL, "a word that is not aligned");
    check_fails(wake(NULL, 1, 1, SIZE_U32), EFAULT, "no shared word");
    check_eq(wake(&word, 1, 0, SIZE_U32 | PRIVATE), 0, "wakes nobody");

    struct timespec past = {0, 1}, odd = {0, 1000000000};
    check_fails(wait_for(&word, 1, 1, SIZE_U32, NULL, 0), EAGAIN, "another value");
    check_fails(wait_for(&word, 0, 0, SIZE_U32, NULL, 0), EINVAL, "an empty mask to wait with");
    check_fails(wait_for(&word, wide, 1, SIZE_U32, NULL, 0), EINVAL, "a value of more bits than the word");
    check_fails(wait_for(&word, 0, wide, SIZE_U32, NULL, 0), EINVAL, "a mask of too many bits to wait with");
    check_fails(wait_for(&word, 0, 1, SIZE_U32, &past, CLOCK_MONOTONIC), ETIMEDOUT, "a time that is over");
    check_fails(wait_for(&word, 0, 1, SIZE_U32, &past, CLOCK_REALTIME), ETIMEDOUT, "by the other clock");
    check_fails(wait_for(&word, 0, 1, SIZE_U32, &past, CLOCK_BOOTTIME), EINVAL, "a clock that is not for this");
    check_fails(wait_for(&word, 0, 1, SIZE_U32, &odd, CLOCK_MONOTONIC), EINVAL, "a time that is none");
    check_fails(wait_for(&word, 0, 1, SIZE_U32, (void *)8, CLOCK_MONOTONIC), EFAULT, "a time nowhere");
    check_fails(wait_for(NULL, 0, 1, SIZE_U32 | PRIVATE, NULL, 0), EFAULT, "waits nowhere");
}

static void requeue_arguments(void) {
    unsigned one = 0, two = 0;
    struct waitv pair[2] = {{0, (unsigned long)&one, SIZE_U32 | PRIVATE, 0},
                            {0, (unsigned long)&two, SIZE_U32 | PRIVATE, 0}};
    check_eq(syscall(FUTEX_REQUEUE2, pair, 0, 1, 1), 0, "nobody to move");
    check_fails(syscall(FUTEX_REQUEUE2, pair, 1, 1, 1), EINVAL, "a flag of futex_requeue");
    check_fails(syscall(FUTEX_REQUEUE2, NULL, 0, 1, 1), EINVAL, "no pair");
    check_fails(syscall(FUTEX_REQUEUE2, 8, 0, 1, 1), EFAULT, "a pair nowhere");
    check_fails(syscall(FUTEX_REQUEUE2, pair, 0, -1, 1), EINVAL, "fewer than none to wake");
    check_fails(syscall(FUTEX_REQUEUE2, pair, 0, 1, -1), EINVAL, "fewer than none to move");
    pair[0].value = 1;
    check_fails(syscall(FUTEX_REQUEUE2, pair, 0, 1, 1), EAGAIN, "another value to move from");
    pair[0].value = 1ul << 32;
    check_fails(syscall(FUTEX_REQUEUE2, pair, 0, 1, 1), EINVAL, "a value that is too long");
    pair[0].value = 0;
    pair[1].flags = SIZE_U32;
    check_fails(syscall(FUTEX_REQUEUE2, pair, 0, 1, 1), EINVAL, "one private, the other shared");
    pair[1].flags = SIZE_U32 | UNKNOWN;
    check_fails(syscall(FUTEX_REQUEUE2, pair, 0, 1, 1), EINVAL, "an unknown flag of the second word");
    pair[1].flags = SIZE_U32;
    pair[1].reserved = 1;
    check_fails(syscall(FUTEX_REQUEUE2, pair, 0, 1, 1), EINVAL, "a reserved field");
}

static void threads(void) {
    pthread_t waiting[WAITERS + 1];
    for (long n = 0; n <= WAITERS; n++) pthread_create(&waiting[n], NULL, waiter, (void *)n);
    check_eq(wake_in_time(&words[0], 1 << 1, 10), 1, "the mask chooses who is woken");
    pthread_join(waiting[1], NULL);
    check(woken[1], "it was woken");
    // The others are all there, or moved one by one until they are.
    struct waitv pair[2] = {{0, (unsigned long)&words[0], SIZE_U32 | PRIVATE, 0},
                            {0, (unsigned long)&words[1], SIZE_U32 | PRIVATE, 0}};
    int moved = 0;
    for (int tries = 0; tries < 5000 && moved < WAITERS; tries++) {
        moved += (int)syscall(FUTEX_REQUEUE2, pair, 0, 0, WAITERS);
        if (moved < WAITERS) usleep(1000);
    }
    check_eq(moved, WAITERS, "all others wait at the second word");
    check_eq(wake(&words[0], ~0u, 10, SIZE_U32 | PRIVATE), 0, "nobody waits at the first one");
    check_eq(wake(&words[1], ~0u, 10, SIZE_U32 | PRIVATE), WAITERS, "they are woken at the second");
    for (long n = 0; n <= WAITERS; n++)
        if (n != 1) pthread_join(waiting[n], NULL);
    check_eq(woken[0] + woken[2] + woken[3], WAITERS, "they were woken");
}

static void shared(void) {
    unsigned *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t child = fork();
    if (child == 0) _exit(wait_for(word, 0, 1, SIZE_U32, NULL, CLOCK_MONOTONIC) == 0 ? 7 : 1);
    long count = 0;
    for (int tries = 0; tries < 5000 && count == 0; tries++) {
        count = wake(word, 1, 1, SIZE_U32);
        if (count == 0) usleep(1000);
    }
    check_eq(count, 1, "another process is woken");
    int status = 0;
    waitpid(child, &status, 0);
    check_eq(status >> 8, 7, "and says so");
}

int main(void) {
    arguments();
    requeue_arguments();
    threads();
    shared();
    return check_done();
}
