// The futex call itself, as no library wraps it.
#include "check.h"
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static atomic_int word, second, woken, waiting;

static long futex(void *at, int operation, int value, const void *timeout, void *other, int third) {
    return syscall(SYS_futex, at, operation, value, timeout, other, third);
}

static struct timespec now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time;
}

static long milliseconds_since(struct timespec start) {
    struct timespec end = now(CLOCK_MONOTONIC);
    return (end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1000000;
}

static struct timespec later(clockid_t clock, long milliseconds) {
    struct timespec time = now(clock);
    time.tv_nsec += milliseconds * 1000000;
    time.tv_sec += time.tv_nsec / 1000000000;
    time.tv_nsec %= 1000000000;
    return time;
}

static void *waiter(void *bits) {
    waiting++;
    if (futex(&word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, (int)(intptr_t)bits) == 0)
        woken++;
    return NULL;
}

static pthread_t start(int bits) {
    pthread_t thread;
    int before = waiting;
    pthread_create(&thread, NULL, waiter, (void *)(intptr_t)bits);
    while (waiting == before) usleep(1000);
    usleep(20000);  // Now it is in the call.
    return thread;
}

static void settle(int count) {
    for (int i = 0; i < 1000 && woken != count; i++) usleep(1000);
    usleep(5000);
}

static void *owner(void *unused) {
    waiting++;
    if (futex(&word, FUTEX_LOCK_PI | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 0) == 0) {
        woken++;
        futex(&word, FUTEX_UNLOCK_PI | FUTEX_PRIVATE_FLAG, 0, NULL, NULL, 0);
    }
    return unused;
}

static struct {
    struct robust_list_head head;
    struct {
        struct robust_list list;
        atomic_uint word;
    } lock;
} robust;

static void *die_robust(void *unused) {
    robust.head.list.next = &robust.lock.list;
    robust.lock.list.next = &robust.head.list;
    robust.head.futex_offset = (char *)&robust.lock.word - (char *)&robust.lock.list;
    syscall(SYS_set_robust_list, &robust.head, sizeof robust.head);
    robust.lock.word = (unsigned)syscall(SYS_gettid) | FUTEX_WAITERS;
    usleep(30000);
    return unused;
}

static atomic_int from, to, stop;

// Waits shortly, again and again, while it is moved to and fro.
static void *wait_shortly(void *unused) {
    struct timespec soon = {0, 20000};
    while (!stop) futex(&from, FUTEX_WAIT_PRIVATE, 0, &soon, NULL, 0);
    return unused;
}

// A wait that ends while it is moved leaves nothing behind that a wake could find.
static void moves_and_ends(void) {
    pthread_t waiters[3];
    for (int i = 0; i < 3; i++) pthread_create(&waiters[i], NULL, wait_shortly, NULL);
    for (int i = 0; i < 20000; i++) futex(&from, FUTEX_REQUEUE_PRIVATE, 0, (void *)3, &to, 0);
    stop = 1;
    for (int i = 0; i < 3; i++) pthread_join(waiters[i], NULL);
    check_eq(futex(&from, FUTEX_WAKE_PRIVATE, 100, NULL, NULL, 0), 0, "nobody is left where they waited");
    check_eq(futex(&to, FUTEX_WAKE_PRIVATE, 100, NULL, NULL, 0), 0, "nor where they were moved to");
}

int main(void) {
    struct timespec begin, timeout = {0, 30000000};
    check_fails(futex(&word, FUTEX_WAIT, 1, NULL, NULL, 0), EAGAIN, "the value has changed");
    begin = now(CLOCK_MONOTONIC);
    check_fails(futex(&word, FUTEX_WAIT_PRIVATE, 0, &timeout, NULL, 0), ETIMEDOUT, "FUTEX_WAIT times out");
    check(milliseconds_since(begin) >= 30, "not too early");
    begin = now(CLOCK_MONOTONIC);
    timeout = later(CLOCK_MONOTONIC, 30);
    check_fails(futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 0, &timeout, NULL, -1), ETIMEDOUT,
                "FUTEX_WAIT_BITSET until a time");
    check(milliseconds_since(begin) >= 29, "which is absolute");
    timeout = later(CLOCK_REALTIME, 30);
    check_fails(futex(&word, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 0, &timeout, NULL, -1),
                ETIMEDOUT, "FUTEX_CLOCK_REALTIME");
    timeout = (struct timespec){0, 1000000000};
    check_fails(futex(&word, FUTEX_WAIT, 0, &timeout, NULL, 0), EINVAL, "a wrong timeout");
    check_fails(futex(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0), EINVAL, "no bits");
    check_fails(futex((void *)8, FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT, "a bad address that is shared");
    check_fails(futex((char *)&word + 1, FUTEX_WAKE, 1, NULL, NULL, 0), EINVAL, "an odd address");
    check_fails(futex(&word, 0x7f, 0, NULL, NULL, 0), ENOSYS, "a wrong operation");
    check_fails(futex((void *)8, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT, "a bad address");
    check_eq(futex(&word, FUTEX_WAKE, 10, NULL, NULL, 0), 0, "nobody to wake");

    pthread_t threads[4];
    for (int i = 0; i < 4; i++) threads[i] = start(1 << i);
    check_eq(futex(&word, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 0xa), 2,
             "FUTEX_WAKE_BITSET wakes those of these bits");
    settle(2);
    check_eq(woken, 2, "only them");
    check_eq(futex(&word, FUTEX_WAKE_PRIVATE, -7, NULL, NULL, 0), 1, "FUTEX_WAKE wakes one at least");
    settle(3);
    check_eq(woken, 3, "not more");
    check_eq(futex(&word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0), 1, "or all");
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);

    woken = 0;
    for (int i = 0; i < 4; i++) threads[i] = start(-1);
    check_fails(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)3, &second, 99), EAGAIN,
                "FUTEX_CMP_REQUEUE compares");
    check_eq(futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)2, &second, 0), 3, "wakes one and moves two");
    settle(1);
    check_eq(woken, 1, "the moved ones sleep on");
    check_eq(futex(&word, FUTEX_REQUEUE_PRIVATE, 0, (void *)1, &second, 0), 1, "FUTEX_REQUEUE");
    check_eq(futex(&second, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0), 3, "they wait at the other word now");
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    check_eq(woken, 4, "all have come back");

    woken = 0;
    threads[0] = start(-1);
    second = 5;
    int operation = FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 5);
    check_eq(futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &second, operation), 1, "FUTEX_WAKE_OP wakes");
    pthread_join(threads[0], NULL);
    check_eq(second, 8, "and computes");
    operation = FUTEX_OP((FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT), 8, FUTEX_OP_CMP_LT, 0);
    check_eq(futex(&word, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &second, operation), 0,
             "with a shifted operand");
    check_eq(second, 264, "or");

    // Priority inheritance: the word holds the owner's thread id.
    word = waiting = woken = 0;
    check_eq(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0, "FUTEX_LOCK_PI");
    check_eq(word, syscall(SYS_gettid), "stores the owner");
    check_fails(futex(&word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), EDEADLK, "once only");
    pthread_create(&threads[0], NULL, owner, NULL);
    while (!waiting) usleep(1000);
    usleep(20000);
    check(word & (int)FUTEX_WAITERS, "FUTEX_WAITERS");
    check_eq(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0, "FUTEX_UNLOCK_PI");
    pthread_join(threads[0], NULL);
    check_eq(woken, 1, "hands it over");
    check_eq(futex(&word, FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0, "FUTEX_TRYLOCK_PI");
    check_eq(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0), 0, "and again");
    check_fails(futex(&word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0), EPERM, "only the owner");

    pthread_create(&threads[0], NULL, die_robust, NULL);
    while (!robust.lock.word) usleep(1000);
    unsigned held = robust.lock.word;
    check_eq(futex(&robust.lock.word, FUTEX_WAIT, (int)held, NULL, NULL, 0), 0,
             "the end of a thread wakes its robust lock");
    check(robust.lock.word & FUTEX_OWNER_DIED, "FUTEX_OWNER_DIED");
    pthread_join(threads[0], NULL);

    moves_and_ends();

    // Not private: by what is mapped rather than by address.
    int fd = memfd_create("futex", 0);
    ftruncate(fd, 4096);
    atomic_int *a = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    atomic_int *b = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)a;
    check_eq(futex(b, FUTEX_WAKE, 1, NULL, NULL, 0), 0, "a shared futex");
    return check_done();
}
