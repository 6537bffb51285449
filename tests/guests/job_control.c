// Job control: sessions and their terminals, the foreground, keys that send signals, background reads and writes, hang-ups.
// linkage: dynamic musl
#include "terminal.h"
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

static int master, slave;
static char path[64];

// Starts a session of its own on a new terminal, in a child that ends with what `body` returns.
static pid_t session(int (*body)(void)) {
    open_pair(&master, &slave);
    snprintf(path, sizeof path, "%s", ptsname(master));
    fflush(stdout);
    pid_t pid = fork();
    if (pid) {
        close(slave);
        return pid;
    }
    alarm(30);
    if (setsid() < 0 || ioctl(slave, TIOCSCTTY, 0)) _exit(100);
    _exit(body());
}

static int status_of(pid_t pid) {
    int status;
    if (waitpid(pid, &status, 0) != pid) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void ends_with(int (*body)(void), int status, const char *name) {
    pid_t pid = session(body);
    check_eq(status_of(pid), status, name);
    close(master);
}

static void say(const char *text) {
    if (write(slave, text, strlen(text)) < 0) _exit(101);
}

static int leaders(void) {
    if (tcgetpgrp(slave) != getpid() || tcgetsid(slave) != getpid()) return 1;
    // Twice is fine, another one is not.
    if (ioctl(slave, TIOCSCTTY, 0)) return 2;
    int other_master, other;
    open_pair(&other_master, &other);
    if (ioctl(other, TIOCSCTTY, 0) != -1 || errno != EPERM) return 3;
    if (tcgetpgrp(other) != -1 || errno != ENOTTY) return 4;
    if (tcsetpgrp(other, getpid()) != -1 || errno != ENOTTY) return 5;
    if (ioctl(other, TIOCNOTTY) != -1 || errno != ENOTTY) return 6;
    pid_t group = -1;
    // The master may ask, and there is none.
    if (ioctl(other_master, TIOCGPGRP, &group) || group != 0) return 7;
    if (ioctl(master, TIOCGPGRP, &group) || group != getpid()) return 8;
    if (tcsetpgrp(slave, 1 << 21) != -1 || errno != ESRCH) return 9;
    if (tcsetpgrp(slave, getppid()) != -1 || (errno != EPERM && errno != ESRCH)) return 10;
    if (tcsetpgrp(slave, -5) != -1 || errno != EINVAL) return 11;
    signal(SIGHUP, SIG_IGN);
    if (ioctl(slave, TIOCNOTTY)) return 12;
    if (open("/dev/tty", O_RDWR) != -1 || errno != ENXIO) return 13;
    // Opening a terminal makes it the session's, unless that is not wanted.
    int fd = open(path, O_RDWR | O_NOCTTY);
    if (open("/dev/tty", O_RDWR) != -1) return 14;
    close(fd);
    fd = open(path, O_WRONLY);
    if (open("/dev/tty", O_RDWR) != -1) return 15;
    close(fd);
    fd = open(path, O_RDWR);
    if (tcgetpgrp(fd) != getpid()) return 16;
    if (open("/dev/tty", O_RDWR) < 0) return 17;
    return 0;
}

static volatile sig_atomic_t seen;

static void note(int signal) { seen = signal; }

static void handle(int number) {
    struct sigaction action = {.sa_handler = note};
    sigaction(number, &action, NULL);
}

// Waits for a signal that has been handled or is to come.
static int wait_for(int number) {
    sigset_t blocked, old;
    sigemptyset(&blocked);
    sigaddset(&blocked, number);
    sigprocmask(SIG_BLOCK, &blocked, &old);
    sigdelset(&old, number);
    while (seen != number) sigsuspend(&old);
    sigprocmask(SIG_UNBLOCK, &blocked, NULL);
    return 1;
}

static int keys(void) {
    handle(SIGINT), handle(SIGQUIT), handle(SIGTSTP), handle(SIGWINCH);
    say("ready\n");
    wait_for(SIGINT);
    say("int\n");
    wait_for(SIGQUIT);
    say("quit\n");
    wait_for(SIGTSTP);
    say("tstp\n");
    wait_for(SIGWINCH);
    struct winsize size;
    return ioctl(slave, TIOCGWINSZ, &size) || size.ws_row != 33;
}

static void test_keys(void) {
    pid_t pid = session(keys);
    check(comes(master, "ready\r\n"), "a session has begun");
    type(master, "\3");
    check(comes(master, "^Cint\r\n"), "INTR");
    type(master, "\34");
    check(comes(master, "^\\quit\r\n"), "QUIT");
    type(master, "\32");
    check(comes(master, "^Ztstp\r\n"), "SUSP");
    struct winsize size = {.ws_row = 33, .ws_col = 5};
    check(ioctl(master, TIOCSWINSZ, &size) == 0, "another size");
    check_eq(status_of(pid), 0, "is told");
    close(master);
}

static int interrupted(void) {
    say("ready\n");
    char byte;
    return read(slave, &byte, 1) + 50;
}

static void test_interrupted(void) {
    pid_t pid = session(interrupted);
    check(comes(master, "ready\r\n"), "a session has begun");
    type(master, "\3");
    check_eq(status_of(pid), 1000 + SIGINT, "INTR ends a read, and the reader");
    close(master);
}

static int child_stopped(pid_t pid, int by) {
    int status;
    return waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) && WSTOPSIG(status) == by;
}

