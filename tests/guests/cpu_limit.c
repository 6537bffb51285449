// RLIMIT_CPU: SIGXCPU at the soft limit and each second behind it, SIGKILL at the hard one.
// linkage: dynamic
#include "check.h"
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t signals;
static void count(int signal) { signals += signal == SIGXCPU; }

// Milliseconds of CPU time.
static long spent(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static void limit(rlim_t soft, rlim_t hard) {
    if (setrlimit(RLIMIT_CPU, &(struct rlimit){soft, hard}) != 0) _exit(98);
}

static void spin(void) {
    for (;;)
        if (spent() > 8000) _exit(97);
}

static void hard_limit(void) {
    signal(SIGXCPU, count);
    limit(1, 2);
    spin();
}

// The limit is behind when it is set, so SIGXCPU comes at once, and a second later again.
static void handled(void) {
    signal(SIGXCPU, count);
    while (spent() < 1100) {
    }
    limit(1, RLIM_INFINITY);
    while (signals < 1)
        if (spent() > 8000) _exit(97);
    while (signals < 2)
        if (spent() > 8000) _exit(97);
    _exit(0);
}

static void in_a_child(void) {
    limit(1, 10);
    pid_t pid = fork();
    if (pid == 0) spin();
    int status;
    waitpid(pid, &status, 0);
    _exit(WIFSIGNALED(status) ? WTERMSIG(status) : 1);
}

static int end_of(void (*child)(void)) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        child();
        _exit(99);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(void) {
    check_eq(end_of(in_a_child), SIGXCPU, "the soft limit ends a program, and its children have it");
    check_eq(end_of(hard_limit), 128 + SIGKILL, "the hard one ends those that handle SIGXCPU");
    check_eq(end_of(handled), 0, "SIGXCPU comes at once if it is late, and each second");
    setrlimit(RLIMIT_CPU, &(struct rlimit){5, 7});
    struct rlimit found;
    getrlimit(RLIMIT_CPU, &found);
    check(found.rlim_cur == 5 && found.rlim_max == 7, "it can be read back");
    return check_done();
}
