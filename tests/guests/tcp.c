// TCP over the loopback interface, client and server in one program.
// loopback: host inside
// linkage: dynamic musl
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
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_in address;
static char data[1 << 20], buffer[1 << 20];

static int option(int fd, int level, int name) {
    int value = -1;
    socklen_t length = sizeof value;
    return getsockopt(fd, level, name, &value, &length) ? -1 : value;
}

static int listening(void) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 16)) return -1;
    getsockname(fd, (struct sockaddr *)&address, &length);
    return fd;
}

static int connected(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    return connect(fd, (struct sockaddr *)&address, sizeof address) ? -1 : fd;
}

static void *echo(void *listener) {
    int fd = accept((int)(long)listener, NULL, NULL);
    static char bytes[65536];
    ssize_t got;
    while ((got = read(fd, bytes, sizeof bytes)) > 0)
        for (ssize_t at = 0; at < got;) at += write(fd, bytes + at, (size_t)(got - at));
    close(fd);
    return NULL;
}

static void *send_all(void *to) {
    for (size_t at = 0; at < sizeof data;) at += (size_t)write((int)(long)to, data + at, sizeof data - at);
    shutdown((int)(long)to, SHUT_WR);
    return NULL;
}

static long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static void options(int fd) {
    int on = 1;
    struct timeval timeout = {0, 50000}, told;
    check(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
              option(fd, IPPROTO_TCP, TCP_NODELAY) == 1,
          "TCP_NODELAY");
    check(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) == 0 &&
              option(fd, SOL_SOCKET, SO_KEEPALIVE) == 1,
          "SO_KEEPALIVE");
    check_eq(option(fd, SOL_SOCKET, SO_TYPE), SOCK_STREAM, "SO_TYPE");
    check_eq(option(fd, SOL_SOCKET, SO_DOMAIN), AF_INET, "SO_DOMAIN");
    check_eq(option(fd, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP, "SO_PROTOCOL");
    check_eq(option(fd, SOL_SOCKET, SO_ERROR), 0, "SO_ERROR");
    check(option(fd, SOL_SOCKET, SO_RCVBUF) > 0 && option(fd, SOL_SOCKET, SO_SNDBUF) > 0, "buffers");
    struct linger linger = {1, 3}, kept;
    socklen_t length = sizeof kept;
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    check(getsockopt(fd, SOL_SOCKET, SO_LINGER, &kept, &length) == 0 && kept.l_linger == 3, "SO_LINGER");
    linger.l_onoff = 0;
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    length = sizeof told;
    check(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &told, &length) == 0 && told.tv_usec >= 50000 &&
              told.tv_usec < 60000,
          "SO_RCVTIMEO");
    long start = now();
    check_fails(recv(fd, buffer, 1, 0), EAGAIN, "a receive times out");
    check(now() - start >= 49, "not too early");
    timeout.tv_usec = 0;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    check_fails(setsockopt(fd, SOL_SOCKET, 9999, &on, sizeof on), ENOPROTOOPT, "no such option");
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < sizeof data; i++) data[i] = (char)(i * 13 + i / 4096);
    int listener = listening();
    need(listener >= 0 && ntohs(address.sin_port) != 0, "a listening socket on a free port");
    struct sockaddr_in peer, mine;
    socklen_t length = sizeof peer;
    int client = connected();
    need(client >= 0, "connect");
    check_fails(connect(client, (struct sockaddr *)&address, sizeof address), EISCONN, "it is connected already");
    int server = accept4(listener, (struct sockaddr *)&peer, &length, SOCK_CLOEXEC);
    need(server >= 0, "accept4");
    check_eq(fcntl(server, F_GETFD), FD_CLOEXEC, "SOCK_CLOEXEC");
    length = sizeof mine;
    getsockname(client, (struct sockaddr *)&mine, &length);
    check(peer.sin_port == mine.sin_port && peer.sin_addr.s_addr == htonl(INADDR_LOOPBACK),
          "the peer is the client");
    length = sizeof mine;
    check(getpeername(client, (struct sockaddr *)&mine, &length) == 0 && mine.sin_port == address.sin_port,
          "getpeername");

    check_eq(send(client, "hello", 5, 0), 5, "send");
    struct pollfd poller = {server, POLLIN | POLLOUT, 0};
    check(poll(&poller, 1, 5000) == 1, "poll");
    while (!(poller.revents & POLLIN)) poll(&poller, 1, 5000);
    check_eq(recv(server, buffer, 10, MSG_PEEK), 5, "MSG_PEEK");
    int waiting;
    check(ioctl(server, FIONREAD, &waiting) == 0 && waiting == 5, "FIONREAD");
    check(recv(server, buffer, 2, 0) == 2 && recv(server, buffer + 2, 10, 0) == 3 &&
              memcmp(buffer, "hello", 5) == 0,
          "in parts");
    check_fails(recv(server, buffer, 1, MSG_DONTWAIT), EAGAIN, "MSG_DONTWAIT");
    struct iovec out[3] = {{"one", 3}, {"two", 3}, {"three", 5}}, in[2] = {{buffer, 4}, {buffer + 100, 7}};
    struct msghdr message = {.msg_iov = out, .msg_iovlen = 3};
    check_eq(sendmsg(server, &message, 0), 11, "sendmsg gathers");
    message = (struct msghdr){.msg_iov = in, .msg_iovlen = 2};
    check(recvmsg(client, &message, MSG_WAITALL) == 11 && memcmp(buffer, "onet", 4) == 0 &&
              memcmp(buffer + 100, "wothree", 7) == 0,
          "recvmsg scatters");
    check(writev(client, out, 2) == 6 && recv(server, buffer, 6, MSG_WAITALL) == 6, "writev");
    options(client);

    pthread_t thread;
    pthread_create(&thread, NULL, send_all, (void *)(long)client);
    size_t got = 0;
    ssize_t part;
    while ((part = read(server, buffer + got, sizeof buffer - got)) > 0) got += (size_t)part;
    pthread_join(thread, NULL);
    check(got == sizeof data && memcmp(data, buffer, sizeof data) == 0, "a megabyte");
    check(part == 0, "and an end");
    check_eq(write(server, "bye", 3), 3, "the other half is open");
    check_eq(recv(client, buffer, 10, 0), 3, "and arrives");
    check_fails(send(client, "x", 1, 0), EPIPE, "a half that is shut");
    close(server);
    poller = (struct pollfd){client, POLLIN | POLLRDHUP, 0};
    check(poll(&poller, 1, 5000) == 1 && poller.revents & POLLRDHUP, "POLLRDHUP");
    check_eq(recv(client, buffer, 10, 0), 0, "the end");
    close(client);

    pthread_create(&thread, NULL, echo, (void *)(long)listener);
    client = connected();
    int good = 1;
    for (int i = 0; i < 500; i++)
        good &= send(client, data + i, 100, 0) == 100 && recv(client, buffer, 100, MSG_WAITALL) == 100 &&
                memcmp(data + i, buffer, 100) == 0;
    check(good, "500 times to and fro");
    int file = open("file", O_RDWR | O_CREAT, 0644);
    need(write(file, data, 100000) == 100000, "a file");
    off_t at = 0;
    while (at < 100000 && sendfile(client, file, &at, (size_t)(100000 - at)) > 0) {
    }
    check(at == 100000 && recv(client, buffer, 100000, MSG_WAITALL) == 100000 &&
              memcmp(data, buffer, 100000) == 0,
          "sendfile");
    shutdown(client, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(client);

    // Without waiting.
    client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int epoll = epoll_create1(0), result = connect(client, (struct sockaddr *)&address, sizeof address);
    check(result == 0 || errno == EINPROGRESS, "a connect that does not wait");
    struct epoll_event event = {.events = EPOLLOUT};
    epoll_ctl(epoll, EPOLL_CTL_ADD, client, &event);
    check(epoll_wait(epoll, &event, 1, 5000) == 1 && event.events == EPOLLOUT &&
              option(client, SOL_SOCKET, SO_ERROR) == 0,
          "is told by epoll");
    server = accept(listener, NULL, NULL);
    check_fails(recv(client, buffer, 1, 0), EAGAIN, "nothing to read");
    long sent = 0;
    while ((part = send(client, data, sizeof data, 0)) > 0) sent += part;
    check(errno == EAGAIN && sent > 10000, "until it is full");
    long received = 0;
    while (received < sent && (part = recv(server, buffer, sizeof buffer, 0)) > 0) received += part;
    check_eq(received, sent, "all arrives");
    check(epoll_wait(epoll, &event, 1, 5000) == 1 && event.events & EPOLLOUT, "and there is room again");
    struct linger reset = {1, 0};
    setsockopt(server, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(server);
    epoll_wait(epoll, &event, 1, 5000);
    poller = (struct pollfd){client, POLLIN, 0};
    poll(&poller, 1, 5000);
    check_fails(recv(client, buffer, 1, 0), ECONNRESET, "a reset");
    close(client), close(listener);
    client = socket(AF_INET, SOCK_STREAM, 0);
    check_fails(connect(client, (struct sockaddr *)&address, sizeof address), ECONNREFUSED,
                "nobody listens any more");
    struct sockaddr_in other = address;
    other.sin_family = 47;
    check_fails(connect(client, (struct sockaddr *)&other, sizeof other), EAFNOSUPPORT, "another family");
    check_fails(connect(client, (struct sockaddr *)&address, sizeof address), ECONNREFUSED, "nor the next time");
    check_fails(getpeername(client, (struct sockaddr *)&peer, &length), ENOTCONN, "not connected");
    check_fails(send(client, "x", 1, 0), EPIPE, "nothing to send to");
    check_fails(accept(client, NULL, NULL), EINVAL, "accept without listen");
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    check_fails(bind(client, (struct sockaddr *)&six, 4), EINVAL, "a short address");
    return check_done();
}
