// Options of sockets: what programs set before they serve or connect, and what they read back.
// loopback: host inside
#include "check.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static int get(int fd, int level, int name) {
    int value = -1;
    socklen_t len = sizeof value;
    return getsockopt(fd, level, name, &value, &len) == 0 && len == sizeof value ? value : -1000 - errno;
}

static int set(int fd, int level, int name, int value) {
    return setsockopt(fd, level, name, &value, sizeof value);
}

static void general(int fd, int type, int domain, int protocol, const char *name) {
    check_eq(get(fd, SOL_SOCKET, SO_TYPE), type, name);
    check_eq(get(fd, SOL_SOCKET, SO_DOMAIN), domain, name);
    check_eq(get(fd, SOL_SOCKET, SO_PROTOCOL), protocol, name);
    check_eq(get(fd, SOL_SOCKET, SO_ERROR), 0, name);
    check_eq(get(fd, SOL_SOCKET, SO_ACCEPTCONN), 0, name);
    check_fails(set(fd, SOL_SOCKET, SO_TYPE, 1), ENOPROTOOPT, name);
    check_fails(get(fd, SOL_SOCKET, 9999) == -1000 - ENOPROTOOPT ? (errno = ENOPROTOOPT, -1) : 0, ENOPROTOOPT, name);
    for (int option = 0; option < 3; option++) {
        static const int options[] = {SO_REUSEADDR, SO_KEEPALIVE, SO_BROADCAST};
        check_eq(get(fd, SOL_SOCKET, options[option]), 0, name);
        check_eq(set(fd, SOL_SOCKET, options[option], 7), 0, name);
        check_eq(get(fd, SOL_SOCKET, options[option]), 1, name);
    }
    check_eq(set(fd, SOL_SOCKET, SO_RCVBUF, 16384), 0, name);
    check_eq(get(fd, SOL_SOCKET, SO_RCVBUF), 32768, "twice of SO_RCVBUF");
    check_eq(set(fd, SOL_SOCKET, SO_SNDBUF, 16384), 0, name);
    check_eq(get(fd, SOL_SOCKET, SO_SNDBUF), 32768, "twice of SO_SNDBUF");
    struct linger linger = {1, 9}, found = {0};
    socklen_t len = sizeof found;
    check_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0, "SO_LINGER");
    check(getsockopt(fd, SOL_SOCKET, SO_LINGER, &found, &len) == 0 && found.l_onoff == 1 && found.l_linger == 9,
          "SO_LINGER");
    linger.l_onoff = 0;
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    struct timeval limit = {2, 500000}, back = {0};
    len = sizeof back;
    check_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0, "SO_RCVTIMEO");
    check(getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &back, &len) == 0 && back.tv_sec == 2 && back.tv_usec == 500000,
          "SO_RCVTIMEO");
    limit.tv_usec = 1000000;
    check_fails(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit), EDOM, "SO_SNDTIMEO");
    check_fails(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &limit, 2), EINVAL, "an option cut short");
    char small = 1;
    len = 1;
    check(getsockopt(fd, SOL_SOCKET, SO_TYPE, &small, &len) == 0 && len == 1, "a short answer");
    len = -1;
    check_fails(getsockopt(fd, SOL_SOCKET, SO_TYPE, &small, &len), EINVAL, "a negative length");
}

