// MREMAP_DONTUNMAP: the pages move, and the old mapping stays, empty.
// linkage: dynamic
#include "check.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096 };
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
enum { MOVE = MREMAP_MAYMOVE | MREMAP_DONTUNMAP };

static char *memory(int flags, int fd) {
    char *at = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);
    need(at != MAP_FAILED, "memory");
    return at;
}

int main(void) {
    char *old = memory(MAP_PRIVATE | MAP_ANONYMOUS, -1);
    memset(old, 'a', 4 * PAGE);
    char *new = mremap(old, 4 * PAGE, 4 * PAGE, MOVE);
    need(new != MAP_FAILED && new != old, "private memory moves");
    check(new[0] == 'a' && new[4 * PAGE - 1] == 'a', "with what is in it");
    check(old[0] == 0 && old[4 * PAGE - 1] == 0, "the old place is zeros");
    old[0] = 'b';
    check(new[0] == 'a', "of its own");
    check_eq(munmap(old, 4 * PAGE), 0, "it can be unmapped");
    check_eq(msync(new, 4 * PAGE, MS_ASYNC), 0, "the new one is there");

    char *target = memory(MAP_PRIVATE | MAP_ANONYMOUS, -1);
    char *got = mremap(new, 4 * PAGE, 4 * PAGE, MOVE | MREMAP_FIXED, target);
    check(got == target && target[5] == 'a' && new[5] == 0, "to a place of the program's choice");
    got = mremap(target + PAGE, 2 * PAGE, 2 * PAGE, MOVE);
    check(got != MAP_FAILED && got[0] == 'a' && target[0] == 'a' && target[PAGE] == 0 && target[3 * PAGE] == 'a',
          "a part of a mapping");

    check(mremap(target, PAGE, 2 * PAGE, MOVE) == MAP_FAILED && errno == EINVAL, "not to another size");
    check(mremap(target, 2 * PAGE, PAGE, MOVE) == MAP_FAILED && errno == EINVAL, "nor a smaller one");
    check(mremap(target, PAGE, PAGE, MREMAP_DONTUNMAP) == MAP_FAILED && errno == EINVAL, "not without MAYMOVE");
    check(mremap(target + 1, PAGE, PAGE, MOVE) == MAP_FAILED && errno == EINVAL, "not from within a page");
    check(mremap(target, 0, PAGE, MOVE) == MAP_FAILED && errno == EINVAL, "not of nothing");
    check(mremap((void *)PAGE, PAGE, PAGE, MOVE) == MAP_FAILED && errno == EFAULT, "nor where nothing is");

    int fd = memfd_create("file", 0);
    need(ftruncate(fd, 4 * PAGE) == 0, "a file");
    char *shared = memory(MAP_SHARED, fd);
    shared[0] = 's';
    new = mremap(shared, 4 * PAGE, 4 * PAGE, MOVE);
    check(new != MAP_FAILED && new[0] == 's', "a shared mapping moves");
    check(shared[0] == 's', "and the old one shows the file still");
    new[1] = 't';
    check(shared[1] == 't', "as the new one does");
    char *private = memory(MAP_PRIVATE, fd);
    private[0] = 'p';
    new = mremap(private, 4 * PAGE, 4 * PAGE, MOVE);
    check(new != MAP_FAILED && new[0] == 'p' && private[0] == 's', "a private one shows it anew");
    return check_done();
}
