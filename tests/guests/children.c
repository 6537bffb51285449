// Children: wait4 and waitid, SIGCHLD, orphans, groups, and numbers.
#include "check.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t signals, last_code, last_status, last_pid;

static void on_child(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    signals++;
    last_code = info->si_code;
    last_status = info->si_status;
    last_pid = info->si_pid;
}

static pid_t child(int code) {
    pid_t pid = fork();
    if (pid < 0) exit(1);
    if (pid == 0) _exit(code);
    return pid;
}

static pid_t sleeper(void) {
    pid_t pid = fork();
    if (pid < 0) exit(1);
    if (pid == 0) for (;;) pause();
    return pid;
}

static void statuses(void) {
    int status;
    need(waitpid(child(3), &status, 0) > 0, "waitpid");
    check(WIFEXITED(status) && WEXITSTATUS(status) == 3, "an exit code");
    pid_t pid = sleeper();
    check(waitpid(pid, &status, WNOHANG) == 0, "WNOHANG while it lives");
    kill(pid, SIGTERM);
    need(waitpid(pid, &status, 0) == pid, "waitpid");
    check(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM, "a signal");
    pid = sleeper();
    kill(pid, SIGKILL);
    need(waitpid(pid, &status, 0) == pid, "waitpid");
    check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "SIGKILL");
    check(waitpid(pid, &status, 0) == -1 && errno == ECHILD, "once only");
    check(waitpid(-1, &status, 0) == -1 && errno == ECHILD, "no children");
    check(kill(pid, 0) == -1 && errno == ESRCH, "and no process");
}

static void information(void) {
    siginfo_t info;
    memset(&info, 0x55, sizeof info);
    pid_t pid = child(9);
    check(waitid(P_PID, pid, &info, WEXITED | WNOWAIT) == 0, "waitid that leaves it");
    check(info.si_pid == pid && info.si_code == CLD_EXITED && info.si_status == 9 && info.si_signo == SIGCHLD,
          "what it tells");
    check(info.si_uid == getuid(), "whose it was");
    check(kill(pid, 0) == 0, "a zombie can be named");
    check(waitid(P_PGID, 0, &info, WEXITED) == 0 && info.si_pid == pid, "waitid of a group");
    check(waitid(P_ALL, 0, &info, WEXITED) == -1 && errno == ECHILD, "none left");
    check(waitid(P_ALL, 0, &info, 0) == -1 && errno == EINVAL, "nothing asked for");
    pid = sleeper();
    memset(&info, 0x55, sizeof info);
    check(waitid(P_ALL, 0, &info, WEXITED | WNOHANG) == 0 && info.si_pid == 0 && info.si_signo == 0,
          "WNOHANG of waitid");
    struct rusage usage;
    kill(pid, SIGUSR1);
    int status;
    check(wait4(-1, &status, 0, &usage) == pid && WTERMSIG(status) == SIGUSR1, "wait4 with usage");
}

static void notices(void) {
    struct sigaction action = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigaction(SIGCHLD, &action, NULL);
    signals = 0;
    int status;
    pid_t pid = child(5);
    need(waitpid(pid, &status, 0) == pid, "waitpid");
    while (!signals) usleep(1000);
    check(last_code == CLD_EXITED && last_status == 5 && last_pid == pid, "SIGCHLD says how");
    pid = sleeper();
    kill(pid, SIGKILL);
    need(waitpid(pid, &status, 0) == pid, "waitpid");
    while (signals < 2) usleep(1000);
    check(last_code == CLD_KILLED && last_status == SIGKILL && last_pid == pid, "SIGCHLD of a death");
    action.sa_flags |= SA_NOCLDWAIT;
    sigaction(SIGCHLD, &action, NULL);
    pid = child(0);
    check(waitpid(pid, &status, 0) == -1 && errno == ECHILD, "SA_NOCLDWAIT: nothing to wait for");
    signal(SIGCHLD, SIG_IGN);
    child(0);
    child(0);
    check(wait(&status) == -1 && errno == ECHILD, "SIG_IGN: waits for all of them");
    signal(SIGCHLD, SIG_DFL);
}

static void orphans(void) {
    int ends[2];
    need(pipe(ends) == 0, "a pipe");
    check(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0, "subreaper");
    int is_one = 0;
    check(prctl(PR_GET_CHILD_SUBREAPER, &is_one) == 0 && is_one == 1, "it is one");
    pid_t pid = fork();
    if (pid == 0) {
        pid_t inner = fork();
        if (inner == 0) {
            while (getppid() != 1 && getppid() == pid) usleep(100);
            char byte;
            (void)!read(ends[0], &byte, 1);
            pid_t parent = getppid();
            (void)!write(ends[1], &parent, sizeof parent);
            _exit(6);
        }
        _exit(0);
    }
    int status;
    need(waitpid(pid, &status, 0) == pid, "waitpid");
    (void)!write(ends[1], "x", 1);
    pid_t orphan = wait(&status), parent = 0;
    check(orphan > 0 && orphan != pid && WEXITSTATUS(status) == 6, "the orphan is ours");
    check(read(ends[0], &parent, sizeof parent) == sizeof parent && parent == getpid(), "and knows it");
    close(ends[0]);
    close(ends[1]);
}

