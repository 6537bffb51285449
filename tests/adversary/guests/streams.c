// Standard streams under a host that lies about them.
#include "claims.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <termios.h>

static struct guarded in, other;

int main(void) {
    keep_secrets();
    static const size_t sizes[] = {1, 100, 4096, 5000, 8192, 0, 7};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        long count = seen(read(0, guard(&in), sizes[i]));
        promise(count <= (long)sizes[i], count);
        untouched_behind(&in, count);
    }
    guard(&in);
    guard(&other);
    struct iovec parts[] = {{in.bytes, 10}, {other.bytes, 20}};
    long count = seen(readv(0, parts, 2));
    promise(count <= 30, count);
    untouched_behind(&in, count < 10 ? count : 10);
    untouched_behind(&other, count - 10);

    memset(in.bytes, '.', ROOM);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        count = seen(write(1, in.bytes, sizes[i]));
        promise(count <= (long)sizes[i], count);
    }
    parts[1].iov_len = 8000;
    count = seen(writev(1, parts, 2));
    promise(count <= 8010, count);
    memset(in.bytes, 0xc5, ROOM);
    untouched_behind(&in, 0);

    for (int fd = 0; fd < 3; fd++) {
        struct stat status;
        if (seen(fstat(fd, &status)) == 0) {
            mode_t kind = status.st_mode & S_IFMT;
            promise(kind == S_IFREG || kind == S_IFIFO || kind == S_IFCHR || kind == S_IFSOCK, kind);
        }
        int *unread = guard(&in);
        if (seen(ioctl(fd, FIONREAD, unread)) == 0) promise(*unread >= 0, *unread);
        untouched_behind(&in, sizeof(int));
        seen(ioctl(fd, TCGETS, guard(&in)));
        untouched_behind(&in, 36);
        seen(ioctl(fd, TIOCGWINSZ, guard(&in)));
        untouched_behind(&in, sizeof(struct winsize));
    }
    struct pollfd entries[] = {{0, POLLIN, 0x55}, {1, POLLOUT, 0x55}};
    int ready = seen(poll(entries, 2, 50));
    if (ready >= 0) {
        promise(ready == !!entries[0].revents + !!entries[1].revents, ready);
        for (int i = 0; i < 2; i++)
            promise(!(entries[i].revents & ~(entries[i].events | POLLERR | POLLHUP | POLLNVAL)), entries[i].revents);
    }
    return end();
}
