// mmap and munmap: anonymous, private, shared, fixed.
// linkage: dynamic static no-pie musl
#include "check.h"
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 4096 };
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

static char *map(void *at, size_t length, int protection, int flags, int fd, off_t offset) {
    return mmap(at, length, protection, flags, fd, offset);
}

static int zero(const char *bytes, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (bytes[i]) return 0;
    return 1;
}

static void anonymous(void) {
    char *a = map(NULL, 10 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    need(a != MAP_FAILED, "anonymous");
    check((uintptr_t)a % PAGE == 0 && zero(a, 10 * PAGE), "aligned and zero");
    memset(a, 'a', 10 * PAGE);
    check_eq(munmap(a + 3 * PAGE, 2 * PAGE), 0, "munmap in the middle");
    check(a[3 * PAGE - 1] == 'a' && a[5 * PAGE] == 'a', "both sides stay");
    check_eq(munmap(a + 3 * PAGE, 2 * PAGE), 0, "munmap of nothing");
    char *hole = map(a + 3 * PAGE, PAGE, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    check(hole == a + 3 * PAGE && zero(hole, PAGE), "MAP_FIXED_NOREPLACE in the hole");
    check(map(a, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED &&
              errno == EEXIST,
          "not over another");
    char *over = map(a, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    check(over == a && zero(a, 2 * PAGE) && a[2 * PAGE] == 'a', "MAP_FIXED replaces");
    check_eq(munmap(a, 10 * PAGE), 0, "munmap across holes");
    hole = map(a + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(hole == a + PAGE, "a free hint is taken");
    char *other = map(a + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(other != MAP_FAILED && other != hole, "one that is not free is a hint only");
    check(munmap(hole, PAGE) == 0 && munmap(other, PAGE) == 0, "clean up");

    check(map(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL,
          "no length");
    check(map(NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL,
          "neither shared nor private");
    check(map((void *)1, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED &&
              errno == EINVAL,
          "an odd fixed address");
    check(map(NULL, (size_t)1 << 50, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED &&
              errno == ENOMEM,
          "too much");
    check_fails(munmap((char *)1, PAGE), EINVAL, "munmap of an odd address");
    check_fails(munmap(a, 0), EINVAL, "munmap of no length");

    // A large reservation costs nothing until it is touched.
    size_t large = (size_t)8 << 30;
    a = map(NULL, large, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    check(a != MAP_FAILED, "8 GiB of address space");
    check_eq(mprotect(a + (large / 2), PAGE, PROT_READ | PROT_WRITE), 0, "one page of it in use");
    a[large / 2] = 1;
    check_eq(munmap(a, large), 0, "and gone");
    a = map(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    check(a != MAP_FAILED && zero(a, 64 << 20), "MAP_POPULATE");
    munmap(a, 64 << 20);
}

static void private_file(int fd) {
    char *a = map(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    need(a != MAP_FAILED, "a private file");
    check(a[0] == '0' && a[PAGE] == '1' && a[2 * PAGE] == '2', "has its pages");
    check(zero(a + 2 * PAGE + 100, PAGE - 100), "zeroes behind its end");
    a[0] = 'p';
    char byte;
    check(pread(fd, &byte, 1, 0) == 1 && byte == '0', "writing leaves the file alone");
    char *b = map(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, PAGE);
    check(b != MAP_FAILED && b[0] == '1', "at an offset");
    check(map(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 100) == MAP_FAILED && errno == EINVAL, "an odd offset");
    check_eq(munmap(b, PAGE), 0, "unmap");
    check_eq(munmap(a, 3 * PAGE), 0, "unmap all");
    check(map(NULL, PAGE, PROT_READ, MAP_PRIVATE, 99, 0) == MAP_FAILED && errno == EBADF, "no descriptor");
    int dir = open(".", O_RDONLY);
    check(map(NULL, PAGE, PROT_READ, MAP_PRIVATE, dir, 0) == MAP_FAILED && errno == ENODEV, "a directory");
    close(dir);
}

static void shared_file(int fd) {
    char *a = map(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *b = map(NULL, 3 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
    need(a != MAP_FAILED && b != MAP_FAILED && a != b, "a shared file, twice");
    memcpy(a + 10, "mapped", 6);
    check(memcmp(b + 10, "mapped", 6) == 0, "one sees the other");
    char text[8] = "";
    check(pread(fd, text, 6, 10) == 6 && strcmp(text, "mapped") == 0, "read sees it");
    check_eq(pwrite(fd, "written", 7, PAGE), 7, "write");
    check(memcmp(a + PAGE, "written", 7) == 0, "is seen in memory");
    check_eq(msync(a, 3 * PAGE, MS_SYNC), 0, "msync");
    check_fails(msync(a + 1, PAGE, MS_SYNC), EINVAL, "msync of an odd address");
    check_fails(msync(a, PAGE, MS_SYNC | MS_ASYNC), EINVAL, "msync cannot do both");
    a[2 * PAGE + 200] = 'z';
    struct stat st;
    check(fstat(fd, &st) == 0 && st.st_size == 2 * PAGE + 100, "the size stays");
    check_eq(ftruncate(fd, 2 * PAGE + 300), 0, "growing the file");
    check_eq(pwrite(fd, "t", 1, 2 * PAGE + 250), 1, "a byte in its new part");
    check(b[2 * PAGE + 250] == 't', "is mapped");
    munmap(a, 3 * PAGE);
    check(b[10] == 'm', "the other mapping stays");
    close(fd);
    check(b[11] == 'a', "also when the file is closed");
    munmap(b, 3 * PAGE);
    fd = open("file", O_RDONLY);
    check(map(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EACCES,
          "writing needs a file open for it");
    a = map(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    check(a != MAP_FAILED && a[10] == 'm', "the data is in the file");
    check_fails(mprotect(a, PAGE, PROT_READ | PROT_WRITE), EACCES, "nor by mprotect");
    munmap(a, PAGE);
    close(fd);
}

static void shared_anonymous(void) {
    char *a = map(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check(a != MAP_FAILED && zero(a, PAGE), "shared anonymous");
    a[0] = 1;
    munmap(a, PAGE);
    int zeroes = open("/dev/zero", O_RDWR);
    a = map(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, zeroes, 0);
    check(a != MAP_FAILED && zero(a, PAGE), "/dev/zero");
    a[0] = 1;
    munmap(a, PAGE);
    close(zeroes);
}

static void validated(void) {
    int fd = open("file", O_RDWR);
    char *at = map(NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE, fd, 0);
    check(at != MAP_FAILED && at[0] == '0', "MAP_SHARED_VALIDATE");
    munmap(at, PAGE);
    at = map(NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE | MAP_POPULATE | MAP_NORESERVE, fd, 0);
    check(at != MAP_FAILED, "with flags that every file takes");
    munmap(at, PAGE);
    check(map(NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE | 0x80000, fd, 0) == MAP_FAILED && errno == EOPNOTSUPP,
          "MAP_SYNC: the file is not on persistent memory");
    check(map(NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE | 0x800000, fd, 0) == MAP_FAILED && errno == EOPNOTSUPP,
          "an unknown flag");
    check(map(NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL,
          "of no file");
    close(fd);
}

int main(void) {
    int fd = open("file", O_RDWR | O_CREAT, 0644);
    for (int i = 0; i < 3; i++) {
        char page[PAGE];
        memset(page, '0' + i, PAGE);
        need(write(fd, page, i == 2 ? 100 : PAGE) > 0, "fill a page");
    }
    anonymous();
    private_file(fd);
    shared_anonymous();
    shared_file(fd);
    validated();
    return check_done();
}