static void tcp(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    general(fd, SOCK_STREAM, AF_INET, IPPROTO_TCP, "tcp");
    static const struct {
        int level, name, value, found;
        const char *text;
    } options[] = {
        {SOL_SOCKET, SO_REUSEPORT, 1, 1, "SO_REUSEPORT"},
        {IPPROTO_TCP, TCP_NODELAY, 1, 1, "TCP_NODELAY"},
        {IPPROTO_TCP, TCP_CORK, 1, 1, "TCP_CORK"},
        {IPPROTO_TCP, TCP_CORK, 0, 0, "TCP_CORK off"},
        {IPPROTO_TCP, TCP_KEEPIDLE, 77, 77, "TCP_KEEPIDLE"},
        {IPPROTO_TCP, TCP_KEEPINTVL, 11, 11, "TCP_KEEPINTVL"},
        {IPPROTO_TCP, TCP_KEEPCNT, 4, 4, "TCP_KEEPCNT"},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, 5000, 5000, "TCP_USER_TIMEOUT"},
        {IPPROTO_TCP, TCP_QUICKACK, 1, 1, "TCP_QUICKACK"},
        {IPPROTO_TCP, TCP_DEFER_ACCEPT, 0, 0, "TCP_DEFER_ACCEPT"},
        {IPPROTO_TCP, TCP_SYNCNT, 3, 3, "TCP_SYNCNT"},
        {IPPROTO_IP, IP_TTL, 33, 33, "IP_TTL"},
        {IPPROTO_IP, IP_TOS, IPTOS_LOWDELAY, IPTOS_LOWDELAY, "IP_TOS"},
        {IPPROTO_IP, IP_FREEBIND, 1, 1, "IP_FREEBIND"},
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        check_eq(set(fd, options[i].level, options[i].name, options[i].value), 0, options[i].text);
        check_eq(get(fd, options[i].level, options[i].name), options[i].found, options[i].text);
    }
    check_fails(set(fd, IPPROTO_IP, IP_TTL, 300), EINVAL, "a wrong IP_TTL");
    check_fails(set(fd, IPPROTO_TCP, TCP_KEEPCNT, 0), EINVAL, "a wrong TCP_KEEPCNT");
    struct tcp_info info;
    socklen_t len = sizeof info;
    check(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 && info.tcpi_state == 7, "TCP_INFO says closed");
    char name[16] = "";
    len = sizeof name;
    check(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len) == 0 && name[0], "TCP_CONGESTION has a name");

    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    len = sizeof address;
    need(bind(fd, (void *)&address, len) == 0 && getsockname(fd, (void *)&address, &len) == 0, "bind");
    int twin = socket(AF_INET, SOCK_STREAM, 0);
    check_fails(bind(twin, (void *)&address, len), EADDRINUSE, "the port is taken");
    check_eq(set(twin, SOL_SOCKET, SO_REUSEADDR, 1), 0, "SO_REUSEADDR");
    check_eq(set(twin, SOL_SOCKET, SO_REUSEPORT, 1), 0, "SO_REUSEPORT");
    check_eq(bind(twin, (void *)&address, len), 0, "shared by SO_REUSEPORT");
    close(twin);
    check_eq(listen(fd, 5), 0, "listen");
    check_eq(get(fd, SOL_SOCKET, SO_ACCEPTCONN), 1, "SO_ACCEPTCONN");

    int client = socket(AF_INET, SOCK_STREAM, 0);
    need(connect(client, (void *)&address, len) == 0, "connect");
    int served = accept(fd, NULL, NULL);
    need(served >= 0, "accept");
    check_eq(get(served, IPPROTO_TCP, TCP_NODELAY), 1, "an accepted socket inherits TCP_NODELAY");
    check_eq(get(served, IPPROTO_TCP, TCP_KEEPIDLE), 77, "and TCP_KEEPIDLE");
    len = sizeof info;
    check(getsockopt(served, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 && info.tcpi_state == 1, "TCP_INFO says established");

    // Messages.
    char bytes[16];
    check_eq(send(client, "abcdef", 6, MSG_NOSIGNAL), 6, "send");
    check_eq(recv(served, bytes, 3, MSG_PEEK), 3, "MSG_PEEK");
    check_eq(recv(served, bytes, 3, 0), 3, "and the same again");
    check(memcmp(bytes, "abc", 3) == 0, "the same bytes");
    check_eq(recv(served, bytes, 16, MSG_DONTWAIT), 3, "the rest");
    check_fails(recv(served, bytes, 1, MSG_DONTWAIT), EAGAIN, "MSG_DONTWAIT");
    send(client, "12345", 5, 0);
    check_eq(recv(served, bytes, 5, MSG_WAITALL), 5, "MSG_WAITALL");
    send(client, "12345678", 8, 0);
    poll(&(struct pollfd){.fd = served, .events = POLLIN}, 1, 1000);
    check_eq(recv(served, NULL, 4, MSG_TRUNC), 4, "MSG_TRUNC of a stream discards");
    check_eq(recv(served, bytes, 16, MSG_DONTWAIT), 4, "what is behind");
    check(memcmp(bytes, "5678", 4) == 0, "what is behind");
    check_eq(set(served, SOL_SOCKET, SO_RCVLOWAT, 4), 0, "SO_RCVLOWAT");
    check_eq(get(served, SOL_SOCKET, SO_RCVLOWAT), 4, "SO_RCVLOWAT");
    check_eq(send(client, "x", 1, MSG_OOB), 1, "MSG_OOB");
    check_eq(poll(&(struct pollfd){.fd = served, .events = POLLPRI}, 1, 1000), 1, "POLLPRI");
    check_eq(recv(served, bytes, 16, MSG_OOB), 1, "out of band");
    close(client), close(served), close(fd);
}

