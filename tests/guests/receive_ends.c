// Receives that have nothing to wait for, or wait for more than one byte: they end as on Linux, and none turns for ever.
// loopback: host inside
#include "check.h"
#include <arpa/inet.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static char buffer[4096];

static int bound(int type, struct sockaddr_in *address) {
    int fd = socket(AF_INET, type, 0);
    socklen_t length = sizeof *address;
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(fd, (struct sockaddr *)address, sizeof *address)) return -1;
    getsockname(fd, (struct sockaddr *)address, &length);
    return fd;
}

static void limit(int fd, int milliseconds) {
    struct timeval limit = {0, milliseconds * 1000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

static void connected(int pair[2]) {
    struct sockaddr_in address;
    int listener = bound(SOCK_STREAM, &address);
    listen(listener, 1);
    pair[0] = socket(AF_INET, SOCK_STREAM, 0);
    connect(pair[0], (struct sockaddr *)&address, sizeof address);
    pair[1] = accept(listener, NULL, NULL);
    close(listener);
}

static void *shuts_down(void *argument) {
    usleep(50000);
    shutdown(*(int *)argument, SHUT_RD);
    return NULL;
}

struct delayed {
    int fd;
    const char *bytes;
};

static void *sends(void *argument) {
    struct delayed *what = argument;
    usleep(50000);
    return (void *)send(what->fd, what->bytes, strlen(what->bytes), 0);
}

static void *closes(void *argument) {
    usleep(50000);
    close(*(int *)argument);
    return NULL;
}

static void datagrams_that_are_shut_down(void) {
    struct sockaddr_in address, from;
    int fd = bound(SOCK_DGRAM, &address);
    check_fails(shutdown(fd, SHUT_RD), ENOTCONN, "shutdown without a peer");
    socklen_t length = sizeof from;
    check_eq(recvfrom(fd, buffer, 10, 0, (struct sockaddr *)&from, &length), 0, "recvfrom ends all the same");
    check_eq(length, 0, "and nobody was it");
    check_fails(recv(fd, buffer, 10, MSG_DONTWAIT), EAGAIN, "without waiting there is nothing");
    struct pollfd poller = {fd, POLLIN, 0};
    check_eq(poll(&poller, 1, 0), 1, "but poll says that there is");
    struct iovec part = {buffer, 10};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_name = &from, .msg_namelen = sizeof from};
    check(recvmsg(fd, &message, 0) == 0 && message.msg_namelen == 0, "recvmsg ends");
    check_eq(read(fd, buffer, 10), 0, "read ends");
    close(fd);

    fd = bound(SOCK_DGRAM, &address);
    connect(fd, (struct sockaddr *)&address, sizeof address);
    pthread_t thread;
    pthread_create(&thread, NULL, shuts_down, &fd);
    check_eq(recv(fd, buffer, 10, 0), 0, "another thread's shutdown ends a receive");
    pthread_join(thread, NULL);
    send(fd, "late", 4, 0);
    check_eq(recv(fd, buffer, 10, 0), 4, "what arrives still is received");
    check_eq(recv(fd, buffer, 10, 0), 0, "and then the end");
    close(fd);
}

static void errors_in_the_queue(void) {
    struct sockaddr_in address, gone;
    int fd = bound(SOCK_DGRAM, &address), other = bound(SOCK_DGRAM, &gone), on = 1;
    close(other);
    check_eq(setsockopt(fd, SOL_IP, IP_RECVERR, &on, sizeof on), 0, "IP_RECVERR");
    check_fails(recv(fd, buffer, 10, MSG_ERRQUEUE), EAGAIN, "no error yet");
    sendto(fd, "lost", 4, 0, (struct sockaddr *)&gone, sizeof gone);
    check_fails(recv(fd, buffer, 10, 0), ECONNREFUSED, "the error itself comes once");
    limit(fd, 50);
    check_fails(recv(fd, buffer, 10, 0), EAGAIN, "then SO_RCVTIMEO counts, though poll says ERR");
    struct pollfd poller = {fd, POLLIN, 0};
    check(poll(&poller, 1, 0) == 1 && poller.revents == POLLERR, "ERR is still there");

    char control[512];
    struct sockaddr_in from = {0};
    struct iovec part = {buffer, sizeof buffer};
    struct msghdr message = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &part,
        .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    check_eq(recvmsg(fd, &message, MSG_ERRQUEUE), 4, "the queue gives what was sent");
    check(memcmp(buffer, "lost", 4) == 0 && from.sin_port == gone.sin_port, "to whom it was sent");
    check(message.msg_flags == MSG_ERRQUEUE, "MSG_ERRQUEUE");
    struct cmsghdr *first = CMSG_FIRSTHDR(&message);
    need(first && first->cmsg_level == SOL_IP && first->cmsg_type == IP_RECVERR, "IP_RECVERR is told");
    struct sock_extended_err *error = (void *)CMSG_DATA(first);
    check(error->ee_errno == ECONNREFUSED && error->ee_origin == SO_EE_ORIGIN_ICMP && error->ee_type == 3 &&
              error->ee_code == 3,
          "why it was lost");
    struct sockaddr_in *offender = (void *)SO_EE_OFFENDER(error);
    check(offender->sin_addr.s_addr == htonl(INADDR_LOOPBACK), "who said so");
    check_eq(message.msg_controllen, CMSG_SPACE(sizeof *error + sizeof *offender), "nothing else");
    check_fails(recvmsg(fd, &message, MSG_ERRQUEUE), EAGAIN, "the queue is empty");
    sendto(fd, "lost", 4, 0, (struct sockaddr *)&gone, sizeof gone);
    check_fails(recv(fd, buffer, 10, 0), ECONNREFUSED, "another one");
    message.msg_control = NULL;
    message.msg_controllen = 0;
    check(recvmsg(fd, &message, MSG_ERRQUEUE) == 4 && message.msg_flags == (MSG_ERRQUEUE | MSG_CTRUNC),
          "without room for it");
    close(fd);
}

static volatile sig_atomic_t caught;

static void catches(int number) {
    caught = number;
}

static void *signals(void *argument) {
    usleep(50000);
    pthread_kill(*(pthread_t *)argument, SIGUSR1);
    return NULL;
}

static void signals_end_it(void) {
    struct sockaddr_in address, gone;
    int fd = bound(SOCK_DGRAM, &address), other = bound(SOCK_DGRAM, &gone), on = 1;
    close(other);
    setsockopt(fd, SOL_IP, IP_RECVERR, &on, sizeof on);
    sendto(fd, "lost", 4, 0, (struct sockaddr *)&gone, sizeof gone);
    recv(fd, buffer, 10, 0);
    struct sigaction action = {.sa_handler = catches};
    sigaction(SIGUSR1, &action, NULL);
    pthread_t thread, self = pthread_self();
    pthread_create(&thread, NULL, signals, &self);
    check_fails(recv(fd, buffer, 10, 0), EINTR, "a signal ends a receive with errors in its queue");
    check_eq(caught, SIGUSR1, "after its handler");
    pthread_join(thread, NULL);
    close(fd);
}

static void low_water(void) {
    int pair[2], mark = 6;
    socklen_t length = sizeof mark;
    connected(pair);
    check_eq(setsockopt(pair[1], SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof mark), 0, "SO_RCVLOWAT");
    check(getsockopt(pair[1], SOL_SOCKET, SO_RCVLOWAT, &mark, &length) == 0 && mark == 6, "is read back");
    send(pair[0], "abc", 3, 0);
    struct pollfd poller = {pair[1], POLLIN, 0};
    check_eq(poll(&poller, 1, 20), 0, "too little for poll");
    pthread_t thread;
    struct delayed rest = {pair[0], "defghi"};
    pthread_create(&thread, NULL, sends, &rest);
    check_eq(recv(pair[1], buffer, 100, 0), 9, "waits for as much as that");
    pthread_join(thread, NULL);
    send(pair[0], "xy", 2, 0);
    check_eq(recv(pair[1], buffer, 2, 0), 2, "but for no more than is asked for");
    send(pair[0], "xy", 2, 0);
    check_eq(recv(pair[1], buffer, 100, MSG_DONTWAIT | MSG_PEEK), 2, "MSG_DONTWAIT takes what is there");
    limit(pair[1], 50);
    check_eq(recv(pair[1], buffer, 100, 0), 2, "SO_RCVTIMEO gives what is there");
    send(pair[0], "z", 1, 0);
    shutdown(pair[0], SHUT_WR);
    check_eq(recv(pair[1], buffer, 100, 0), 1, "and so does the end");
    check_eq(recv(pair[1], buffer, 100, 0), 0, "the end");
    close(pair[0]);
    close(pair[1]);
}

static void peek_for_all(void) {
    int pair[2];
    connected(pair);
    send(pair[0], "abc", 3, 0);
    pthread_t thread;
    struct delayed rest = {pair[0], "def"};
    pthread_create(&thread, NULL, sends, &rest);
    check_eq(recv(pair[1], buffer, 6, MSG_PEEK | MSG_WAITALL), 6, "MSG_PEEK with MSG_WAITALL waits");
    pthread_join(thread, NULL);
    check(memcmp(buffer, "abcdef", 6) == 0, "and gives all");
    limit(pair[1], 50);
    check_eq(recv(pair[1], buffer, 10, MSG_PEEK | MSG_WAITALL), 6, "until the limit");
    check_eq(recv(pair[1], buffer, 4, MSG_WAITALL), 4, "nothing was taken");
    limit(pair[1], 0);
    pthread_create(&thread, NULL, closes, &pair[0]);
    check_eq(recv(pair[1], buffer, 10, MSG_PEEK | MSG_WAITALL), 2, "the end gives what there is");
    pthread_join(thread, NULL);
    check_eq(recv(pair[1], buffer, 10, MSG_WAITALL), 2, "and again");
    check_eq(recv(pair[1], buffer, 10, MSG_WAITALL), 0, "the end");
    close(pair[1]);
    connected(pair);
    struct linger at_once = {1, 0};
    setsockopt(pair[0], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    send(pair[0], "abc", 3, 0);
    check_eq(recv(pair[1], buffer, 3, MSG_PEEK | MSG_WAITALL), 3, "three bytes have arrived");
    pthread_create(&thread, NULL, closes, &pair[0]);
    check_eq(recv(pair[1], buffer, 10, MSG_WAITALL), 3, "a reset gives what there was");
    pthread_join(thread, NULL);
    check_fails(recv(pair[1], buffer, 10, 0), ECONNRESET, "and the next call gets the error");
    check_eq(recv(pair[1], buffer, 10, 0), 0, "then the end");
    close(pair[1]);
}

int main(void) {
    datagrams_that_are_shut_down();
    errors_in_the_queue();
    signals_end_it();
    low_water();
    peek_for_all();
    return check_done();
}
