// Sockets under a host that lies about them. The data is the host's to change; all else is held to what Linux promises.
#include "claims.h"
#include <ifaddrs.h>
#include <net/if.h>
#include <pthread.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>

static struct guarded data, name;

static const struct timeval SOON = {0, 100000};

static int host_socket(int domain, int type) {
    int fd = seen(socket(domain, type, 0));
    if (fd >= 0) {
        seen(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &SOON, sizeof SOON));
        seen(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &SOON, sizeof SOON));
    }
    return fd;
}

// An address that was asked for: of the right family and no longer than there is room.
static void address_check(long result, socklen_t len, socklen_t room, int domain) {
    untouched_behind(&name, result < 0 ? 0 : len < room ? len : room);
    if (result < 0) return;
    promise(len == (domain == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6)), len);
    if (room >= 2) promise(((struct sockaddr *)name.bytes)->sa_family == domain, 0);
}

static void names(int fd, int domain) {
    static const socklen_t rooms[] = {128, 16, 5, 28, 0};
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
        socklen_t len = rooms[i];
        long result = seen(getsockname(fd, guard(&name), &len));
        address_check(result, len, rooms[i], domain);
        len = rooms[i];
        result = seen(getpeername(fd, guard(&name), &len));
        address_check(result, len, rooms[i], domain);
    }
}

static void receive(int fd, int domain, int type, size_t room, int flags) {
    socklen_t len = 128;
    guard(&name);
    long count = seen(recvfrom(fd, guard(&data), room, flags, (void *)name.bytes, &len));
    // A datagram may be longer than the room, and MSG_TRUNC asks how long; nothing else is.
    promise(count <= (long)room || (type == SOCK_DGRAM && (flags & MSG_TRUNC) && count <= 65536), count);
    untouched_behind(&data, count < (long)room ? count : (long)room);
    if (type == SOCK_DGRAM) address_check(count, len, 128, domain);
    if (type == SOCK_STREAM) untouched_behind(&name, 0);
}

