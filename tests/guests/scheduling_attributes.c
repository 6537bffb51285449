// sched_getattr and sched_setattr.
#include "check.h"
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

struct attributes {
    unsigned size, policy;
    unsigned long flags;
    int nice;
    unsigned priority;
    unsigned long runtime, deadline, period;
    unsigned least, most;
    char more[100];
};

static struct attributes given;

static long get(int pid, unsigned size, unsigned flags) {
    memset(&given, 0x55, sizeof given);
    return syscall(SYS_sched_getattr, pid, &given, size, flags);
}

static long set(int pid, unsigned policy, unsigned long flags, int nice, unsigned priority) {
    struct attributes wanted = {.size = 48, .policy = policy, .flags = flags, .nice = nice, .priority = priority};
    return syscall(SYS_sched_setattr, pid, &wanted, 0);
}

int main(void) {
    check(get(0, 48, 0) == 0 && given.size == 48 && given.policy == SCHED_OTHER && given.nice == 0, "the first form");
    check(given.flags == 0 && given.priority == 0 && given.deadline == 0, "nothing is set");
    check(get(getpid(), 56, 0) == 0 && given.size == 56, "by number, the second form");
    check(get(0, 120, 0) == 0 && given.size >= 56, "more room than there is to tell");
    check_fails(get(0, 47, 0), EINVAL, "too little room");
    check_fails(get(0, 5000, 0), EINVAL, "too much");
    check_fails(get(0, 48, 1), EINVAL, "a flag");
    check_fails(get(-1, 48, 0), EINVAL, "a negative number");
    check_fails(get(4000000, 48, 0), ESRCH, "nobody");
    check_fails(syscall(SYS_sched_getattr, 0, NULL, 48, 0), EINVAL, "no structure");
    check_fails(syscall(SYS_sched_setattr, 0, NULL, 0), EINVAL, "no structure to set");
    check_eq(set(0, SCHED_OTHER, 0, 5, 0), 0, "a nice value");
    check(get(0, 48, 0) == 0 && given.nice == 5 && getpriority(PRIO_PROCESS, 0) == 5, "is kept");
    check_eq(set(0, SCHED_OTHER, 0x10, 9, 0), 0, "SCHED_FLAG_KEEP_PARAMS");
    check_eq(getpriority(PRIO_PROCESS, 0), 5, "keeps it");
    check_eq(set(0, SCHED_OTHER, 0, 100, 0), 0, "a nice value beyond all");
    check_eq(getpriority(PRIO_PROCESS, 0), 19, "is the highest");
    check_fails(set(0, SCHED_OTHER, 0, 0, 1), EINVAL, "a priority for SCHED_OTHER");
    check_fails(set(0, 77, 0, 0, 0), EINVAL, "a policy that there is not");
    check_fails(set(0, -1, 0, 0, 0), EINVAL, "a negative policy");
    check_fails(set(0, SCHED_OTHER, 1ul << 40, 0, 0), EINVAL, "a flag that there is not");
    check_fails(set(4000000, SCHED_OTHER, 0, 0, 0), ESRCH, "of nobody");
    struct attributes odd = {.size = 12};
    check_fails(syscall(SYS_sched_setattr, 0, &odd, 0), E2BIG, "a short structure");
    check(odd.size >= 56, "which learns the right length");
    odd = (struct attributes){.size = sizeof odd, .more = {1}};
    check_fails(syscall(SYS_sched_setattr, 0, &odd, 0), E2BIG, "a long one with contents");
    odd = (struct attributes){.size = 100, .nice = 19};
    check_eq(syscall(SYS_sched_setattr, 0, &odd, 0), 0, "a long one without");
    if (setuid(65534)) return 1;
    check_fails(set(0, SCHED_OTHER, 0, 3, 0), EPERM, "a lower nice value needs a capability");
    check_fails(set(0, SCHED_FIFO, 0, 0, 1), EPERM, "so does SCHED_FIFO");
    return check_done();
}