static void udp(void) {
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    general(fd, SOCK_DGRAM, AF_INET, IPPROTO_UDP, "udp");
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    need(bind(fd, (void *)&address, len) == 0 && getsockname(fd, (void *)&address, &len) == 0, "bind");
    check_eq(sendto(fd, "0123456789", 10, 0, (void *)&address, len), 10, "to itself");
    char bytes[16];
    check_eq(recv(fd, bytes, 4, MSG_PEEK | MSG_TRUNC), 10, "MSG_TRUNC gives the whole length");
    struct iovec piece = {bytes, 4};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    check_eq(recvmsg(fd, &message, 0), 4, "what fits");
    check(message.msg_flags & MSG_TRUNC, "is said to be cut");
    check_fails(recv(fd, bytes, 1, MSG_DONTWAIT), EAGAIN, "the rest is gone");
    check_eq(sendto(fd, "", 0, 0, (void *)&address, len), 0, "an empty datagram");
    check_eq(recv(fd, bytes, 16, 0), 0, "is received");
    struct sockaddr unspecified = {.sa_family = AF_UNSPEC};
    check_eq(connect(fd, (void *)&address, len), 0, "connect to itself");
    check_eq(send(fd, "y", 1, 0), 1, "send");
    check_eq(recv(fd, bytes, 16, 0), 1, "recv");
    check_eq(connect(fd, &unspecified, sizeof unspecified), 0, "AF_UNSPEC dissolves it");
    check_fails(send(fd, "y", 1, 0), EDESTADDRREQ, "no peer any more");
    close(fd);
}

static void version6(void) {
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    if (fd < 0) return;
    int only = get(fd, IPPROTO_IPV6, IPV6_V6ONLY);
    check(only == 0 || only == 1, "IPV6_V6ONLY");
    check_eq(set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1), 0, "set");
    check_eq(get(fd, IPPROTO_IPV6, IPV6_V6ONLY), 1, "it is");
    check_eq(set(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 44), 0, "IPV6_UNICAST_HOPS");
    check_eq(get(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS), 44, "it is");
    close(fd);
}

