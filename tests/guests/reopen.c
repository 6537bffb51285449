// What has no path but /proc/self/fd/N and the names in /dev that lead there: opened once more.
// linkage: dynamic musl
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static int again(int fd, int flags) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, flags);
}

static int revents(int fd, short events) {
    struct pollfd entry = {.fd = fd, .events = events};
    return poll(&entry, 1, 0) < 0 ? -1 : entry.revents;
}

static void standard_streams(void) {
    // As servers log in containers: /var/log/access.log -> /dev/stdout.
    need(symlink("/dev/stdout", "access.log") == 0, "a symbolic link to /dev/stdout");
    fflush(stdout);
    int out = open("access.log", O_WRONLY | O_APPEND | O_CREAT, 0644);
    need(out >= 0, "opened by the link");
    check_eq(dprintf(out, "by the link\n"), 12, "written to");
    check_eq(close(out), 0, "closed");
    out = open("/dev/stdout", O_WRONLY | O_APPEND);
    check_eq(dprintf(out, "by its name\n"), 12, "written to");
    close(out);
    out = open("/dev/fd/1", O_WRONLY | O_APPEND);
    check_eq(dprintf(out, "by its number\n"), 14, "written to");
    close(out);
    FILE *file = fopen("/dev/stdout", "a");
    need(file, "fopen");
    fputs("by a stream\n", file);
    check_eq(fclose(file), 0, "fclose");
    int err = open("/dev/stderr", O_WRONLY | O_APPEND);
    check(err >= 0 && close(err) == 0, "/dev/stderr");
    int in = open("/dev/stdin", O_RDONLY);
    check(in >= 0 && close(in) == 0, "/dev/stdin");
    check_eq(write(1, "still there\n", 12), 12, "the first is still there");
}

static void pipes(void) {
    int ends[2];
    char bytes[16];
    need(pipe(ends) == 0, "pipe");
    int writer = again(ends[0], O_WRONLY);
    need(writer >= 0, "a writer by the reading end");
    check_eq(write(writer, "abc", 3), 3, "write");
    int reader = again(ends[1], O_RDONLY | O_NONBLOCK);
    need(reader >= 0, "a reader by the writing end");
    check_eq(read(reader, bytes, 2), 2, "read");
    check_eq(read(ends[0], bytes, 2), 1, "both take from the same");
    check_fails(read(reader, bytes, 1), EAGAIN, "flags are its own");
    int both = again(ends[0], O_RDWR);
    need(both >= 0, "for both");
    check_eq(write(both, "d", 1), 1, "write");
    check_eq(read(both, bytes, 1), 1, "read");

    close(ends[1]);
    close(both);
    check_eq(revents(ends[0], POLLIN), 0, "no hang-up while there is another writer");
    close(writer);
    check_eq(revents(ends[0], POLLIN), POLLHUP, "hang-up after the last");
    check_eq(read(reader, bytes, 1), 0, "the end");
    int late = again(ends[0], O_RDONLY);
    check_eq(revents(late, POLLIN), POLLHUP, "who comes later is hung up on too");
    int new_writer = again(ends[0], O_WRONLY | O_NONBLOCK);
    check(new_writer >= 0, "a writer after the last");
    check_eq(revents(ends[0], POLLIN), 0, "no hang-up any more");
    close(ends[0]);
    close(reader);
    close(late);
    check_eq(revents(new_writer, POLLOUT), POLLOUT | POLLERR, "an error after the last reader");
}

static void others(void) {
    int event = eventfd(0, 0);
    check_fails(again(event, O_RDWR), ENXIO, "not an eventfd");
    int sockets[2];
    need(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0, "socketpair");
    check_fails(again(sockets[0], O_RDWR), ENXIO, "not a socket");
    int memory = memfd_create("memory", 0);
    need(memory >= 0 && write(memory, "xyz", 3) == 3, "memfd_create");
    int other = again(memory, O_RDONLY);
    char bytes[4];
    check_eq(read(other, bytes, 4), 3, "a memfd, from its beginning");
    int file = open("removed", O_RDWR | O_CREAT, 0600);
    need(file >= 0 && unlink("removed") == 0 && write(file, "uvw", 3) == 3, "a file that was removed");
    other = again(file, O_RDWR | O_APPEND);
    check_eq(read(other, bytes, 4), 3, "is read by /proc");
    check_fails(again(999, O_RDONLY), ENOENT, "no such descriptor");
}

int main(void) {
    standard_streams();
    pipes();
    others();
    return check_done();
}
