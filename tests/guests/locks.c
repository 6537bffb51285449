// File locks, as far as one process sees them: flock, open file description locks, POSIX locks.
#include "check.h"
#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

static int first, second;

static struct flock lock(short type, off_t start, off_t length) {
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
}

static void *release_later(void *unused) {
    usleep(30000);
    flock(first, LOCK_UN);
    return unused;
}

int main(void) {
    first = open("file", O_RDWR | O_CREAT, 0644);
    second = open("file", O_RDWR);
    need(first >= 0 && second >= 0, "two descriptions of one file");
    check_eq(flock(first, LOCK_EX), 0, "LOCK_EX");
    check_fails(flock(second, LOCK_EX | LOCK_NB), EWOULDBLOCK, "another description must wait");
    check_fails(flock(second, LOCK_SH | LOCK_NB), EWOULDBLOCK, "to share, too");
    int same = dup(first);
    check_eq(flock(same, LOCK_EX | LOCK_NB), 0, "a duplicate has the same lock");
    check_eq(flock(first, LOCK_SH), 0, "downgrade");
    check_eq(flock(second, LOCK_SH | LOCK_NB), 0, "two share");
    check_fails(flock(first, LOCK_EX | LOCK_NB), EWOULDBLOCK, "no upgrade while another shares");
    flock(second, LOCK_UN);
    check_eq(flock(first, LOCK_EX | LOCK_NB), 0, "upgrade");
    pthread_t thread;
    pthread_create(&thread, NULL, release_later, NULL);
    check_eq(flock(second, LOCK_EX), 0, "waiting for the lock");
    pthread_join(thread, NULL);
    close(second);
    check_eq(flock(first, LOCK_EX | LOCK_NB), 0, "close releases it");
    check_eq(flock(first, LOCK_UN), 0, "LOCK_UN");
    check_fails(flock(first, 0x10), EINVAL, "a wrong operation");

    // Locks of an open file description conflict within a process.
    second = open("file", O_RDWR);
    struct flock range = lock(F_WRLCK, 0, 100);
    check_eq(fcntl(first, F_OFD_SETLK, &range), 0, "F_OFD_SETLK");
    range = lock(F_WRLCK, 50, 10);
    check_fails(fcntl(second, F_OFD_SETLK, &range), EAGAIN, "an overlap");
    range = lock(F_WRLCK, 100, 10);
    check_eq(fcntl(second, F_OFD_SETLK, &range), 0, "the next byte is free");
    range = lock(F_RDLCK, 0, 0);
    check_eq(fcntl(second, F_OFD_GETLK, &range), 0, "F_OFD_GETLK");
    check(range.l_type == F_WRLCK && range.l_start == 0 && range.l_len == 100 && range.l_pid == -1,
          "tells the lock");
    range = lock(F_UNLCK, 20, 10);
    check_eq(fcntl(first, F_OFD_SETLK, &range), 0, "a hole in the middle");
    range = lock(F_WRLCK, 20, 10);
    check_eq(fcntl(second, F_OFD_SETLK, &range), 0, "can be taken");
    range = lock(F_WRLCK, 19, 1);
    check_fails(fcntl(second, F_OFD_SETLK, &range), EAGAIN, "what is before it cannot");
    range = lock(F_WRLCK, 30, 1);
    check_fails(fcntl(second, F_OFD_SETLK, &range), EAGAIN, "nor what is after it");
    close(second);

    // POSIX locks belong to the process, so it never stands in its own way.
    second = open("file", O_RDWR);
    range = lock(F_UNLCK, 0, 0);
    fcntl(first, F_OFD_SETLK, &range);
    range = lock(F_WRLCK, 0, 0);
    check_eq(fcntl(first, F_SETLK, &range), 0, "F_SETLK");
    check_eq(fcntl(second, F_SETLK, &range), 0, "again by the same process");
    check_eq(fcntl(second, F_GETLK, &range), 0, "F_GETLK");
    check_eq(range.l_type, F_UNLCK, "finds no one in the way");
    range = lock(F_RDLCK, 0, 0);
    int wo = open("file", O_WRONLY);
    check_fails(fcntl(wo, F_SETLK, &range), EBADF, "a read lock needs reading");
    range.l_type = 77;
    check_fails(fcntl(first, F_SETLK, &range), EINVAL, "a wrong type");
    range = lock(F_WRLCK, -1, 1);
    check_fails(fcntl(first, F_SETLK, &range), EINVAL, "a negative start");
    check_eq(lockf(first, F_LOCK, 10), 0, "lockf");

    // Which of several is told: the first of the holder's, whenever it was set.
    int third = open("file", O_RDWR);
    range = lock(F_UNLCK, 0, 0);
    fcntl(first, F_SETLK, &range);
    range = lock(F_WRLCK, 50, 10);
    fcntl(first, F_SETLK, &range);
    range = lock(F_RDLCK, 10, 10);
    fcntl(first, F_SETLK, &range);
    range = lock(F_WRLCK, 0, 0);
    fcntl(third, F_OFD_GETLK, &range);
    check(range.l_type == F_RDLCK && range.l_start == 10 && range.l_len == 10 && range.l_pid == getpid(),
          "the first of several is told");
    range = lock(F_WRLCK, 15, 40);
    fcntl(first, F_SETLK, &range);
    range = lock(F_RDLCK, 12, 0);
    fcntl(third, F_OFD_GETLK, &range);
    check(range.l_type == F_WRLCK && range.l_start == 15 && range.l_len == 45, "two that meet are one");
    close(third);
    // Any way to close any descriptor of a file releases the process's own locks on it.
    close(second);
    close(wo);
    int other = open("file", O_RDWR);
    for (int way = 0; way < 3; way++) {
        range = lock(F_WRLCK, 0, 10);
        check_eq(fcntl(first, F_SETLK, &range), 0, "a lock of the process");
        check_fails(fcntl(other, F_OFD_SETLK, &range), EAGAIN, "is in the way of a description's");
        int another = open("file", O_RDONLY);
        if (way == 0) close(another);
        if (way == 1) check_eq(syscall(SYS_close_range, another, another, 0), 0, "close_range");
        if (way == 2) check_eq(dup2(0, another), another, "dup2");
        range = lock(F_WRLCK, 0, 10);
        check_eq(fcntl(other, F_OFD_SETLK, &range), 0, "is not any more");
        range.l_type = F_UNLCK;
        check_eq(fcntl(other, F_OFD_SETLK, &range), 0, "unlocked");
        if (way == 2) close(another);
    }
    return check_done();
}
