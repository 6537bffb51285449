// Leases (F_SETLEASE): who opens a leased file waits until its holder, who is told, gives it up.
// linkage: dynamic
#include "check.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { OTHER = 4321 };

static sigset_t told;

// A signal that waits, or 0.
static int next_signal(siginfo_t *info) {
    struct timespec none = {0};
    int signal = sigtimedwait(&told, info, &none);
    return signal < 0 ? 0 : signal;
}

// A child that opens the file in this way: it ends with 0, or the error.
static pid_t opens(int flags) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open("file", flags);
        _exit(fd >= 0 ? 0 : errno);
    }
    return pid;
}

static int end_of(pid_t pid) {
    int status = -1;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -status;
}

int main(void) {
    siginfo_t info;
    sigemptyset(&told);
    sigaddset(&told, SIGIO);
    sigaddset(&told, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &told, NULL);
    close(open("file", O_RDWR | O_CREAT, 0644));
    int reads = open("file", O_RDONLY);
    check_eq(fcntl(reads, F_GETLEASE), F_UNLCK, "no lease");
    check_fails(fcntl(reads, F_SETLEASE, F_UNLCK), EAGAIN, "none to give up");
    check_fails(fcntl(reads, F_SETLEASE, 77), EINVAL, "an unknown kind");
    int ends[2];
    need(pipe(ends) == 0, "a pipe");
    check_fails(fcntl(ends[0], F_SETLEASE, F_RDLCK), EINVAL, "has none");

    check_eq(fcntl(reads, F_SETLEASE, F_RDLCK), 0, "a read lease");
    check_eq(fcntl(reads, F_GETLEASE), F_RDLCK, "is told");
    check_eq(end_of(opens(O_RDONLY)), 0, "others read");
    check_eq(next_signal(&info), 0, "which is not told");
    check_eq(end_of(opens(O_WRONLY | O_NONBLOCK)), EAGAIN, "nobody writes");
    check_eq(next_signal(&info), SIGIO, "which is told");
    check_eq(fcntl(reads, F_GETLEASE), F_UNLCK, "the lease is to go");
    pid_t pid = opens(O_WRONLY);
    usleep(30000);
    check_eq(waitpid(pid, NULL, WNOHANG), 0, "who writes waits");
    check_eq(fcntl(reads, F_SETLEASE, F_UNLCK), 0, "until it is gone");
    check_eq(end_of(pid), 0, "and goes on");

    int writes = open("file", O_RDWR);
    check_fails(fcntl(reads, F_SETLEASE, F_RDLCK), EAGAIN, "no read lease while somebody writes");
    check_fails(fcntl(writes, F_SETLEASE, F_RDLCK), EAGAIN, "nor of one that writes itself");
    check_fails(fcntl(writes, F_SETLEASE, F_WRLCK), EAGAIN, "no write lease while another one is open");
    close(reads);
    check_eq(fcntl(writes, F_SETLEASE, F_WRLCK), 0, "a write lease");
    check_eq(fcntl(writes, F_GETLEASE), F_WRLCK, "is told");
    check_eq(fcntl(writes, F_SETSIG, SIGRTMIN), 0, "another signal");
    pid = opens(O_RDONLY);
    need(sigwaitinfo(&told, &info) == SIGRTMIN, "who reads is told of");
    check(info.si_code == POLL_MSG && info.si_fd == writes, "with what and where");
    check_eq(fcntl(writes, F_GETLEASE), F_RDLCK, "a read lease may stay");
    check_eq(waitpid(pid, NULL, WNOHANG), 0, "who reads waits");
    check_eq(fcntl(writes, F_SETLEASE, F_UNLCK), 0, "given up");
    check_eq(end_of(pid), 0, "and goes on");
    check_eq(fcntl(writes, F_SETLEASE, F_WRLCK), 0, "once more");
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        // Otherwise the file would be open still.
        close(writes);
        _exit(truncate("file", 0) == 0 ? 0 : errno);
    }
    need(sigwaitinfo(&told, &info) == SIGIO, "a truncation is told of, by the usual signal again");
    close(writes);
    check_eq(end_of(pid), 0, "closing gives it up");

    chmod(".", 0755);
    pid = fork();
    if (pid == 0) {
        if (geteuid() == 0 && (setgid(OTHER) != 0 || setuid(OTHER) != 0)) _exit(90);
        int fd = open("file", O_RDONLY);
        _exit(fd >= 0 && fcntl(fd, F_SETLEASE, F_RDLCK) == -1 ? errno : 91);
    }
    check_eq(end_of(pid), geteuid() == 0 ? EACCES : 91, "files of others are not leased");
    return check_done();
}
