// ioprio_get and ioprio_set: what was set can be read.
// linkage: dynamic
#include "check.h"
#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PROCESS = 1, GROUP = 2, USER = 3 };
enum { NONE = 0, REAL_TIME = 1, BEST_EFFORT = 2, IDLE = 3 };

static int priority(int class, int data) {
    return class << 13 | data;
}

static long get(int which, int who) {
    return syscall(SYS_ioprio_get, which, who);
}

static long set(int which, int who, int value) {
    return syscall(SYS_ioprio_set, which, who, value);
}

static void *thread(void *unused) {
    check_eq(get(PROCESS, 0), priority(BEST_EFFORT, 2), "a thread has that of who made it");
    check_eq(set(PROCESS, 0, priority(BEST_EFFORT, 7)), 0, "and can have another one");
    return unused;
}

int main(void) {
    check_eq(get(PROCESS, 0), 0, "none at first");
    check_eq(set(PROCESS, 0, priority(BEST_EFFORT, 6)), 0, "sets one");
    check_eq(get(PROCESS, 0), priority(BEST_EFFORT, 6), "gets it");
    check_eq(get(PROCESS, getpid()), priority(BEST_EFFORT, 6), "by its number");
    check_eq(set(PROCESS, 0, priority(IDLE, 0)), 0, "idle");
    check_eq(get(PROCESS, 0), priority(IDLE, 0), "is kept");
    check_eq(set(PROCESS, 0, priority(BEST_EFFORT, 2)), 0, "better again");
    check_eq(set(PROCESS, 0, priority(BEST_EFFORT, 8 | 2)), 0, "with a hint for the device");
    check_eq(get(PROCESS, 0), priority(BEST_EFFORT, 8 | 2), "which is kept, too");
    check_eq(set(PROCESS, 0, priority(BEST_EFFORT, 2)), 0, "and without one");
    check_fails(set(PROCESS, 0, priority(NONE, 1)), EINVAL, "none with a priority");
    check_fails(set(PROCESS, 0, priority(4, 0)), EINVAL, "a class that there is not");
    check_fails(set(PROCESS, 0, priority(7, 0)), EINVAL, "the last class");
    check_fails(set(0, 0, priority(BEST_EFFORT, 2)), EINVAL, "of nobody");
    check_fails(get(4, 0), EINVAL, "of nobody that can be named");
    check_fails(get(PROCESS, 4194000), ESRCH, "no such process");
    check_fails(set(PROCESS, 4194000, priority(BEST_EFFORT, 2)), ESRCH, "no such process to set");
    check_fails(get(GROUP, 4194000), ESRCH, "no such group");
    check_fails(get(USER, 4194000), ESRCH, "no such user");

    pthread_t other;
    pthread_create(&other, NULL, thread, NULL);
    pthread_join(other, NULL);
    check_eq(get(PROCESS, 0), priority(BEST_EFFORT, 2), "a thread's is its own");

    int ready[2], life[2];
    need(pipe(ready) == 0 && pipe(life) == 0, "two pipes");
    setpgid(0, 0);
    pid_t child = fork();
    if (child == 0) {
        int inherits = get(PROCESS, 0) == priority(BEST_EFFORT, 2);
        set(PROCESS, 0, priority(BEST_EFFORT, 5));
        close(life[1]);
        if (write(ready[1], &inherits, sizeof inherits) < 0) _exit(1);
        // Until the parent has ended, which may not kill it any more.
        _exit(read(life[0], &inherits, 1) != 0);
    }
    int inherits = 0;
    need(read(ready[0], &inherits, sizeof inherits) == sizeof inherits, "a child");
    check(inherits, "it has its parent's");
    check_eq(get(GROUP, 0), priority(BEST_EFFORT, 2), "the best of a group");
    check_eq(set(GROUP, 0, priority(BEST_EFFORT, 4)), 0, "sets all of a group");
    check_eq(get(PROCESS, child), priority(BEST_EFFORT, 4), "its members have it");
    setpgid(child, child);
    check_eq(set(PROCESS, 0, 0), 0, "none again");
    check_eq(get(PROCESS, 0), 0, "is none");
    check_eq(get(GROUP, 0), priority(BEST_EFFORT, 4), "of a group it follows the nice value");
    setpriority(PRIO_PROCESS, 0, 10);
    check_eq(get(GROUP, 0), priority(BEST_EFFORT, 6), "also when that changes");
    int is_root = geteuid() == 0;
    if (is_root) {
        check_eq(set(PROCESS, 0, priority(REAL_TIME, 3)), 0, "the first of all");
        if (setresuid(65534, 65534, 65534) != 0) return 1;
    } else {
        check(1, "the first of all");
    }
    check_fails(set(PROCESS, 0, priority(REAL_TIME, 3)), EPERM, "only with the capability");
    long of_other = set(PROCESS, child, priority(BEST_EFFORT, 3));
    check(is_root ? of_other == -1 && errno == EPERM : of_other == 0, "of other users neither");
    return check_done();
}
