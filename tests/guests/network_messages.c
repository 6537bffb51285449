// Control data of network sockets: what servers over UDP ask for, and what they send with datagrams.
// loopback: host inside
#include "check.h"
#include <arpa/inet.h>
#include <grp.h>
#include <linux/net_tstamp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef TCP_INQ
#define TCP_INQ 36
#define TCP_CM_INQ TCP_INQ
#endif
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#define UDP_GRO 104
#endif
#ifndef SO_COOKIE
#define SO_COOKIE 57
#endif

static char buffer[70000], control[1024];

static int bound(int type, struct sockaddr_in *address) {
    int fd = socket(AF_INET, type, 0);
    socklen_t length = sizeof *address;
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(fd, (struct sockaddr *)address, sizeof *address)) return -1;
    getsockname(fd, (struct sockaddr *)address, &length);
    return fd;
}

static int option(int fd, int level, int name, int value) {
    return setsockopt(fd, level, name, &value, sizeof value);
}

static struct msghdr received;

static long receive(int fd, size_t room) {
    static struct iovec part;
    part = (struct iovec){buffer, sizeof buffer};
    received = (struct msghdr){.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = room};
    return recvmsg(fd, &received, 0);
}

static void *find(int level, int type, size_t size) {
    struct cmsghdr *each;
    for (each = CMSG_FIRSTHDR(&received); each; each = CMSG_NXTHDR(&received, each))
        if (each->cmsg_level == level && each->cmsg_type == type)
            return each->cmsg_len == CMSG_LEN(size) ? CMSG_DATA(each) : NULL;
    return NULL;
}

static long send_with(int fd, void *to, socklen_t to_len, size_t count, int level, int type, const void *value,
                      size_t size) {
    struct iovec part = {buffer, count};
    struct msghdr message = {.msg_name = to, .msg_namelen = to_len, .msg_iov = &part, .msg_iovlen = 1,
        .msg_control = control, .msg_controllen = CMSG_SPACE(size)};
    memset(control, 0, sizeof control);
    *CMSG_FIRSTHDR(&message) =
        (struct cmsghdr){.cmsg_len = CMSG_LEN(size), .cmsg_level = level, .cmsg_type = type};
    memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), value, size);
    return sendmsg(fd, &message, 0);
}

