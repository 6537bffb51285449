// Asynchronous input and output by the kernel's own calls, as libaio makes them.
#include "check.h"
#include <fcntl.h>
#include <stdint.h>
#include <poll.h>
#include <linux/aio_abi.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static aio_context_t context;
static struct io_event events[10];

static long submit(struct iocb *block) {
    struct iocb *list[] = {block};
    return syscall(SYS_io_submit, context, 1, list);
}

static long collect(long least, long most, struct timespec *limit) {
    memset(events, 0x55, sizeof events);
    return syscall(SYS_io_getevents, context, least, most, events, limit);
}

int main(void) {
    char path[] = "/tmp/aio-XXXXXX", bytes[100] = "";
    int fd = mkstemp(path), counter = eventfd(0, EFD_NONBLOCK);
    need(fd >= 0 && counter >= 0, "a file");
    context = 5;
    check_fails(syscall(SYS_io_setup, 4, &context), EINVAL, "a context that is not 0");
    context = 0;
    check_fails(syscall(SYS_io_setup, 0, &context), EINVAL, "no requests");
    check_fails(syscall(SYS_io_setup, 4, NULL), EFAULT, "nowhere");
    check_eq(syscall(SYS_io_setup, 4, &context), 0, "io_setup");
    need(context, "a context");
    struct iocb write_request = {.aio_data = 7, .aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = fd,
        .aio_buf = (unsigned long)"hello world", .aio_nbytes = 11, .aio_offset = 5,
        .aio_flags = IOCB_FLAG_RESFD, .aio_resfd = counter};
    check_eq(submit(&write_request), 1, "io_submit");
    check_eq(collect(1, 10, NULL), 1, "io_getevents");
    check(events[0].data == 7 && events[0].obj == (unsigned long)&write_request && events[0].res == 11 &&
              events[0].res2 == 0,
          "what was done");
    unsigned long count = 0;
    check(read(counter, &count, 8) == 8 && count == 1, "IOCB_FLAG_RESFD");
    struct iocb read_request = {.aio_data = 8, .aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = fd,
        .aio_buf = (unsigned long)bytes, .aio_nbytes = 100, .aio_offset = 5};
    struct iovec parts[] = {{bytes + 50, 3}, {bytes + 60, 40}};
    struct iocb vector_request = {.aio_data = 9, .aio_lio_opcode = IOCB_CMD_PREADV, .aio_fildes = fd,
        .aio_buf = (unsigned long)parts, .aio_nbytes = 2, .aio_offset = 8};
    struct iocb sync_request = {.aio_data = 10, .aio_lio_opcode = IOCB_CMD_FSYNC, .aio_fildes = fd};
    struct iocb *list[] = {&read_request, &vector_request, &sync_request};
    check_eq(syscall(SYS_io_submit, context, 3, list), 3, "several");
    check_eq(collect(3, 3, NULL), 3, "their results");
    long results[3] = {0};
    for (int i = 0; i < 3; i++)
        if (events[i].data >= 8 && events[i].data <= 10) results[events[i].data - 8] = events[i].res;
    check(results[0] == 11 && memcmp(bytes, "hello world", 11) == 0, "IOCB_CMD_PREAD");
    check(results[1] == 8 && memcmp(bytes + 50, "lo ", 3) == 0 && memcmp(bytes + 60, "world", 5) == 0,
          "IOCB_CMD_PREADV");
    check_eq(results[2], 0, "IOCB_CMD_FSYNC");
    struct timespec none = {0, 0}, soon = {0, 20000000};
    check_eq(collect(0, 10, NULL), 0, "nothing is left");
    check_eq(collect(1, 10, &none), 0, "without waiting");
    check_eq(collect(1, 10, &soon), 0, "until the limit");
    check_fails(collect(5, 4, NULL), EINVAL, "more than there is room for");
    check_fails(collect(-1, 4, NULL), EINVAL, "less than none");

    read_request.aio_fildes = 999;
    check_fails(submit(&read_request), EBADF, "no such descriptor");
    read_request.aio_fildes = fd;
    read_request.aio_lio_opcode = 77;
    check_fails(submit(&read_request), EINVAL, "no such request");
    read_request.aio_lio_opcode = IOCB_CMD_PREAD;
    read_request.aio_reserved2 = 1;
    check_fails(submit(&read_request), EINVAL, "what is reserved");
    read_request.aio_reserved2 = 0;
    read_request.aio_flags = IOCB_FLAG_RESFD;
    read_request.aio_resfd = fd;
    check_fails(submit(&read_request), EINVAL, "a file in the place of an eventfd");
    read_request.aio_flags = 0;
    int only = open(path, O_WRONLY);
    read_request.aio_fildes = only;
    check_fails(submit(&read_request), EBADF, "a file that is only written");
    list[0] = &sync_request;
    list[1] = &read_request;
    check_eq(syscall(SYS_io_submit, context, 2, list), 1, "up to the first that fails");
    check_eq(collect(1, 10, NULL), 1, "which is done");
    check_eq(syscall(SYS_io_submit, context, 0, list), 0, "none");
    check_fails(syscall(SYS_io_submit, context, -1L, list), EINVAL, "less than none again");
    check_fails(syscall(SYS_io_submit, context + 4096, 1, list), EINVAL, "another context");
    check_fails(syscall(SYS_io_cancel, context, &sync_request, events), EINVAL, "what is done cannot be cancelled");
    if (fork() == 0) _exit(submit(&sync_request) == -1 && errno == EINVAL ? 0 : 1);
    int status;
    wait(&status);
    check_eq(status, 0, "a child has no contexts");

    // Streams have no places, and what would wait says so if it must not.
    int ends[2];
    need(pipe(ends) == 0, "a pipe");
    char byte = 'p';
    struct iocb stream = {.aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = ends[0], .aio_buf = (__u64)(uintptr_t)&byte,
                          .aio_nbytes = 1, .aio_rw_flags = RWF_NOWAIT};
    check_eq(submit(&stream), 1, "an empty pipe is read");
    check(collect(1, 1, NULL) == 1 && events[0].res == -EAGAIN, "which would wait");
    write(ends[1], "q", 1);
    check_eq(submit(&stream), 1, "a pipe with a byte");
    check(collect(1, 1, NULL) == 1 && events[0].res == 1 && byte == 'q', "gives it");
    stream.aio_rw_flags = 0x10000;
    check_fails(submit(&stream), EOPNOTSUPP, "an unknown flag");

    // An eventfd can be fuller by this than by a write.
    int full = eventfd(0, EFD_NONBLOCK);
    uint64_t most = UINT64_MAX - 1;
    need(write(full, &most, 8) == 8, "a full eventfd");
    struct iocb told = {.aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = ends[1], .aio_buf = (__u64)(uintptr_t)&byte,
                        .aio_nbytes = 1, .aio_flags = IOCB_FLAG_RESFD, .aio_resfd = (__u32)full};
    check(submit(&told) == 1 && collect(1, 1, NULL) == 1, "gets one more");
    struct pollfd overfull = {full, POLLIN | POLLOUT, 0};
    check(poll(&overfull, 1, 0) == 1 && overfull.revents == (POLLIN | POLLERR), "which is an error");
    check(read(full, &most, 8) == 8 && most == UINT64_MAX, "until it is read");
    check_eq(syscall(SYS_io_destroy, context), 0, "io_destroy");
    check_fails(syscall(SYS_io_destroy, context), EINVAL, "once");
    check_fails(collect(0, 1, NULL), EINVAL, "and it is gone");
    context = 0;
    check_fails(syscall(SYS_io_setup, 0x7fffffff, &context), EINVAL, "too many requests");
    unlink(path);
    return check_done();
}
