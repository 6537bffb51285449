// poll and epoll under a host that lies about what has happened.
#include "claims.h"
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define PAIRS 3
static int near[PAIRS], far[PAIRS];
static struct guarded events;

static void connect_pairs(void) {
    int server = seen(socket(AF_INET, SOCK_STREAM, 0));
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof own;
    seen(bind(server, (void *)&own, len));
    seen(listen(server, PAIRS));
    seen(getsockname(server, (void *)&own, &len));
    for (int i = 0; i < PAIRS; i++) {
        near[i] = seen(socket(AF_INET, SOCK_STREAM, 0));
        seen(connect(near[i], (void *)&own, len));
        far[i] = seen(accept(server, NULL, NULL));
    }
    seen(close(server));
}

static void polls(int pipe_end) {
    struct pollfd *entries = guard(&events);
    for (int i = 0; i < PAIRS; i++) {
        entries[i] = (struct pollfd){near[i], i == 1 ? POLLIN | POLLOUT : POLLIN, 0x7777};
    }
    entries[PAIRS] = (struct pollfd){pipe_end, POLLIN, 0x7777};
    entries[PAIRS + 1] = (struct pollfd){-1, POLLIN, 0x7777};
    for (int round = 0; round < 3; round++) {
        int ready = seen(poll(entries, PAIRS + 2, round * 20)), found = 0;
        untouched_behind(&events, (PAIRS + 2) * sizeof *entries);
        if (ready < 0) continue;
        for (int i = 0; i < PAIRS + 2; i++) {
            found += entries[i].revents != 0;
            promise(!(entries[i].revents & ~(entries[i].events | POLLERR | POLLHUP | POLLNVAL)), entries[i].revents);
        }
        promise(found == ready, ready);
        // This is between programs inside, whatever the host says.
        promise(entries[PAIRS].revents == 0, entries[PAIRS].revents);
        promise(entries[PAIRS + 1].revents == 0, entries[PAIRS + 1].revents);
    }
    fd_set readable;
    FD_ZERO(&readable);
    if (near[0] >= 0) FD_SET(near[0], &readable);
    FD_SET(pipe_end, &readable);
    struct timeval wait = {0, 10000};
    int ready = seen(select(FD_SETSIZE, &readable, NULL, NULL, &wait));
    if (ready >= 0) {
        promise(!FD_ISSET(pipe_end, &readable), 0);
        promise(ready == (near[0] >= 0 && FD_ISSET(near[0], &readable)), ready);
    }
}

// The data of each member, which only it has.
static const uint64_t DATA[PAIRS + 1] = {0x1111111111111111, 0x2222222222222222, 0x3333333333333333, 0x4444444444444444};
static const uint32_t ASKED[PAIRS + 1] = {EPOLLIN, EPOLLIN | EPOLLOUT, EPOLLIN | EPOLLOUT | EPOLLONESHOT, EPOLLIN};
static int is_member[PAIRS + 1], shots;

static void wait_once(int epoll, int most, int limit) {
    struct epoll_event *found = guard(&events);
    int count = seen(epoll_wait(epoll, found, most, limit));
    promise(count <= most, count);
    untouched_behind(&events, count < 0 ? 0 : count * sizeof *found);
    int times[PAIRS + 1] = {0};
    for (int i = 0; i < count; i++) {
        int which = 0;
        while (which <= PAIRS && DATA[which] != found[i].data.u64) which++;
        promise(which <= PAIRS, found[i].data.u64);
        promise(is_member[which], which);
        promise(++times[which] == 1, which);
        promise(found[i].events != 0, which);
        promise(!(found[i].events & ~(ASKED[which] | EPOLLERR | EPOLLHUP)), found[i].events);
        if (which == 2) promise(++shots == 1, shots);
    }
}

// Reads what there may be, in small parts, here or in another thread.
static void *reads(void *unused) {
    for (int i = 0; i < PAIRS; i++) {
        if (near[i] < 0) continue;
        int count = -1;
        if (seen(ioctl(near[i], FIONREAD, &count)) == 0) promise(count >= 0, count);
        for (int part = 0; part < 3; part++) {
            char *bytes = guard(&events);
            long got = seen(recv(near[i], bytes, 5, MSG_DONTWAIT));
            promise(got <= 5, got);
            untouched_behind(&events, got);
        }
    }
    return unused;
}

static void epolls(int pipe_end) {
    int epoll = seen(epoll_create1(0));
    for (int i = 0; i <= PAIRS; i++) {
        struct epoll_event event = {ASKED[i], {.u64 = DATA[i]}};
        int fd = i < PAIRS ? near[i] : pipe_end;
        is_member[i] = seen(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) == 0;
    }
    for (int round = 0; round < 4; round++) {
        wait_once(epoll, 100, round * 10);
        if (round == 1) reads(NULL);
    }
    pthread_t other;
    if (far[1] >= 0) seen(send(far[1], "another byte", 12, MSG_NOSIGNAL));
    wait_once(epoll, 100, 10);
    // A host may have no more threads.
    if (pthread_create(&other, NULL, reads, NULL) == 0) promise(pthread_join(other, NULL) == 0, errno);
    wait_once(epoll, 1, 10);
    shots = 0;
    struct epoll_event again = {ASKED[2], {.u64 = DATA[2]}};
    if (is_member[2]) seen(epoll_ctl(epoll, EPOLL_CTL_MOD, near[2], &again));
    for (int round = 0; round < 3; round++) wait_once(epoll, 100, 10);
    for (int i = 0; i < PAIRS; i++) {
        if (is_member[i]) seen(epoll_ctl(epoll, EPOLL_CTL_DEL, near[i], NULL));
        is_member[i] = 0;
        wait_once(epoll, 100, 5);
    }
    seen(close(epoll));
}

int main(void) {
    keep_secrets();
    connect_pairs();
    int ends[2];
    promise(pipe(ends) == 0, errno);
    if (far[0] >= 0) seen(send(far[0], "x", 1, MSG_NOSIGNAL));
    polls(ends[0]);
    epolls(ends[0]);
    return end();
}
