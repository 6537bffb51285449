// Threads, signals and memory under a host that lies about them: what is shared stays consistent.
#include "claims.h"
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>

#define THREADS 4
#define ROUNDS 60

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int turn, total, is_orderly = 1;

static struct timespec soon(void) {
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_sec += 1;
    return at;
}

static void *take_turns(void *number) {
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&lock);
        struct timespec until = soon();
        while (is_orderly && turn % THREADS != (int)(intptr_t)number) {
            int error = pthread_cond_timedwait(&changed, &lock, &until);
            promise(error == 0 || error == ETIMEDOUT || error == EAGAIN, error);
            if (error == ETIMEDOUT) {
                // The others were not started, or time jumps: nobody waits for a turn any more.
                errors_seen++;
                is_orderly = 0;
            }
        }
        int before = total++;
        turn++;
        promise(total == before + 1, total);
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

static int ends[2];

static void *produce(void *unused) {
    unsigned char bytes[1000];
    for (int i = 0; i < 100; i++) {
        memset(bytes, i, sizeof bytes);
        promise(write(ends[1], bytes, sizeof bytes) == sizeof bytes, errno);
    }
    close(ends[1]);
    return unused;
}

static void consume(void) {
    unsigned char bytes[777];
    int total_read = 0;
    for (;;) {
        long count = read(ends[0], bytes, sizeof bytes);
        if (count < 0 && errno == EINTR) continue;
        promise(count >= 0, errno);
        if (count == 0) break;
        for (long i = 0; i < count; i++) promise(bytes[i] == (total_read + i) / 1000, total_read + i);
        total_read += count;
    }
    promise(total_read == 100000, total_read);
}

static volatile sig_atomic_t last_signal;
static void note(int number) { last_signal = number; }

// Only these may come from the host.
static const int ALLOWED[] = {SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGTERM, SIGCONT, SIGWINCH};

static void not_allowed(int number) { broken(__LINE__, "a signal that nobody sent", number); }

static void memory(void) {
    for (int round = 0; round < 30; round++) {
        size_t len = (1 + round % 7) * 65536;
        unsigned char *bytes = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (bytes == MAP_FAILED) {
            errors_seen++;
            continue;
        }
        for (size_t i = 0; i < len; i += 512) promise(bytes[i] == 0, bytes[i]);
        for (size_t i = 0; i < len; i += 512) bytes[i] = (unsigned char)(i >> 9 ^ round);
        seen(mprotect(bytes, len, PROT_READ));
        for (size_t i = 0; i < len; i += 512) promise(bytes[i] == (unsigned char)(i >> 9 ^ round), i);
        if (seen(mprotect(bytes, len, PROT_READ | PROT_WRITE)) == 0) {
            if (seen(madvise(bytes, len / 2, MADV_DONTNEED)) == 0) promise(bytes[0] == 0, bytes[0]);
        }
        promise(bytes[len - 512] == (unsigned char)((len - 512) >> 9 ^ round), 0);
        seen(munmap(bytes, len));
    }
}

int main(void) {
    keep_secrets();
    for (int number = 1; number < 65; number++) {
        // Those that the C library keeps to itself, and those that nobody catches.
        if (number == 32 || number == 33 || number == SIGKILL || number == SIGSTOP) continue;
        int may_come = 0;
        for (size_t i = 0; i < sizeof ALLOWED / sizeof *ALLOWED; i++) may_come |= ALLOWED[i] == number;
        struct sigaction action = {.sa_handler = may_come ? note : not_allowed, .sa_flags = SA_RESTART};
        // Of memory that the host does not give.
        if (number == SIGSEGV || number == SIGBUS) continue;
        promise(sigaction(number, &action, NULL) == 0, errno);
    }
    // Signals may come from now on.
    promise(write(1, "ready\n", 6) == 6, errno);
    memory();
    pthread_t threads[THREADS];
    int started = 0;
    for (; started < THREADS; started++)
        if (pthread_create(&threads[started], NULL, take_turns, (void *)(intptr_t)started)) break;
    if (started < THREADS) errors_seen++;
    for (int i = 0; i < started; i++) pthread_join(threads[i], NULL);
    promise(total == started * ROUNDS, total);

    promise(pipe(ends) == 0, errno);
    pthread_t producer;
    if (pthread_create(&producer, NULL, produce, NULL) == 0) {
        consume();
        pthread_join(producer, NULL);
    } else {
        errors_seen++;
    }
    last_signal = 0;
    promise(raise(SIGUSR1) == 0, errno);
    promise(last_signal != 0, last_signal);
    memory();
    return end();
}
