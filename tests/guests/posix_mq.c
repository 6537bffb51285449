// POSIX message queues: mq_open and its kin.
// linkage: dynamic musl
#include "check.h"
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char name[64];

static int status_of(pid_t pid) {
    int status = -1;
    need(waitpid(pid, &status, 0) == pid, "the child is waited for");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static mqd_t new_queue(int flags, long messages, long len) {
    struct mq_attr shape = {.mq_maxmsg = messages, .mq_msgsize = len};
    mqd_t queue = mq_open(name, O_CREAT | O_EXCL | flags, 0600, &shape);
    need(queue != (mqd_t)-1, "a queue is made");
    return queue;
}

static long raw_open(const char *of, int flags, int mode, void *shape) {
    return syscall(SYS_mq_open, of, flags, mode, shape);
}

static void opening(void) {
    struct mq_attr shape = {.mq_maxmsg = 2, .mq_msgsize = 10}, bad = {.mq_maxmsg = 0, .mq_msgsize = 10};
    umask(022);
    check_fails(mq_open(name, O_RDWR), ENOENT, "nothing has the name");
    check_fails(raw_open(name + 1, O_RDWR | O_CREAT, 0600, (void *)8), EFAULT, "no attributes");
    check_fails(raw_open((void *)8, O_RDWR | O_CREAT, 0600, NULL), EFAULT, "no name");
    check_fails(raw_open("", O_RDWR | O_CREAT, 0600, NULL), ENOENT, "an empty name");
    check_fails(raw_open("a/b", O_RDWR | O_CREAT, 0600, NULL), EACCES, "a path");
    check_fails(raw_open(name + 1, O_RDWR | O_CREAT, 0600, &bad), EINVAL, "no messages");
    bad = (struct mq_attr){.mq_maxmsg = 10, .mq_msgsize = 0};
    check_fails(raw_open(name + 1, O_RDWR | O_CREAT, 0600, &bad), EINVAL, "no bytes");
    bad = (struct mq_attr){.mq_maxmsg = 65537, .mq_msgsize = 1};
    check_fails(raw_open(name + 1, O_RDWR | O_CREAT, 0600, &bad), EINVAL, "too many messages");
    bad = (struct mq_attr){.mq_maxmsg = 1, .mq_msgsize = 16777217};
    check_fails(raw_open(name + 1, O_RDWR | O_CREAT, 0600, &bad), EINVAL, "too many bytes");
    mqd_t queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0666, &shape);
    need(queue != (mqd_t)-1, "a queue is made");
    check_fails(mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0666, &shape), EEXIST, "O_EXCL refuses it");
    check_fails(raw_open(name + 1, O_RDWR | O_WRONLY, 0, NULL), EINVAL, "neither reading nor writing");
    struct stat status;
    check_eq(fstat(queue, &status), 0, "its file");
    check(S_ISREG(status.st_mode) && (status.st_mode & 07777) == 0644, "has kind and mode");
    check(status.st_size == 80 && status.st_uid == geteuid(), "a size and an owner");
    check_eq(fcntl(queue, F_GETFD), FD_CLOEXEC, "is closed on exec");
    check_eq(fcntl(queue, F_GETFL) & O_ACCMODE, O_RDWR, "and read and written");
    mqd_t other = mq_open(name, O_RDONLY | O_NONBLOCK | O_CREAT, 0, NULL);
    need(other != (mqd_t)-1, "it is opened again");
    struct mq_attr seen;
    check_eq(mq_getattr(other, &seen), 0, "its attributes");
    check(seen.mq_maxmsg == 2 && seen.mq_msgsize == 10 && seen.mq_curmsgs == 0 && seen.mq_flags == O_NONBLOCK,
          "are those of its maker");
    check_fails(mq_send(other, "x", 1, 0), EBADF, "a reader does not send");
    check_eq(mq_unlink(name), 0, "its name goes");
    check_fails(mq_unlink(name), ENOENT, "and is gone");
    check_eq(mq_send(queue, "still", 5, 0), 0, "the queue is there");
    char text[10];
    check_eq(mq_receive(other, text, 10, NULL), 5, "for both");
    check_eq(mq_close(other), 0, "one goes");
    check_eq(mq_close(queue), 0, "both go");
    check_fails(mq_close(queue), EBADF, "and are gone");
    queue = mq_open(name, O_WRONLY | O_CREAT, 0600, NULL);
    mq_getattr(queue, &seen);
    check(seen.mq_maxmsg == 10 && seen.mq_msgsize == 8192 && seen.mq_flags == 0, "a queue like all");
    char long_text[8192];
    check_fails(mq_receive(queue, long_text, 8192, NULL), EBADF, "a writer does not receive");
    mq_close(queue);
    mq_unlink(name);
    struct rlimit limit, little = {.rlim_cur = 2000, .rlim_max = 819200};
    getrlimit(RLIMIT_MSGQUEUE, &limit);
    little.rlim_max = limit.rlim_max;
    setrlimit(RLIMIT_MSGQUEUE, &little);
    check_fails(mq_open(name, O_RDWR | O_CREAT, 0600, NULL), EMFILE, "a limit is met");
    setrlimit(RLIMIT_MSGQUEUE, &limit);
}

