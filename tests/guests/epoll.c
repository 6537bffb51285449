// epoll: level and edge, one shot, nested, changed while it waits.
// loopback: host inside
// linkage: dynamic musl
#include "check.h"
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int epoll, pipes[2];
static struct epoll_event events[16];

static int control(int operation, int fd, uint32_t what, uint64_t data) {
    struct epoll_event event = {.events = what, .data.u64 = data};
    return epoll_ctl(epoll, operation, fd, &event);
}

static int ready(void) { return epoll_wait(epoll, events, 16, 0); }

static void *write_later(void *fd) {
    usleep(30000);
    return (void *)(intptr_t)write((int)(intptr_t)fd, "x", 1);
}

static void *add_later(void *fd) {
    usleep(30000);
    return (void *)(intptr_t)control(EPOLL_CTL_ADD, (int)(intptr_t)fd, EPOLLOUT, 5);
}

static long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

// What is ready of a socket that is there by two descriptors: 1, 2, or both.
static int which(void) {
    int count = ready(), found = 0;
    for (int i = 0; i < count; i++) found |= (events[i].events == EPOLLIN) << (events[i].data.u64 - 1);
    return count == __builtin_popcount(found) ? found : -1;
}

// Programs add a copy of a descriptor to watch for the same socket in another way.
static void one_socket_twice(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int first = socket(AF_INET, SOCK_DGRAM, 0), second = dup(first), sender = socket(AF_INET, SOCK_DGRAM, 0);
    need(bind(first, (void *)&address, len) == 0 && getsockname(first, (void *)&address, &len) == 0, "a socket");
    need(connect(sender, (void *)&address, len) == 0, "its peer");
    char byte = 0;
    check_eq(control(EPOLL_CTL_ADD, first, EPOLLIN, 1), 0, "a socket is added");
    check_eq(control(EPOLL_CTL_ADD, second, EPOLLIN, 2), 0, "and its copy");
    check_fails(control(EPOLL_CTL_ADD, second, EPOLLIN, 2), EEXIST, "once");
    check_eq(which(), 0, "nothing yet");
    write(sender, &byte, 1);
    check_eq(epoll_wait(epoll, events, 16, -1) > 0 ? which() : -1, 3, "both are ready");
    check_eq(which(), 3, "level: again");
    check_eq(control(EPOLL_CTL_MOD, second, EPOLLIN | EPOLLONESHOT, 2), 0, "the copy is changed");
    check_eq(which(), 3, "both are ready");
    check_eq(which(), 1, "one shot");
    check_eq(control(EPOLL_CTL_MOD, second, EPOLLIN | EPOLLET, 2), 0, "and changed again");
    check_eq(which(), 3, "an edge");
    check_eq(which(), 1, "is told once");
    write(sender, &byte, 1);
    check_eq(which(), 3, "another edge");
    check_eq(control(EPOLL_CTL_DEL, first, 0, 0), 0, "the first goes");
    check_eq(which(), 0, "no edge");
    write(sender, &byte, 1);
    check_eq(which(), 2, "the copy stays");
    check_eq(control(EPOLL_CTL_ADD, first, EPOLLIN, 1), 0, "the first comes again");
    check_eq(control(EPOLL_CTL_DEL, second, 0, 0), 0, "the copy goes");
    check_eq(which(), 1, "the first stays");
    close(first), close(second), close(sender);
    check_eq(ready(), 0, "what is closed is gone");
}

