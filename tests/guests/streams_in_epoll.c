// TCP streams that are members of epoll instances: what has come is there for whoever reads, in order, however it is read.
// loopback: host inside
#include "check.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int listener;
static struct sockaddr_in address;
static char bytes[1 << 17];

struct pair {
    int here, peer;
};

static struct pair connected(void) {
    struct pair pair = {.peer = socket(AF_INET, SOCK_STREAM, 0)};
    need(!connect(pair.peer, (struct sockaddr *)&address, sizeof address), "connect");
    pair.here = accept(listener, NULL, NULL);
    fcntl(pair.here, F_SETFL, O_NONBLOCK);
    return pair;
}

static void end(struct pair pair, int epoll) {
    close(pair.here), close(pair.peer), close(epoll);
}

// An instance with one member.
static int watching(int fd, unsigned events) {
    int epoll = epoll_create1(0);
    struct epoll_event event = {.events = events, .data.fd = fd};
    need(!epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), "EPOLL_CTL_ADD");
    return epoll;
}

// The events of the only member within a time in milliseconds; 0 for none.
static unsigned happened(int epoll, int limit) {
    struct epoll_event events[4] = {};
    int count = epoll_wait(epoll, events, 4, limit);
    return count == 1 ? events[0].events : (unsigned)count;
}

static int unread(int fd) {
    int count = -1;
    return ioctl(fd, FIONREAD, &count) ? -1 : count;
}

// Waits until so much is there.
static void await(int fd, int count) {
    while (unread(fd) < count) usleep(1000);
}

// Reads so much, in however many parts; the sum of the bytes.
static long sum(int fd, size_t count) {
    long sum = 0;
    while (count > 0) {
        ssize_t got = read(fd, bytes, count < sizeof bytes ? count : sizeof bytes);
        if (got == 0) return -1;
        if (got < 0 && errno != EAGAIN) return -2;
        for (ssize_t at = 0; at < got; at++) sum += bytes[at];
        if (got > 0) count -= (size_t)got;
    }
    return sum;
}

static void level(void) {
    struct pair pair = connected();
    int epoll = watching(pair.here, EPOLLIN | EPOLLRDHUP);
    check_eq(happened(epoll, 0), 0, "nothing has come");
    write(pair.peer, "0123456789", 10);
    check_eq(happened(epoll, -1), EPOLLIN, "something has come");
    check_eq(unread(pair.here), 10, "FIONREAD");
    check(read(pair.here, bytes, 4) == 4 && !memcmp(bytes, "0123", 4), "a part is read");
    check_eq(happened(epoll, -1), EPOLLIN, "the level lasts");
    check_eq(happened(epoll, 0), EPOLLIN, "it lasts for who does not wait");
    check_eq(unread(pair.here), 6, "FIONREAD of the rest");
    check(recv(pair.here, bytes, 20, MSG_PEEK) == 6 && !memcmp(bytes, "456789", 6), "MSG_PEEK");
    write(pair.peer, "abcde", 5);
    await(pair.here, 11);
    check_eq(unread(pair.here), 11, "FIONREAD, more has come");
    check_eq(sum(pair.here, 11), '4' + '5' + '6' + '7' + '8' + '9' + 'a' + 'b' + 'c' + 'd' + 'e', "all is read");
    check_fails(read(pair.here, bytes, 1), EAGAIN, "nothing more");
    check_eq(happened(epoll, 0), 0, "the level is over");
    write(pair.peer, "x", 1);
    shutdown(pair.peer, SHUT_WR);
    while (happened(epoll, -1) != (EPOLLIN | EPOLLRDHUP)) continue;
    check_eq(read(pair.here, bytes, 9), 1, "the last byte");
    check_eq(read(pair.here, bytes, 9), 0, "the end");
    check_eq(read(pair.here, bytes, 9), 0, "the end, again");
    check_eq(happened(epoll, 0), EPOLLIN | EPOLLRDHUP, "the end lasts");
    end(pair, epoll);
}

