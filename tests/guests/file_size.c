// Changing a file's size: ftruncate and fallocate.
#include "check.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
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

static int signals;
static void count(int signal) { signals += signal == SIGXFSZ; }

// The limit is 64 KiB, and the file has 32.
static void copies(void) {
    signal(SIGXFSZ, count);
    int source = open("source", O_RDWR | O_CREAT, 0644), ends[2];
    need(write(source, buffer, 50000) == 50000 && pipe(ends) == 0, "what is copied");
    off_t from = 0, to = 60000;
    lseek(fd, to, SEEK_SET);
    check_eq(sendfile(fd, source, &from, 50000), 5536, "sendfile stops at the limit");
    check(from == 5536 && lseek(fd, 0, SEEK_CUR) == 65536, "and takes what it has copied");
    check_eq(signals, 1, "which it tells");
    from = 0;
    check_fails(sendfile(fd, source, &from, 10), EFBIG, "sendfile past the limit");
    check_eq(signals, 2, "tells it, too");
    from = 0;
    check_eq(copy_file_range(source, &from, fd, &to, 50000, 0), 5536, "copy_file_range stops at the limit");
    check_eq(signals, 2, "silently");
    check_fails(copy_file_range(source, &from, fd, &to, 50000, 0), EFBIG, "copy_file_range past the limit");
    check_eq(signals, 3, "tells it");
    to = 65530;
    check_eq(write(ends[1], buffer, 100), 100, "bytes in a pipe");
    check_eq(splice(ends[0], NULL, fd, &to, 100, 0), 6, "splice stops at the limit");
    check_eq(signals, 4, "which it tells");
    check_fails(splice(ends[0], NULL, fd, &to, 100, 0), EFBIG, "splice past the limit");
    int left = 0;
    check(signals == 5 && ioctl(ends[0], FIONREAD, &left) == 0 && left == 94, "leaves the rest in the pipe");

    int appends = open("source", O_WRONLY | O_APPEND);
    to = 0;
    check_fails(splice(ends[0], NULL, appends, NULL, 10, 0), EINVAL, "splice does not append");
    check_fails(splice(ends[0], NULL, appends, &to, 10, 0), EINVAL, "nor with an offset");
    check_eq(splice(ends[0], NULL, appends, NULL, 0, 0), 0, "but nothing");
    check_eq(splice(-1, NULL, -1, NULL, 0, 0), 0, "which is asked of nobody");
    check_fails(sendfile(appends, fd, &from, 10), EINVAL, "sendfile does not append");
    check_fails(copy_file_range(fd, &from, appends, NULL, 10, 0), EBADF, "nor does copy_file_range");
    check_fails(splice(ends[1], NULL, appends, NULL, 10, 0), EBADF, "the end that is written cannot be read");
    fcntl(ends[1], F_SETFL, O_APPEND);
    check_eq(sendfile(ends[1], source, &(off_t){0}, 10), 10, "a pipe that appends is a pipe");
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
    copies();
    return check_done();
}
