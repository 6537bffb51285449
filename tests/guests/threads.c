// Threads: many of them, their storage, their ends.
// linkage: dynamic static no-pie musl musl-static
#include "check.h"
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

static __thread int local = 5;
static __thread char large[10000];
static atomic_int ran, destroyed, detached;
static pthread_key_t key;
static sem_t done;

static void *add(void *number) {
    local += (int)(intptr_t)number;
    large[9999] = (char)local;
    ran++;
    return (void *)(intptr_t)local;
}

static void destroy(void *value) { destroyed += (int)(intptr_t)value; }

static void *with_key(void *value) {
    pthread_setspecific(key, value);
    return NULL;
}

static void *leave(void *value) {
    pthread_exit(value);
    return NULL;
}

static void *detach(void *unused) {
    detached++;
    sem_post(&done);
    return unused;
}

static void *wait_for_ever(void *unused) {
    for (;;) pause();
    return unused;
}

static void *spin_cancelled(void *unused) {
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &(int){0});
    for (;;) __asm__ volatile("pause");
    return unused;
}

static void *thread_id(void *unused) {
    (void)unused;
    return (void *)(intptr_t)(syscall(SYS_gettid) != getpid() && syscall(SYS_getpid) == getpid());
}

static atomic_long counter;
static atomic_int go;

static void *count(void *unused) {
    while (!go) sched_yield();
    for (int i = 0; i < 100000; i++) counter++;
    return unused;
}

int main(void) {
    pthread_t thread;
    void *result;
    int good = 1;
    for (int i = 0; i < 200; i++) {
        good &= pthread_create(&thread, NULL, add, (void *)(intptr_t)i) == 0;
        good &= pthread_join(thread, &result) == 0 && (intptr_t)result == 5 + i;
    }
    check(good && ran == 200, "200 threads, one after the other");
    check(local == 5 && large[9999] == 0, "each has its own variables");

    pthread_t many[32];
    for (int i = 0; i < 32; i++) pthread_create(&many[i], NULL, count, NULL);
    go = 1;
    for (int i = 0; i < 32; i++) pthread_join(many[i], NULL);
    check_eq(counter, 3200000, "32 threads at once");

    pthread_key_create(&key, destroy);
    for (int i = 1; i <= 10; i++) {
        pthread_create(&thread, NULL, with_key, (void *)(intptr_t)i);
        pthread_join(thread, NULL);
    }
    check_eq(destroyed, 55, "destructors of thread-specific data");
    pthread_create(&thread, NULL, leave, (void *)77);
    pthread_join(thread, &result);
    check_eq((intptr_t)result, 77, "pthread_exit");

    sem_init(&done, 0, 0);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    for (int i = 0; i < 50; i++) {
        pthread_create(&thread, &attributes, detach, NULL);
        sem_wait(&done);
    }
    check_eq(detached, 50, "detached threads");

    pthread_create(&thread, NULL, wait_for_ever, NULL);
    check_eq(pthread_cancel(thread), 0, "pthread_cancel");
    pthread_join(thread, &result);
    check(result == PTHREAD_CANCELED, "interrupts a wait");
    pthread_create(&thread, NULL, spin_cancelled, NULL);
    usleep(10000);
    pthread_cancel(thread);
    pthread_join(thread, &result);
    check(result == PTHREAD_CANCELED, "and, asynchronously, a loop");

    pthread_create(&thread, NULL, thread_id, NULL);
    pthread_join(thread, &result);
    check((intptr_t)result == 1, "a thread has its own id and the process's pid");
    check_eq(syscall(SYS_gettid), getpid(), "the main thread's id is the pid");
    return check_done();
}
