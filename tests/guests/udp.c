// UDP over the loopback interface, and how host names are looked up.
// loopback: host inside
#include "check.h"
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static char buffer[70000];

static int bound(struct sockaddr_in *address) {
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    socklen_t length = sizeof *address;
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(fd, (struct sockaddr *)address, sizeof *address)) return -1;
    getsockname(fd, (struct sockaddr *)address, &length);
    return fd;
}

int main(void) {
    struct sockaddr_in first_address, second_address, from;
    int first = bound(&first_address), second = bound(&second_address);
    need(first >= 0 && second >= 0, "two sockets");
    socklen_t length = sizeof from;
    check_eq(sendto(first, "hello", 5, 0, (struct sockaddr *)&second_address, sizeof second_address), 5,
             "sendto");
    check_eq(recvfrom(second, buffer, 100, 0, (struct sockaddr *)&from, &length), 5, "recvfrom");
    check(from.sin_port == first_address.sin_port && length == sizeof from, "tells the sender");
    check_eq(sendto(first, buffer, 60000, 0, (struct sockaddr *)&second_address, sizeof second_address),
             60000, "a large datagram");
    check_eq(recv(second, buffer, sizeof buffer, 0), 60000, "arrives whole");
    check_fails(sendto(first, buffer, 70000, 0, (struct sockaddr *)&second_address, sizeof second_address),
                EMSGSIZE, "too large");
    check_eq(sendto(first, "", 0, 0, (struct sockaddr *)&second_address, sizeof second_address), 0,
             "an empty one");
    check_eq(recv(second, buffer, sizeof buffer, 0), 0, "arrives too");
    sendto(first, "123456", 6, 0, (struct sockaddr *)&second_address, sizeof second_address);
    struct iovec part = {buffer, 3};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_name = &from, .msg_namelen = sizeof from};
    check(recvmsg(second, &message, 0) == 3 && message.msg_flags & MSG_TRUNC, "MSG_TRUNC");
    check_fails(recv(second, buffer, 1, MSG_DONTWAIT), EAGAIN, "nothing is left");
    check_fails(send(first, "x", 1, 0), EDESTADDRREQ, "no receiver");
    check_eq(connect(first, (struct sockaddr *)&second_address, sizeof second_address), 0, "connect");
    struct mmsghdr many[4] = {0};
    struct iovec parts[4] = {{"a", 1}, {"bb", 2}, {"ccc", 3}, {"dddd", 4}};
    for (int i = 0; i < 4; i++) many[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
    check_eq(sendmmsg(first, many, 4, 0), 4, "sendmmsg");
    struct pollfd poller = {second, POLLIN, 0};
    check_eq(poll(&poller, 1, 1000), 1, "poll");
    for (int i = 0; i < 4; i++) parts[i] = (struct iovec){buffer + i * 10, 10};
    check(recvmmsg(second, many, 4, MSG_WAITFORONE, NULL) == 4 && many[3].msg_len == 4 &&
              memcmp(buffer + 30, "dddd", 4) == 0,
          "recvmmsg");
    int stranger = bound(&from);
    sendto(stranger, "x", 1, 0, (struct sockaddr *)&first_address, sizeof first_address);
    check_fails(recv(first, buffer, 1, MSG_DONTWAIT), EAGAIN, "a connected socket hears its peer only");
    from = (struct sockaddr_in){.sin_family = AF_UNSPEC};
    check_eq(connect(first, (struct sockaddr *)&from, sizeof from), 0, "AF_UNSPEC disconnects");
    check_fails(send(first, "x", 1, 0), EDESTADDRREQ, "no receiver again");
    close(second);
    connect(first, (struct sockaddr *)&second_address, sizeof second_address);
    send(first, "x", 1, 0);
    check_fails(recv(first, buffer, 1, 0), ECONNREFUSED, "nobody is there");

    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM}, *found = NULL;
    check(getaddrinfo("127.0.0.1", "80", &hints, &found) == 0 && found->ai_family == AF_INET,
          "getaddrinfo of a number");
    char host[100], service[20];
    check(getnameinfo(found->ai_addr, found->ai_addrlen, host, sizeof host, service, sizeof service,
                      NI_NUMERICHOST | NI_NUMERICSERV) == 0 &&
              strcmp(host, "127.0.0.1") == 0,
          "getnameinfo");
    struct ifaddrs *interfaces, *one;
    int loopback = 0;
    check_eq(getifaddrs(&interfaces), 0, "getifaddrs, which asks through netlink");
    for (one = interfaces; one; one = one->ifa_next)
        if (one->ifa_addr && one->ifa_addr->sa_family == AF_INET)
            loopback |= ((struct sockaddr_in *)one->ifa_addr)->sin_addr.s_addr == htonl(INADDR_LOOPBACK);
    check(loopback, "knows the loopback address");
    check(if_nametoindex("lo") == 1, "the loopback interface is the first");
    return check_done();
}