// A job of another group than the leader's, which is in the foreground.
static pid_t job(int (*body)(void)) {
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        _exit(body());
    }
    setpgid(pid, pid);
    return pid;
}

static int read_line(void) {
    char line[16] = {0};
    if (read(slave, line, sizeof line) != 3) return 1;
    return memcmp(line, "ab\n", 3) != 0;
}

static int background_read(void) {
    pid_t pid = job(read_line);
    if (!child_stopped(pid, SIGTTIN)) return 1;
    signal(SIGTTOU, SIG_IGN);
    if (tcsetpgrp(slave, pid)) return 2;
    kill(-pid, SIGCONT);
    say("go\n");
    int status;
    if (waitpid(pid, &status, 0) != pid || status) return 3;
    if (tcsetpgrp(slave, getpid())) return 4;
    return 0;
}

static int write_text(void) { return write(slave, "x\n", 2) != 2; }

static int ignored_read(void) {
    signal(SIGTTIN, SIG_IGN);
    char byte;
    return read(slave, &byte, 1) != -1 || errno != EIO;
}

static int set_modes(void) {
    struct termios set;
    return tcgetattr(slave, &set) || tcsetattr(slave, TCSANOW, &set);
}

static int blocked_set_modes(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTTOU);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return set_modes();
}

static int background_write(void) {
    int status;
    pid_t pid = job(write_text);
    if (waitpid(pid, &status, WUNTRACED) != pid || status) return 1;
    local(slave, TOSTOP, 0);
    pid = job(write_text);
    if (!child_stopped(pid, SIGTTOU)) return 2;
    local(slave, 0, TOSTOP);
    kill(-pid, SIGCONT);
    if (waitpid(pid, &status, WUNTRACED) != pid || status) return 3;
    pid = job(set_modes);
    if (!child_stopped(pid, SIGTTOU)) return 4;
    kill(-pid, SIGKILL);
    if (waitpid(pid, &status, 0) != pid) return 5;
    pid = job(blocked_set_modes);
    if (waitpid(pid, &status, WUNTRACED) != pid || status) return 6;
    pid = job(ignored_read);
    if (waitpid(pid, &status, WUNTRACED) != pid || status) return 7;
    return 0;
}

