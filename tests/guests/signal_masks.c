// Blocked signals: pending, queued, waited for; per thread and per process.
// linkage: dynamic musl
#include "check.h"
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static atomic_int calls, order[8];
static __thread int mine;
static sem_t ready, finish;

static void handler(int signal) {
    order[calls++ & 7] = signal;
    mine++;
}

static sigset_t set_of(int signal) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    return set;
}

static void block(int how, int signal) {
    sigset_t set = set_of(signal);
    pthread_sigmask(how, &set, NULL);
}

static int is_pending(int signal) {
    sigset_t set;
    sigpending(&set);
    return sigismember(&set, signal);
}

static void *open_thread(void *unused) {
    block(SIG_UNBLOCK, SIGUSR1);
    sem_post(&ready);
    while (sem_wait(&finish)) {
    }
    return (void *)(long)mine + (unused ? 1 : 0);
}

static void *inherit(void *unused) {
    sigset_t set;
    pthread_sigmask(SIG_BLOCK, NULL, &set);
    return (void *)(long)(sigismember(&set, SIGUSR1) && !is_pending(SIGUSR2) && !unused);
}

static void *send_later(void *signal) {
    usleep(30000);
    kill(getpid(), (int)(long)signal);
    return NULL;
}

static void waits(void) {
    pthread_t thread;
    siginfo_t info;
    sigset_t set = set_of(SIGUSR1);
    struct timespec soon = {0, 20000000}, at_once = {0, 0};
    check_fails(sigtimedwait(&set, &info, &at_once), EAGAIN, "nothing to wait for");
    check_fails(sigtimedwait(&set, &info, &soon), EAGAIN, "sigtimedwait times out");
    sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 12});
    check_eq(sigtimedwait(&set, &info, &soon), SIGUSR1, "sigtimedwait takes what is pending");
    check(info.si_code == SI_QUEUE && info.si_value.sival_int == 12, "with its details");
    check(!is_pending(SIGUSR1), "and it is pending no more");
    pthread_create(&thread, NULL, send_later, (void *)(long)SIGUSR1);
    check_eq(sigwaitinfo(&set, &info), SIGUSR1, "sigwaitinfo waits");
    pthread_join(thread, NULL);
    int calls_before = calls;
    pthread_create(&thread, NULL, send_later, (void *)(long)SIGUSR1);
    sigset_t open;
    sigemptyset(&open);
    check_fails(sigsuspend(&open), EINTR, "sigsuspend");
    check_eq(calls - calls_before, 1, "lets the handler run");
    pthread_join(thread, NULL);
    sigset_t now;
    pthread_sigmask(SIG_BLOCK, NULL, &now);
    check(sigismember(&now, SIGUSR1), "and restores the mask");
    pthread_create(&thread, NULL, send_later, (void *)(long)SIGUSR2);
    struct timespec long_time = {10, 0};
    // (musl calls again, so the call itself.)
    check_fails(syscall(SYS_rt_sigtimedwait, &set, &info, &long_time, _NSIG / 8), EINTR,
                "another signal's handler interrupts sigtimedwait");
    pthread_join(thread, NULL);
}

int main(void) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    for (int i = SIGRTMIN; i < SIGRTMIN + 4; i++) sigaction(i, &action, NULL);
    sigaction(SIGUSR1, &action, NULL), sigaction(SIGUSR2, &action, NULL);

    block(SIG_BLOCK, SIGUSR1);
    raise(SIGUSR1), raise(SIGUSR1);
    check(calls == 0 && is_pending(SIGUSR1), "blocked is pending");
    block(SIG_UNBLOCK, SIGUSR1);
    check_eq(calls, 1, "a standard signal pends once");
    calls = 0;
    for (int i = 3; i >= 0; i--) block(SIG_BLOCK, SIGRTMIN + i), raise(SIGRTMIN + i), raise(SIGRTMIN + i);
    sigset_t none;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    check_eq(calls, 8, "real-time signals queue");
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, NULL);
    pthread_sigmask(SIG_BLOCK, NULL, &all);
    check(!sigismember(&all, SIGKILL) && !sigismember(&all, SIGSTOP),
          "SIGKILL and SIGSTOP are never blocked");
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    check_eq(pthread_sigmask(99, &none, NULL), EINVAL, "a wrong how");

    block(SIG_BLOCK, SIGUSR2), raise(SIGUSR2);
    signal(SIGUSR2, SIG_IGN);
    check(!is_pending(SIGUSR2), "ignoring discards what is pending");
    sigaction(SIGUSR2, &action, NULL);
    block(SIG_UNBLOCK, SIGUSR2);

    // A signal for the process goes to a thread that does not block it.
    pthread_t thread;
    sem_init(&ready, 0, 0), sem_init(&finish, 0, 0);
    block(SIG_BLOCK, SIGUSR1);
    calls = mine = 0;
    pthread_create(&thread, NULL, open_thread, NULL);
    sem_wait(&ready);
    kill(getpid(), SIGUSR1);
    while (!calls) usleep(1000);
    check_eq(mine, 0, "not to the thread that blocks it");
    pthread_kill(pthread_self(), SIGUSR1);
    usleep(10000);
    check(calls == 1 && is_pending(SIGUSR1), "one for a thread stays with it");
    pthread_kill(thread, SIGUSR1);
    while (calls < 2) usleep(1000);
    sem_post(&finish);
    void *result;
    pthread_join(thread, &result);
    check_eq((long)result, 2, "the other thread took both");
    block(SIG_UNBLOCK, SIGUSR1);
    check(mine == 1, "now this one takes its own");
    block(SIG_BLOCK, SIGUSR1);
    block(SIG_BLOCK, SIGUSR2), pthread_kill(pthread_self(), SIGUSR2);
    pthread_create(&thread, NULL, inherit, NULL);
    pthread_join(thread, &result);
    check_eq((long)result, 1, "a thread inherits the mask, not what is pending");
    block(SIG_UNBLOCK, SIGUSR2);
    waits();
    return check_done();
}
