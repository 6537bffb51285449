// What a thread asks the scheduler for is its own, can be read back, and goes on to those that it makes.
// linkage: dynamic
#include "check.h"
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static long set_policy(pid_t tid, int policy, int priority) {
    struct sched_param param = {priority};
    return syscall(SYS_sched_setscheduler, tid, policy, &param);
}

static long policy_of(pid_t tid) {
    return syscall(SYS_sched_getscheduler, tid);
}

// A field of /proc/self/task/TID/stat, counted from 1 as in proc(5).
static long field(pid_t tid, int number) {
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
    FILE *file = fopen(path, "r");
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = 0;
    char *at = strrchr(text, ')') + 1;
    for (int n = 2; n < number - 1; n++) at = strchr(at + 1, ' ');
    return strtol(at, NULL, 10);
}

static void *thread(void *unused) {
    pid_t tid = (pid_t)syscall(SYS_gettid);
    check_eq(policy_of(0), SCHED_BATCH, "a thread has the policy of who made it");
    check_eq(set_policy(0, SCHED_IDLE, 0), 0, "and takes another one");
    check_eq(policy_of(tid), SCHED_IDLE, "which it has by its number, too");
    check_eq(policy_of(getpid()), SCHED_BATCH, "the first thread keeps its own");
    check_eq(setpriority(PRIO_PROCESS, 0, 7), 0, "a nice value");
    check_eq(getpriority(PRIO_PROCESS, tid), 7, "is its own");
    check_eq(getpriority(PRIO_PROCESS, getpid()), 3, "the first thread keeps its own, too");
    check_eq(getpriority(PRIO_PGRP, 0), 3, "the least of all threads of a group");
    check_eq(field(tid, 19), 7, "as /proc says");
    check_eq(field(tid, 41), SCHED_IDLE, "which has the policy");
    check_eq(field(getpid(), 19), 3, "of each thread");
    check_eq(prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0), 123456, "the slack of timers is inherited");
    prctl(PR_SET_TIMERSLACK, 5, 0, 0, 0);
    check_eq(prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0), 5, "and set");
    prctl(PR_SET_TIMERSLACK, 0, 0, 0, 0);
    check_eq(prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0), 123456, "and what it was at first comes back");
    return unused;
}

static void processors(void) {
    cpu_set_t all, some, now;
    CPU_ZERO(&all);
    check_eq(sched_getaffinity(0, sizeof all, &all), 0, "the processors");
    int last = 0;
    for (int n = 0; n < CPU_SETSIZE; n++)
        if (CPU_ISSET(n, &all)) last = n;
    CPU_ZERO(&some);
    CPU_SET(last, &some);
    check_eq(sched_setaffinity(0, sizeof some, &some), 0, "one of them");
    CPU_ZERO(&now);
    sched_getaffinity(0, sizeof now, &now);
    check(CPU_EQUAL(&now, &some), "is kept");
    check_eq(sched_getaffinity(getpid(), sizeof now, &now), 0, "by its number");
    unsigned processor = ~0u, node = ~0u;
    check_eq(syscall(SYS_getcpu, &processor, &node, NULL), 0, "where it runs");
    check_eq(processor, last, "is one of them");
    pid_t child = fork();
    if (child == 0) {
        CPU_ZERO(&now);
        sched_getaffinity(0, sizeof now, &now);
        _exit(CPU_EQUAL(&now, &some) ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    check_eq(status, 0, "a child has the same");
    CPU_ZERO(&some);
    check_fails(sched_setaffinity(0, sizeof some, &some), EINVAL, "none");
    check_fails(sched_setaffinity(4194000, sizeof all, &all), ESRCH, "nobody's");
    check_fails(sched_setaffinity(-1, sizeof all, &all), ESRCH, "a negative number's");
    check_fails(sched_setaffinity(0, sizeof all, (void *)8), EFAULT, "a mask nowhere");
    check_fails(syscall(SYS_sched_getaffinity, 0, 0, &now), EINVAL, "no room");
    check_fails(syscall(SYS_sched_getaffinity, 0, 7, &now), EINVAL, "an odd length");
    check_eq(sched_setaffinity(0, sizeof all, &all), 0, "all again");
}

static void real_time(void) {
    struct sched_param param = {77};
    int is_root = geteuid() == 0;
    check_eq(set_policy(0, SCHED_RR | SCHED_RESET_ON_FORK, 5), is_root ? 0 : -1, "a policy of real time");
    if (!is_root) {
        for (int n = 0; n < 6; n++) check(1, "only for root");
        return;
    }
    check_eq(policy_of(0), SCHED_RR | SCHED_RESET_ON_FORK, "with its flag");
    check(sched_getparam(0, &param) == 0 && param.sched_priority == 5, "and its priority");
    pid_t child = fork();
    if (child == 0) _exit(policy_of(0) == SCHED_OTHER && getpriority(PRIO_PROCESS, 0) == 0 ? 0 : 1);
    int status;
    waitpid(child, &status, 0);
    check_eq(status, 0, "a child does not have it");
    struct timespec interval = {9, 9};
    check(sched_rr_get_interval(0, &interval) == 0 && interval.tv_sec == 0 && interval.tv_nsec > 0, "a slice");
    param.sched_priority = 100;
    check_fails(sched_setparam(0, &param), EINVAL, "a priority that there is not");
    check_eq(set_policy(0, SCHED_OTHER, 0), 0, "an ordinary policy again");
}

int main(void) {
    // Who ran it is in another group.
    setpgid(0, 0);
    struct timespec interval;
    check_eq(policy_of(0), SCHED_OTHER, "the policy at first");
    check_eq(sched_rr_get_interval(0, &interval), 0, "its slice");
    check_fails(sched_rr_get_interval(-1, &interval), EINVAL, "a negative number");
    check_fails(sched_rr_get_interval(4194000, &interval), ESRCH, "nobody's");
    check_fails(syscall(SYS_sched_rr_get_interval, 0, NULL), EFAULT, "a slice nowhere");
    check_eq(set_policy(0, SCHED_BATCH, 0), 0, "another policy");
    check_eq(policy_of(0), SCHED_BATCH, "is kept");
    check_fails(set_policy(0, SCHED_BATCH, 1), EINVAL, "a priority that it has not");
    check_fails(set_policy(0, SCHED_FIFO, 0), EINVAL, "a policy that needs one");
    check_fails(set_policy(0, 77, 0), EINVAL, "a policy that there is not");
    check_fails(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, NULL), EINVAL, "no parameters");
    check_eq(setpriority(PRIO_PROCESS, 0, 3), 0, "a nice value of the first thread");
    check_eq(prctl(PR_SET_TIMERSLACK, 123456, 0, 0, 0), 0, "a slack of timers");
    pthread_t other;
    pthread_create(&other, NULL, thread, NULL);
    pthread_join(other, NULL);
    processors();
    real_time();
    return check_done();
}