static void edge(void) {
    struct pair pair = connected();
    int epoll = watching(pair.here, EPOLLIN | EPOLLET);
    write(pair.peer, "0123", 4);
    check_eq(happened(epoll, -1), EPOLLIN, "an edge");
    check_eq(read(pair.here, bytes, 2), 2, "a part is read");
    check_eq(happened(epoll, 20), 0, "an edge is told once");
    write(pair.peer, "4567", 4);
    check_eq(happened(epoll, -1), EPOLLIN, "another edge");
    check_eq(sum(pair.here, 6), '2' + '3' + '4' + '5' + '6' + '7', "all is read");
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    write(pair.peer, "89", 2);
    check_eq(happened(epoll, -1), EPOLLIN, "a third edge");
    check_eq(epoll_ctl(epoll, EPOLL_CTL_MOD, pair.here, &event), 0, "EPOLL_CTL_MOD");
    check_eq(happened(epoll, 0), EPOLLIN, "it is told again after a change");
    event.events = EPOLLIN | EPOLLONESHOT;
    epoll_ctl(epoll, EPOLL_CTL_MOD, pair.here, &event);
    check_eq(happened(epoll, -1), EPOLLIN, "EPOLLONESHOT");
    check_eq(happened(epoll, 20), 0, "it is told once");
    epoll_ctl(epoll, EPOLL_CTL_MOD, pair.here, &event);
    check_eq(happened(epoll, 0), EPOLLIN, "and once more when it is asked for again");
    check_eq(sum(pair.here, 2), '8' + '9', "the rest is read");
    end(pair, epoll);
}

// More comes before the first is read, and the member is changed, or taken out and put in again, in between.
static void changed(void) {
    struct pair pair = connected();
    int epoll = watching(pair.here, EPOLLIN);
    struct epoll_event event = {.events = EPOLLIN};
    write(pair.peer, "01", 2);
    check_eq(happened(epoll, -1), EPOLLIN, "something has come");
    check_eq(epoll_ctl(epoll, EPOLL_CTL_MOD, pair.here, &event), 0, "EPOLL_CTL_MOD");
    write(pair.peer, "23", 2);
    await(pair.here, 4);
    check_eq(happened(epoll, -1), EPOLLIN, "it is told again");
    check_eq(read(pair.here, bytes, 1), 1, "a part is read");
    epoll_ctl(epoll, EPOLL_CTL_DEL, pair.here, NULL);
    write(pair.peer, "45", 2);
    await(pair.here, 5);
    check_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, pair.here, &event), 0, "EPOLL_CTL_ADD");
    for (int round = 0; round < 3; round++) check_eq(happened(epoll, -1), EPOLLIN, "the level lasts");
    write(pair.peer, "67", 2);
    await(pair.here, 7);
    for (int round = 0; round < 3; round++) check_eq(happened(epoll, -1), EPOLLIN, "and lasts");
    for (char next = '1'; next < '8'; next++)
        check(read(pair.here, bytes, 1) == 1 && bytes[0] == next, "all comes in its order");
    check_eq(happened(epoll, 0), 0, "the level is over");
    end(pair, epoll);
}

// The end comes right behind the data, and there is one edge for both.
static void edge_and_end(void) {
    struct pair pair = connected();
    int epoll = watching(pair.here, EPOLLIN | EPOLLET);
    write(pair.peer, "0123", 4);
    shutdown(pair.peer, SHUT_WR);
    usleep(10000);
    check_eq(happened(epoll, -1), EPOLLIN, "data and the end");
    check_eq(read(pair.here, bytes, 100), 4, "the data");
    check_eq(read(pair.here, bytes, 100), 0, "the end");
    end(pair, epoll);
    pair = connected();
    epoll = watching(pair.here, EPOLLOUT);
    shutdown(pair.peer, SHUT_WR);
    usleep(10000);
    check_eq(happened(epoll, -1), EPOLLOUT, "who does not ask for data is not told of the end");
    end(pair, epoll);
}