int main(void) {
    char buffer[16];
    pthread_t thread;
    epoll = epoll_create1(EPOLL_CLOEXEC);
    need(epoll >= 0 && pipe(pipes) == 0, "epoll_create1");
    check_fails(epoll_create1(1), EINVAL, "a wrong flag");
    check_fails(syscall(SYS_epoll_create, 0), EINVAL, "epoll_create(0)");

    check_eq(control(EPOLL_CTL_ADD, pipes[0], EPOLLIN, 0x123456789abcdef), 0, "EPOLL_CTL_ADD");
    check_fails(control(EPOLL_CTL_ADD, pipes[0], EPOLLIN, 1), EEXIST, "twice");
    check_eq(ready(), 0, "nothing yet");
    write(pipes[1], "abc", 3);
    check(ready() == 1 && events[0].events == EPOLLIN && events[0].data.u64 == 0x123456789abcdef,
          "EPOLLIN with its data");
    check_eq(ready(), 1, "level: again");
    read(pipes[0], buffer, 16);
    check_eq(ready(), 0, "until it is read");
    check_eq(control(EPOLL_CTL_ADD, pipes[1], EPOLLOUT, 2), 0, "the other end");
    check(ready() == 1 && events[0].events == EPOLLOUT && events[0].data.u64 == 2, "EPOLLOUT");
    check_eq(control(EPOLL_CTL_MOD, pipes[1], 0, 2), 0, "EPOLL_CTL_MOD");
    check_eq(ready(), 0, "to nothing");
    check_eq(control(EPOLL_CTL_DEL, pipes[1], 0, 0), 0, "EPOLL_CTL_DEL");
    check_fails(control(EPOLL_CTL_DEL, pipes[1], 0, 0), ENOENT, "twice");
    check_fails(control(EPOLL_CTL_MOD, pipes[1], EPOLLIN, 0), ENOENT, "EPOLL_CTL_MOD of nothing");
    check_fails(control(EPOLL_CTL_ADD, 99, EPOLLIN, 0), EBADF, "no such descriptor");
    check_fails(control(EPOLL_CTL_ADD, epoll, EPOLLIN, 0), EINVAL, "itself");
    int file = open("file", O_RDWR | O_CREAT, 0644);
    check_fails(control(EPOLL_CTL_ADD, file, EPOLLIN, 0), EPERM, "a regular file");
    check_fails(epoll_wait(epoll, events, 0, 0), EINVAL, "room for no event");
    check_fails(epoll_wait(file, events, 1, 0), EINVAL, "not an epoll");

    control(EPOLL_CTL_MOD, pipes[0], EPOLLIN | EPOLLET, 3);
    write(pipes[1], "a", 1);
    check_eq(ready(), 1, "edge: once");
    check_eq(ready(), 0, "and not again");
    write(pipes[1], "b", 1);
    check_eq(ready(), 1, "but for the next write");
    control(EPOLL_CTL_MOD, pipes[0], EPOLLIN | EPOLLET, 3);
    check_eq(ready(), 1, "EPOLL_CTL_MOD looks anew");
    control(EPOLL_CTL_MOD, pipes[0], EPOLLIN | EPOLLONESHOT, 4);
    check_eq(ready(), 1, "one shot");
    write(pipes[1], "c", 1);
    check_eq(ready(), 0, "then silence");
    control(EPOLL_CTL_MOD, pipes[0], EPOLLIN | EPOLLONESHOT, 4);
    check_eq(ready(), 1, "until it is armed again");
    read(pipes[0], buffer, 16);

    control(EPOLL_CTL_MOD, pipes[0], EPOLLIN, 6);
    long start = now();
    check_eq(epoll_wait(epoll, events, 16, 30), 0, "a timeout");
    check(now() - start >= 29, "not too early");
    pthread_create(&thread, NULL, write_later, (void *)(intptr_t)pipes[1]);
    check_eq(epoll_wait(epoll, events, 16, -1), 1, "waits for an event");
    pthread_join(thread, NULL);
    read(pipes[0], buffer, 16);
    pthread_create(&thread, NULL, add_later, (void *)(intptr_t)pipes[1]);
    check(epoll_wait(epoll, events, 16, 5000) == 1 && events[0].data.u64 == 5,
          "sees what is added while it waits");
    pthread_join(thread, NULL);
    control(EPOLL_CTL_DEL, pipes[1], 0, 0);

    // An epoll in an epoll.
    int inner = epoll, outer = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 99};
    check_eq(epoll_ctl(outer, EPOLL_CTL_ADD, inner, &event), 0, "nested");
    check_eq(epoll_wait(outer, events, 16, 0), 0, "nothing inside");
    write(pipes[1], "x", 1);
    check(epoll_wait(outer, events, 16, 0) == 1 && events[0].data.u64 == 99, "the inner one is ready");
    check_fails(epoll_ctl(inner, EPOLL_CTL_ADD, outer, &event), ELOOP, "no cycles");
    read(pipes[0], buffer, 16);
    pthread_create(&thread, NULL, write_later, (void *)(intptr_t)pipes[1]);
    check_eq(epoll_wait(outer, events, 16, 5000), 1, "waits through both");
    pthread_join(thread, NULL);
    read(pipes[0], buffer, 16);
    close(outer);

    // The last descriptor of a description takes it out.
    int copy = dup(pipes[0]);
    close(pipes[0]);
    write(pipes[1], "x", 1);
    check_eq(ready(), 1, "closing one of two descriptors changes nothing");
    close(copy);
    check_eq(ready(), 0, "closing the last does");

    int sockets[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, sockets);
    control(EPOLL_CTL_ADD, sockets[0], EPOLLIN | EPOLLRDHUP, 7);
    shutdown(sockets[1], SHUT_WR);
    check(ready() == 1 && events[0].events == (EPOLLIN | EPOLLRDHUP), "EPOLLRDHUP");
    close(sockets[1]);
    check(ready() == 1 && events[0].events == (EPOLLIN | EPOLLRDHUP | EPOLLHUP), "EPOLLHUP");
    close(sockets[0]);

    // Many at once, told in turns.
    int counters[40], seen[40] = {0};
    for (int i = 0; i < 40; i++) control(EPOLL_CTL_ADD, counters[i] = eventfd(1, 0), EPOLLIN, (uint64_t)i);
    for (int round = 0; round < 20; round++) {
        int count = epoll_wait(epoll, events, 4, 0);
        for (int i = 0; i < count; i++) seen[events[i].data.u64]++;
    }
    int fair = 1;
    for (int i = 0; i < 40; i++) fair &= seen[i] > 0;
    check(fair, "each of many has its turn");

    // One event wakes one waiter.
    int one = eventfd(0, EFD_NONBLOCK);
    for (int i = 0; i < 40; i++) close(counters[i]);
    control(EPOLL_CTL_ADD, one, EPOLLIN | EPOLLET | EPOLLEXCLUSIVE, 1);
    check_fails(control(EPOLL_CTL_MOD, one, EPOLLIN, 1), EINVAL, "EPOLLEXCLUSIVE cannot be changed");
    uint64_t value = 1;
    write(one, &value, 8);
    check_eq(ready(), 1, "EPOLLEXCLUSIVE");
    close(one);
    one_socket_twice();
#ifdef __GLIBC__
    struct timespec soon = {0, 1000000};
    check_eq(epoll_pwait2(epoll, events, 16, &soon, NULL), 0, "epoll_pwait2");
#else
    check(1, "epoll_pwait2");
#endif
    return check_done();
}
