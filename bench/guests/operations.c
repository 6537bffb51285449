// What single operations cost: prints a line "name nanoseconds" for each.
//
// usage: operations ROOT SCRATCH ROUNDS [NAME]...
// Paths are relative to ROOT (which holds usr/share/bench/data, 4 MiB or more) so that their depth is the same everywhere;
// SCRATCH is a directory to write in. Each operation is timed in ROUNDS batches of about half a millisecond, and the
// median batch counts: on a busy machine the batches that another program interrupted fall out.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, MAPPED = 64 * 1024, FILE_PAGES = 64, BATCH_NS = 500000 };

static const char DATA[] = "usr/share/bench/data";
static int zero, data, scratch, ends[2];
static uint32_t word;
static char buffer[PAGE];

static void check(int ok, const char *what) {
    if (!ok) {
        fprintf(stderr, "operations: %s: %s\n", what, strerror(errno));
        exit(1);
    }
}

static void getpid_libc(void) {
    check(getpid() > 0, "getpid");
}

static void getpid_raw(void) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "0"((long)SYS_getpid) : "rcx", "r11", "memory");
    check(result > 0, "getpid");
}

static void futex_wake(void) {
    check(syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) == 0, "futex");
}

static void seek(void) {
    check(lseek(data, 0, SEEK_CUR) == 0, "lseek");
}

static void read_zero(void) {
    check(read(zero, buffer, 1) == 1, "read of /dev/zero");
}

static void clock_read(void) {
    struct timespec now;
    check(clock_gettime(CLOCK_MONOTONIC, &now) == 0, "clock_gettime");
}

static void pread_page(void) {
    static unsigned at;
    check(pread(data, buffer, PAGE, (off_t)(at++ % FILE_PAGES) * PAGE) == PAGE, "pread");
}

static void pwrite_page(void) {
    static unsigned at;
    check(pwrite(scratch, buffer, PAGE, (off_t)(at++ % FILE_PAGES) * PAGE) == PAGE, "pwrite");
}

static void pipe_byte(void) {
    check(write(ends[1], buffer, 1) == 1 && read(ends[0], buffer, 1) == 1, "pipe");
}

static void map(int touch) {
    char *memory = mmap(NULL, MAPPED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(memory != MAP_FAILED, "mmap");
    for (int at = 0; touch && at < MAPPED; at += PAGE)
        ((volatile char *)memory)[at] = 1;
    check(munmap(memory, MAPPED) == 0, "munmap");
}

static void map_untouched(void) {
    map(0);
}

static void map_touched(void) {
    map(1);
}

static void open_close(void) {
    int fd = open(DATA, O_RDONLY);
    check(fd >= 0 && close(fd) == 0, "open");
}

static void stat_path(void) {
    struct stat status;
    check(stat("usr/share/bench", &status) == 0, "stat");
}

static void stat_open(void) {
    struct stat status;
    check(fstat(data, &status) == 0, "fstat");
}

static void stat_missing(void) {
    struct stat status;
    check(stat("usr/share/nothing", &status) == -1 && errno == ENOENT, "stat of what is not there");
}

static const struct {
    const char *name;
    void (*run)(void);
} operations[] = {
    {"getpid-libc", getpid_libc},
    {"getpid-raw", getpid_raw},
    {"futex-wake", futex_wake},
    {"lseek", seek},
    {"read-zero", read_zero},
    {"clock-gettime", clock_read},
    {"pread-4k", pread_page},
    {"pwrite-4k", pwrite_page},
    {"pipe", pipe_byte},
    {"mmap-untouched", map_untouched},
    {"mmap-touched", map_touched},
    {"open-close", open_close},
    {"stat", stat_path},
    {"fstat", stat_open},
    {"stat-enoent", stat_missing},
};

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static double batch(void (*run)(void), long count) {
    double start = now();
    for (long i = 0; i < count; i++)
        run();
    return now() - start;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double measure(void (*run)(void), long rounds) {
    double *samples = malloc((size_t)rounds * sizeof *samples);
    check(samples != NULL, "malloc");
    long count = 1;
    // The first calls fill caches and must not count.
    while (batch(run, count) < BATCH_NS)
        count *= 2;
    for (long i = 0; i < rounds; i++)
        samples[i] = batch(run, count) / (double)count;
    qsort(samples, (size_t)rounds, sizeof *samples, compare);
    double median = samples[rounds / 2];
    free(samples);
    return median;
}

static int is_wanted(const char *name, char **names) {
    if (*names == NULL)
        return 1;
    while (*names != NULL && strcmp(*names, name) != 0)
        names++;
    return *names != NULL;
}

int main(int argc, char **argv) {
    check(argc >= 4, "ROOT SCRATCH ROUNDS [NAME]...");
    char path[PAGE];
    snprintf(path, sizeof path, "%s/written", argv[2]);
    scratch = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    check(scratch >= 0, path);
    check(chdir(argv[1]) == 0, argv[1]);
    data = open(DATA, O_RDONLY);
    check(data >= 0, DATA);
    zero = open("/dev/zero", O_RDONLY);
    check(zero >= 0, "/dev/zero");
    check(pipe(ends) == 0, "pipe");
    long rounds = strtol(argv[3], NULL, 10);
    check(rounds > 0, "ROUNDS");
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        if (!is_wanted(operations[i].name, argv + 4))
            continue;
        printf("%s %.1f\n", operations[i].name, measure(operations[i].run, rounds));
        fflush(stdout);
    }
    unlink(path);
    return 0;
}
