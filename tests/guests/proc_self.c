// What /proc/self says of this process.
// linkage: dynamic musl
// args: one two
// env: COLOUR=blue
#include "check.h"
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char text[1 << 18];
static pthread_barrier_t barrier;

static ssize_t load(const char *path) {
    int fd = open(path, O_RDONLY);
    ssize_t length = 0, got;
    while ((got = read(fd, text + length, sizeof text - 1 - (size_t)length)) > 0) length += got;
    text[length] = 0;
    close(fd);
    return length;
}

struct mapping {
    uintptr_t start, end;
    char protection[5], path[PATH_MAX];
};

static int find(uintptr_t address, struct mapping *found) {
    load("/proc/self/maps");
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        unsigned long offset, inode;
        unsigned major, minor;
        found->path[0] = 0;
        if (sscanf(line, "%lx-%lx %4s %lx %x:%x %lu %[^\n]", &found->start, &found->end, found->protection,
                   &offset, &major, &minor, &inode, found->path) < 7)
            return -1;
        if (address >= found->start && address < found->end) return 1;
    }
    return 0;
}

static int count(const char *path) {
    DIR *dir = opendir(path);
    int entries = 0;
    while (dir && readdir(dir)) entries++;
    if (dir) closedir(dir);
    return entries - 2;
}

static void *stay(void *unused) {
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return unused;
}

static const char *base(const char *path) { return strrchr(path, '/') ? strrchr(path, '/') + 1 : path; }

