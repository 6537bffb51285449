// Pseudo-terminals: how they are made, named, locked, read, polled, and what their ends are.
// linkage: dynamic static musl
#include "terminal.h"
#include <limits.h>
#include <linux/tty.h>
#include <pty.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER 0x5441
#endif

static int events(int fd) {
    struct pollfd entry = {.fd = fd, .events = POLLIN | POLLOUT | POLLPRI};
    poll(&entry, 1, 0);
    return entry.revents;
}

static int polled(int fd, int wanted) {
    struct pollfd entry = {.fd = fd, .events = wanted};
    return poll(&entry, 1, 10000) == 1 ? entry.revents : 0;
}

static void names(void) {
    struct stat ptmx, slave, name;
    need(stat("/dev/ptmx", &ptmx) == 0, "there is /dev/ptmx");
    check(S_ISCHR(ptmx.st_mode) && ptmx.st_rdev == makedev(5, 2) && (ptmx.st_mode & 0777) == 0666, "its mode and number");
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    need(master >= 0, "posix_openpt");
    int number = -1;
    check(ioctl(master, TIOCGPTN, &number) == 0 && number >= 0, "TIOCGPTN");
    char *path = ptsname(master);
    char expected[64];
    snprintf(expected, sizeof expected, "/dev/pts/%d", number);
    check(path && !strcmp(path, expected), "ptsname");
    check_fails(open(path, O_RDWR | O_NOCTTY), EIO, "a locked slave cannot be opened");
    int is_locked = 0;
    check(ioctl(master, TIOCGPTLCK, &is_locked) == 0 && is_locked == 1, "TIOCGPTLCK");
    check(grantpt(master) == 0 && unlockpt(master) == 0, "grantpt and unlockpt");
    check(ioctl(master, TIOCGPTLCK, &is_locked) == 0 && is_locked == 0, "it is not locked any more");
    int fd = open(path, O_RDWR | O_NOCTTY);
    need(fd >= 0, "the slave is opened");
    need(fstat(fd, &slave) == 0 && stat(path, &name) == 0, "stat");
    check(slave.st_ino == name.st_ino && slave.st_dev == name.st_dev, "the open slave is what its name is");
    check(S_ISCHR(slave.st_mode) && slave.st_rdev == makedev(136, number), "its number");
    // Its group depends on how it was mounted.
    check_eq(slave.st_mode & 0757, 0600, "its mode");
    check(slave.st_uid == geteuid(), "its owner");
    check(isatty(fd) && isatty(master), "both are terminals");
    char *tty = ttyname(fd);
    check(tty && !strcmp(tty, path), "ttyname");
    char link[64], target[128] = {0};
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    check(readlink(link, target, sizeof target - 1) > 0 && !strcmp(target, path), "its name in /proc/self/fd");
    check(fchmod(fd, 0600) == 0 && stat(path, &name) == 0 && (name.st_mode & 0777) == 0600, "fchmod");
    struct statfs fs;
    check(statfs("/dev/pts", &fs) == 0 && fs.f_type == 0x1cd1, "/dev/pts is a devpts");
    int peer = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    check(peer >= 0 && fstat(peer, &name) == 0 && name.st_ino == slave.st_ino, "TIOCGPTPEER");
    check(fcntl(peer, F_GETFD) == FD_CLOEXEC, "with its flags");
    int second = posix_openpt(O_RDWR | O_NOCTTY), other = -1;
    check(ioctl(second, TIOCGPTN, &other) == 0 && other != number, "another one has another number");
    close(second);
    close(peer);
    check_fails(ioctl(fd, TIOCGPTN, &number), ENOTTY, "a slave is no master");
    check_fails(lseek(fd, 0, SEEK_SET), ESPIPE, "no positions");
    close(master);
    check_fails(stat(path, &name), ENOENT, "the name goes with the master");
    close(fd);
}

