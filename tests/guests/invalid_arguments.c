// Each argument of many calls is invalid in turn: the error must be Linux's. A line is a call, the argument and the error.
// linkage: dynamic
#include "check.h"
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

// What an argument is. The valid values make a call that changes nothing that matters.
enum kind {
    END,
    FILE_FD,    // a regular file, open for reading and writing
    DIR_FD,     // where paths begin
    PATH,       // of a file that is there
    OUT,        // room for an answer
    IN,         // zeros
    FLAGS,      // 0
    LENGTH,     // 8
    NUMBER,     // 0
    PID,        // of the caller
    PAGES,      // a mapping of two pages
};

struct call {
    const char *name;
    int number;
    enum kind kinds[6];
};

#define CALL(name, ...) {#name, SYS_##name, {__VA_ARGS__}}

static const struct call calls[] = {
    CALL(read, FILE_FD, OUT, LENGTH),
    CALL(write, FILE_FD, IN, LENGTH),
    CALL(pread64, FILE_FD, OUT, LENGTH, NUMBER),
    CALL(pwrite64, FILE_FD, IN, LENGTH, NUMBER),
    CALL(readv, FILE_FD, IN, NUMBER),
    CALL(writev, FILE_FD, IN, NUMBER),
    CALL(lseek, FILE_FD, NUMBER, FLAGS),
    CALL(fstat, FILE_FD, OUT),
    CALL(stat, PATH, OUT),
    CALL(lstat, PATH, OUT),
    CALL(newfstatat, DIR_FD, PATH, OUT, FLAGS),
    CALL(statx, DIR_FD, PATH, FLAGS, NUMBER, OUT),
    CALL(statfs, PATH, OUT),
    CALL(fstatfs, FILE_FD, OUT),
    CALL(access, PATH, FLAGS),
    CALL(faccessat2, DIR_FD, PATH, NUMBER, FLAGS),
    CALL(openat2, DIR_FD, PATH, IN, LENGTH),
    CALL(readlink, PATH, OUT, LENGTH),
    CALL(readlinkat, DIR_FD, PATH, OUT, LENGTH),
    CALL(chdir, PATH),
    CALL(fchdir, DIR_FD),
    CALL(getcwd, OUT, LENGTH),
    CALL(getdents64, FILE_FD, OUT, LENGTH),
    CALL(ftruncate, FILE_FD, NUMBER),
    CALL(truncate, PATH, NUMBER),
    CALL(fsync, FILE_FD),
    CALL(fdatasync, FILE_FD),
    CALL(flock, FILE_FD, FLAGS),
    CALL(fallocate, FILE_FD, FLAGS, NUMBER, LENGTH),
    CALL(fadvise64, FILE_FD, NUMBER, LENGTH, FLAGS),
    CALL(sync_file_range, FILE_FD, NUMBER, LENGTH, FLAGS),
    CALL(fgetxattr, FILE_FD, PATH, OUT, LENGTH),
    CALL(flistxattr, FILE_FD, OUT, LENGTH),
    CALL(utimensat, DIR_FD, PATH, IN, FLAGS),
    CALL(mkdirat, DIR_FD, PATH, NUMBER),
    CALL(symlinkat, PATH, DIR_FD, PATH),
    CALL(linkat, DIR_FD, PATH, DIR_FD, PATH, FLAGS),
    CALL(renameat2, DIR_FD, PATH, DIR_FD, PATH, FLAGS),
    CALL(sendfile, FILE_FD, FILE_FD, OUT, NUMBER),
    CALL(dup, FILE_FD),
    CALL(pipe2, OUT, FLAGS),
    CALL(eventfd2, NUMBER, FLAGS),
    CALL(epoll_create1, FLAGS),
    CALL(epoll_ctl, FILE_FD, FLAGS, FILE_FD, IN),
    CALL(epoll_wait, FILE_FD, OUT, LENGTH, NUMBER),
    CALL(timerfd_create, NUMBER, FLAGS),
    CALL(timerfd_settime, FILE_FD, FLAGS, IN, OUT),
    CALL(timerfd_gettime, FILE_FD, OUT),
    CALL(signalfd4, FILE_FD, IN, LENGTH, FLAGS),
    CALL(inotify_init1, FLAGS),
    CALL(inotify_rm_watch, FILE_FD, NUMBER),
    CALL(memfd_create, PATH, FLAGS),
    CALL(poll, IN, NUMBER),
    CALL(getrandom, OUT, LENGTH, FLAGS),
    CALL(uname, OUT),
    CALL(sysinfo, OUT),
    CALL(gettimeofday, OUT, OUT),
    CALL(clock_gettime, NUMBER, OUT),
    CALL(clock_getres, NUMBER, OUT),
    CALL(clock_nanosleep, NUMBER, FLAGS, IN, OUT),
    CALL(nanosleep, IN, OUT),
    CALL(timer_create, NUMBER, IN, OUT),
    CALL(getitimer, NUMBER, OUT),
    CALL(setitimer, NUMBER, IN, OUT),
    CALL(rt_sigaction, LENGTH, IN, OUT, LENGTH),
    CALL(rt_sigprocmask, FLAGS, IN, OUT, LENGTH),
    CALL(rt_sigpending, OUT, LENGTH),
    CALL(sigaltstack, IN, OUT),
    CALL(getrlimit, NUMBER, OUT),
    CALL(prlimit64, PID, NUMBER, FLAGS, OUT),
    CALL(getrusage, NUMBER, OUT),
    CALL(getpgid, PID),
    CALL(getsid, PID),
    CALL(getpriority, NUMBER, PID),
    CALL(sched_getscheduler, PID),
    CALL(sched_getparam, PID, OUT),
    CALL(sched_getaffinity, PID, LENGTH, OUT),
    CALL(sched_rr_get_interval, PID, OUT),
    CALL(sched_getattr, PID, OUT, LENGTH, FLAGS),
    CALL(ioprio_get, NUMBER, PID),
    CALL(getresuid, OUT, OUT, OUT),
    CALL(getgroups, NUMBER, OUT),
    CALL(get_robust_list, PID, OUT, OUT),
    CALL(mprotect, PAGES, LENGTH, FLAGS),
    CALL(madvise, PAGES, LENGTH, FLAGS),
    CALL(msync, PAGES, LENGTH, FLAGS),
    CALL(mincore, PAGES, LENGTH, OUT),
    CALL(mlock, PAGES, LENGTH),
    CALL(mlock2, PAGES, LENGTH, FLAGS),
    CALL(munlock, PAGES, LENGTH),
    CALL(futex, PAGES, FLAGS, LENGTH),
    CALL(socket, NUMBER, FLAGS, NUMBER),
    CALL(bind, FILE_FD, IN, LENGTH),
    CALL(listen, FILE_FD, NUMBER),
    CALL(getsockname, FILE_FD, OUT, IN),
    CALL(getsockopt, FILE_FD, NUMBER, NUMBER, OUT, IN),
    CALL(shutdown, FILE_FD, FLAGS),
    CALL(pidfd_open, PID, FLAGS),
    CALL(pidfd_send_signal, FILE_FD, NUMBER, FLAGS, FLAGS),
    CALL(tgkill, PID, PID, NUMBER),
    CALL(waitid, NUMBER, PID, OUT, FLAGS),
    CALL(copy_file_range, FILE_FD, OUT, FILE_FD, OUT, NUMBER, FLAGS),
    CALL(splice, FILE_FD, NUMBER, FILE_FD, NUMBER, NUMBER, FLAGS),
    CALL(tee, FILE_FD, FILE_FD, NUMBER, FLAGS),
    CALL(semget, NUMBER, NUMBER, FLAGS),
    CALL(shmctl, NUMBER, FLAGS, OUT),
    CALL(msgctl, NUMBER, FLAGS, OUT),
    CALL(capget, IN, OUT),
};

