// mremap, madvise, brk, mincore, mlock, memfd_create, membarrier.
#include "check.h"
#include <fcntl.h>
#include <linux/membarrier.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PAGE = 4096 };

static char *anonymous(size_t length) {
    return mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static int all(const char *bytes, char value, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (bytes[i] != value) return 0;
    return 1;
}

static void remap(void) {
    // Room to grow in place: only the first page of four stays.
    char *a = anonymous(4 * PAGE);
    munmap(a + PAGE, 3 * PAGE);
    memset(a, 'a', PAGE);
    check(mremap(a, PAGE, 3 * PAGE, 0) == a, "grows in place");
    check(all(a, 'a', PAGE) && all(a + PAGE, 0, 2 * PAGE), "with zeroes");
    check(mremap(a, 3 * PAGE, PAGE, 0) == a, "shrinks in place");
    char *block = mmap(a + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    check(block == a + PAGE, "the rest is free again");
    check(mremap(a, PAGE, 2 * PAGE, 0) == MAP_FAILED && errno == ENOMEM, "no room to grow in place");
    char *b = mremap(a, PAGE, 100 * PAGE, MREMAP_MAYMOVE);
    check(b != MAP_FAILED && b != a && all(b, 'a', PAGE) && all(b + PAGE, 0, 99 * PAGE), "MREMAP_MAYMOVE");
    check(mmap(a, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == a,
          "the old place is free");
    char *target = anonymous(10 * PAGE);
    char *c = mremap(b, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target);
    check(c == target && all(c, 'a', PAGE), "MREMAP_FIXED");
    check(mremap(b + 50 * PAGE, PAGE, PAGE, MREMAP_FIXED, target) == MAP_FAILED && errno == EINVAL,
          "needs MREMAP_MAYMOVE");
    check(mremap((char *)1, PAGE, PAGE, 0) == MAP_FAILED && errno == EINVAL, "an odd address");
    check(mremap(b, PAGE, 0, 0) == MAP_FAILED && errno == EINVAL, "no new size");
    munmap(target, 10 * PAGE);
    check(mremap(target, PAGE, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED && errno == EFAULT,
          "nothing is mapped there");

    // As realloc does with a large block, over and over.
    size_t length = 1 << 20;
    char *grow = malloc(length);
    memset(grow, 'g', length);
    int good = 1;
    for (int i = 0; i < 6; i++) {
        grow = realloc(grow, length * 2);
        good &= all(grow, 'g', length);
        memset(grow + length, 'g', length);
        length *= 2;
    }
    check(good, "a large block that grows keeps its data");
    free(grow);

    int fd = open("file", O_RDWR | O_CREAT, 0644);
    ftruncate(fd, 4 * PAGE);
    char *file = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    file = mremap(file, PAGE, 4 * PAGE, MREMAP_MAYMOVE);
    check(file != MAP_FAILED, "a shared file grows");
    file[3 * PAGE] = 'f';
    char byte = 0;
    check(pread(fd, &byte, 1, 3 * PAGE) == 1 && byte == 'f', "and stays shared");
    munmap(file, 4 * PAGE);
    close(fd);
}

static void advice(void) {
    char *a = anonymous(4 * PAGE);
    memset(a, 'a', 4 * PAGE);
    check_eq(madvise(a + PAGE, 2 * PAGE, MADV_DONTNEED), 0, "MADV_DONTNEED");
    check(all(a, 'a', PAGE) && all(a + PAGE, 0, 2 * PAGE) && all(a + 3 * PAGE, 'a', PAGE),
          "zeroes that range");
    check_eq(madvise(a, PAGE, MADV_WILLNEED), 0, "MADV_WILLNEED");
    check_eq(madvise(a, PAGE, MADV_NORMAL), 0, "MADV_NORMAL");
    check_eq(madvise(a, PAGE, MADV_RANDOM), 0, "MADV_RANDOM");
    check_eq(madvise(a, 4 * PAGE, MADV_FREE), 0, "MADV_FREE");
    a[0] = 'b';
    check(a[0] == 'b', "a page written after MADV_FREE stays");
    check_fails(madvise(a, PAGE, 9999), EINVAL, "wrong advice");
    check_fails(madvise(a + 1, PAGE, MADV_DONTNEED), EINVAL, "an odd address");
    munmap(a + PAGE, PAGE);
    check_fails(madvise(a, 4 * PAGE, MADV_DONTNEED), ENOMEM, "a hole in the range");
    check(all(a, 0, PAGE) && all(a + 2 * PAGE, 0, 2 * PAGE), "the rest was done");

    int fd = open("advice", O_RDWR | O_CREAT, 0644);
    need(write(fd, "file", 4) == 4, "a file");
    char *file = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    file[0] = 'F';
    check_eq(madvise(file, PAGE, MADV_DONTNEED), 0, "MADV_DONTNEED of a private file");
    check_eq(file[0], 'f', "shows the file again");
    close(fd);

    unsigned char resident[4];
    char *b = anonymous(4 * PAGE);
    memset(b, 1, 4 * PAGE);
    check(mincore(b, 4 * PAGE, resident) == 0 && resident[3] & 1, "mincore");
    munmap(b, 4 * PAGE);
    check_fails(mincore(b, PAGE, resident), ENOMEM, "mincore of nothing");
    check(mlock(a, PAGE) == 0 && munlock(a, PAGE) == 0, "mlock");
    check_fails(mlock(b, PAGE), ENOMEM, "mlock of nothing");
    check(mlockall(MCL_CURRENT) == 0 && munlockall() == 0, "mlockall");
}

static void heap(void) {
    char *start = sbrk(0);
    check(start != (char *)-1, "sbrk");
    check(sbrk(100000) == start && sbrk(0) == start + 100000, "grows");
    check(all(start, 0, 100000), "zero");
    memset(start, 'h', 100000);
    check(brk(start + 50) == 0 && sbrk(0) == start + 50, "shrinks");
    check(sbrk(100000) == start + 50, "grows again");
    check(all(start, 'h', 50) && all(start + 2 * PAGE, 0, 90000), "freed pages are zero");
    check_eq(syscall(SYS_brk, 0), sbrk(0), "the call itself gives the break");
    check_eq(syscall(SYS_brk, (char *)1), sbrk(0), "also when it refuses");
}

// A file of two pages that is sealed against writes.
static void maps_sealed(int fd) {
    check(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EPERM,
          "a sealed file is not mapped to be written");
    char *shared = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
    check(shared != MAP_FAILED && shared[PAGE] == shared[PAGE + 1] + shared[PAGE], "but to be read");
    check_fails(mprotect(shared, PAGE, PROT_READ | PROT_WRITE), EACCES, "and may not be written later");
    munmap(shared, 2 * PAGE);
    char *own = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    check(mprotect(own, PAGE, PROT_READ | PROT_WRITE) == 0 && (own[1] = 'p') == 'p', "a private mapping may");
    munmap(own, PAGE);
    char byte = 0;
    check(pread(fd, &byte, 1, 1) == 1 && byte == 0, "which the file does not see");
}

static void memory_files(void) {
    int fd = memfd_create("name", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    need(fd >= 0, "memfd_create");
    check_eq(fcntl(fd, F_GETFD), FD_CLOEXEC, "MFD_CLOEXEC");
    check_eq(ftruncate(fd, 2 * PAGE), 0, "its size");
    char *a = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *b = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    a[PAGE] = 'm';
    check(b[PAGE] == 'm', "mapped twice");
    char byte = 0;
    check(pread(fd, &byte, 1, PAGE) == 1 && byte == 'm', "and read");
    check_eq(fcntl(fd, F_GET_SEALS), 0, "no seals");
    check_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0, "F_ADD_SEALS");
    check_fails(ftruncate(fd, PAGE), EPERM, "F_SEAL_SHRINK");
    check_fails(ftruncate(fd, 3 * PAGE), EPERM, "F_SEAL_GROW");
    check_fails(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY, "F_SEAL_WRITE while it is mapped");
    munmap(a, 2 * PAGE), munmap(b, 2 * PAGE);
    check_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL), 0, "F_SEAL_WRITE");
    check_fails(write(fd, "x", 1), EPERM, "seals");
    check_fails(fcntl(fd, F_ADD_SEALS, 0), EPERM, "F_SEAL_SEAL");
    maps_sealed(fd);
    int future = memfd_create("future", MFD_ALLOW_SEALING);
    need(ftruncate(future, 2 * PAGE) == 0, "another one");
    a = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, future, 0);
    b = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, future, 0);
    check_eq(fcntl(future, F_ADD_SEALS, 0x10 /* F_SEAL_FUTURE_WRITE */), 0, "F_SEAL_FUTURE_WRITE");
    a[0] = 'f';
    check(mprotect(b, PAGE, PROT_READ | PROT_WRITE) == 0 && b[0] == 'f', "leaves the mappings that there are");
    maps_sealed(future);
    close(future);
    char path[64], text[64] = "";
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(path, text, sizeof text - 1);
    check(length > 0 && strcmp(text, "/memfd:name (deleted)") == 0, "its name in /proc");
    close(fd);
    fd = memfd_create("plain", 0);
    check_eq(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL, "no seals unless allowed");
    close(fd);
    check_fails(memfd_create("x", 0x8000), EINVAL, "a wrong flag");
}

static void barriers(void) {
    long query = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
    check(query > 0 && query & MEMBARRIER_CMD_PRIVATE_EXPEDITED, "membarrier");
    check_fails(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0), EPERM, "needs registration");
    check_eq(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0), 0, "register");
    check_eq(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0), 0, "a private barrier");
    check_eq(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0), 0, "a global barrier");
    check_fails(syscall(SYS_membarrier, 0x7fff, 0, 0), EINVAL, "a wrong command");
}

int main(void) {
    remap();
    advice();
    heap();
    memory_files();
    barriers();
    return check_done();
}