static void other_ways(void) {
    struct pair pair = connected();
    int epoll = watching(pair.here, EPOLLIN), other = watching(pair.here, EPOLLIN);
    write(pair.peer, "0123456789", 10);
    check_eq(happened(epoll, -1), EPOLLIN, "one instance tells");
    check_eq(happened(other, -1), EPOLLIN, "the other one, too");
    struct pollfd entry = {pair.here, POLLIN, 0};
    check(poll(&entry, 1, -1) == 1 && entry.revents == POLLIN, "poll");
    entry.events = POLLIN | POLLOUT;
    check(poll(&entry, 1, -1) == 1 && entry.revents == (POLLIN | POLLOUT), "poll, with room to write");
    entry = (struct pollfd){epoll, POLLIN, 0};
    check(poll(&entry, 1, 0) == 1 && entry.revents == POLLIN, "the instance is readable");
    int copy = dup(pair.here);
    check_eq(read(copy, bytes, 1), 1, "a copy of the descriptor");
    pid_t child = fork();
    if (child == 0) _exit(read(pair.here, bytes, 2) == 2 && bytes[1] == '2' ? 0 : 1);
    int status;
    check(waitpid(child, &status, 0) == child && status == 0, "a child reads on");
    check_eq(happened(epoll, 0), EPOLLIN, "there is more");
    check_eq(epoll_ctl(epoll, EPOLL_CTL_DEL, pair.here, NULL), 0, "EPOLL_CTL_DEL");
    check_eq(happened(other, 0), EPOLLIN, "the other instance still tells");
    write(pair.peer, "abc", 3);
    fcntl(pair.here, F_SETFL, 0);
    check(recv(pair.here, bytes, 10, MSG_WAITALL | MSG_PEEK) == 10 && !memcmp(bytes, "3456789abc", 10), "MSG_WAITALL, MSG_PEEK");
    check(recv(pair.here, bytes, 10, MSG_WAITALL) == 10 && !memcmp(bytes, "3456789abc", 10), "MSG_WAITALL");
    close(copy), close(other);
    end(pair, epoll);
}

static void splices(void) {
    struct pair pair = connected();
    int epoll = watching(pair.here, EPOLLIN), pipes[2];
    need(!pipe(pipes), "pipe");
    write(pair.peer, "0123456789", 10);
    check_eq(happened(epoll, -1), EPOLLIN, "something has come");
    check_eq(recv(pair.here, bytes, 3, MSG_TRUNC), 3, "MSG_TRUNC drops");
    check_eq(splice(pair.here, NULL, pipes[1], NULL, 100, 0), 7, "splice");
    check(read(pipes[0], bytes, 100) == 7 && !memcmp(bytes, "3456789", 7), "from the pipe");
    int least = 4;
    check_eq(setsockopt(pair.here, SOL_SOCKET, SO_RCVLOWAT, &least, sizeof least), 0, "SO_RCVLOWAT");
    write(pair.peer, "01", 2);
    await(pair.here, 2);
    check_eq(happened(epoll, 20), 0, "less than the least");
    write(pair.peer, "23", 2);
    check_eq(happened(epoll, -1), EPOLLIN, "as much as the least");
    check_eq(sum(pair.here, 4), '0' + '1' + '2' + '3', "it is read");
    close(pipes[0]), close(pipes[1]);
    end(pair, epoll);
}

// Linux resets a connection that is closed before all was read.
static void resets(void) {
    struct pair pair = connected();
    int epoll = watching(pair.here, EPOLLIN);
    write(pair.peer, "0123456789", 10);
    check_eq(happened(epoll, -1), EPOLLIN, "something has come");
    check_eq(read(pair.here, bytes, 3), 3, "a part is read");
    close(pair.here);
    check_fails(read(pair.peer, bytes, 1), ECONNRESET, "a close before the rest is read");
    close(pair.peer), close(epoll);
    pair = connected();
    epoll = watching(pair.here, EPOLLIN);
    write(pair.peer, "0123456789", 10);
    check_eq(happened(epoll, -1), EPOLLIN, "something has come");
    check_eq(sum(pair.here, 10), 45 + 10 * '0', "all is read");
    close(pair.here);
    check_eq(read(pair.peer, bytes, 1), 0, "a close after that");
    close(pair.peer), close(epoll);
}

enum { TOTAL = 3 << 20 };