static void order(void) {
    mqd_t queue = new_queue(O_RDWR, 4, 16);
    char text[16];
    unsigned priority;
    check_eq(mq_send(queue, "low", 3, 1), 0, "a message");
    mq_send(queue, "high", 4, 30);
    mq_send(queue, "low again", 9, 1);
    mq_send(queue, "", 0, 32767);
    check_eq(mq_receive(queue, text, 16, &priority), 0, "the highest is empty");
    check_eq(priority, 32767, "and very high");
    check(mq_receive(queue, text, 16, &priority) == 4 && memcmp(text, "high", 4) == 0, "then the next");
    check_eq(priority, 30, "with its priority");
    check(mq_receive(queue, text, 16, NULL) == 3 && memcmp(text, "low", 3) == 0, "then the older");
    check(mq_receive(queue, text, 16, NULL) == 9 && memcmp(text, "low again", 9) == 0, "then the younger");
    check_fails(mq_send(queue, text, 17, 0), EMSGSIZE, "too long");
    check_fails(mq_send(queue, text, 1, 32768), EINVAL, "too high");
    check_fails(mq_receive(queue, text, 15, NULL), EMSGSIZE, "too little room");
    check_fails(mq_send(0, text, 1, 0), EBADF, "no queue");
    check_fails(mq_receive(-1, text, 16, NULL), EBADF, "no descriptor");
    check_fails(mq_getattr(0, &(struct mq_attr){0}), EBADF, "no attributes");
    check_fails(mq_send(queue, (char *)8, 1, 0), EFAULT, "no message");
    struct mq_attr wrong = {.mq_flags = O_APPEND};
    check_fails(mq_setattr(queue, &wrong, NULL), EINVAL, "no such flag");
    wrong.mq_flags = O_NONBLOCK;
    struct mq_attr old;
    check_eq(mq_setattr(queue, &wrong, &old), 0, "it does not wait");
    check(old.mq_flags == 0 && (fcntl(queue, F_GETFL) & O_NONBLOCK), "as it did");
    check_fails(mq_receive(queue, text, 16, NULL), EAGAIN, "nothing is there");
    for (int at = 0; at < 4; at++) mq_send(queue, "x", 1, 0);
    check_fails(mq_send(queue, "x", 1, 0), EAGAIN, "it is full");
    char line[100] = "";
    check_eq(read(queue, line, 99), 60, "it describes itself");
    check(strncmp(line, "QSIZE:4          NOTIFY:0     SIGNO:0     NOTIFY_PID:0     \n", 99) == 0, "as a line");
    check_fails(write(queue, "x", 1), EINVAL, "it is not written to");
    mq_close(queue);
    mq_unlink(name);
}

