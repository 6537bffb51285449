// Moving data without the program's memory: copy_file_range, sendfile, splice, tee, vmsplice.
#include "check.h"
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

enum { SIZE = 50000 };
static char pattern[SIZE], buffer[SIZE + 1];

static int holds(int fd, off_t at, const char *bytes, size_t length) {
    return pread(fd, buffer, length, at) == (ssize_t)length && memcmp(buffer, bytes, length) == 0;
}

int main(void) {
    for (int i = 0; i < SIZE; i++) pattern[i] = (char)(i * 31 + i / 251);
    int from = open("from", O_RDWR | O_CREAT, 0644), to = open("to", O_RDWR | O_CREAT, 0644);
    need(write(from, pattern, SIZE) == SIZE && to >= 0, "two files");

    off_t in = 1000, out = 500;
    check_eq(copy_file_range(from, &in, to, &out, 20000, 0), 20000, "copy_file_range");
    check(in == 21000 && out == 20500, "moves the offsets it was given");
    check(holds(to, 500, pattern + 1000, 20000), "copies");
    check_eq(lseek(from, 0, SEEK_CUR), SIZE, "and not those of the files");
    in = SIZE - 10;
    check_eq(copy_file_range(from, &in, to, NULL, 100, 0), 10, "is short at the end");
    check_eq(lseek(to, 0, SEEK_CUR), 10, "without an offset the file's own moves");
    check_eq(copy_file_range(from, &in, to, NULL, 100, 0), 0, "and 0 at the end");
    check_fails(copy_file_range(from, &in, to, NULL, 100, 1), EINVAL, "no flags");
    in = 0, out = 100;
    check_fails(copy_file_range(from, &in, from, &out, 1000, 0), EINVAL, "no overlap");

    int pipes[2];
    need(pipe(pipes) == 0, "a pipe");
    check_fails(copy_file_range(from, &in, pipes[1], NULL, 10, 0), EINVAL, "files only");
    in = 5;
    ftruncate(to, 0), lseek(to, 0, SEEK_SET);
    check_eq(sendfile(to, from, &in, 30000), 30000, "sendfile to a file");
    check(in == 30005 && holds(to, 0, pattern + 5, 30000), "copies");
    lseek(from, 7, SEEK_SET);
    check_eq(sendfile(pipes[1], from, NULL, 1000), 1000, "sendfile to a pipe");
    check_eq(lseek(from, 0, SEEK_CUR), 1007, "moves the file's offset");
    check(read(pipes[0], buffer, SIZE) == 1000 && memcmp(buffer, pattern + 7, 1000) == 0, "copies as well");
    in = SIZE;
    check_eq(sendfile(pipes[1], from, &in, 10), 0, "sendfile at the end");

    loff_t at = 100;
    check_eq(splice(from, &at, pipes[1], NULL, 4000, 0), 4000, "splice from a file into a pipe");
    check_eq(at, 4100, "moves the offset");
    int second[2];
    need(pipe(second) == 0, "another pipe");
    check_eq(tee(pipes[0], second[1], 3000, 0), 3000, "tee");
    check(read(second[0], buffer, SIZE) == 3000 && memcmp(buffer, pattern + 100, 3000) == 0, "duplicates");
    at = 50;
    check_eq(splice(pipes[0], NULL, to, &at, 4000, 0), 4000, "splice from the pipe into a file");
    check(holds(to, 50, pattern + 100, 4000), "all is still there");
    check_eq(write(pipes[1], "hello", 5), 5, "write");
    check_eq(splice(pipes[0], NULL, second[1], NULL, 5, 0), 5, "splice from pipe to pipe");
    check(read(second[0], buffer, 10) == 5 && memcmp(buffer, "hello", 5) == 0, "moves");
    check_fails(splice(pipes[0], NULL, second[1], NULL, 5, SPLICE_F_NONBLOCK), EAGAIN, "SPLICE_F_NONBLOCK");
    check_fails(splice(from, NULL, to, NULL, 5, 0), EINVAL, "one must be a pipe");
    check_fails(splice(pipes[0], &at, second[1], NULL, 5, 0), ESPIPE, "a pipe has no offset");
    struct iovec parts[2] = {{"one ", 4}, {"two", 3}};
    check_eq(vmsplice(pipes[1], parts, 2, 0), 7, "vmsplice");
    check(read(pipes[0], buffer, 10) == 7 && memcmp(buffer, "one two", 7) == 0, "gathers");
    close(pipes[1]);
    check_eq(splice(pipes[0], NULL, second[1], NULL, 5, 0), 0, "splice at the end");
    return check_done();
}