static void test_background(void) {
    pid_t pid = session(background_read);
    check(comes(master, "go\r\n"), "a background reader stops");
    type(master, "ab\n");
    check_eq(status_of(pid), 0, "and reads in the foreground");
    close(master);
    ends_with(background_write, 0, "background writers and changers of settings");
}

// An orphaned group cannot be continued by a shell, so it is not stopped.
static int orphan(void) {
    int ends[2];
    if (pipe(ends)) return 1;
    pid_t middle = fork();
    if (middle == 0) {
        setpgid(0, 0);
        pid_t parent = getpid(), pid = fork();
        if (pid) _exit(0);
        while (kill(parent, 0) == 0) sched_yield();
        char byte;
        int result = read(slave, &byte, 1) == -1 && errno == EIO ? 'y' : 'n';
        byte = result;
        _exit(write(ends[1], &byte, 1) != 1);
    }
    if (waitpid(middle, NULL, 0) != middle) return 2;
    char byte = 0;
    return read(ends[0], &byte, 1) != 1 || byte != 'y';
}

static int hung_up(void) {
    close(master);
    handle(SIGHUP);
    say("ready\n");
    wait_for(SIGHUP);
    char byte;
    if (read(slave, &byte, 1) != 0) return 1;
    if (write(slave, &byte, 1) != -1 || errno != EIO) return 2;
    if (open("/dev/tty", O_RDWR) != -1 || errno != ENXIO) return 3;
    return 44;
}

static int killed_by_hang_up(void) {
    close(master);
    say("ready\n");
    for (;;) pause();
    return 1;
}

static int told[2];

static int job_of_leader(void) {
    handle(SIGHUP);
    if (write(told[1], "r", 1) != 1) return 1;
    wait_for(SIGHUP);
    return write(told[1], "h", 1) != 1;
}

static int leader_ends(void) {
    char byte;
    signal(SIGTTOU, SIG_IGN);
    pid_t pid = job(job_of_leader);
    if (tcsetpgrp(slave, pid)) return 1;
    if (read(told[0], &byte, 1) != 1) return 2;
    return 0;
}


static int stopped_job(void) {
    handle(SIGCONT);
    struct sigaction action = {.sa_handler = note};
    sigaction(SIGHUP, &action, NULL);
    // SIGHUP stays for wait_for: SIGCONT may come first.
    raise(SIGSTOP);
    while (seen != SIGHUP) {
        sigset_t none;
        sigemptyset(&none);
        if (seen == SIGHUP) break;
        sched_yield();
        sigpending(&none);
    }
    return write(told[1], "s", 1) != 1;
}

static int leader_leaves_stopped_job(void) {
    pid_t pid = job(stopped_job);
    return !child_stopped(pid, SIGSTOP);
}

static void hang_ups(void) {
    pid_t pid = session(hung_up);
    check(comes(master, "ready\r\n"), "a session has begun");
    close(master);
    check_eq(status_of(pid), 44, "its leader is told that the terminal is gone");
    pid = session(killed_by_hang_up);
    check(comes(master, "ready\r\n"), "a session has begun");
    close(master);
    check_eq(status_of(pid), 1000 + SIGHUP, "which ends it");
    char byte = 0;
    need(pipe(told) == 0, "a pipe");
    pid = session(leader_ends);
    check_eq(status_of(pid), 0, "a leader ends");
    check(read(told[0], &byte, 1) == 1 && byte == 'h', "the foreground is told");
    close(master);
    pid = session(leader_leaves_stopped_job);
    check_eq(status_of(pid), 0, "a leader ends that has a stopped job");
    check(read(told[0], &byte, 1) == 1 && byte == 's', "which is told and continued");
    close(master);
}

int main(void) {
    alarm(60);
    signal(SIGHUP, SIG_DFL);
    ends_with(leaders, 0, "leaders and their terminals");
    test_keys();
    test_interrupted();
    test_background();
    ends_with(orphan, 0, "an orphan in the background");
    hang_ups();
    return check_done();
}
