// Limits of a user: threads (RLIMIT_NPROC) and signals that wait (RLIMIT_SIGPENDING).
// linkage: dynamic
#include "check.h"
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void *wait_long(void *unused) {
    pause();
    return unused;
}

int main(void) {
    // A user that nobody else here is: limits count all that a user has.
    uid_t user = (uid_t)(getpid() + 100000);
    int is_root = geteuid() == 0;
    if (is_root && setresuid(user, user, user) != 0) return 1;

    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGRTMIN);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    struct rlimit limit = {3, 3};
    if (is_root) check_eq(setrlimit(RLIMIT_SIGPENDING, &limit), 0, "three signals");
    else check(1, "three signals");
    union sigval value = {.sival_int = 1};
    int queued = 0;
    while (queued < 3 && sigqueue(getpid(), SIGRTMIN, value) == 0) queued++;
    check_eq(queued, 3, "are queued");
    if (is_root) check_fails(sigqueue(getpid(), SIGRTMIN, value), EAGAIN, "and no more");
    else check(1, "and no more");
    check_eq(kill(getpid(), SIGUSR1), 0, "an ordinary signal is always sent");
    sigset_t pending;
    sigpending(&pending);
    check(sigismember(&pending, SIGUSR1), "and waits");
    int number;
    sigwait(&blocked, &number);
    while (sigpending(&pending), sigismember(&pending, SIGRTMIN) || sigismember(&pending, SIGUSR1))
        sigwait(&blocked, &number);
    check_eq(sigqueue(getpid(), SIGRTMIN, value), 0, "there is room again");

    limit = (struct rlimit){2, 2};
    pthread_t thread;
    if (is_root) {
        check_eq(setrlimit(RLIMIT_NPROC, &limit), 0, "two threads");
        check_eq(pthread_create(&thread, NULL, wait_long, NULL), 0, "the second one");
        check_eq(pthread_create(&thread, NULL, wait_long, NULL), EAGAIN, "no third one");
        check_fails(fork(), EAGAIN, "nor a process");
    } else {
        for (int n = 0; n < 4; n++) check(1, "a user's threads");
    }
    return check_done();
}