static struct timespec in_the_past(void) { return (struct timespec){.tv_sec = 1}; }

static void times(void) {
    mqd_t queue = new_queue(O_RDWR, 1, 4);
    char text[4];
    struct timespec past = in_the_past(), bad = {0, 1000000000};
    check_fails(mq_timedreceive(queue, text, 4, NULL, &past), ETIMEDOUT, "too late to receive");
    check_fails(mq_timedreceive(queue, text, 4, NULL, &bad), EINVAL, "no time");
    check_eq(mq_timedsend(queue, "x", 1, 0, &past), 0, "never too late for what does not wait");
    check_fails(mq_timedsend(queue, "x", 1, 0, &past), ETIMEDOUT, "too late to send");
    check_fails(mq_timedsend(queue, "x", 1, 0, &bad), EINVAL, "no time");
    check_fails(syscall(SYS_mq_timedsend, queue, "x", 1, 0, 8), EFAULT, "a time that is nowhere");
    struct timespec soon;
    clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_nsec += 2000000;
    if (soon.tv_nsec >= 1000000000) soon.tv_sec++, soon.tv_nsec -= 1000000000;
    check_fails(mq_timedsend(queue, "x", 1, 0, &soon), ETIMEDOUT, "a short wait");
    mq_close(queue);
    mq_unlink(name);
}

static void polling(void) {
    mqd_t queue = new_queue(O_RDWR, 1, 4);
    struct pollfd wanted = {.fd = queue, .events = POLLIN | POLLOUT};
    check_eq(poll(&wanted, 1, 0), 1, "something is possible");
    check_eq(wanted.revents, POLLOUT, "to send");
    pid_t pid = fork();
    if (pid == 0) {
        struct pollfd readable = {.fd = queue, .events = POLLIN};
        char text[4];
        int told = poll(&readable, 1, -1);
        _exit(told == 1 && readable.revents == POLLIN && mq_receive(queue, text, 4, NULL) == 2 ? 3 : 4);
    }
    mq_send(queue, "hi", 2, 0);
    check_eq(status_of(pid), 3, "who polls is told");
    mq_send(queue, "hi", 2, 0);
    poll(&wanted, 1, 0);
    check_eq(wanted.revents, POLLIN, "to receive");
    mq_close(queue);
    mq_unlink(name);
}

static volatile int handled;

static void handle(int signal) { handled = signal; }

static void waiting(void) {
    mqd_t queue = new_queue(O_RDWR, 1, 8);
    char text[8];
    pid_t pid = fork();
    if (pid == 0) {
        unsigned priority;
        long len = mq_receive(queue, text, 8, &priority);
        _exit(len == 4 && memcmp(text, "come", 4) == 0 && priority == 7 ? 3 : 4);
    }
    mq_send(queue, "come", 4, 7);
    check_eq(status_of(pid), 3, "a message comes");
    mq_send(queue, "one", 3, 0);
    pid = fork();
    if (pid == 0) _exit(mq_send(queue, "two", 3, 5) == 0 ? 5 : errno);
    check_eq(mq_receive(queue, text, 8, NULL), 3, "a message goes");
    check_eq(status_of(pid), 5, "another one takes its place");
    check(mq_receive(queue, text, 8, NULL) == 3 && memcmp(text, "two", 3) == 0, "and is there");
    int ready[2];
    need(pipe(ready) == 0, "a pipe");
    for (int restarts = 0; restarts < 2; restarts++) {
        pid = fork();
        if (pid == 0) {
            struct sigaction action = {.sa_handler = handle, .sa_flags = restarts ? SA_RESTART : 0};
            sigaction(SIGUSR1, &action, NULL);
            if (write(ready[1], "x", 1) != 1) _exit(9);
            long len = mq_receive(queue, text, 8, NULL);
            _exit(len < 0 && errno == EINTR ? 6 : len == 3 && handled ? 7 : 8);
        }
        need(read(ready[0], text, 1) == 1, "the child begins");
        char path[64], line[512], state = 0;
        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        while (state != 'S') {
            FILE *file = fopen(path, "r");
            if (file == NULL) return;
            line[fread(line, 1, sizeof line - 1, file)] = 0;
            fclose(file);
            state = strrchr(line, ')')[2];
            sched_yield();
        }
        kill(pid, SIGUSR1);
        if (restarts) mq_send(queue, "now", 3, 0);
        check_eq(status_of(pid), restarts ? 7 : 6, restarts ? "a wait goes on" : "a wait is interrupted");
    }
    mq_close(queue);
    mq_unlink(name);
}