static void version_4(void) {
    struct sockaddr_in server_address, client_address;
    int server = bound(SOCK_DGRAM, &server_address), client = bound(SOCK_DGRAM, &client_address);
    check_eq(option(server, SOL_IP, IP_PKTINFO, 1), 0, "IP_PKTINFO");
    check_eq(option(server, SOL_IP, IP_RECVTOS, 1), 0, "IP_RECVTOS");
    check_eq(option(server, SOL_IP, IP_RECVTTL, 1), 0, "IP_RECVTTL");
    check_eq(option(server, SOL_IP, IP_RECVORIGDSTADDR, 1), 0, "IP_RECVORIGDSTADDR");
    check_eq(option(client, SOL_IP, IP_TTL, 33), 0, "IP_TTL");
    check_eq(option(client, SOL_IP, IP_TOS, 0x20), 0, "IP_TOS");
    connect(client, (void *)&server_address, sizeof server_address);
    send(client, "hello", 5, 0);
    check_eq(receive(server, sizeof control), 5, "recvmsg");
    struct in_pktinfo *info = find(SOL_IP, IP_PKTINFO, sizeof *info);
    need(info, "IP_PKTINFO is told");
    check(info->ipi_ifindex == (int)if_nametoindex("lo"), "the interface");
    check(info->ipi_addr.s_addr == htonl(INADDR_LOOPBACK), "the destination");
    int *ttl = find(SOL_IP, IP_TTL, sizeof *ttl);
    check(ttl && *ttl == 33, "the TTL");
    unsigned char *tos = find(SOL_IP, IP_TOS, 1);
    check(tos && *tos == 0x20, "the type of service");
    struct sockaddr_in *to = find(SOL_IP, IP_ORIGDSTADDR, sizeof *to);
    check(to && to->sin_port == server_address.sin_port, "the original destination");
    size_t whole = received.msg_controllen;
    check_eq(whole, CMSG_SPACE(12) + CMSG_SPACE(4) + CMSG_SPACE(1) + CMSG_SPACE(16), "in all");
    send(client, "hello", 5, 0);
    check(receive(server, 40) == 5 && received.msg_flags == MSG_CTRUNC && received.msg_controllen == 32,
          "MSG_CTRUNC");
    send(client, "hello", 5, 0);
    check(receive(server, 12) == 5 && received.msg_flags == MSG_CTRUNC && received.msg_controllen == 0,
          "no room for a header");
    send(client, "hello", 5, 0);
    check_eq(recv(server, buffer, 10, 0), 5, "recv drops it");
    option(server, SOL_IP, IP_PKTINFO, 0);
    option(server, SOL_IP, IP_RECVTOS, 0);
    option(server, SOL_IP, IP_RECVTTL, 0);
    option(server, SOL_IP, IP_RECVORIGDSTADDR, 0);
    send(client, "hello", 5, 0);
    check(receive(server, sizeof control) == 5 && received.msg_controllen == 0, "nothing more once it is off");

    struct in_pktinfo from = {.ipi_spec_dst.s_addr = htonl(INADDR_LOOPBACK + 1)};
    int any = socket(AF_INET, SOCK_DGRAM, 0);
    check_eq(send_with(any, &server_address, sizeof server_address, 3, SOL_IP, IP_PKTINFO, &from, sizeof from), 3,
             "sends from an address of its choice");
    struct sockaddr_in sender;
    socklen_t length = sizeof sender;
    check(recvfrom(server, buffer, 10, 0, (void *)&sender, &length) == 3 &&
              sender.sin_addr.s_addr == htonl(INADDR_LOOPBACK + 1),
          "from where it came");
    option(server, SOL_IP, IP_RECVTTL, 1);
    int five = 5;
    check_eq(send_with(any, &server_address, sizeof server_address, 3, SOL_IP, IP_TTL, &five, 4), 3, "with a TTL");
    check(receive(server, sizeof control) == 3 && (ttl = find(SOL_IP, IP_TTL, 4)) && *ttl == 5, "arrives with it");
    check_fails(send_with(any, &server_address, sizeof server_address, 3, SOL_IP, IP_PKTINFO, &from, 8), EINVAL,
                "too short");
    check_fails(send_with(any, &server_address, sizeof server_address, 3, SOL_IP, 99, &from, 8), EINVAL,
                "unknown to IP");
    check_eq(send_with(any, &server_address, sizeof server_address, 3, 77, 99, &from, 8), 3,
             "another level is not looked at");
    check_eq(send_with(any, &server_address, sizeof server_address, 3, SOL_SOCKET, SCM_RIGHTS, &any, 4), 3,
             "nor are descriptors");
    close(server);
    close(client);
    close(any);
}

static void version_6(void) {
    int server = socket(AF_INET6, SOCK_DGRAM, 0), client = socket(AF_INET6, SOCK_DGRAM, 0);
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    socklen_t length = sizeof address;
    need(bind(server, (void *)&address, sizeof address) == 0, "a socket of version 6");
    getsockname(server, (void *)&address, &length);
    check_eq(option(server, SOL_IPV6, IPV6_RECVPKTINFO, 1), 0, "IPV6_RECVPKTINFO");
    check_eq(option(server, SOL_IPV6, IPV6_RECVHOPLIMIT, 1), 0, "IPV6_RECVHOPLIMIT");
    check_eq(option(server, SOL_IPV6, IPV6_RECVTCLASS, 1), 0, "IPV6_RECVTCLASS");
    check_eq(option(client, SOL_IPV6, IPV6_UNICAST_HOPS, 44), 0, "IPV6_UNICAST_HOPS");
    check_eq(option(client, SOL_IPV6, IPV6_TCLASS, 0x20), 0, "IPV6_TCLASS");
    check_eq(sendto(client, "six", 3, 0, (void *)&address, sizeof address), 3, "sendto");
    check_eq(receive(server, sizeof control), 3, "recvmsg");
    struct in6_pktinfo *info = find(SOL_IPV6, IPV6_PKTINFO, sizeof *info);
    check(info && IN6_IS_ADDR_LOOPBACK(&info->ipi6_addr), "IPV6_PKTINFO");
    int *hops = find(SOL_IPV6, IPV6_HOPLIMIT, 4), *class = find(SOL_IPV6, IPV6_TCLASS, 4);
    check(hops && *hops == 44, "IPV6_HOPLIMIT");
    check(class && *class == 0x20, "IPV6_TCLASS");
    struct in6_pktinfo from = {.ipi6_addr = in6addr_loopback};
    check_eq(send_with(client, &address, sizeof address, 3, SOL_IPV6, IPV6_PKTINFO, &from, sizeof from), 3,
             "sends from an address");
    check_eq(recv(server, buffer, 10, 0), 3, "arrives");
    close(server);
    close(client);
}