static void streams(void) {
    int master, slave;
    open_pair(&master, &slave);
    check_eq(events(master), POLLOUT, "a new master can be written");
    check_eq(events(slave), POLLOUT, "and a new slave");
    fcntl(master, F_SETFL, O_NONBLOCK), fcntl(slave, F_SETFL, O_NONBLOCK);
    char byte;
    check_fails(read(master, &byte, 1), EAGAIN, "nothing to read from the master");
    check_fails(read(slave, &byte, 1), EAGAIN, "nothing to read from the slave");
    check_eq(write(slave, "a\n", 2), 2, "a program writes");
    check_eq(polled(master, POLLIN), POLLIN, "the master polls readable");
    check(comes(master, "a\r\n"), "a new line is sent as CR NL");
    type(master, "line\r");
    check(comes(master, "line\r\n"), "what is typed is echoed");
    check_eq(polled(slave, POLLIN), POLLIN, "a line polls readable");
    int count = 0;
    check(ioctl(slave, FIONREAD, &count) == 0 && count == 5, "FIONREAD of a line");
    check(reads(slave, 100, "line\n"), "CR is read as NL");
    check(write(slave, "out", 3) == 3 && polled(master, POLLIN), "output");
    check(ioctl(master, FIONREAD, &count) == 0 && count == 3, "FIONREAD of the master");
    check(ioctl(slave, TIOCOUTQ, &count) == 0 && count == 0, "TIOCOUTQ");
    check(comes(master, "out"), "it is read");
    // More than there is room for: a part of it, and then nothing.
    static char much[100000];
    memset(much, 'x', sizeof much);
    ssize_t some = write(slave, much, sizeof much);
    check(some > 1000 && some < (ssize_t)sizeof much, "the output queue is bounded");
    // Linux moves what was written to the master's side at its leisure, which makes room.
    ssize_t more;
    while ((more = write(slave, much, sizeof much)) > 0) some += more;
    check(more == -1 && errno == EAGAIN && some < 2 * (ssize_t)sizeof much, "a full queue");
    ssize_t got = 0;
    static char bytes[100000];
    while (got < some) {
        if (!polled(master, POLLIN)) break;
        ssize_t part = read(master, bytes, sizeof bytes);
        if (part <= 0) break;
        got += part;
    }
    check(got == some, "all of it comes");
    check(polled(slave, POLLOUT) & POLLOUT, "and there is room again");
    close(slave);
    close(master);
}

static void ends(void) {
    int master, slave;
    char byte;
    open_pair(&master, &slave);
    char path[64];
    snprintf(path, sizeof path, "%s", ptsname(master));
    check(write(slave, "last", 4) == 4, "a program writes");
    close(slave);
    check(polled(master, POLLIN) & POLLHUP, "the master sees the slave's end");
    check(comes(master, "last"), "what was written before is read");
    check_fails(read(master, &byte, 1), EIO, "then EIO");
    slave = open(path, O_RDWR | O_NOCTTY);
    need(slave >= 0, "the slave is opened again");
    check_eq(events(master), POLLOUT, "which ends the end");
    check(write(slave, "more", 4) == 4 && comes(master, "more"), "and works");
    close(master);
    check_eq(events(slave) & (POLLIN | POLLOUT | POLLERR | POLLHUP), POLLIN | POLLOUT | POLLERR | POLLHUP, "a slave that was hung up");
    check_eq(read(slave, &byte, 1), 0, "reads nothing");
    check_fails(write(slave, "x", 1), EIO, "writes nothing");
    struct winsize size;
    check_fails(ioctl(slave, TIOCGWINSZ, &size), EIO, "and has no size");
    check_fails(open(path, O_RDWR | O_NOCTTY), ENOENT, "its name is gone");
    close(slave);
}

