// fallocate on a file in memory: what it reserves, and what it refuses.
// linkage: dynamic
#include "check.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

enum { PAGE = 4096 };

static int fd;

static long blocks(void) {
    struct stat st;
    return fstat(fd, &st) ? -1 : (long)st.st_blocks * 512 / PAGE;
}

static long size(void) {
    struct stat st;
    return fstat(fd, &st) ? -1 : (long)st.st_size;
}

int main(void) {
    fd = memfd_create("file", 0);
    need(fd >= 0, "a file in memory");
    check_eq(ftruncate(fd, 10 * PAGE), 0, "of ten pages");
    check_eq(blocks(), 0, "which take nothing");
    check_eq(fallocate(fd, 0, PAGE + 1, PAGE), 0, "two pages are reserved");
    check_eq(blocks(), 2, "and count");
    check_fails(lseek(fd, 0, SEEK_DATA), ENXIO, "they are no data yet");
    check_eq(lseek(fd, PAGE, SEEK_HOLE), PAGE, "but holes");
    check_eq(size(), 10 * PAGE, "the size stays");
    check_eq(fallocate(fd, FALLOC_FL_KEEP_SIZE, 9 * PAGE, 4 * PAGE), 0, "behind the end");
    check_eq(blocks(), 6, "all of them count");
    check_eq(size(), 10 * PAGE, "but not in its size");
    check_eq(ftruncate(fd, 11 * PAGE), 0, "longer");
    check_eq(blocks(), 6, "keeps them");
    char page[PAGE] = "", zeros[PAGE] = "";
    memset(page, 'x', PAGE);
    check(pread(fd, page, PAGE, PAGE) == PAGE && memcmp(page, zeros, PAGE) == 0, "they are zeros");
    check_eq(pwrite(fd, "text", 4, 2 * PAGE), 4, "a write");
    check_eq(lseek(fd, 0, SEEK_DATA), 2 * PAGE, "makes one data");
    check_eq(lseek(fd, 2 * PAGE, SEEK_HOLE), 3 * PAGE, "and no other");
    check_eq(fallocate(fd, 0, 0, 4 * PAGE), 0, "once more");
    check(pread(fd, page, 4, 2 * PAGE) == 4 && memcmp(page, "text", 4) == 0, "takes nothing away");
    check_eq(blocks(), 8, "and adds what was missing");
    check_eq(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE, 2 * PAGE), 0, "a hole");
    check_eq(blocks(), 6, "gives pages back");
    check_fails(lseek(fd, 0, SEEK_DATA), ENXIO, "and no data");
    check_eq(ftruncate(fd, PAGE), 0, "what is cut off");
    check_eq(blocks(), 1, "is given back");
    check_eq(fallocate(fd, 0, PAGE, PAGE), 0, "behind the end");
    check_eq(size(), 2 * PAGE, "makes it longer");

    check_fails(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, PAGE), EOPNOTSUPP, "a hole that could change the size");
    check_fails(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, PAGE), EOPNOTSUPP, "no collapsing");
    check_fails(fallocate(fd, FALLOC_FL_INSERT_RANGE, 0, PAGE), EOPNOTSUPP, "no inserting");
    check_fails(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 0, PAGE),
                EOPNOTSUPP, "not two at once");
    check_fails(fallocate(fd, 0x1000, 0, PAGE), EOPNOTSUPP, "an unknown mode");
    check_fails(fallocate(fd, 0, 0, 0), EINVAL, "no length");
    check_fails(fallocate(fd, 0, 0, -1), EINVAL, "a negative one");
    check_fails(fallocate(fd, 0, -1, 1), EINVAL, "a negative offset");
    check_fails(fallocate(fd, 0, 0x7fffffffffffffff, 1), EFBIG, "beyond what a file may have");
    check_fails(fallocate(99, 0, 0, 1), EBADF, "no file");
    int other = open(".", O_RDONLY | O_DIRECTORY);
    check_fails(fallocate(other, 0, 0, 1), EBADF, "not open for writing");
    int ends[2];
    need(pipe(ends) == 0, "a pipe");
    check_fails(fallocate(ends[1], 0, 0, 1), ESPIPE, "a pipe");
    other = open("/dev/null", O_WRONLY);
    check_fails(fallocate(other, 0, 0, 1), ENODEV, "a device");

    // More than there is.
    struct statfs there;
    need(statfs("/dev/shm", &there) == 0, "a file system in memory");
    long all = (long)there.f_blocks * (long)there.f_bsize;
    int shm = open("/dev/shm/nacre-guest", O_RDWR | O_CREAT, 0600);
    fd = shm;
    check_fails(fallocate(shm, 0, 0, all + (1L << 30)), ENOSPC, "more than there is");
    check(size() == 0 && blocks() == 0, "leaves nothing behind");
    unlink("/dev/shm/nacre-guest");
    return check_done();
}
