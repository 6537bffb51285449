// TCP streams that many small pieces are sent on: all arrives, in order, soon, whatever the sender does next.
// loopback: host inside
#include "check.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int listener;
static struct sockaddr_in address;

struct pair {
    int here, peer;
};

static struct pair connected(void) {
    struct pair pair = {.peer = socket(AF_INET, SOCK_STREAM, 0)};
    need(!connect(pair.peer, (struct sockaddr *)&address, sizeof address), "connect");
    pair.here = accept(listener, NULL, NULL);
    int on = 1;
    setsockopt(pair.here, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return pair;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

// Sends numbers, each in a piece of its own.
static int send_numbers(int fd, int from, int count) {
    for (int number = from; number < from + count; number++)
        if (send(fd, &number, sizeof number, 0) != sizeof number) return 0;
    return 1;
}

// Whether the numbers come that were sent.
static int receive_numbers(int fd, int from, int count) {
    for (int number = from, got; number < from + count; number++)
        if (recv(fd, &got, sizeof got, MSG_WAITALL) != sizeof got || got != number) return 0;
    return 1;
}

static volatile double arrived;

static void *receives(void *of) {
    struct pair *pair = of;
    long right = receive_numbers(pair->peer, 0, 1000);
    arrived = now();
    return (void *)right;
}

// The sender computes for long after it has sent.
static void soon(void) {
    struct pair pair = connected();
    pthread_t receiver;
    void *right;
    pthread_create(&receiver, NULL, receives, &pair);
    check(send_numbers(pair.here, 0, 1000), "a thousand small pieces");
    double sent = now();
    while (arrived == 0 && now() < sent + 10) continue;
    check(arrived > 0, "they arrive while the sender computes");
    pthread_join(receiver, &right);
    check(right != NULL, "in their order");
    close(pair.here), close(pair.peer);
}

// Pieces lie in pages that nobody has touched: to read them takes time, and perhaps a call of the host's, in mid-send.
static void from_untouched_pages(void) {
    enum { PAGES = 64 };
    struct pair pair = connected();
    int file = open("numbers", O_RDWR | O_CREAT | O_TRUNC, 0600);
    for (int page = 0; page < PAGES; page++) {
        int number = page * 4 + 3;
        pwrite(file, &number, sizeof number, page * 4096L);
    }
    ftruncate(file, PAGES * 4096L);
    char *pages = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    need(pages != MAP_FAILED, "mmap");
    int right = 1;
    for (int page = 0; page < PAGES; page++) {
        right &= send_numbers(pair.here, page * 4, 3);
        right &= send(pair.here, pages + page * 4096, sizeof(int), 0) == sizeof(int);
    }
    check(right && receive_numbers(pair.peer, 0, PAGES * 4), "pieces from pages that nobody has touched");
    check_eq(recv(pair.peer, &right, 1, MSG_DONTWAIT), -1, "and nothing twice");
    munmap(pages, PAGES * 4096), close(file), unlink("numbers");
    close(pair.here), close(pair.peer);
}

static struct pair shared;
static pthread_barrier_t barrier;

static void *takes_turns(void *which) {
    for (int round = 0; round < 200; round++) {
        if (round % 2 == (int)(long)which) send_numbers(shared.here, round * 10, 10);
        pthread_barrier_wait(&barrier);
    }
    return NULL;
}

// Several threads, and processes, send on one stream, one after the other.
static void several_senders(void) {
    shared = connected();
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_t other;
    pthread_create(&other, NULL, takes_turns, (void *)1);
    takes_turns((void *)0);
    pthread_join(other, NULL);
    check(receive_numbers(shared.peer, 0, 2000), "two threads take turns in sending");
    int status, right = 1;
    for (int round = 0; round < 10; round++) {
        right &= send_numbers(shared.here, 2000 + round * 10, 5);
        pid_t child = fork();
        if (child == 0) _exit(!send_numbers(shared.here, 2005 + round * 10, 5));
        right &= waitpid(child, &status, 0) == child && status == 0;
    }
    check(right && receive_numbers(shared.peer, 2000, 100), "so do a process and its children");
    close(shared.here), close(shared.peer);
}

// What was sent before a close, a shutdown or an exit arrives, and the end behind it.
static void ends(void) {
    char byte;
    struct pair pair = connected();
    send_numbers(pair.here, 0, 100);
    close(pair.here);
    check(receive_numbers(pair.peer, 0, 100) && read(pair.peer, &byte, 1) == 0, "close");
    close(pair.peer);
    pair = connected();
    send_numbers(pair.here, 0, 100);
    shutdown(pair.here, SHUT_WR);
    check(receive_numbers(pair.peer, 0, 100) && read(pair.peer, &byte, 1) == 0, "shutdown");
    check_fails(send(pair.here, "x", 1, MSG_NOSIGNAL), EPIPE, "nothing is sent after a shutdown");
    close(pair.here), close(pair.peer);
    pair = connected();
    pid_t child = fork();
    if (child == 0) _exit(!send_numbers(pair.here, 0, 100));
    close(pair.here);
    check(receive_numbers(pair.peer, 0, 100) && read(pair.peer, &byte, 1) == 0, "exit");
    waitpid(child, NULL, 0);
    close(pair.peer);
    pair = connected();
    child = fork();
    if (child == 0) {
        send_numbers(pair.here, 0, 100);
        raise(SIGKILL);
    }
    close(pair.here);
    check(receive_numbers(pair.peer, 0, 100) && read(pair.peer, &byte, 1) == 0, "SIGKILL");
    waitpid(child, NULL, 0);
    close(pair.peer);
}

// A peer that does not read.
static void full(void) {
    struct pair pair = connected();
    int epoll = epoll_create1(0), sent = 0, queued;
    fcntl(pair.here, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLOUT | EPOLLET};
    epoll_ctl(epoll, EPOLL_CTL_ADD, pair.here, &event);
    check_eq(epoll_wait(epoll, &event, 1, -1), 1, "there is room");
    static int piece[256];
    for (ssize_t count; (count = send(pair.here, piece, sizeof piece, 0)) > 0; sent += (int)count) continue;
    check_eq(errno, EAGAIN, "then there is none");
    check(ioctl(pair.here, TIOCOUTQ, &queued) == 0 && queued > 0, "SIOCOUTQ");
    check_eq(epoll_wait(epoll, &event, 1, 20), 0, "and no edge");
    for (ssize_t count; sent > 0 && (count = recv(pair.peer, piece, sizeof piece, 0)) > 0; sent -= (int)count) continue;
    check_eq(sent, 0, "all of it is read");
    check_eq(epoll_wait(epoll, &event, 1, 5000), 1, "an edge, since there is room again");
    check(send_numbers(pair.here, 7, 1) && receive_numbers(pair.peer, 7, 1), "and more goes through");
    close(pair.here), close(pair.peer), close(epoll);
}

static volatile int pipes;

static void on_pipe(int signal) {
    (void)signal;
    pipes++;
}

// The peer has gone.
static void gone(void) {
    signal(SIGPIPE, on_pipe);
    struct pair pair = connected();
    send_numbers(pair.here, 0, 10);
    close(pair.peer);
    int tries = 0;
    while (tries < 1000 && send(pair.here, "x", 1, 0) == 1) {
        tries++;
        usleep(1000);
    }
    check(tries < 1000 && (errno == EPIPE || errno == ECONNRESET), "the error comes with a later piece");
    while (send(pair.here, "x", 1, 0) == 1) continue;
    check(errno == EPIPE && pipes > 0, "then it is EPIPE, with SIGPIPE");
    struct pollfd entry = {pair.here, POLLOUT, 0};
    check(poll(&entry, 1, 0) == 1 && entry.revents & POLLHUP, "POLLHUP");
    close(pair.here);
}

int main(void) {
    listener = socket(AF_INET, SOCK_STREAM, 0);
    address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    need(!bind(listener, (struct sockaddr *)&address, sizeof address) && !listen(listener, 16), "listen");
    getsockname(listener, (struct sockaddr *)&address, &length);
    soon();
    from_untouched_pages();
    several_senders();
    ends();
    full();
    gone();
    return check_done();
}
