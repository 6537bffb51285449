// mseal: mappings that stay as they are.
#include "check.h"
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MSEAL 462
#define PAGE 4096

static long seal(void *at, size_t length, unsigned long flags) {
    return syscall(MSEAL, at, length, flags);
}

static char *pages(int count, int protection) {
    char *at = mmap(NULL, (size_t)count * PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    need(at != MAP_FAILED, "some pages");
    return at;
}

static void errors(void) {
    char *at = pages(4, PROT_READ | PROT_WRITE);
    check_fails(seal(at, PAGE, 1), EINVAL, "flags");
    check_fails(seal(at + 1, PAGE, 0), EINVAL, "an address within a page");
    check_fails(seal(at, SIZE_MAX, 0), EINVAL, "a length that becomes 0");
    check_fails(seal(at, SIZE_MAX - 3 * PAGE, 0), EINVAL, "a length beyond all addresses");
    check_eq(seal(at, 0, 0), 0, "nothing");
    munmap(at + PAGE, PAGE);
    check_fails(seal(at, 3 * PAGE, 0), ENOMEM, "a hole");
    check_fails(seal(at + PAGE, PAGE, 0), ENOMEM, "nothing is mapped");
    check_fails(seal(at + PAGE, 2 * PAGE, 0), ENOMEM, "a hole at the beginning");
    check_eq(mprotect(at, PAGE, PROT_READ), 0, "nothing was sealed");
    check_eq(munmap(at, 4 * PAGE), 0, "and all can go");
}

static void seals(void) {
    char *at = pages(5, PROT_READ | PROT_WRITE), *elsewhere = pages(4, PROT_READ);
    strcpy(at + 2 * PAGE, "kept");
    check_eq(seal(at + 2 * PAGE, 1, 0), 0, "the third page of five; lengths are rounded up");
    check_eq(seal(at + 2 * PAGE, PAGE, 0), 0, "twice");
    check_fails(munmap(at + 2 * PAGE, PAGE), EPERM, "munmap");
    check_fails(munmap(at, 5 * PAGE), EPERM, "munmap of more");
    check_eq(at[0], 0, "nothing of it has gone");
    check_fails(mprotect(at + 2 * PAGE, PAGE, PROT_READ), EPERM, "mprotect");
    check_fails(mprotect(at + 2 * PAGE, PAGE, PROT_READ | PROT_WRITE), EPERM, "even to what it is");
    check_eq(mprotect(at + 2 * PAGE, 0, PROT_READ), 0, "of nothing");
    check(mmap(at, 5 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED &&
              errno == EPERM,
          "mmap over it");
    check(mmap(at, 5 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
                  MAP_FAILED &&
              errno == EEXIST,
          "MAP_FIXED_NOREPLACE says that something is there");
    check(mremap(at + 2 * PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED && errno == EPERM, "mremap");
    check(mremap(elsewhere, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at + 2 * PAGE) == MAP_FAILED &&
              errno == EPERM,
          "mremap over it");
    check_eq(elsewhere[0], 0, "what was to move is there");
    check_eq(strcmp(at + 2 * PAGE, "kept"), 0, "its bytes are");
    at[2 * PAGE] = 'K';
    check_eq(at[2 * PAGE], 'K', "it can be written");
    check_eq(madvise(at + 2 * PAGE, PAGE, MADV_DONTNEED), 0, "what can be written can be forgotten");
    check_eq(at[2 * PAGE], 0, "which makes it zeros");
    check_eq(seal(elsewhere, 2 * PAGE, 0), 0, "what is only read");
    check_fails(madvise(elsewhere, PAGE, MADV_DONTNEED), EPERM, "is not forgotten");
    check_fails(madvise(elsewhere, PAGE, MADV_FREE), EPERM, "in neither way");
    check_eq(madvise(elsewhere, PAGE, MADV_WILLNEED), 0, "other advice is taken");
    check_eq(madvise(elsewhere + 2 * PAGE, PAGE, MADV_DONTNEED), 0, "the page behind it is not sealed");
    check(munmap(at, 2 * PAGE) == 0 && munmap(at + 3 * PAGE, 2 * PAGE) == 0, "nor are the other four");
    int status;
    pid_t child = fork();
    if (child == 0) _exit(munmap(at + 2 * PAGE, PAGE) == -1 && errno == EPERM ? 0 : 1);
    check(waitpid(child, &status, 0) == child && status == 0, "a child has the seal, too");
}

static void heap(void) {
    char *start = (char *)(((uintptr_t)sbrk(0) + PAGE - 1) & ~(uintptr_t)(PAGE - 1));
    need(brk(start + 2 * PAGE) == 0, "brk");
    check_eq(seal(start + PAGE, PAGE, 0), 0, "the heap's last page");
    char *end = sbrk(0);
    brk(start);
    check(syscall(SYS_brk, 0) == (long)end, "the heap does not shrink");
}

static void tails(void) {
    char *memory = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    need(seal(memory + 2 * PAGE, PAGE, 0) == 0, "the last of three pages");
    check(mremap(memory, 3 * PAGE, PAGE, 0) == MAP_FAILED && errno == EPERM, "is not cut off");
    check(mremap(memory, 3 * PAGE, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED && errno == EPERM, "nor left behind");
    check(mremap(memory, 2 * PAGE, PAGE, 0) == memory, "what is before it is");
}

int main(void) {
    errors();
    seals();
    tails();
    heap();
    return check_done();
}