static void local(void) {
    int ends[2];
    need(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "socketpair");
    general(ends[0], SOCK_STREAM, AF_UNIX, 0, "unix");
    check_fails(get(ends[0], IPPROTO_TCP, TCP_NODELAY) < -1 ? -1 : 0, EOPNOTSUPP, "no TCP here");
    char bytes[8];
    check_eq(write(ends[0], "abcdef", 6), 6, "write");
    check_eq(recv(ends[1], bytes, 2, MSG_PEEK), 2, "MSG_PEEK");
    check_eq(recv(ends[1], bytes, 6, MSG_WAITALL), 6, "MSG_WAITALL");
    struct ucred peer = {0};
    socklen_t len = sizeof peer;
    check(getsockopt(ends[0], SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.pid == getpid() && peer.uid == getuid(),
          "SO_PEERCRED");
    check_eq(set(ends[1], SOL_SOCKET, SO_PASSCRED, 1), 0, "SO_PASSCRED");
    check_eq(get(ends[1], SOL_SOCKET, SO_PASSCRED), 1, "SO_PASSCRED");
    write(ends[0], "z", 1);
    char control[64];
    struct iovec piece = {bytes, 8};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    check_eq(recvmsg(ends[1], &message, 0), 1, "recvmsg");
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    check(header && header->cmsg_type == SCM_CREDENTIALS && ((struct ucred *)CMSG_DATA(header))->pid == getpid(),
          "SCM_CREDENTIALS come along");
}

static int get_fails(int fd, int level, int name) {
    int value;
    socklen_t length = sizeof value;
    return getsockopt(fd, level, name, &value, &length) == -1 ? errno : 0;
}

static void unknown(void) {
    int stream = socket(AF_INET, SOCK_STREAM, 0), datagram = socket(AF_INET, SOCK_DGRAM, 0);
    check_eq(get_fails(stream, 500, 1), EOPNOTSUPP, "a level that there is not");
    check_eq(get_fails(stream, SOL_UDP, 1), EOPNOTSUPP, "another protocol's level");
    check_eq(get_fails(datagram, SOL_TCP, TCP_NODELAY), EOPNOTSUPP, "TCP's of a datagram socket");
    check_eq(get_fails(stream, SOL_TCP, 9999), ENOPROTOOPT, "an option that TCP has not");
    check_eq(get_fails(stream, SOL_IP, 9999), ENOPROTOOPT, "nor IP");
    check_eq(get_fails(datagram, SOL_UDP, 9999), ENOPROTOOPT, "nor UDP");
    check_fails(set(stream, 500, 1, 1), ENOPROTOOPT, "nothing is set there");
    int ends[2];
    check_fails(socket(0, SOCK_STREAM, 0), EAFNOSUPPORT, "no family");
    check_fails(socket(1000, SOCK_STREAM, 0), EAFNOSUPPORT, "a family beyond all");
    check_fails(socket(AF_INET, 75, 0), EINVAL, "a kind beyond all");
    check_fails(socket(AF_INET, SOCK_SEQPACKET, 0), ESOCKTNOSUPPORT, "a kind of another family");
    check_fails(socket(AF_INET, SOCK_RAW, 0), EPROTONOSUPPORT, "raw sockets have a protocol");
    check_fails(socket(AF_INET, SOCK_STREAM, 17), EPROTONOSUPPORT, "streams of UDP");
    check_fails(socket(AF_INET, SOCK_DGRAM, 6), EPROTONOSUPPORT, "datagrams of TCP");
    check_fails(socket(AF_INET, SOCK_STREAM, 1000), EINVAL, "a protocol beyond all");
    check_fails(socket(AF_UNIX, SOCK_STREAM, 17), EPROTONOSUPPORT, "a protocol of Unix sockets");
    check_fails(socketpair(0, SOCK_STREAM, 0, ends), EAFNOSUPPORT, "a pair of no family");
    check_fails(socketpair(AF_INET, 75, 0, ends), EINVAL, "a pair of no kind");
    check_fails(socketpair(AF_INET, SOCK_STREAM, 17, ends), EPROTONOSUPPORT, "a pair of a wrong protocol");
    check_fails(socketpair(AF_INET, SOCK_STREAM, 0, ends), EOPNOTSUPP, "a pair of network sockets");
    close(stream), close(datagram);
}

int main(void) {
    unknown();
    tcp();
    udp();
    version6();
    local();
    return check_done();
}