static void announcing(void) {
    mqd_t queue = new_queue(O_RDWR, 4, 8);
    char text[8];
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    event.sigev_value.sival_int = 77;
    struct sigevent wrong = {.sigev_notify = 99};
    check_fails(mq_notify(queue, &wrong), EINVAL, "no such way");
    wrong = (struct sigevent){.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 65};
    check_fails(mq_notify(queue, &wrong), EINVAL, "no such signal");
    check_fails(mq_notify(0, &event), EBADF, "no queue");
    check_fails(syscall(SYS_mq_notify, queue, 8), EFAULT, "no event");
    check_eq(mq_notify(queue, NULL), 0, "nobody is to be told");
    check_eq(mq_notify(queue, &event), 0, "this process is to be told");
    check_fails(mq_notify(queue, &event), EBUSY, "and no other one");
    char line[100] = "", wanted[100];
    pread(queue, line, 99, 0);
    snprintf(wanted, sizeof wanted, "QSIZE:0          NOTIFY:0     SIGNO:%-5d NOTIFY_PID:%-6d\n", SIGUSR1, getpid());
    check(strcmp(line, wanted) == 0, "the queue says so");
    pid_t pid = fork();
    if (pid == 0) {
        int busy = mq_notify(queue, &event) == -1 && errno == EBUSY;
        // Another process's end of the matter.
        busy = busy && mq_notify(queue, NULL) == 0;
        _exit(busy && mq_send(queue, "x", 1, 0) == 0 ? 3 : 4);
    }
    check_eq(status_of(pid), 3, "a child sends");
    siginfo_t info;
    check_eq(sigwaitinfo(&set, &info), SIGUSR1, "a signal comes");
    check(info.si_code == SI_MESGQ && info.si_value.sival_int == 77, "from a queue");
    check(info.si_pid == pid && info.si_uid == getuid(), "by the child");
    struct timespec none = {0};
    mq_send(queue, "x", 1, 0);
    check_fails(sigtimedwait(&set, &info, &none), EAGAIN, "once");
    check_eq(mq_notify(queue, &event), 0, "again");
    mq_send(queue, "x", 1, 0);
    check_fails(sigtimedwait(&set, &info, &none), EAGAIN, "not while others are there");
    while (mq_setattr(queue, &(struct mq_attr){.mq_flags = O_NONBLOCK}, NULL) == 0 &&
           mq_receive(queue, text, 8, NULL) >= 0) {
    }
    mqd_t other = mq_open(name, O_RDWR);
    mq_send(other, "x", 1, 0);
    check_eq(sigwaitinfo(&set, &info), SIGUSR1, "but when it was empty");
    mq_receive(queue, text, 8, NULL);
    check_eq(mq_notify(queue, &event), 0, "once more");
    mq_close(other);
    check_eq(mq_notify(queue, &event), 0, "the end of a descriptor is the end of it");
    event.sigev_notify = SIGEV_NONE;
    mq_notify(queue, NULL);
    check_eq(mq_notify(queue, &event), 0, "nothing is to be told");
    mq_send(queue, "x", 1, 0);
    check_fails(sigtimedwait(&set, &info, &none), EAGAIN, "and nothing is");
    mq_close(queue);
    mq_unlink(name);
}

int main(void) {
    snprintf(name, sizeof name, "/nacre-guest-%d", getpid());
    opening();
    order();
    times();
    polling();
    waiting();
    announcing();
    return check_done();
}
