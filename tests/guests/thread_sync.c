// Mutexes, conditions, barriers, read-write locks, once, semaphores, spin locks.
// linkage: dynamic static musl
#include "check.h"
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 8, ROUNDS = 5000 };
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER, emptied = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_spinlock_t spin;
static sem_t items, room;
static long plain, queue[16], queued, taken, pairs[2], spun;
static atomic_int onces, last_of_barrier, torn;

static void *lock(void *unused) {
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        plain++;
        pthread_mutex_unlock(&mutex);
        pthread_spin_lock(&spin);
        spun++;
        pthread_spin_unlock(&spin);
    }
    return unused;
}

static void *produce(void *unused) {
    for (long i = 1; i <= ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        while (queued == 16) pthread_cond_wait(&emptied, &mutex);
        queue[queued++] = i;
        pthread_cond_signal(&filled);
        pthread_mutex_unlock(&mutex);
    }
    return unused;
}

static void *consume(void *unused) {
    for (long i = 1; i <= ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        while (queued == 0) pthread_cond_wait(&filled, &mutex);
        taken += queue[--queued];
        pthread_cond_signal(&emptied);
        pthread_mutex_unlock(&mutex);
    }
    return unused;
}

static void run_once(void) { onces++; }

static void *meet(void *unused) {
    for (int i = 0; i < 100; i++)
        if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD) last_of_barrier++;
    pthread_once(&once, run_once);
    return unused;
}

static void *write_pair(void *unused) {
    for (int i = 0; i < 1000; i++) {
        pthread_rwlock_wrlock(&rwlock);
        pairs[0]++, pairs[1]++;
        pthread_rwlock_unlock(&rwlock);
    }
    return unused;
}

static void *read_pair(void *unused) {
    for (int i = 0; i < 1000; i++) {
        pthread_rwlock_rdlock(&rwlock);
        if (pairs[0] != pairs[1]) torn++;
        pthread_rwlock_unlock(&rwlock);
    }
    return unused;
}

static void *ping(void *unused) {
    for (int i = 0; i < ROUNDS; i++) sem_wait(&items), sem_post(&room);
    return unused;
}

static void *die_with_lock(void *robust) {
    pthread_mutex_lock(robust);
    return NULL;
}

static void *try_lock(void *lock) { return (void *)(long)pthread_mutex_trylock(lock); }

static void run(void *(*one)(void *), void *(*other)(void *)) {
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, i % 2 ? other : one, NULL);
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
}

static void kinds_of_mutex(void) {
    pthread_t thread;
    pthread_mutexattr_t attributes;
    pthread_mutex_t kind;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&kind, &attributes);
    check(pthread_mutex_lock(&kind) == 0 && pthread_mutex_lock(&kind) == 0, "a recursive mutex");
    pthread_mutex_unlock(&kind);
    void *result;
    pthread_create(&thread, NULL, try_lock, &kind);
    pthread_join(thread, &result);
    check_eq((long)result, EBUSY, "is held until the last unlock");
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&kind, &attributes);
    pthread_mutex_lock(&kind);
    check_eq(pthread_mutex_lock(&kind), EDEADLK, "an error-checking mutex");
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 20000000;
    if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_NORMAL);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&kind, &attributes);
    pthread_create(&thread, NULL, die_with_lock, &kind);
    pthread_join(thread, NULL);
    check_eq(pthread_mutex_lock(&kind), EOWNERDEAD, "a robust mutex whose owner died");
    check_eq(pthread_mutex_consistent(&kind), 0, "is made consistent");
    check_eq(pthread_mutex_unlock(&kind), 0, "and released");
    check_eq(pthread_mutex_lock(&kind), 0, "and taken");
    pthread_mutexattr_init(&attributes);
    if (pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT) == 0) {
        pthread_mutex_init(&kind, &attributes);
        pthread_mutex_lock(&kind);
        pthread_create(&thread, NULL, try_lock, &kind);
        pthread_join(thread, &result);
        check_eq((long)result, EBUSY, "a priority-inheriting mutex");
        check_eq(pthread_mutex_unlock(&kind), 0, "is released");
    }
    pthread_mutex_lock(&mutex);
    check_eq(pthread_cond_timedwait(&filled, &mutex, &until), ETIMEDOUT, "a condition times out");
    check_eq(pthread_mutex_timedlock(&mutex, &until), ETIMEDOUT, "so does a mutex");
    pthread_mutex_unlock(&mutex);
    check_fails(sem_timedwait(&items, &until), ETIMEDOUT, "and a semaphore");
    check_fails(sem_trywait(&items), EAGAIN, "which is empty");
}

int main(void) {
    pthread_spin_init(&spin, 0);
    run(lock, lock);
    check_eq(plain, THREADS * ROUNDS, "a mutex excludes");
    check_eq(spun, THREADS * ROUNDS, "so does a spin lock");
    run(produce, consume);
    check_eq(taken, (long)THREADS / 2 * ROUNDS * (ROUNDS + 1) / 2, "conditions: nothing lost, nothing twice");
    pthread_barrier_init(&barrier, NULL, THREADS);
    run(meet, meet);
    check_eq(last_of_barrier, 100, "a barrier has one last thread each time");
    check_eq(onces, 1, "pthread_once");
    run(write_pair, read_pair);
    check(torn == 0 && pairs[0] == THREADS / 2 * 1000, "a read-write lock");
    sem_init(&items, 0, 0), sem_init(&room, 0, 0);
    pthread_t thread;
    pthread_create(&thread, NULL, ping, NULL);
    for (int i = 0; i < ROUNDS; i++) sem_post(&items), sem_wait(&room);
    pthread_join(thread, NULL);
    int value;
    check(sem_getvalue(&items, &value) == 0 && value == 0, "two semaphores, to and fro");
    kinds_of_mutex();
    return check_done();
}
