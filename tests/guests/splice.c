// splice, tee and vmsplice never wait for room that they hold themselves.
// linkage: dynamic
#include "check.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

enum { ROOM = 65536 };

static char big[3 * ROOM] __attribute__((aligned(4096)));

static void into_a_pipe(void) {
    int ends[2];
    char found[8192];
    need(pipe(ends) == 0, "a pipe");
    struct iovec all = {big, sizeof big};
    memset(big, 'v', sizeof big);
    check_eq(vmsplice(ends[1], &all, 1, 0), ROOM, "vmsplice gives as much as fits");
    check_fails(vmsplice(ends[1], &all, 1, SPLICE_F_NONBLOCK), EAGAIN, "and nothing if nothing does");
    check_fails(vmsplice(ends[1], &all, 1, 0x80), EINVAL, "an unknown flag");
    check_eq(vmsplice(ends[1], &all, 0, SPLICE_F_NONBLOCK), 0, "no memory");
    struct iovec part = {found, 5000};
    check_eq(vmsplice(ends[0], &part, 1, 0), 5000, "out of a pipe");
    check(found[0] == 'v' && found[4999] == 'v', "comes what went into it");
    check_fails(vmsplice(99, &part, 1, 0), EBADF, "a closed descriptor");
    int file = open("file", O_RDWR | O_CREAT, 0600);
    check_fails(vmsplice(file, &part, 1, 0), EBADF, "a file");
    close(ends[0]);
    close(ends[1]);
}

static void within_a_pipe(void) {
    int ends[2], others[2];
    need(pipe(ends) == 0 && pipe(others) == 0, "two pipes");
    need(write(ends[1], big, ROOM) == ROOM, "which are filled");
    check_fails(splice(ends[0], NULL, ends[1], NULL, 100, 0), EINVAL, "a pipe into itself");
    check_fails(tee(ends[0], ends[1], 100, 0), EINVAL, "nor by tee");
    check_eq(splice(ends[0], NULL, others[1], NULL, 100, 0), 100, "into another one");
    check_eq(tee(ends[0], others[1], 100, 0), 100, "and by tee");
    need(write(others[1], big, ROOM - 8192) > 0, "which is nearly full");
    check_fails(splice(ends[0], NULL, others[1], NULL, 100, 0x80), EINVAL, "an unknown flag of splice");
}

static void into_a_file(void) {
    int ends[2];
    need(pipe(ends) == 0, "a third pipe");
    need(write(ends[1], "splice", 6) == 6, "with bytes");
    int end = open("append", O_WRONLY | O_CREAT | O_APPEND, 0600);
    check_fails(splice(ends[0], NULL, end, NULL, 6, 0), EINVAL, "a file that appends");
    int path = open("append", O_PATH);
    check_fails(splice(ends[0], NULL, path, NULL, 6, 0), EBADF, "a path");
    check_fails(splice(path, NULL, ends[1], NULL, 6, 0), EBADF, "from a path");
}

// Objects that cannot be spliced are refused before anything is waited for.
static void other_objects(void) {
    int ends[2], poll = epoll_create1(0), event = eventfd(1, 0), here = open(".", O_RDONLY | O_DIRECTORY);
    need(pipe(ends) == 0 && poll >= 0 && event >= 0 && here >= 0, "other objects");
    check_fails(splice(ends[0], NULL, event, NULL, 8, 0), EINVAL, "into an eventfd");
    check_fails(splice(ends[0], NULL, poll, NULL, 8, 0), EINVAL, "into an epoll");
    check_fails(splice(event, NULL, ends[1], NULL, 8, 0), EINVAL, "from an eventfd");
    check_fails(splice(poll, NULL, ends[1], NULL, 8, 0), EINVAL, "from an epoll");
    check_fails(splice(here, NULL, ends[1], NULL, 8, 0), EINVAL, "from a directory");
    check_fails(splice(ends[0], NULL, here, NULL, 8, 0), EBADF, "into a directory");
    int zeros = open("/dev/zero", O_RDONLY), none = open("/dev/null", O_WRONLY);
    check_eq(splice(zeros, NULL, ends[1], NULL, 8, 0), 8, "from /dev/zero");
    check_eq(splice(ends[0], NULL, none, NULL, 8, 0), 8, "into /dev/null");
}

int main(void) {
    // What waits for itself ends the program.
    alarm(20);
    into_a_pipe();
    within_a_pipe();
    into_a_file();
    other_objects();
    return check_done();
}
