// What /proc/self/fdinfo says of objects that have more to say, and smaps of what is locked.
// linkage: dynamic
#include "check.h"
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char text[1 << 18];

static const char *load(const char *path) {
    int fd = open(path, O_RDONLY);
    ssize_t length = 0, got;
    while ((got = read(fd, text + length, sizeof text - 1 - (size_t)length)) > 0) length += got;
    text[length] = 0;
    close(fd);
    return text;
}

static const char *info(int fd) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    return load(path);
}

static int says(const char *wanted) { return strstr(text, wanted) != NULL; }

int main(void) {
    char line[128];
    int file = open("file", O_RDWR | O_CREAT, 0644);
    need(write(file, "text", 4) == 4, "a file");
    info(file);
    check(says("pos:\t4\n") && says("flags:\t0100002\n"), "a position and flags");

    int event = eventfd(0x2a, EFD_SEMAPHORE);
    info(event);
    check(says("eventfd-count:               2a\n") && says("eventfd-semaphore: 1\n"), "the count of an eventfd");

    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    info(signalfd(-1, &set, 0));
    check(says("sigmask:\t0000000000000200\n"), "the signals of a signalfd");

    int process = (int)syscall(SYS_pidfd_open, getpid(), 0);
    info(process);
    snprintf(line, sizeof line, "Pid:\t%d\n", getpid());
    check(says(line), "the process of a pidfd");

    int watcher = inotify_init1(0);
    struct stat st;
    stat("file", &st);
    check_eq(inotify_add_watch(watcher, "file", IN_OPEN | IN_MODIFY), 1, "a watch");
    info(watcher);
    snprintf(line, sizeof line, "inotify wd:1 ino:%lx sdev:", (unsigned long)st.st_ino);
    check(says(line) && says(" mask:22 ignored_mask:0 "), "the watches of an inotify");

    char *memory = mmap(NULL, 64 << 10, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    need(mlock(memory, 64 << 10) == 0, "locked memory");
    load("/proc/self/smaps");
    check(says("\nLocked:               64 kB\n"), "is locked in smaps");
    load("/proc/self/smaps_rollup");
    check(says("\nLocked:               64 kB\n"), "and in its sum");
    munlock(memory, 64 << 10);
    load("/proc/self/smaps");
    check(!says("\nLocked:               64 kB\n"), "until it is not");
    return check_done();
}