static void sizes(void) {
    int master, slave;
    open_pair(&master, &slave);
    struct winsize size = {1, 2, 3, 4};
    check(ioctl(slave, TIOCGWINSZ, &size) == 0 && !size.ws_row && !size.ws_col, "a new terminal has no size");
    size = (struct winsize){24, 80, 640, 480};
    check(ioctl(master, TIOCSWINSZ, &size) == 0, "the master sets it");
    memset(&size, 0, sizeof size);
    check(ioctl(slave, TIOCGWINSZ, &size) == 0 && size.ws_row == 24 && size.ws_col == 80 && size.ws_xpixel == 640 && size.ws_ypixel == 480, "the slave has it");
    size.ws_row = 50;
    check(ioctl(slave, TIOCSWINSZ, &size) == 0 && ioctl(master, TIOCGWINSZ, &size) == 0 && size.ws_row == 50, "and sets it");
    check_fails(ioctl(master, TIOCSWINSZ, 1), EFAULT, "a bad address");
    close(slave), close(master);
}

static void packets(void) {
    int master, slave, on = 1;
    open_pair(&master, &slave);
    check_fails(ioctl(slave, TIOCPKT, &on), ENOTTY, "packets are the master's");
    check(ioctl(master, TIOCPKT, &on) == 0, "TIOCPKT");
    check(write(slave, "ab", 2) == 2, "a program writes");
    char bytes[16];
    check(polled(master, POLLIN) && read(master, bytes, 16) == 3 && bytes[0] == TIOCPKT_DATA && !memcmp(bytes + 1, "ab", 2), "data");
    check(tcflush(slave, TCIFLUSH) == 0, "a flush");
    check(polled(master, POLLIN | POLLPRI) & POLLPRI, "is urgent");
    check(read(master, bytes, 16) == 1 && bytes[0] == TIOCPKT_FLUSHREAD, "and told");
    check(tcflow(slave, TCOOFF) == 0 && read(master, bytes, 16) == 1 && bytes[0] == TIOCPKT_STOP, "a stop");
    check(tcflow(slave, TCOON) == 0 && read(master, bytes, 16) == 1 && bytes[0] == TIOCPKT_START, "a start");
    struct termios settings;
    tcgetattr(slave, &settings);
    settings.c_iflag &= ~IXON;
    check(tcsetattr(slave, TCSANOW, &settings) == 0 && read(master, bytes, 16) == 1 && bytes[0] == TIOCPKT_NOSTOP, "no flow control");
    close(slave), close(master);
}

// A program in a session of its own, as terminal emulators start it.
static void session(void) {
    int master;
    pid_t pid = forkpty(&master, NULL, NULL, NULL);
    if (pid == 0) {
        int fd = open("/dev/tty", O_RDWR);
        struct stat tty;
        int fine = fd >= 0 && !fstat(fd, &tty) && tty.st_rdev == makedev(5, 0) && tcgetpgrp(fd) == getpid() && tcgetsid(fd) == getpid();
        FILE *stat = fopen("/proc/self/stat", "r");
        int session = 0, number = 0, foreground = 0;
        fine = fine && stat && fscanf(stat, "%*d %*s %*c %*d %*d %d %d %d", &session, &number, &foreground) == 3;
        struct stat own;
        fine = fine && session == getpid() && foreground == getpid() && !fstat(0, &own) && (int)own.st_rdev == number;
        printf("fine %d\n", fine);
        fflush(stdout);
        char line[16];
        if (!fgets(line, sizeof line, stdin)) _exit(9);
        _exit(strcmp(line, "end\n") ? 8 : 7);
    }
    need(pid > 0, "forkpty");
    check(comes(master, "fine 1\r\n"), "the child has a controlling terminal");
    type(master, "end\n");
    int status;
    check(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 7, "and reads from it");
    check(comes(master, "end\r\n"), "its echo");
    char byte;
    check_fails(read(master, &byte, 1), EIO, "and its end");
    close(master);
}

int main(void) {
    alarm(60);
    setvbuf(stdout, NULL, _IOLBF, 0);
    names();
    streams();
    ends();
    sizes();
    packets();
    session();
    return check_done();
}
