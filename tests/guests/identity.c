// Users, groups, capabilities, sessions. It begins as root, as a container does.
// linkage: dynamic musl
#include "check.h"
#include <grp.h>
#include <pthread.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

static void *uid_of_thread(void *unused) {
    (void)unused;
    return (void *)(long)(syscall(SYS_getuid) * 1000 + syscall(SYS_geteuid));
}

int main(void) {
    unsigned r, e, s;
    need(getuid() == 0 && geteuid() == 0 && getgid() == 0 && getegid() == 0, "root");
    check(getresuid(&r, &e, &s) == 0 && r == 0 && e == 0 && s == 0, "getresuid");
    struct {
        unsigned version;
        int pid;
    } header = {0x20080522, 0};
    struct {
        unsigned effective, permitted, inheritable;
    } capabilities[2] = {0};
    check_eq(syscall(SYS_capget, &header, capabilities), 0, "capget");
    check(capabilities[0].effective & 1, "root has CAP_CHOWN");
    header.version = 1;
    check_fails(syscall(SYS_capget, &header, capabilities), EINVAL, "an unknown version");
    check_eq(header.version, 0x20080522, "is answered with the known one");

    gid_t groups[4] = {10, 20, 30};
    check_eq(setgroups(3, groups), 0, "setgroups");
    memset(groups, 0, sizeof groups);
    check(getgroups(0, NULL) == 3 && getgroups(4, groups) == 3 && groups[2] == 30, "getgroups");
    check_fails(getgroups(1, groups), EINVAL, "too little room");
    check_eq(setegid(5), 0, "setegid");
    check(getgid() == 0 && getegid() == 5, "one of them");
    check_eq(setresgid(1, 2, 3), 0, "setresgid");
    check(getresgid(&r, &e, &s) == 0 && r == 1 && e == 2 && s == 3, "getresgid");
    check_eq(setfsuid(0), 0, "setfsuid gives the old one");
    check_eq(setresuid(100, 200, 0), 0, "setresuid");
    check(getuid() == 100 && geteuid() == 200, "and now somebody else");
    check_fails(setgid(99), EPERM, "who may not become any group");
    check_fails(setresuid(300, -1, -1), EPERM, "nor anybody");
    pthread_t thread;
    void *result;
    pthread_create(&thread, NULL, uid_of_thread, NULL);
    pthread_join(thread, &result);
    check_eq((long)result, 100200, "a new thread is the same");
    check_eq(seteuid(0), 0, "but the saved one again");
    check_eq(setuid(500), 0, "setuid as root");
    check(getresuid(&r, &e, &s) == 0 && r == 500 && e == 500 && s == 500, "sets all three");
    check_fails(setuid(0), EPERM, "with no way back");
    check_fails(setgroups(0, NULL), EPERM, "nor to other groups");
    // Group and session are 0 where their leader lives outside this PID namespace.
    check(getpid() > 0 && getpgrp() >= 0 && getsid(0) >= 0 && getpgid(0) == getpgrp(),
          "process, group, session");
    check(getppid() >= 0, "a parent");
    return check_done();
}
