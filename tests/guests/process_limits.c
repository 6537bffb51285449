// Limits, names, priorities and other settings of the process.
// linkage: dynamic musl
#include "check.h"
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static void *thread_name(void *unused) {
    (void)unused;
    char name[17] = "";
    prctl(PR_GET_NAME, name);
    if (strcmp(name, "pearl-diver-wit")) return (void *)1;
    prctl(PR_SET_NAME, "other");
    return NULL;
}

int main(void) {
    struct rlimit limit, old;
    for (int i = 0; i < 16; i++) {
        char name[32];
        snprintf(name, sizeof name, "limit %d", i);
        check(getrlimit(i, &limit) == 0 && limit.rlim_cur <= limit.rlim_max, name);
    }
    check_fails(getrlimit(16, &limit), EINVAL, "no such limit");
    getrlimit(RLIMIT_STACK, &limit);
    check(limit.rlim_cur >= 8 << 20, "8 MiB of stack at least");
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = 100;
    check_eq(setrlimit(RLIMIT_NOFILE, &limit), 0, "setrlimit");
    check_eq(sysconf(_SC_OPEN_MAX), 100, "sysconf");
    limit.rlim_cur = limit.rlim_max + 1;
    if (limit.rlim_cur)
        check_fails(setrlimit(RLIMIT_NOFILE, &limit), EINVAL, "the soft limit is not above the hard one");
    limit = (struct rlimit){50, 60};
    check(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &limit, &old) == 0 && old.rlim_cur == 100,
          "prlimit sets and tells");
    check(syscall(SYS_prlimit64, getpid(), RLIMIT_NOFILE, NULL, &old) == 0 && old.rlim_max == 60, "by pid");
    check_fails(syscall(SYS_prlimit64, 99999999, RLIMIT_NOFILE, NULL, &old), ESRCH, "no such process");

    char name[17] = "";
    check_eq(prctl(PR_SET_NAME, "pearl-diver-with-a-long-name"), 0, "PR_SET_NAME");
    check(prctl(PR_GET_NAME, name) == 0 && strcmp(name, "pearl-diver-wit") == 0, "PR_GET_NAME, cut");
    pthread_t thread;
    void *result;
    pthread_create(&thread, NULL, thread_name, NULL);
    pthread_join(thread, &result);
    check(result == NULL, "a thread inherits the name");
    check(prctl(PR_GET_NAME, name) == 0 && strcmp(name, "pearl-diver-wit") == 0, "and has its own");
    check(pthread_setname_np(pthread_self(), "short") == 0 && prctl(PR_GET_NAME, name) == 0 &&
              strcmp(name, "short") == 0,
          "pthread_setname_np");
    check(prctl(PR_SET_DUMPABLE, 0) == 0 && prctl(PR_GET_DUMPABLE) == 0, "PR_SET_DUMPABLE");
    prctl(PR_SET_DUMPABLE, 1);
    check(prctl(PR_SET_PDEATHSIG, 15) == 0, "PR_SET_PDEATHSIG");
    int signal = 0;
    check(prctl(PR_GET_PDEATHSIG, &signal) == 0 && signal == 15, "PR_GET_PDEATHSIG");
    check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1,
          "PR_SET_NO_NEW_PRIVS");
    check(prctl(PR_GET_SECCOMP) == 0 || prctl(PR_GET_SECCOMP) == 2, "PR_GET_SECCOMP");
    check(prctl(PR_SET_TIMERSLACK, 50000UL) == 0 && prctl(PR_GET_TIMERSLACK) == 50000, "PR_SET_TIMERSLACK");
    check_eq(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0), 0, "huge pages are allowed");
    check(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0 && prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 1, "PR_SET_THP_DISABLE");
    check(prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0) == 0 && prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0) == 0, "and again");
    check(prctl(PR_CAPBSET_READ, 0) == 1, "PR_CAPBSET_READ");
    check(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0, "PR_SET_CHILD_SUBREAPER");
    check_fails(prctl(99999), EINVAL, "no such option");

    errno = 0;
    int priority = getpriority(PRIO_PROCESS, 0);
    check(errno == 0 && priority >= -20 && priority <= 19, "getpriority");
    check_eq(setpriority(PRIO_PROCESS, 0, 19), 0, "setpriority");
    check_eq(getpriority(PRIO_PROCESS, 0), 19, "nicer");
    check_eq(sched_yield(), 0, "sched_yield");
    check(syscall(SYS_sched_getscheduler, 0) == SCHED_OTHER, "SCHED_OTHER");
    struct sched_param parameter = {0};
    check(syscall(SYS_sched_getparam, 0, &parameter) == 0 && parameter.sched_priority == 0, "sched_getparam");
    check(sched_get_priority_max(SCHED_FIFO) == 99 && sched_get_priority_min(SCHED_OTHER) == 0, "priorities");
    cpu_set_t cpus;
    long size = syscall(SYS_sched_getaffinity, 0, sizeof cpus, &cpus);
    check(size > 0 && size <= (long)sizeof cpus && CPU_COUNT(&cpus) >= 1, "sched_getaffinity");
    check_eq(sched_getaffinity(0, sizeof cpus, &cpus), 0, "through the library");
    check_eq(sched_setaffinity(0, sizeof cpus, &cpus), 0, "sched_setaffinity to the same");
    check(sysconf(_SC_NPROCESSORS_ONLN) >= CPU_COUNT(&cpus), "processors online");
    unsigned cpu = ~0U, node = ~0U;
    check(syscall(SYS_getcpu, &cpu, &node, NULL) == 0 && cpu < 4096 && node < 1024, "getcpu");
    check(sched_getcpu() >= 0, "sched_getcpu");
    CPU_ZERO(&cpus);
    check_fails(sched_setaffinity(0, sizeof cpus, &cpus), EINVAL, "no processor at all");
    unsigned long fs = 0;
    check(syscall(SYS_arch_prctl, 0x1003 /* ARCH_GET_FS */, &fs) == 0 && fs == (unsigned long)pthread_self(),
          "ARCH_GET_FS");
    check_fails(syscall(SYS_arch_prctl, 0x9999, 0), EINVAL, "arch_prctl with a wrong code");
    check((syscall(SYS_personality, 0xffffffff) & 0xff) == 0, "personality");
    return check_done();
}