static int is_now(const struct timespec *stamp) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return stamp->tv_sec >= now.tv_sec - 5 && stamp->tv_sec <= now.tv_sec + 1;
}

static void time_stamps(void) {
    struct sockaddr_in address, other;
    int server = bound(SOCK_DGRAM, &address), client = bound(SOCK_DGRAM, &other);
    connect(client, (void *)&address, sizeof address);
    check_eq(option(server, SOL_SOCKET, SO_TIMESTAMP, 1), 0, "SO_TIMESTAMP");
    send(client, "t", 1, 0);
    receive(server, sizeof control);
    struct timeval *time = find(SOL_SOCKET, SCM_TIMESTAMP, sizeof *time);
    check(time && is_now(&(struct timespec){time->tv_sec, 0}), "a time in microseconds");
    check_eq(option(server, SOL_SOCKET, SO_TIMESTAMPNS, 1), 0, "SO_TIMESTAMPNS");
    send(client, "t", 1, 0);
    receive(server, sizeof control);
    struct timespec *exact = find(SOL_SOCKET, SCM_TIMESTAMPNS, sizeof *exact);
    check(exact && is_now(exact), "a time in nanoseconds");
    check(!find(SOL_SOCKET, SCM_TIMESTAMP, sizeof *time), "in place of the other");
    check_eq(option(server, SOL_SOCKET, SO_TIMESTAMPING,
                    SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE),
             0, "SO_TIMESTAMPING");
    send(client, "t", 1, 0);
    receive(server, sizeof control);
    exact = find(SOL_SOCKET, SCM_TIMESTAMPING, 3 * sizeof *exact);
    check(exact && is_now(exact) && exact[2].tv_sec == 0, "three times");
    check_fails(option(server, SOL_SOCKET, SO_TIMESTAMPING, 1 << 30), EINVAL, "a kind that there is not");
    close(server);
    close(client);
}

static void segments(void) {
    struct sockaddr_in address, other;
    int server = bound(SOCK_DGRAM, &address), client = bound(SOCK_DGRAM, &other);
    connect(client, (void *)&address, sizeof address);
    check_eq(option(client, SOL_UDP, UDP_SEGMENT, 1000), 0, "UDP_SEGMENT");
    check_eq(send(client, buffer, 2500, 0), 2500, "sends three datagrams");
    check(recv(server, buffer, sizeof buffer, 0) == 1000 && recv(server, buffer, sizeof buffer, 0) == 1000 &&
              recv(server, buffer, sizeof buffer, 0) == 500,
          "which arrive one by one");
    option(client, SOL_UDP, UDP_SEGMENT, 0);
    unsigned short size = 700;
    check_eq(send_with(client, NULL, 0, 1400, SOL_UDP, UDP_SEGMENT, &size, sizeof size), 1400, "for one message");
    check(recv(server, buffer, sizeof buffer, 0) == 700 && recv(server, buffer, sizeof buffer, 0) == 700,
          "two datagrams");
    check_eq(option(server, SOL_UDP, UDP_GRO, 1), 0, "UDP_GRO");
    send_with(client, NULL, 0, 2100, SOL_UDP, UDP_SEGMENT, &size, sizeof size);
    long count = receive(server, sizeof control);
    int *each = find(SOL_UDP, UDP_GRO, sizeof *each);
    check(count == 2100 && each && *each == 700, "three at once, and how long each is");
    int on = 1;
    check_eq(option(server, SOL_SOCKET, SO_NO_CHECK, 1), 0, "SO_NO_CHECK");
    socklen_t length = sizeof on;
    check(getsockopt(server, SOL_SOCKET, SO_NO_CHECK, &on, &length) == 0 && on == 1, "is read back");
    close(server);
    close(client);
}

