// read, write, their positioned and vectored forms, and lseek.
// linkage: dynamic static musl
#include "check.h"
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static char buffer[1 << 16], pattern[1 << 16];

static void holes(void) {
    int fd = open("holes", O_RDWR | O_CREAT | O_TRUNC, 0644);
    need(fd >= 0, "a file for holes");
    check_eq(pwrite(fd, "x", 1, 0), 1, "data at the start");
    check_eq(pwrite(fd, "y", 1, 1 << 20), 1, "data at 1 MiB");
    off_t hole = lseek(fd, 0, SEEK_HOLE);
    check(hole >= 4096 && hole <= 1 << 20, "SEEK_HOLE");
    check_eq(lseek(fd, hole, SEEK_DATA), 1 << 20, "SEEK_DATA");
    check_eq(lseek(fd, 1 << 20, SEEK_HOLE), (1 << 20) + 1, "the end counts as a hole");
    check_fails(lseek(fd, (1 << 20) + 1, SEEK_DATA), ENXIO, "no data behind the end");
    check_eq(pread(fd, buffer, sizeof buffer, 8192), sizeof buffer, "reading a hole");
    int zero = 1;
    for (size_t i = 0; i < sizeof buffer; i++) zero &= buffer[i] == 0;
    check(zero, "a hole reads as zeroes");
    struct stat st;
    check(fstat(fd, &st) == 0 && st.st_size == (1 << 20) + 1 && st.st_blocks * 512 < 1 << 20,
          "a hole takes no blocks");
    close(fd);
}

int main(void) {
    for (size_t i = 0; i < sizeof pattern; i++) pattern[i] = (char)(i * 7 + i / 256);
    int fd = open("data", O_RDWR | O_CREAT | O_EXCL, 0644);
    need(fd >= 0, "create");
    check_eq(write(fd, pattern, sizeof pattern), sizeof pattern, "write");
    check_eq(lseek(fd, 0, SEEK_CUR), sizeof pattern, "write moves the offset");
    check_eq(read(fd, buffer, 10), 0, "end of file");
    check_eq(lseek(fd, 0, SEEK_SET), 0, "SEEK_SET");
    check_eq(read(fd, buffer, sizeof buffer), sizeof buffer, "read");
    check(memcmp(buffer, pattern, sizeof pattern) == 0, "what was written is read");
    check_eq(lseek(fd, -10, SEEK_END), sizeof pattern - 10, "SEEK_END");
    check_eq(read(fd, buffer, 100), 10, "a short read at the end");
    check_fails(lseek(fd, -1, SEEK_SET), EINVAL, "a negative offset");
    check_fails(lseek(fd, 0, 99), EINVAL, "a wrong whence");
    check_eq(lseek(fd, 1 << 20, SEEK_SET), 1 << 20, "seeking past the end");
    check_eq(read(fd, buffer, 1), 0, "reading past the end");

    check_eq(pread(fd, buffer, 100, 1000), 100, "pread");
    check(memcmp(buffer, pattern + 1000, 100) == 0, "pread reads at its offset");
    check_eq(lseek(fd, 0, SEEK_CUR), 1 << 20, "pread leaves the offset");
    check_eq(pwrite(fd, "nacre", 5, 2000), 5, "pwrite");
    check_eq(pread(fd, buffer, 7, 1999), 7, "around what pwrite wrote");
    check(memcmp(buffer + 1, "nacre", 5) == 0 && buffer[0] == pattern[1999] && buffer[6] == pattern[2005],
          "pwrite writes there only");
    check_fails(pread(fd, buffer, 1, -1), EINVAL, "pread at a negative offset");

    struct iovec out[3] = {{"one ", 4}, {"", 0}, {"two three", 9}};
    lseek(fd, 0, SEEK_SET);
    check_eq(writev(fd, out, 3), 13, "writev");
    char a[6] = "", b[20] = "";
    struct iovec in[2] = {{a, 5}, {b, 8}};
    lseek(fd, 0, SEEK_SET);
    check_eq(readv(fd, in, 2), 13, "readv");
    check(strcmp(a, "one t") == 0 && strcmp(b, "wo three") == 0, "readv scatters");
    check_eq(preadv(fd, in, 2, 4), 13, "preadv");
    check(memcmp(a, "two t", 5) == 0, "preadv reads at its offset");
    check_eq(pwritev(fd, out, 3, 100), 13, "pwritev");
    check_eq(readv(fd, in, 0), 0, "no vectors");
    static struct iovec many[IOV_MAX + 1];
    check_fails(readv(fd, many, IOV_MAX + 1), EINVAL, "too many vectors");
#ifdef __GLIBC__
    lseek(fd, 4, SEEK_SET);
    check_eq(preadv2(fd, in, 2, -1, 0), 13, "preadv2 with -1 uses the offset");
    check_eq(lseek(fd, 0, SEEK_CUR), 17, "and moves it");
    check_fails(preadv2(fd, in, 2, 0, 0x40000000), EOPNOTSUPP, "preadv2 with an unknown flag");
    check_eq(pwritev2(fd, out, 3, 0, RWF_APPEND), 13, "RWF_APPEND");
    struct stat st;
    fstat(fd, &st);
    check_eq(st.st_size, sizeof pattern + 13, "RWF_APPEND writes at the end");
#endif

    check_eq(read(fd, buffer, 0), 0, "reading nothing");
    check_eq(write(fd, buffer, 0), 0, "writing nothing");
    int ro = open("data", O_RDONLY), wo = open("data", O_WRONLY);
    check_fails(write(ro, "x", 1), EBADF, "writing what is open for reading");
    check_fails(read(wo, buffer, 1), EBADF, "reading what is open for writing");
    check_eq(pread(ro, buffer, 4, 0), 4, "another descriptor");
    check(memcmp(buffer, "one ", 4) == 0, "sees the same data");
    close(ro), close(wo), close(fd);

    // Many small writes and one large read across block borders.
    fd = open("small", O_RDWR | O_CREAT, 0600);
    int good = 1;
    for (int i = 0; i < 3000; i++) good &= write(fd, pattern + i * 17, 17) == 17;
    check(good, "3000 small writes");
    check_eq(pread(fd, buffer, sizeof buffer, 0), 51000, "one large read");
    check(memcmp(buffer, pattern, 51000) == 0, "of the same bytes");
    close(fd);
    holes();
    return check_done();
}