static void *sends(void *to) {
    static char block[1 << 16];
    unsigned random = 1;
    for (size_t at = 0; at < TOTAL;) {
        random = random * 1103515245 + 12345;
        size_t count = random >> 16 & 7 ? (random >> 20) % 300 + 1 : sizeof block;
        if (count > TOTAL - at) count = TOTAL - at;
        for (size_t index = 0; index < count; index++) block[index] = (char)((at + index) % 251);
        for (size_t done = 0; done < count;) done += (size_t)write((int)(long)to, block + done, count - done);
        at += count;
    }
    shutdown((int)(long)to, SHUT_WR);
    return NULL;
}

// Whether `got` bytes are those that follow after `at`.
static int follow(size_t at, ssize_t got) {
    for (ssize_t index = 0; index < got; index++)
        if (bytes[index] != (char)((at + (size_t)index) % 251)) return 0;
    return 1;
}

// Reads until there is nothing at each event.
static void a_lot(unsigned events, size_t piece, const char *name) {
    struct pair pair = connected();
    int epoll = watching(pair.here, events), right = 1;
    pthread_t sender;
    pthread_create(&sender, NULL, sends, (void *)(long)pair.peer);
    size_t at = 0;
    for (ssize_t got = 1; got != 0;) {
        happened(epoll, -1);
        while ((got = read(pair.here, bytes, piece)) > 0) {
            right &= follow(at, got);
            at += (size_t)got;
            if (!(events & EPOLLET) && at % 3) break;
        }
    }
    check(right && at == TOTAL, name);
    pthread_join(sender, NULL);
    end(pair, epoll);
}

static volatile int is_over;

static void *waits(void *epoll) {
    while (!is_over) happened((int)(long)epoll, 10);
    return NULL;
}

// One thread waits, another one reads.
static void two_threads(void) {
    struct pair pair = connected();
    int epoll = watching(pair.here, EPOLLIN), right = 1;
    happened(epoll, 0);
    pthread_t sender, waiter;
    pthread_create(&waiter, NULL, waits, (void *)(long)epoll);
    pthread_create(&sender, NULL, sends, (void *)(long)pair.peer);
    size_t at = 0;
    fcntl(pair.here, F_SETFL, 0);
    for (ssize_t got; (got = read(pair.here, bytes, 1000)) > 0; at += (size_t)got) right &= follow(at, got);
    check(right && at == TOTAL, "one thread waits, another one reads");
    is_over = 1;
    pthread_join(sender, NULL), pthread_join(waiter, NULL);
    end(pair, epoll);
}

static struct pair later;

static void *reads_later(void *result) {
    size_t at = 0;
    int right = 1;
    fcntl(later.here, F_SETFL, 0);
    for (ssize_t got; (got = read(later.here, bytes, 1000)) > 0; at += (size_t)got) right &= follow(at, got);
    *(int *)result = right && at == TOTAL;
    return NULL;
}

// The thread that waits leaves the reading to another one, while it waits on.
static void handed_over(void) {
    for (int round = 0; round < 20; round++) {
        later = connected();
        int epoll = watching(later.here, EPOLLIN), right = 0;
        pthread_t sender, reader;
        pthread_create(&sender, NULL, sends, (void *)(long)later.peer);
        happened(epoll, -1);
        pthread_create(&reader, NULL, reads_later, &right);
        for (int count = 0; count < 200; count++) happened(epoll, 1);
        pthread_join(sender, NULL), pthread_join(reader, NULL);
        end(later, epoll);
        if (!right) {
            check(0, "a stream is handed over to another thread");
            return;
        }
    }
    check(1, "a stream is handed over to another thread");
}

int main(void) {
    listener = socket(AF_INET, SOCK_STREAM, 0);
    address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    need(!bind(listener, (struct sockaddr *)&address, sizeof address) && !listen(listener, 16), "listen");
    getsockname(listener, (struct sockaddr *)&address, &length);
    level();
    edge();
    edge_and_end();
    changed();
    other_ways();
    splices();
    resets();
    a_lot(EPOLLIN, 700, "much, level-triggered, in small parts");
    a_lot(EPOLLIN | EPOLLET, sizeof bytes, "much, edge-triggered, in large parts");
    a_lot(EPOLLIN | EPOLLET, 5000, "much, edge-triggered, in small parts");
    two_threads();
    handed_over();
    return check_done();
}