static void streams(void) {
    struct sockaddr_in address;
    int listener = bound(SOCK_STREAM, &address);
    listen(listener, 1);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    check_eq(option(client, SOL_TCP, TCP_FASTOPEN_CONNECT, 1), 0, "TCP_FASTOPEN_CONNECT");
    check_eq(connect(client, (void *)&address, sizeof address), 0, "connect");
    check_eq(send(client, "0123456789", 10, 0), 10, "send");
    int server = accept(listener, NULL, NULL);
    check_eq(option(server, SOL_TCP, TCP_INQ, 1), 0, "TCP_INQ");
    struct iovec part = {buffer, 4};
    check_eq(recv(server, buffer, 10, MSG_PEEK | MSG_WAITALL), 10, "all has arrived");
    received = (struct msghdr){
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    check_eq(recvmsg(server, &received, 0), 4, "recvmsg");
    int *left = find(SOL_TCP, TCP_CM_INQ, sizeof *left);
    check(left && *left == 6, "what is left to read");
    unsigned long cookie = 0, again = 0;
    socklen_t length = sizeof cookie;
    check(getsockopt(server, SOL_SOCKET, SO_COOKIE, &cookie, &length) == 0 && length == 8 && cookie, "SO_COOKIE");
    check(getsockopt(server, SOL_SOCKET, SO_COOKIE, &again, &length) == 0 && again == cookie, "stays");
    length = 4;
    check_fails(getsockopt(server, SOL_SOCKET, SO_COOKIE, &cookie, &length), EINVAL, "needs its room");
    close(client);
    close(server);
    close(listener);
}

static void needs_an_administrator(void) {
    setgroups(0, NULL);
    if (setgid(65534) || setuid(65534)) exit(1);
    int fd = socket(AF_INET, SOCK_DGRAM, 0), six = socket(AF_INET6, SOCK_DGRAM, 0), value = -1;
    check_fails(option(fd, SOL_SOCKET, SO_MARK, 1), EPERM, "SO_MARK");
    check_fails(option(fd, SOL_SOCKET, SO_RCVBUFFORCE, 100000), EPERM, "SO_RCVBUFFORCE");
    check_fails(option(fd, SOL_SOCKET, SO_SNDBUFFORCE, 100000), EPERM, "SO_SNDBUFFORCE");
    check_fails(option(fd, SOL_IP, IP_TRANSPARENT, 1), EPERM, "IP_TRANSPARENT");
    check_fails(option(six, SOL_IPV6, IPV6_TRANSPARENT, 1), EPERM, "IPV6_TRANSPARENT");
    check_fails(option(fd, SOL_SOCKET, SO_DEBUG, 1), EACCES, "SO_DEBUG");
    check_fails(option(fd, SOL_SOCKET, SO_PRIORITY, 7), EPERM, "SO_PRIORITY");
    socklen_t length = sizeof value;
    check(getsockopt(fd, SOL_SOCKET, SO_MARK, &value, &length) == 0 && value == 0 && length == 4, "no mark");
    check(getsockopt(fd, SOL_IP, IP_TRANSPARENT, &value, &length) == 0 && value == 0, "not transparent");
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    check_fails(send_with(fd, &address, sizeof address, 1, SOL_SOCKET, SO_MARK, &value, 4), EPERM,
                "nor for one message");
    check_fails(option(fd, SOL_SOCKET, 9999, 1), ENOPROTOOPT, "an option that there is not");
}

static void wrong_headers(void) {
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    char byte;
    struct iovec piece = {&byte, 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_name = &address, .msg_namelen = (socklen_t)-1};
    check_fails(recvmsg(fd, &message, MSG_DONTWAIT), EINVAL, "an address of a negative length");
    check_fails(sendmsg(fd, &message, MSG_DONTWAIT), EINVAL, "to send to");
    message.msg_namelen = sizeof address;
    message.msg_iovlen = (size_t)-1;
    check_fails(recvmsg(fd, &message, MSG_DONTWAIT), EMSGSIZE, "too many pieces");
    message.msg_iovlen = 1025;
    check_fails(sendmsg(fd, &message, MSG_DONTWAIT), EMSGSIZE, "to send");
    check_fails(getsockname(fd, NULL, &length), EFAULT, "a name for nobody");
    length = 0;
    check_eq(getsockname(fd, NULL, &length), 0, "of no length");
    close(fd);
}

int main(void) {
    wrong_headers();
    version_4();
    version_6();
    time_stamps();
    segments();
    streams();
    needs_an_administrator();
    return check_done();
}
