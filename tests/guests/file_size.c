// Changing a file's size: ftruncate and fallocate.
#include "check.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static int fd;
static char buffer[1 << 16];

static off_t size(void) {
    struct stat st;
    return fstat(fd, &st) ? -1 : st.st_size;
}

static int all(char byte, off_t at, size_t length) {
    if (pread(fd, buffer, length, at) != (ssize_t)length) return 0;
    for (size_t i = 0; i < length; i++)
        if (buffer[i] != byte) return 0;
    return 1;
}

int main(void) {
    fd = open("file", O_RDWR | O_CREAT, 0644);
    memset(buffer, 'x', sizeof buffer);
    need(write(fd, buffer, sizeof buffer) == sizeof buffer, "64 KiB of data");
    check_eq(ftruncate(fd, 5000), 0, "ftruncate to less");
    check_eq(size(), 5000, "is the size");
    check_eq(ftruncate(fd, 20000), 0, "ftruncate to more");
    check(all('x', 0, 5000) && all(0, 5000, 15000), "the rest is zero, not what was there");
    check_eq(lseek(fd, 0, SEEK_CUR), sizeof buffer, "the offset stays");
    check_eq(truncate("file", 100), 0, "truncate by name");
    check_eq(size(), 100, "is the size");
    check_fails(ftruncate(fd, -1), EINVAL, "a negative size");
    check_fails(truncate("absent", 0), ENOENT, "truncate of nothing");
    check_fails(truncate(".", 0), EISDIR, "truncate of a directory");
    int ro = open("file", O_RDONLY);
    check_fails(ftruncate(ro, 0), EINVAL, "ftruncate of what is open for reading");
    close(ro);

    check_eq(fallocate(fd, 0, 0, 30000), 0, "fallocate");
    check_eq(size(), 30000, "makes the file larger");
    check_eq(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 90000), 0, "FALLOC_FL_KEEP_SIZE");
    check_eq(size(), 30000, "does not");
    memset(buffer, 'y', sizeof buffer);
    pwrite(fd, buffer, 30000, 0);
    check_eq(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1000, 20000), 0,
             "FALLOC_FL_PUNCH_HOLE");
    check(all('y', 0, 1000) && all(0, 1000, 20000) && all('y', 21000, 9000), "zeroes exactly that range");
    check_fails(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 100), EOPNOTSUPP, "a hole needs FALLOC_FL_KEEP_SIZE");
    check_fails(fallocate(fd, 0, -1, 10), EINVAL, "a negative offset");
    check_fails(fallocate(fd, 0, 0, 0), EINVAL, "no length");
    check_eq(posix_fallocate(fd, 0, 40000), 0, "posix_fallocate");
    check_eq(size(), 40000, "makes the file larger too");
    check_eq(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL), 0, "posix_fadvise");
    check_eq(readahead(fd, 0, 4096), 0, "readahead");

    // A large sparse file costs nothing.
    check_eq(ftruncate(fd, 1LL << 40), 0, "1 TiB of nothing");
    check_eq(pwrite(fd, "end", 3, (1LL << 40) - 3), 3, "but its last bytes");
    check(pread(fd, buffer, 10, (1LL << 40) - 3) == 3 && memcmp(buffer, "end", 3) == 0, "which can be read");

    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){1 << 16, 1 << 16});
    check_eq(ftruncate(fd, 1 << 16), 0, "up to RLIMIT_FSIZE");
    check_fails(pwrite(fd, "x", 1, 1 << 16), EFBIG, "not past it");
    check_eq(pwrite(fd, "xyz", 3, (1 << 16) - 1), 1, "only as much as fits");
    check_fails(ftruncate(fd, 1 << 17), EFBIG, "ftruncate past it");
    check_fails(truncate("file", 1 << 17), EFBIG, "truncate past it");
    check_fails(fallocate(fd, 0, 0, 1 << 17), EFBIG, "fallocate past it");
    check_eq(truncate("file", 1 << 15), 0, "truncate to less");
    return check_done();
}