struct value {
    const char *name;
    long value;
};

enum { PAGE = 4096 };

static long file, path_only, directory, closed = 987;
static char *room, *zeros, *pages, *edge;

static const char *name_of(int error) {
    static char text[32];
    const char *name = strerrorname_np(error);
    snprintf(text, sizeof text, "%s", error == 0 ? "done" : name ? name : "?");
    return text;
}

static long valid(enum kind kind) {
    switch (kind) {
        case FILE_FD: return file;
        case DIR_FD: return directory;
        case PATH: return (long)"file";
        case OUT: return (long)room;
        case IN: return (long)zeros;
        case LENGTH: return 8;
        case PID: return getpid();
        case PAGES: return (long)pages;
        default: return 0;
    }
}

static int invalid(enum kind kind, struct value *values) {
    struct value fds[] = {{"-1", -1}, {"closed", closed}, {"a path", path_only}, {"a directory", directory}};
    struct value pointers[] = {{"null", 0}, {"8", 8}, {"-4096", -4096}, {"the edge", (long)edge}};
    struct value flags[] = {{"-1", -1}, {"2^30", 1 << 30}};
    struct value numbers[] = {{"-1", -1}, {"2^31-1", 0x7fffffff}};
    struct value pids[] = {{"-1", -1}, {"nobody", 4194000}};
    struct value mappings[] = {{"within a page", (long)pages + 1}, {"nothing", 64 * PAGE}, {"-4096", -4096}};
    struct value lengths[] = {{"-1", -1}, {"0", 0}};
#define COPY(list)                                 \
    memcpy(values, list, sizeof list);             \
    return sizeof list / sizeof list[0]
    switch (kind) {
        case FILE_FD:
        case DIR_FD: COPY(fds);
        case PATH:
        case OUT:
        case IN: COPY(pointers);
        case FLAGS: COPY(flags);
        case NUMBER: COPY(numbers);
        case PID: COPY(pids);
        case PAGES: COPY(mappings);
        default: COPY(lengths);
    }
}

static void try(const struct call *call) {
    for (int which = 0; which < 6 && call->kinds[which] != END; which++) {
        struct value values[4];
        int count = invalid(call->kinds[which], values);
        for (int n = 0; n < count; n++) {
            long arguments[6] = {0};
            for (int other = 0; other < 6; other++) arguments[other] = valid(call->kinds[other]);
            arguments[which] = values[n].value;
            memset(zeros, 0, PAGE);
            errno = 0;
            long answer = syscall(call->number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4],
                                  arguments[5]);
            int error = answer == -1 ? errno : 0;
            char line[128];
            snprintf(line, sizeof line, "%s: argument %d is %s: %s", call->name, which + 1, values[n].name,
                     name_of(error));
            check(1, line);
        }
    }
}

int main(void) {
    file = open("file", O_RDWR | O_CREAT, 0600);
    path_only = open("file", O_PATH);
    directory = open(".", O_RDONLY | O_DIRECTORY);
    char *memory = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    room = memory;
    zeros = memory + 2 * PAGE;
    pages = memory + 4 * PAGE;
    // Two bytes before what is not mapped.
    edge = memory + 7 * PAGE - 2;
    munmap(memory + 7 * PAGE, PAGE);
    signal(SIGXFSZ, SIG_IGN);
    alarm(40);
    for (size_t n = 0; n < sizeof calls / sizeof calls[0]; n++) {
        // The file is as it was, and the position is at its start.
        if (ftruncate((int)file, 0) != 0) return 1;
        lseek((int)file, 0, SEEK_SET);
        try(&calls[n]);
    }
    return check_done();
}
