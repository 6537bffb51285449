// membarrier: one thread pays for both. The fast side has no barrier of its own, so without membarrier's each could miss
// what the other has written (as in read-copy-update and hazard pointers).
#include "check.h"
#include <immintrin.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// Stores that miss the cache keep those behind them waiting: enough for longer than a system call takes.
enum { ROUNDS = 3000, COLD = 48, LINE = 64 };

static struct {
    _Alignas(LINE) atomic_int value;
} fast, slow, begun, seen;
static _Alignas(LINE) char cold[COLD][LINE];
static atomic_int stop;

// For machines with other work: who waits for the other side lets it run at last.
static void pause_a_little(int *spins) {
    if (++*spins % 1000 == 0) sched_yield();
}

static int membarrier(int command, unsigned flags) { return syscall(SYS_membarrier, command, flags, 0); }

static void *fast_side(void *unused) {
    for (int round = 1; round <= ROUNDS; round++) {
        for (int i = 0; i < COLD; i++) _mm_clflush(cold[i]);
        _mm_mfence();
        for (int spins = 0; atomic_load_explicit(&begun.value, memory_order_acquire) != round;) pause_a_little(&spins);
        for (int i = 0; i < COLD; i++) *(volatile char *)cold[i] = round;
        atomic_store_explicit(&fast.value, round, memory_order_relaxed);
        // For the compiler only.
        atomic_signal_fence(memory_order_seq_cst);
        int other = atomic_load_explicit(&slow.value, memory_order_relaxed);
        atomic_store_explicit(&seen.value, other == round ? 2 : 1, memory_order_release);
    }
    return unused;
}

static void *sleeper(void *unused) {
    while (!atomic_load(&stop)) nanosleep(&(struct timespec){0, 200000}, NULL);
    return unused;
}

static void *caller(void *failures) {
    for (int i = 0; i < 200; i++) *(long *)failures += membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0) != 0;
    return NULL;
}

int main(void) {
    int query = membarrier(MEMBARRIER_CMD_QUERY, 0);
    need(query > 0 && query & MEMBARRIER_CMD_PRIVATE_EXPEDITED, "MEMBARRIER_CMD_QUERY");
    check_fails(membarrier(MEMBARRIER_CMD_QUERY, 1), EINVAL, "flags");
    check_fails(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0), EPERM, "needs registration");
    check_eq(membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0), 0, "registered");
    check_eq(membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0), 0, "alone");

    pthread_t threads[2];
    pthread_create(&threads[0], NULL, fast_side, NULL);
    pthread_create(&threads[1], NULL, sleeper, NULL);
    long failures = 0, missed = 0;
    for (int round = 1; round <= ROUNDS; round++) {
        atomic_store_explicit(&seen.value, 0, memory_order_relaxed);
        atomic_store_explicit(&begun.value, round, memory_order_release);
        // From before the other's stores to behind them.
        for (volatile int i = 0; i < round % 300; i++) {}
        atomic_store_explicit(&slow.value, round, memory_order_relaxed);
        failures += membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0) != 0;
        int other = atomic_load_explicit(&fast.value, memory_order_relaxed);
        int answer, spins = 0;
        while (!(answer = atomic_load_explicit(&seen.value, memory_order_acquire))) pause_a_little(&spins);
        missed += other != round && answer == 1;
    }
    atomic_store(&stop, 1);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    check_eq(failures, 0, "each barrier succeeds");
    check_eq(missed, 0, "one of the two sees the other");

    // Several callers at once wait for each other.
    pthread_t callers[4];
    long results[4] = {0};
    for (int i = 0; i < 4; i++) pthread_create(&callers[i], NULL, caller, &results[i]);
    for (int i = 0; i < 4; i++) pthread_join(callers[i], NULL);
    check(!results[0] && !results[1] && !results[2] && !results[3], "callers do not wait for each other for ever");
    check_eq(membarrier(MEMBARRIER_CMD_GLOBAL, 0), 0, "MEMBARRIER_CMD_GLOBAL");
    return check_done();
}
