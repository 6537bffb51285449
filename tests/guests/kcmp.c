// kcmp: whether two processes share something.
// linkage: dynamic
#include "check.h"
#include <fcntl.h>
#include <linux/kcmp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t own;
static char stack[65536] __attribute__((aligned(16)));

static long kcmp(pid_t one, pid_t two, int type, unsigned long first, unsigned long second) {
    return syscall(SYS_kcmp, one, two, type, first, second);
}

// 1 and 2 say which one comes first in an order that means nothing.
static int differ(long answer) {
    return answer == 1 || answer == 2;
}

static int sleeper(void *unused) {
    for (;;) pause();
    return unused != NULL;
}

// A child that shares what the flags say.
static pid_t child(int flags) {
    pid_t pid = clone(sleeper, stack + sizeof stack, flags | SIGCHLD, NULL);
    need(pid > 0, "a child");
    return pid;
}

static void end(pid_t pid) {
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void files(void) {
    int one = open("file", O_RDWR | O_CREAT, 0600), same = dup(one), other = open("file", O_RDONLY);
    check_eq(kcmp(own, own, KCMP_FILE, one, one), 0, "a descriptor and itself");
    check_eq(kcmp(own, own, KCMP_FILE, one, same), 0, "two descriptors of one open file");
    check(differ(kcmp(own, own, KCMP_FILE, one, other)), "two open files");
    long there = kcmp(own, own, KCMP_FILE, one, other), back = kcmp(own, own, KCMP_FILE, other, one);
    check_eq(there + back, 3, "they have an order");
    check_fails(kcmp(own, own, KCMP_FILE, one, 99), EBADF, "a closed descriptor");
    check_fails(kcmp(own, own, KCMP_FILE, 99, one), EBADF, "a closed one first");
    pid_t pid = child(0);
    check_eq(kcmp(own, pid, KCMP_FILE, one, same), 0, "a child has the same open file");
    end(pid);

    int poll = epoll_create1(0), ends[2];
    need(pipe(ends) == 0, "a pipe");
    struct epoll_event event = {.events = EPOLLIN};
    epoll_ctl(poll, EPOLL_CTL_ADD, ends[0], &event);
    struct kcmp_epoll_slot slot = {.efd = poll, .tfd = ends[0], .toff = 0};
    check_eq(kcmp(own, own, KCMP_EPOLL_TFD, ends[0], (unsigned long)&slot), 0,
             "what an epoll instance watches");
    check(differ(kcmp(own, own, KCMP_EPOLL_TFD, ends[1], (unsigned long)&slot)), "another one");
    slot.toff = 1;
    check_fails(kcmp(own, own, KCMP_EPOLL_TFD, ends[0], (unsigned long)&slot), ENOENT,
                "no second one of this number");
    slot.toff = 0;
    slot.tfd = ends[1];
    check_fails(kcmp(own, own, KCMP_EPOLL_TFD, ends[0], (unsigned long)&slot), ENOENT,
                "nothing that it watches");
    slot.efd = one;
    check_fails(kcmp(own, own, KCMP_EPOLL_TFD, ends[0], (unsigned long)&slot), EINVAL,
                "no epoll instance");
    slot.efd = 99;
    check_fails(kcmp(own, own, KCMP_EPOLL_TFD, ends[0], (unsigned long)&slot), EBADF,
                "a closed epoll instance");
    check_fails(kcmp(own, own, KCMP_EPOLL_TFD, ends[0], 8), EFAULT, "a slot nowhere");
}

static void shared(void) {
    static const int flags[] = {CLONE_VM, CLONE_FILES, CLONE_FS, CLONE_SIGHAND | CLONE_VM};
    static const int types[] = {KCMP_VM, KCMP_FILES, KCMP_FS, KCMP_SIGHAND};
    static const char *names[] = {"memory", "descriptors", "directories", "actions"};
    for (int n = 0; n < 4; n++) {
        char text[64];
        pid_t without = child(0);
        snprintf(text, sizeof text, "own %s", names[n]);
        check(differ(kcmp(own, without, types[n], 0, 0)), text);
        end(without);
        pid_t with = child(flags[n]);
        snprintf(text, sizeof text, "shared %s", names[n]);
        check_eq(kcmp(own, with, types[n], 0, 0), 0, text);
        end(with);
    }
}

static void *thread(void *unused) {
    pid_t tid = (pid_t)syscall(SYS_gettid);
    check_eq(kcmp(own, tid, KCMP_VM, 0, 0), 0, "a thread has its process's memory");
    check_eq(kcmp(tid, own, KCMP_FILES, 0, 0), 0, "and its descriptors");
    return unused;
}

int main(void) {
    own = getpid();
    files();
    shared();
    pthread_t other;
    pthread_create(&other, NULL, thread, NULL);
    pthread_join(other, NULL);
    check_eq(kcmp(own, own, KCMP_SYSVSEM, 0, 0), 0, "nothing to undo of semaphores");
    check_eq(kcmp(own, own, KCMP_IO, 0, 0), 0, "input and output");
    check_fails(kcmp(own, own, 99, 0, 0), EINVAL, "an unknown type");
    check_fails(kcmp(own, 4194000, KCMP_VM, 0, 0), ESRCH, "no such process");
    check_fails(kcmp(0, own, KCMP_VM, 0, 0), ESRCH, "no process has number 0");
    check_fails(kcmp(-1, own, KCMP_VM, 0, 0), ESRCH, "nor a negative one");
    pid_t target = fork();
    if (target == 0) sleeper(NULL);
    pid_t stranger = fork();
    if (stranger == 0) {
        int is_root = geteuid() == 0;
        if (is_root && setresuid(65534, 65534, 65534) != 0) _exit(2);
        long answer = kcmp(own, target, KCMP_VM, 0, 0);
        // Who is no other user has nobody to be refused for.
        _exit(is_root ? answer == -1 && errno == EPERM : differ(answer));
    }
    int status;
    waitpid(stranger, &status, 0);
    check_eq(status, 256, "only who may look at both");
    end(target);
    return check_done();
}