int main(void) {
    struct mapping m;
    check(find((uintptr_t)main, &m) == 1 && strcmp(m.protection, "r-xp") == 0 &&
              strcmp(base(m.path), "guest") == 0,
          "maps: the code");
    static int data = 1;
    check(find((uintptr_t)&data, &m) == 1 && strncmp(m.protection, "rw-p", 4) == 0, "maps: the data");
    int local;
    check(find((uintptr_t)&local, &m) == 1 && strcmp(m.path, "[stack]") == 0, "maps: the stack");
    long heap = syscall(SYS_brk, 0);
    syscall(SYS_brk, heap + 4096);
    check(find((uintptr_t)heap, &m) == 1 && strcmp(m.path, "[heap]") == 0, "maps: the heap");
    check(find(getauxval(AT_SYSINFO_EHDR), &m) == 1 && strcmp(m.path, "[vdso]") == 0, "maps: the vDSO");
    int file = open("mapped file", O_RDWR | O_CREAT, 0644);
    ftruncate(file, 4096);
    char *shared = mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 0);
    check(find((uintptr_t)shared, &m) == 1 && strcmp(m.protection, "r--s") == 0 &&
              strcmp(base(m.path), "mapped file") == 0,
          "maps: a shared file");
    munmap(shared, 4096);
    check(find((uintptr_t)shared, &m) == 0, "maps: gone");
    load("/proc/self/maps");
    uintptr_t last = 0;
    int sorted = 1;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        uintptr_t start, end;
        sorted &= sscanf(line, "%lx-%lx", &start, &end) == 2 && start >= last && end > start;
        last = end;
    }
    check(sorted, "maps: in order");

    check(load("/proc/self/cmdline") == 15 && memcmp(text, "/guest\0one\0two", 15) == 0, "cmdline");
    ssize_t length = load("/proc/self/environ");
    check(length > 0 && memmem(text, (size_t)length, "COLOUR=blue", 12), "environ");
    length = load("/proc/self/auxv");
    check(length % 16 == 0 && length > 200, "auxv");
    length = readlink("/proc/self/exe", text, sizeof text);
    text[length] = 0;
    check(text[0] == '/' && strcmp(base(text), "guest") == 0, "exe");
    struct stat st, same;
    check(stat("/proc/self/exe", &st) == 0 && stat(text, &same) == 0 && st.st_ino == same.st_ino &&
              S_ISREG(st.st_mode),
          "exe is the program");
    check(load("/proc/self/exe") > 1000 && memcmp(text, "\177ELF", 4) == 0, "and can be read");

    prctl(PR_SET_NAME, "pearl diver)");
    check(load("/proc/self/comm") && strcmp(text, "pearl diver)\n") == 0, "comm");
    char state, name[64];
    int pid, parent, threads;
    load("/proc/self/stat");
    char *after = strrchr(text, ')');
    check(
        sscanf(text, "%d (%12[^\n]", &pid, name) == 2 && pid == getpid() && strcmp(name, "pearl diver)") == 0,
        "stat: pid and name");
    check(sscanf(after, ") %c %d", &state, &parent) == 2 && state == 'R' && parent == getppid(),
          "stat: state and parent");
    int fields = 2;
    for (char *at = after + 1; (at = strchr(at, ' ')); at++) fields++;
    check_eq(fields, 52, "stat: fields");
    load("/proc/self/status");
    check(strncmp(text, "Name:\tpearl diver)\n", 19) == 0, "status: name");
    check(strstr(text, "\nPid:\t") && atoi(strstr(text, "\nPid:\t") + 6) == getpid(), "status: pid");
    check(strstr(text, "\nUid:\t") && strstr(text, "\nVmRSS:\t") && strstr(text, "\nVmSize:\t") &&
              strstr(text, "\nSigCgt:\t") && strstr(text, "\nCpus_allowed_list:\t"),
          "status: other lines");
    unsigned long size, resident;
    check(load("/proc/self/statm") && sscanf(text, "%lu %lu", &size, &resident) == 2 && size >= resident &&
              resident > 0,
          "statm");
    check(load("/proc/self/limits") && strstr(text, "Max open files"), "limits");

    check(load("/proc/self/smaps") > 0 && strstr(text, "\nRss:"), "smaps");
    int before = count("/proc/self/fd"), extra = dup(file);
    check_eq(count("/proc/self/fd") - before, 1, "fd: one for each descriptor");
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", extra);
    length = readlink(path, text, sizeof text);
    text[length] = 0;
    check(strcmp(base(text), "mapped file") == 0, "fd: a link to the file");
    int again = open(path, O_RDONLY);
    check(again >= 0 && fstat(again, &st) == 0 && fstat(file, &same) == 0 && st.st_ino == same.st_ino,
          "fd: is opened");
    unlink("mapped file");
    length = readlink(path, text, sizeof text);
    text[length] = 0;
    check(strcmp(base(text), "mapped file (deleted)") == 0, "fd: (deleted)");
    int pipes[2];
    pipe(pipes);
    snprintf(path, sizeof path, "/proc/self/fd/%d", pipes[0]);
    check(readlink(path, text, sizeof text) > 6 && memcmp(text, "pipe:[", 6) == 0, "fd: a pipe");
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", extra);
    check(load(path) > 0 && strncmp(text, "pos:\t0\nflags:\t", 13) == 0, "fdinfo");

    pthread_barrier_init(&barrier, NULL, 4);
    pthread_t thread[3];
    for (int i = 0; i < 3; i++) pthread_create(&thread[i], NULL, stay, NULL);
    pthread_barrier_wait(&barrier);
    check_eq(count("/proc/self/task"), 4, "task: one for each thread");
    load("/proc/self/status");
    check(strstr(text, "\nThreads:\t") &&
              sscanf(strstr(text, "\nThreads:\t"), "\nThreads:\t%d", &threads) == 1 && threads == 4,
          "status: threads");
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < 3; i++) pthread_join(thread[i], NULL);
    length = readlink("/proc/thread-self", text, sizeof text);
    text[length] = 0;
    snprintf(name, sizeof name, "%d/task/%ld", getpid(), syscall(SYS_gettid));
    check(strcmp(text, name) == 0, "thread-self");
    snprintf(path, sizeof path, "/proc/%d/comm", getpid());
    check(load(path) && strcmp(text, "pearl diver)\n") == 0, "by its number");
    check(load("/proc/self/task/../comm") && strcmp(text, "pearl diver)\n") == 0, "dots in /proc");
    length = readlink("/proc/self/root", text, sizeof text);
    check(length == 1 && text[0] == '/', "root");
    FILE *mine = fopen("/proc/self/comm", "w");
    check(mine && fputs("renamed", mine) >= 0 && fclose(mine) == 0 && prctl(PR_GET_NAME, name) == 0 &&
              strcmp(name, "renamed") == 0,
          "comm is written");
    return check_done();
}