static void receive_message(int fd, size_t first, size_t second) {
    struct iovec parts[] = {{guard(&data), first}, {guard(&name), second}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    long count = seen(recvmsg(fd, &message, 0));
    promise(count <= (long)(first + second), count);
    untouched_behind(&data, count < (long)first ? count : (long)first);
    untouched_behind(&name, count - (long)first);
    if (count >= 0) promise(message.msg_controllen == 0, message.msg_controllen);
}

static void option(int fd, int level, int what, socklen_t room) {
    socklen_t len = room;
    long result = seen(getsockopt(fd, level, what, guard(&data), &len));
    promise(result < 0 || len <= room, len);
    untouched_behind(&data, result < 0 ? 0 : len);
    if (result == 0 && what == SO_ERROR && level == SOL_SOCKET && len == 4) {
        int error = *(int *)data.bytes;
        promise(error >= 0 && error <= 133, error);
    }
}

static void send_all(int fd, const void *address, socklen_t len, size_t count) {
    static char bytes[ROOM];
    long sent = seen(sendto(fd, bytes, count, 0, address, len));
    // A datagram is sent whole.
    promise(address ? sent == -1 || sent == (long)count : sent <= (long)count, sent);
}

static void streams(int domain) {
    int server = host_socket(domain, SOCK_STREAM), client = host_socket(domain, SOCK_STREAM);
    struct sockaddr_storage own = {.ss_family = domain};
    socklen_t len = domain == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    if (domain == AF_INET)
        ((struct sockaddr_in *)&own)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        ((struct sockaddr_in6 *)&own)->sin6_addr = in6addr_loopback;
    seen(bind(server, (void *)&own, len));
    seen(listen(server, 5));
    socklen_t room = sizeof own;
    seen(getsockname(server, (void *)&own, &room));
    seen(connect(client, (void *)&own, len));
    socklen_t peer = 128;
    guard(&name);
    int accepted = seen(accept4(server, (void *)name.bytes, &peer, SOCK_CLOEXEC));
    address_check(accepted, peer, 128, domain);
    names(client, domain);
    names(server, domain);
    if (accepted >= 0) seen(setsockopt(accepted, SOL_SOCKET, SO_RCVTIMEO, &SOON, sizeof SOON));
    send_all(client, NULL, 0, 8000);
    int *unread = guard(&data);
    if (seen(ioctl(accepted, FIONREAD, unread)) == 0) promise(*unread >= 0, *unread);
    untouched_behind(&data, sizeof(int));
    receive(accepted, domain, SOCK_STREAM, 100, MSG_PEEK);
    receive(accepted, domain, SOCK_STREAM, 100, 0);
    receive(accepted, domain, SOCK_STREAM, 50, MSG_TRUNC);
    receive(accepted, domain, SOCK_STREAM, 300, MSG_WAITALL);
    receive_message(accepted, 10, 40);
    long count = seen(read(accepted, guard(&data), 8192));
    promise(count <= 8192, count);
    untouched_behind(&data, count);
    option(client, SOL_SOCKET, SO_ERROR, 4);
    option(client, SOL_SOCKET, SO_RCVBUF, 4);
    option(client, SOL_SOCKET, SO_TYPE, 4);
    option(client, IPPROTO_TCP, TCP_NODELAY, 4);
    option(client, IPPROTO_TCP, TCP_NODELAY, 2);
    option(client, IPPROTO_TCP, TCP_INFO, 200);
    seen(shutdown(client, SHUT_WR));
    receive(accepted, domain, SOCK_STREAM, 64, MSG_DONTWAIT);
    seen(close(accepted));
    seen(close(client));
    seen(close(server));
}

static void datagrams(int domain) {
    int a = host_socket(domain, SOCK_DGRAM), b = host_socket(domain, SOCK_DGRAM);
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    seen(bind(b, (void *)&own, sizeof own));
    socklen_t room = sizeof own;
    seen(getsockname(b, (void *)&own, &room));
    for (int i = 0; i < 6; i++) send_all(a, &own, sizeof own, 1000);
    receive(b, domain, SOCK_DGRAM, 1000, 0);
    receive(b, domain, SOCK_DGRAM, 10, 0);
    receive(b, domain, SOCK_DGRAM, 10, MSG_TRUNC);
    receive(b, domain, SOCK_DGRAM, 4000, MSG_TRUNC | MSG_PEEK);
    receive_message(b, 500, 600);
    receive(b, domain, SOCK_DGRAM, 4000, 0);
    seen(close(a));
    seen(close(b));
}

// Control data is well-formed, of the kinds that were asked for, and as long as Linux has it.
static void controls(void) {
    int a = host_socket(AF_INET, SOCK_DGRAM), b = host_socket(AF_INET, SOCK_DGRAM), on = 1;
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof own;
    seen(bind(b, (void *)&own, sizeof own));
    seen(getsockname(b, (void *)&own, &length));
    seen(setsockopt(b, SOL_IP, IP_PKTINFO, &on, sizeof on));
    seen(setsockopt(b, SOL_IP, IP_RECVTTL, &on, sizeof on));
    seen(setsockopt(b, SOL_IP, IP_RECVERR, &on, sizeof on));
    seen(setsockopt(b, SOL_SOCKET, SO_TIMESTAMP, &on, sizeof on));
    for (int i = 0; i < 3; i++) send_all(a, &own, sizeof own, 100);
    for (int i = 0; i < 4; i++) {
        struct iovec part = {guard(&data), 100};
        struct msghdr message = {
            .msg_iov = &part, .msg_iovlen = 1, .msg_control = guard(&name), .msg_controllen = 256};
        long count = seen(recvmsg(b, &message, i < 3 ? 0 : MSG_ERRQUEUE));
        promise(count <= 100, count);
        if (count < 0) continue;
        untouched_behind(&data, count);
        untouched_behind(&name, message.msg_controllen);
        promise(message.msg_controllen <= 256, message.msg_controllen);
        for (struct cmsghdr *each = CMSG_FIRSTHDR(&message); each; each = CMSG_NXTHDR(&message, each)) {
            size_t len = each->cmsg_len - CMSG_LEN(0);
            if (each->cmsg_level == SOL_SOCKET) {
                promise(each->cmsg_type == SO_TIMESTAMP && len == sizeof(struct timeval), each->cmsg_type);
                promise((unsigned long)((struct timeval *)CMSG_DATA(each))->tv_usec < 1000000, 0);
                continue;
            }
            promise(each->cmsg_level == SOL_IP, each->cmsg_level);
            int ttl = *(int *)CMSG_DATA(each);
            promise((each->cmsg_type == IP_PKTINFO && len == sizeof(struct in_pktinfo)) ||
                        (each->cmsg_type == IP_TTL && len == sizeof ttl && ttl >= 0 && ttl < 256) ||
                        (each->cmsg_type == IP_RECVERR && len == 32),
                    each->cmsg_type);
        }
    }
    seen(close(a));
    seen(close(b));
}

static int posting;

static void *posts(void *unused) {
    for (int i = 0; i < 100; i++) {
        long count = seen(send(posting, "pearl", 5, MSG_DONTWAIT));
        promise(count <= 5, count);
    }
    return unused;
}

// Many small pieces, which go with later calls; two threads send them on one stream.
static void pieces(void) {
    int server = host_socket(AF_INET, SOCK_STREAM), peer = host_socket(AF_INET, SOCK_STREAM);
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof own;
    seen(bind(server, (void *)&own, sizeof own));
    seen(listen(server, 4));
    seen(getsockname(server, (void *)&own, &length));
    seen(connect(peer, (void *)&own, sizeof own));
    posting = seen(accept(server, NULL, NULL));
    for (int round = 0; round < 3; round++) {
        pthread_t other;
        posts(NULL);
        // A host may have no more threads.
        if (pthread_create(&other, NULL, posts, NULL) == 0) promise(pthread_join(other, NULL) == 0, errno);
        posts(NULL);
        char *bytes = guard(&data);
        long count = seen(recv(peer, bytes, 1000, MSG_DONTWAIT));
        promise(count <= 1000, count);
        untouched_behind(&data, count);
    }
    seen(close(posting));
    seen(close(peer));
    seen(close(server));
}

static void interfaces(void) {
    int fd = host_socket(AF_INET, SOCK_DGRAM);
    struct ifconf all = {.ifc_len = 400, .ifc_buf = guard(&data)};
    long result = seen(ioctl(fd, SIOCGIFCONF, &all));
    if (result == 0) promise(all.ifc_len >= 0 && all.ifc_len <= 400, all.ifc_len);
    untouched_behind(&data, result < 0 ? 0 : all.ifc_len);
    struct ifreq *request = guard(&data);
    strcpy(request->ifr_name, "lo");
    seen(ioctl(fd, SIOCGIFADDR, request));
    untouched_behind(&data, sizeof *request);
    seen(close(fd));
}

int main(void) {
    keep_secrets();
    signal(SIGPIPE, SIG_IGN);
    streams(AF_INET);
    streams(AF_INET6);
    datagrams(AF_INET);
    controls();
    pieces();
    interfaces();
    return end();
}
