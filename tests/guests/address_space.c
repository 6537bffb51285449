// Programs that reserve far more addresses than they use: huge ranges, chosen addresses, great alignments, pages far apart.
// linkage: dynamic static no-pie musl
#include "check.h"
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define GIB (1UL << 30)
#define TIB (1UL << 40)
#define PAGE 4096UL

static char *reserve(void *hint, size_t len) {
    return mmap(hint, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

static int status_of(pid_t pid) {
    int status = -1;
    need(waitpid(pid, &status, 0) == pid, "the child is waited for");
    return status;
}

// A page in every GiB, committed by mprotect as garbage collectors do it.
static void uses_sparsely(char *range, size_t len) {
    int good = 1;
    for (size_t at = 0; at < len; at += 2 * GIB) {
        good &= mprotect(range + at, PAGE, PROT_READ | PROT_WRITE) == 0;
        range[at] = 1;
    }
    check(good, "pages far apart can be used");
}

static void huge_ranges(void) {
    char *range = reserve(NULL, 256 * GIB);
    check(range != MAP_FAILED, "256 GiB can be reserved (.NET)");
    uses_sparsely(range, 256 * GIB);
    char *larger = reserve(NULL, 8 * TIB);
    check(larger != MAP_FAILED, "8 TiB can be reserved (MariaDB)");
    check(munmap(larger + TIB, TIB) == 0, "a part can be given back");
    check(mprotect(larger, PAGE, PROT_READ | PROT_WRITE) == 0, "what is before it stays");
    larger[0] = 2;
    check(mprotect(larger + 2 * TIB, PAGE, PROT_READ | PROT_WRITE) == 0, "what is behind it stays");
    check(mprotect(larger + TIB, PAGE, PROT_READ) == -1 && errno == ENOMEM, "it itself is gone");

    // A child has all of it, and its end leaves all of it to the parent.
    pid_t pid = fork();
    if (pid == 0) {
        int good = range[0] == 1 && range[254 * GIB] == 1 && larger[0] == 2;
        range[0] = 3;
        larger[0] = 4;
        good &= munmap(larger + 2 * TIB, 6 * TIB) == 0;
        _exit(good ? 7 : 1);
    }
    int status = status_of(pid);
    check(WIFEXITED(status) && WEXITSTATUS(status) == 7, "a child has huge ranges, too");
    check(range[0] == 1 && larger[0] == 2, "the parent's pages are its own");
    check(larger[2 * TIB] == 0, "so are its ranges");
    check(munmap(larger, 8 * TIB) == 0 && munmap(range, 256 * GIB) == 0, "all of it can be given back");
}

static void chosen_addresses(void) {
    // Heaps of the Z garbage collector; addresses with tag bits of Google's tcmalloc.
    uintptr_t hints[] = {4 * TIB, 8 * TIB, 16 * TIB, 1UL << 42 | 5UL << 30, 3UL << 42, 32 * TIB, 64 * GIB - GIB};
    int good = 1;
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++) {
        char *got = reserve((void *)hints[i], 16 * GIB);
        good &= got == (char *)hints[i] && mprotect(got + GIB, PAGE, PROT_READ | PROT_WRITE) == 0;
        if (good) got[GIB] = 1;
        good &= munmap(got, 16 * GIB) == 0;
    }
    check(good, "free addresses can be chosen, high and low");
    char *low = mmap((void *)0x100000000, 32 * GIB, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE, -1, 0);
    check(low == (char *)0x100000000, "so can 32 GiB from 4 GiB on (Java's compressed pointers)");
    check(reserve((void *)(40UL << 40), 48 * GIB) == (char *)(40UL << 40), "and 40 TiB");
}

static void alignments(void) {
    // Deno aligns 48 GiB by reserving twice as much and giving the ends back.
    size_t size = 48 * GIB, align = 64 * GIB;
    char *got = reserve(NULL, size + align);
    check(got != MAP_FAILED, "a range can be reserved with room for its alignment");
    char *at = (char *)(((uintptr_t)got + align - 1) & ~(align - 1));
    int good = at == got || munmap(got, at - got) == 0;
    size_t rest = got + size + align - (at + size);
    good &= rest == 0 || munmap(at + size, rest) == 0;
    good &= mprotect(at, PAGE, PROT_READ | PROT_WRITE) == 0;
    at[0] = 1;
    check(good, "the ends can be given back");
    char *bases[20];
    good = 1;
    for (int i = 0; i < 20; i++) {
        // 10 GiB for each WebAssembly memory: 4 GiB, and guards on both sides.
        bases[i] = reserve(NULL, 10 * GIB);
        good &= bases[i] != MAP_FAILED && mprotect(bases[i] + 2 * GIB, 65536, PROT_READ | PROT_WRITE) == 0;
        if (good) bases[i][2 * GIB + 65535] = 1;
    }
    check(good, "20 WebAssembly memories");
}

static void huge_files(void) {
    int file = open("huge", O_RDWR | O_CREAT | O_TRUNC, 0600);
    need(file >= 0, "a file is made");
    need(ftruncate(file, TIB) == 0, "a sparse file of 1 TiB");
    char *map = mmap(NULL, TIB, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    check(map != MAP_FAILED, "1 TiB of a file can be mapped (LMDB)");
    if (map != MAP_FAILED) {
        map[0] = 'a';
        map[TIB - 1] = 'z';
        char byte = 0;
        check(pread(file, &byte, 1, TIB - 1) == 1 && byte == 'z', "what is written at its end is read");
        check(msync(map + TIB - PAGE, PAGE, MS_SYNC) == 0 && munmap(map, TIB) == 0, "and it goes again");
        check(pread(file, &byte, 1, 0) == 1 && byte == 'a', "what was written stays");
    }
    close(file);
    unlink("huge");
}

// RLIMIT_AS and RLIMIT_DATA count addresses, used or not.
static int limited(void) {
    struct rlimit all = {1 * GIB, 1 * GIB};
    int good = setrlimit(RLIMIT_AS, &all) == 0;
    good &= reserve(NULL, 2 * GIB) == MAP_FAILED && errno == ENOMEM;
    char *half = reserve(NULL, GIB / 2);
    good &= half != MAP_FAILED && reserve(NULL, GIB / 2) == MAP_FAILED;
    good &= mmap(half, GIB / 2, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) == half;
    good &= sbrk(GIB) == (void *)-1 && errno == ENOMEM;
    return good;
}

static int limited_data(void) {
    struct rlimit data = {64 << 20, 64 << 20};
    int good = setrlimit(RLIMIT_DATA, &data) == 0;
    good &= reserve(NULL, GIB) != MAP_FAILED;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    good &= mmap(NULL, 128 << 20, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED && errno == ENOMEM;
    good &= mmap(NULL, 128 << 20, PROT_READ, flags, -1, 0) != MAP_FAILED;
    good &= mmap(NULL, 128 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
            != MAP_FAILED;
    return good;
}

// Deep recursion needs more than the usual 8 MiB.
static int recurse(int depth) {
    volatile char frame[4096];
    frame[0] = depth;
    return depth == 0 ? frame[0] : recurse(depth - 1) + frame[0] * 0;
}

static void limits_of_addresses(void) {
    pid_t pid = fork();
    if (pid == 0) _exit(limited() ? 7 : 1);
    int status = status_of(pid);
    check(WIFEXITED(status) && WEXITSTATUS(status) == 7, "RLIMIT_AS");
    pid = fork();
    if (pid == 0) _exit(limited_data() ? 7 : 1);
    status = status_of(pid);
    check(WIFEXITED(status) && WEXITSTATUS(status) == 7, "RLIMIT_DATA");
    pid = fork();
    if (pid == 0) {
        struct rlimit stack = {256 << 20, RLIM_INFINITY};
        setrlimit(RLIMIT_STACK, &stack);
        execl("/proc/self/exe", "guest", "recurse", NULL);
        _exit(1);
    }
    status = status_of(pid);
    check(WIFEXITED(status) && WEXITSTATUS(status) == 7, "RLIMIT_STACK of a program that begins");
}

static void limits(void) {
    check(reserve(NULL, 1UL << 47) == MAP_FAILED && errno == ENOMEM, "more than all addresses: ENOMEM");
    check(mmap((void *)(1UL << 47), PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED
              && errno == ENOMEM, "beyond all addresses: ENOMEM");
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "recurse") == 0) return recurse(128 << 8) == 0 ? 7 : 1;
    limits_of_addresses();
    huge_ranges();
    chosen_addresses();
    alignments();
    huge_files();
    limits();
    return 0;
}