static void parent_death(void) {
    int ends[2];
    need(pipe(ends) == 0, "a pipe");
    pid_t pid = fork();
    if (pid == 0) {
        pid_t inner = fork();
        if (inner == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            (void)!write(ends[1], "x", 1);
            for (;;) pause();
        }
        char byte;
        (void)!read(ends[0], &byte, 1);
        _exit(0);
    }
    int status;
    need(waitpid(pid, &status, 0) == pid, "waitpid");
    need(wait(&status) > 0, "the inner one");
    check(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "PR_SET_PDEATHSIG");
    close(ends[0]);
    close(ends[1]);
}

static void groups(void) {
    pid_t first = sleeper(), second = sleeper();
    check(getpgid(first) == getpgrp(), "a child is in its parent's group");
    check(setpgid(first, first) == 0 && getpgid(first) == first, "a group of its own");
    check(setpgid(second, first) == 0 && getpgid(second) == first, "joins it");
    check(setpgid(second, 999999) == -1 && errno == EPERM, "no such group");
    int status;
    check(kill(-first, SIGTERM) == 0, "kill a group");
    pid_t one = waitpid(-first, &status, 0), two = waitpid(-first, &status, 0);
    check((one == first && two == second) || (one == second && two == first), "both end");
    check(kill(-first, 0) == -1 && errno == ESRCH, "the group is gone");
    pid_t pid = fork();
    if (pid == 0) {
        int good = setsid() == getpid() && getsid(0) == getpid() && getpgrp() == getpid() && setsid() == -1;
        _exit(good ? 0 : 1);
    }
    need(waitpid(pid, &status, 0) == pid, "waitpid");
    check(status == 0, "setsid");
}

// Stops and goes on, as a shell's job control has it.
static void stops(void) {
    struct sigaction action = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigaction(SIGCHLD, &action, NULL);
    signals = 0;
    int ends[2], echo[2], status;
    char byte;
    need(pipe(ends) == 0 && pipe2(echo, O_NONBLOCK) == 0, "pipes");
    pid_t pid = fork();
    if (pid == 0) {
        while (read(ends[0], &byte, 1) == 1 && byte != 'e') (void)!write(echo[1], &byte, 1);
        _exit(8);
    }
    setpgid(pid, pid);
    kill(pid, SIGSTOP);
    check(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP, "WUNTRACED");
    while (signals < 1) usleep(1000);
    check(last_code == CLD_STOPPED && last_status == SIGSTOP && last_pid == pid, "SIGCHLD of a stop");
    check(waitpid(pid, &status, WUNTRACED | WNOHANG) == 0, "told once");
    (void)!write(ends[1], "x", 1);
    usleep(30000);
    check_fails(read(echo[0], &byte, 1), EAGAIN, "it does not run while it is stopped");
    kill(pid, SIGCONT);
    siginfo_t info = {0};
    check(waitid(P_PID, pid, &info, WCONTINUED) == 0 && info.si_code == CLD_CONTINUED && info.si_status == SIGCONT,
          "WCONTINUED");
    while (read(echo[0], &byte, 1) != 1) usleep(1000);
    check(byte == 'x', "and it goes on");
    (void)!write(ends[1], "e", 1);
    check(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 8, "to its end");
    pid = sleeper();
    setpgid(pid, pid);
    kill(pid, SIGTSTP);
    check(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) && WSTOPSIG(status) == SIGTSTP, "SIGTSTP");
    kill(pid, SIGTERM);
    usleep(10000);
    check(waitpid(pid, &status, WNOHANG) == 0, "a signal waits for it");
    kill(pid, SIGKILL);
    check(waitpid(pid, &status, 0) == pid && WTERMSIG(status) == SIGKILL, "SIGKILL does not wait");
    action.sa_flags |= SA_NOCLDSTOP;
    sigaction(SIGCHLD, &action, NULL);
    signals = 0;
    pid = sleeper();
    kill(pid, SIGSTOP);
    need(waitpid(pid, &status, WUNTRACED) == pid, "it stops");
    usleep(10000);
    check(signals == 0, "SA_NOCLDSTOP");
    kill(pid, SIGKILL);
    need(waitpid(pid, &status, 0) == pid, "it ends");
    signal(SIGCHLD, SIG_DFL);
    close(ends[0]);
    close(ends[1]);
    close(echo[0]);
    close(echo[1]);
}

// More than what a first process may leave of orphans: its own children stay until it waits.
static void many(void) {
    enum { MANY = 4300 };
    int expected = 0, sum = 0, count = 0, status;
    for (int i = 0; i < MANY; i++) {
        child(i & 0x7f);
        expected += i & 0x7f;
    }
    while (wait(&status) > 0) sum += WEXITSTATUS(status), count++;
    check_eq(count, MANY, "thousands of zombies");
    check_eq(sum, expected, "with their codes");
}

int main(void) {
    statuses();
    information();
    notices();
    orphans();
    parent_death();
    groups();
    stops();
    many();
    return check_done();
}
