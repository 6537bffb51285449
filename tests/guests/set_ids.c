// What writes to a file takes its set-user-id and set-group-id bits, unless who writes may keep them.
#include "check.h"
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static int fd, source, ends[2];
static char bytes[] = "abc";

static int by_write(void) { return write(fd, bytes, 3) == 3; }
static int by_pwrite(void) { return pwrite(fd, bytes, 3, 9) == 3; }
static int by_writev(void) { return writev(fd, &(struct iovec){bytes, 3}, 1) == 3; }
static int by_nothing(void) { return write(fd, bytes, 0) == 0; }
static int by_ftruncate(void) { return ftruncate(fd, 2) == 0; }
static int by_truncate(void) { return truncate("file", 1) == 0; }
static int by_fallocate(void) { return fallocate(fd, 0, 0, 100) == 0; }
static int by_sendfile(void) { return sendfile(fd, source, &(off_t){0}, 3) == 3; }
static int by_copy(void) { return copy_file_range(source, &(off_t){0}, fd, NULL, 3, 0) == 3; }
static int by_splice(void) { return write(ends[1], bytes, 3) == 3 && splice(ends[0], NULL, fd, NULL, 3, 0) == 3; }
static int by_opening(void) { return close(open("file", O_WRONLY | O_TRUNC)) == 0; }
static int by_a_refused_write(void) {
    int other = open("file", O_RDONLY);
    return write(other, bytes, 3) == -1 && sendfile(other, source, &(off_t){0}, 3) == -1 && close(other) == 0;
}

static const struct {
    const char *name;
    int (*change)(void);
    mode_t left;
} ways[] = {
    {"write", by_write, 0777},
    {"pwrite", by_pwrite, 0777},
    {"writev", by_writev, 0777},
    {"a write of nothing", by_nothing, 06777},
    {"a refused write", by_a_refused_write, 06777},
    {"ftruncate", by_ftruncate, 0777},
    {"truncate", by_truncate, 0777},
    {"fallocate", by_fallocate, 0777},
    {"sendfile", by_sendfile, 0777},
    {"copy_file_range", by_copy, 0777},
    {"splice", by_splice, 0777},
    {"open with O_TRUNC", by_opening, 0777},
};

static mode_t mode(void) {
    struct stat status;
    return fstat(fd, &status) == 0 ? status.st_mode & 07777 : 0;
}

int main(void) {
    umask(0);
    fd = open("file", O_RDWR | O_CREAT, 0777);
    source = open("source", O_RDWR | O_CREAT, 0666);
    need(fd >= 0 && source >= 0 && write(source, bytes, 3) == 3 && pipe(ends) == 0, "files");
    if (geteuid() == 0) {
        need(fchmod(fd, 06777) == 0, "chmod");
        check(by_write() && mode() == 06777, "privilege keeps them");
        need(fchown(fd, 1234, 1234) == 0 && mode() == 0777, "chown takes them");
        need(chmod(".", 0777) == 0 && setegid(1234) == 0 && seteuid(1234) == 0, "without privilege");
    } else {
        check(1, "privilege keeps them");
        check(1, "chown takes them");
        check(1, "without privilege");
    }
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        need(fchmod(fd, 06777) == 0, "chmod");
        check(ways[i].change(), ways[i].name);
        check_eq(mode(), ways[i].left, ways[i].name);
    }
    // Without permission to run it as a group, the bit means locks.
    need(fchmod(fd, 06767) == 0, "chmod");
    check(by_write() && mode() == 02767, "the group's bit without execution stays");
    return check_done();
}
