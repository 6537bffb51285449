// Pipes: order, atomicity, sizes, ends.
// linkage: dynamic musl
#include "check.h"
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static int pipes[2];
static volatile int sigpipes;
static char block[1 << 20];

static void on_sigpipe(int signal) { sigpipes += signal == SIGPIPE; }

static void *drain(void *unused) {
    static char buffer[1000];
    long total = 0, got, last = -1, good = 1;
    (void)unused;
    while ((got = read(pipes[0], buffer, sizeof buffer)) > 0) {
        for (long i = 0; i < got; i++) {
            unsigned char want = (unsigned char)((last + 1) % 251);
            good &= (unsigned char)buffer[i] == want;
            last++;
        }
        total += got;
    }
    return (void *)(good ? total : -1);
}

// Each writer's records arrive whole.
static void *write_records(void *letter) {
    char record[PIPE_BUF];
    memset(record, (int)(long)letter, sizeof record);
    for (int i = 0; i < 100; i++)
        if (write(pipes[1], record, sizeof record) != sizeof record) return (void *)1;
    return NULL;
}

int main(void) {
    char buffer[8192];
    struct stat st;
    signal(SIGPIPE, on_sigpipe);
    check_eq(pipe(pipes), 0, "pipe");
    check_eq(write(pipes[1], "hello", 5), 5, "write");
    int ready;
    check(ioctl(pipes[0], FIONREAD, &ready) == 0 && ready == 5, "FIONREAD");
    check_eq(read(pipes[0], buffer, 2), 2, "a part");
    check(read(pipes[0], buffer, 100) == 3 && memcmp(buffer, "llo", 3) == 0, "the rest");
    check_fails(read(pipes[1], buffer, 1), EBADF, "the writing end cannot be read");
    check_fails(write(pipes[0], buffer, 1), EBADF, "the reading end cannot be written");
    check(fstat(pipes[0], &st) == 0 && S_ISFIFO(st.st_mode), "fstat");

    check_eq(fcntl(pipes[0], F_GETPIPE_SZ), 65536, "F_GETPIPE_SZ");
    fcntl(pipes[1], F_SETFL, O_NONBLOCK), fcntl(pipes[0], F_SETFL, O_NONBLOCK);
    check_fails(read(pipes[0], buffer, 1), EAGAIN, "empty");
    check_eq(write(pipes[1], block, sizeof block), 65536, "a write fills it");
    check_fails(write(pipes[1], "x", 1), EAGAIN, "full");
    struct pollfd fd = {pipes[1], POLLOUT, 0};
    check_eq(poll(&fd, 1, 0), 0, "poll says so");
    check_eq(read(pipes[0], buffer, 4095), 4095, "not quite a page");
    check_fails(write(pipes[1], block, PIPE_BUF), EAGAIN, "PIPE_BUF bytes are written whole or not at all");
    check_eq(read(pipes[0], buffer, 1), 1, "now a page");
    check_eq(write(pipes[1], block, PIPE_BUF), PIPE_BUF, "fits");
    while (read(pipes[0], buffer, sizeof buffer) > 0) {
    }
    check_eq(fcntl(pipes[0], F_SETPIPE_SZ, 8192), 8192, "F_SETPIPE_SZ");
    check_eq(write(pipes[1], block, sizeof block), 8192, "smaller");
    check_fails(fcntl(pipes[0], F_SETPIPE_SZ, 4096), EBUSY, "not smaller than what is in it");
    check_eq(fcntl(pipes[0], F_SETPIPE_SZ, 100000), 131072, "rounded up");
    close(pipes[1]);
    int total = 0, got;
    while ((got = (int)read(pipes[0], buffer, 1000)) > 0) total += got;
    check(total == 8192 && got == 0, "what is in it is read before the end");
    fd = (struct pollfd){pipes[0], POLLIN, 0};
    check(poll(&fd, 1, 0) == 1 && fd.revents == POLLHUP, "POLLHUP");
    close(pipes[0]);

    need(pipe2(pipes, O_CLOEXEC | O_NONBLOCK) == 0, "pipe2");
    check(fcntl(pipes[0], F_GETFD) == FD_CLOEXEC && fcntl(pipes[0], F_GETFL) & O_NONBLOCK, "with its flags");
    close(pipes[0]);
    check_fails(write(pipes[1], "x", 1), EPIPE, "nobody reads");
    check_eq(sigpipes, 1, "SIGPIPE");
    fd = (struct pollfd){pipes[1], POLLOUT, 0};
    check(poll(&fd, 1, 0) == 1 && fd.revents & POLLERR, "POLLERR");
    close(pipes[1]);
    check_fails(pipe2(pipes, O_APPEND), EINVAL, "pipe2 with a wrong flag");

    need(pipe(pipes) == 0, "a pipe");
    for (size_t i = 0; i < sizeof block; i++) block[i] = (char)(i % 251);
    pthread_t reader;
    pthread_create(&reader, NULL, drain, NULL);
    check_eq(write(pipes[1], block, sizeof block), sizeof block, "a megabyte, while another thread reads");
    close(pipes[1]);
    void *result;
    pthread_join(reader, &result);
    check_eq((long)result, sizeof block, "arrives in order");
    close(pipes[0]);

    need(pipe(pipes) == 0, "a pipe again");
    pthread_t writers[4];
    for (long i = 0; i < 4; i++) pthread_create(&writers[i], NULL, write_records, (void *)('a' + i));
    int whole = 1;
    for (int i = 0; i < 400; i++) {
        for (int at = 0; at < PIPE_BUF;) at += (int)read(pipes[0], buffer + at, (size_t)(PIPE_BUF - at));
        for (int at = 1; at < PIPE_BUF; at++) whole &= buffer[at] == buffer[0];
    }
    for (int i = 0; i < 4; i++) pthread_join(writers[i], NULL);
    check(whole, "records of PIPE_BUF do not mix");
    struct iovec parts[3] = {{"a", 1}, {"bc", 2}, {"def", 3}};
    check(writev(pipes[1], parts, 3) == 6 && read(pipes[0], buffer, 10) == 6 &&
              memcmp(buffer, "abcdef", 6) == 0,
          "writev");

    check_eq(mkfifo("fifo", 0600), 0, "mkfifo");
    int in = open("fifo", O_RDONLY | O_NONBLOCK);
    check(in >= 0, "open for reading, without waiting");
    check_eq(read(in, buffer, 1), 0, "no writer is an end");
    int out = open("fifo", O_WRONLY | O_NONBLOCK);
    check(write(out, "xyz", 3) == 3 && read(in, buffer, 10) == 3, "a name for a pipe");
    close(in), close(out);
    check_fails(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO, "no reader");
    return check_done();
}
