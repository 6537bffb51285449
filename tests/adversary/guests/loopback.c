// Two programs that talk to each other over loopback addresses, which are their own, while the host lies about all sockets that it has:
// what is inside works as if there was no host, and nobody from outside is taken for one of them.
#include "claims.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>

static struct sockaddr_in at(in_addr_t address, in_port_t port) {
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port, .sin_addr = {htonl(address)}};
}

static int is_loopback(const struct sockaddr_in *address) {
    in_addr_t number = ntohl(address->sin_addr.s_addr);
    return number >> 24 == 127 || number == 0;
}

static in_port_t port_of(int fd) {
    struct sockaddr_in own;
    socklen_t len = sizeof own;
    promise(getsockname(fd, (void *)&own, &len) == 0, errno);
    return own.sin_port;
}

// A process sends secrets to another, by both protocols; none of it can fail.
static void inside(void) {
    int server = socket(AF_INET, SOCK_STREAM, 0), datagrams = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in own = at(INADDR_LOOPBACK, 0);
    promise(server >= 0 && datagrams >= 0, errno);
    promise(bind(server, (void *)&own, sizeof own) == 0 && listen(server, 4) == 0, errno);
    promise(bind(datagrams, (void *)&own, sizeof own) == 0, errno);
    struct sockaddr_in to = at(INADDR_LOOPBACK, port_of(server)), other = at(INADDR_LOOPBACK, port_of(datagrams));
    pid_t child = fork();
    if (child == 0) {
        int client = socket(AF_INET, SOCK_STREAM, 0), loose = socket(AF_INET, SOCK_DGRAM, 0);
        promise(connect(client, (void *)&to, sizeof to) == 0, errno);
        for (int i = 0; i < 100; i++) promise(write(client, secret, 32) == 32, errno);
        char answer;
        promise(read(client, &answer, 1) == 1 && answer == 'y', errno);
        promise(sendto(loose, secret, 32, 0, (void *)&other, sizeof other) == 32, errno);
        _exit(0);
    }
    promise(child > 0, errno);
    struct sockaddr_in peer;
    socklen_t len = sizeof peer;
    int epoll = epoll_create1(0), fd;
    struct epoll_event event = {.events = EPOLLIN};
    promise(epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, server, &event) == 0, errno);
    promise(epoll_wait(epoll, &event, 1, 20000) == 1, errno);
    fd = accept(server, (void *)&peer, &len);
    promise(fd >= 0 && peer.sin_addr.s_addr == htonl(INADDR_LOOPBACK), errno);
    char bytes[3200];
    promise(recv(fd, bytes, 3200, MSG_WAITALL) == 3200 && memcmp(bytes + 3168, secret, 32) == 0, errno);
    promise(write(fd, "y", 1) == 1, errno);
    len = sizeof peer;
    promise(recvfrom(datagrams, bytes, 100, 0, (void *)&peer, &len) == 32 && is_loopback(&peer), errno);
    promise(memcmp(bytes, secret, 32) == 0, 0);
    int status;
    promise(waitpid(child, &status, 0) == child && status == 0, status);
    close(fd), close(server), close(datagrams), close(epoll);
    // A port that nobody has is refused without a question.
    int late = socket(AF_INET, SOCK_STREAM, 0);
    promise(connect(late, (void *)&to, sizeof to) == -1 && errno == ECONNREFUSED, errno);
    close(late);
}

// A server at all addresses takes its own for its own, and no other.
static void at_both(void) {
    int server = seen(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)), client = seen(socket(AF_INET, SOCK_STREAM, 0));
    struct sockaddr_in all = at(INADDR_ANY, 0);
    // The host has its word in these two.
    if (seen(bind(server, (void *)&all, sizeof all)) || seen(listen(server, 4))) {
        close(server), close(client);
        return;
    }
    struct sockaddr_in to = at(INADDR_LOOPBACK, port_of(server)), own;
    promise(connect(client, (void *)&to, sizeof to) == 0, errno);
    promise(write(client, secret, 32) == 32, errno);
    in_port_t port = port_of(client);
    int found = 0;
    for (int i = 0; i < 40; i++) {
        struct sockaddr_in peer;
        socklen_t len = sizeof peer;
        int fd = seen(accept(server, (void *)&peer, &len));
        if (fd < 0) continue;
        if (is_loopback(&peer)) {
            char bytes[32];
            promise(peer.sin_port == port && !found++, ntohs(peer.sin_port));
            promise(read(fd, bytes, 32) == 32 && memcmp(bytes, secret, 32) == 0, errno);
        }
        len = sizeof own;
        if (seen(getpeername(fd, (void *)&own, &len)) == 0) promise(own.sin_addr.s_addr == peer.sin_addr.s_addr, 0);
        close(fd);
    }
    promise(found == 1, found);
    struct pollfd one = {server, POLLIN, 0};
    seen(poll(&one, 1, 10));
    close(server), close(client);
}

static void datagrams_at_both(void) {
    int server = seen(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0)), client = seen(socket(AF_INET, SOCK_DGRAM, 0));
    struct sockaddr_in all = at(INADDR_ANY, 0);
    if (seen(bind(server, (void *)&all, sizeof all))) {
        close(server), close(client);
        return;
    }
    struct sockaddr_in to = at(INADDR_LOOPBACK, port_of(server));
    promise(sendto(client, secret, 32, 0, (void *)&to, sizeof to) == 32, errno);
    int found = 0;
    for (int i = 0; i < 40; i++) {
        struct sockaddr_in peer = {0};
        socklen_t len = sizeof peer;
        char bytes[100];
        long count = seen(recvfrom(server, bytes, sizeof bytes, 0, (void *)&peer, &len));
        if (count < 0 || len == 0) continue;
        if (is_loopback(&peer)) promise(count == 32 && memcmp(bytes, secret, 32) == 0 && !found++, count);
    }
    promise(found == 1, found);
    close(server), close(client);
}

int main(void) {
    keep_secrets();
    signal(SIGPIPE, SIG_IGN);
    inside();
    at_both();
    datagrams_at_both();
    inside();
    return end();
}
