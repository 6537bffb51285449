// Datagrams over the loopback interface: who hears whom, what is lost, and who is told.
// loopback: inside
#include "check.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static char buffer[70000];
static struct sockaddr_storage from;

static socklen_t make(struct sockaddr_storage *out, const char *address, int port) {
    struct sockaddr_in *four = (void *)out;
    struct sockaddr_in6 *six = (void *)out;
    memset(out, 0, sizeof *out);
    if (strchr(address, ':')) {
        six->sin6_family = AF_INET6, six->sin6_port = htons((unsigned short)port);
        inet_pton(AF_INET6, address, &six->sin6_addr);
        return sizeof *six;
    }
    four->sin_family = AF_INET, four->sin_port = htons((unsigned short)port);
    inet_pton(AF_INET, address, &four->sin_addr);
    return sizeof *four;
}

static int family(const char *address) {
    return strchr(address, ':') ? AF_INET6 : AF_INET;
}

static int bind_to(int fd, const char *address, int port) {
    struct sockaddr_storage to;
    socklen_t len = make(&to, address, port);
    return bind(fd, (void *)&to, len);
}

static int connect_to(int fd, const char *address, int port) {
    struct sockaddr_storage to;
    socklen_t len = make(&to, address, port);
    return connect(fd, (void *)&to, len);
}

static long send_to(int fd, const char *words, const char *address, int port) {
    struct sockaddr_storage to;
    socklen_t len = make(&to, address, port);
    return sendto(fd, words, strlen(words), 0, (void *)&to, len);
}

static int bound(const char *address) {
    int fd = socket(family(address), SOCK_DGRAM, 0);
    return bind_to(fd, address, 0) ? -1 : fd;
}

static int own_port(int fd) {
    struct sockaddr_in own;
    struct sockaddr_storage any;
    socklen_t len = sizeof any;
    if (getsockname(fd, (void *)&any, &len)) return -1;
    memcpy(&own, &any, sizeof own);
    return ntohs(own.sin_port);
}

static const char *name_of(const struct sockaddr_storage *address) {
    static char text[80];
    if (address->ss_family == AF_INET) inet_ntop(AF_INET, &((struct sockaddr_in *)address)->sin_addr, text, sizeof text);
    else inet_ntop(AF_INET6, &((struct sockaddr_in6 *)address)->sin6_addr, text, sizeof text);
    return text;
}

static const char *own_name(int fd) {
    struct sockaddr_storage own = {0};
    socklen_t len = sizeof own;
    getsockname(fd, (void *)&own, &len);
    return name_of(&own);
}

static long receive(int fd, int flags) {
    socklen_t len = sizeof from;
    return recvfrom(fd, buffer, sizeof buffer, flags, (void *)&from, &len);
}

static int events(int fd) {
    struct pollfd asked = {fd, POLLIN | POLLOUT | POLLRDHUP, 0};
    poll(&asked, 1, 0);
    return asked.revents;
}

static int error_of(int fd) {
    int error = -1;
    socklen_t len = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
    return error;
}

// From a socket that is not bound to one that is.
static void there_and_back(const char *server_at, const char *to, const char *seen) {
    int server = bound(server_at), client = socket(family(to), SOCK_DGRAM, 0);
    need(server >= 0, "bind");
    check_eq(own_port(client), 0, "no port yet");
    check_eq(send_to(client, "hello", to, own_port(server)), 5, "sendto");
    check(own_port(client) > 0, "a port of its own");
    check(strcmp(own_name(client), family(to) == AF_INET ? "0.0.0.0" : "::") == 0, "at all addresses");
    check_eq(receive(server, 0), 5, "arrives");
    check(strcmp(name_of(&from), seen) == 0, "from where it came");
    check_eq(sendto(server, "back", 4, 0, (void *)&from, family(server_at) == AF_INET ? 16 : 28), 4, "an answer");
    check_eq(receive(client, 0), 4, "arrives");
    check(strcmp(name_of(&from), to) == 0, "from whom it was asked");
    close(server), close(client);
}

static void connected(void) {
    int server = bound("0.0.0.0"), client = socket(AF_INET, SOCK_DGRAM, 0), stranger = bound("127.0.0.1");
    check_fails(send(client, "x", 1, 0), EDESTADDRREQ, "to nobody");
    check_eq(connect_to(client, "127.0.0.1", own_port(server)), 0, "connect");
    check(strcmp(own_name(client), "127.0.0.1") == 0, "gives it an address");
    send_to(stranger, "no", "127.0.0.1", own_port(client));
    check_fails(receive(client, MSG_DONTWAIT), EAGAIN, "a stranger is not heard");
    check_eq(send(client, "yes", 3, 0), 3, "send");
    check_eq(receive(server, 0), 3, "arrives");
    check_eq(send_to(client, "others", "127.0.0.1", own_port(stranger)), 6, "sendto of another");
    check_eq(receive(stranger, 0), 6, "arrives, too");
    check_eq(connect_to(server, "127.0.0.1", own_port(client)), 0, "the server connects, too");
    send_to(stranger, "no", "127.0.0.1", own_port(server));
    check_fails(receive(server, MSG_DONTWAIT), EAGAIN, "and hears no stranger");
    struct sockaddr unspecified = {.sa_family = AF_UNSPEC};
    int port = own_port(client);
    check_eq(connect(client, &unspecified, sizeof unspecified), 0, "AF_UNSPEC");
    check_eq(own_port(client), 0, "the port is gone");
    check(strcmp(own_name(client), "0.0.0.0") == 0, "and the address");
    check_eq(send(server, "x", 1, 0), 1, "to a port that is gone");
    usleep(20000);
    check_eq(events(server), POLLOUT | POLLERR, "an error");
    check_eq(error_of(server), ECONNREFUSED, "is told");
    check_eq(error_of(server), 0, "once");
    check_eq(events(server), POLLOUT, "then no more");
    send(server, "x", 1, 0);
    usleep(20000);
    check_fails(send(server, "y", 1, 0), ECONNREFUSED, "by the next call");
    check_eq(send(server, "y", 1, 0), 1, "which is not sent");
    usleep(20000);
    check_fails(receive(server, MSG_DONTWAIT), ECONNREFUSED, "whichever it is");
    close(client);
    client = socket(AF_INET, SOCK_DGRAM, 0);
    check_eq(bind_to(client, "127.0.0.1", port), 0, "another takes the port");
    check_eq(send(server, "again", 5, 0), 5, "and it goes on");
    check_eq(receive(client, 0), 5, "with it");
    check_eq(send_to(stranger, "lost", "127.0.0.1", 1), 4, "who is not connected");
    usleep(20000);
    check_eq(error_of(stranger), 0, "is not told");
    close(server), close(client), close(stranger);
}

static void who_hears(void) {
    int all = socket(AF_INET, SOCK_DGRAM, 0), one = socket(AF_INET, SOCK_DGRAM, 0), on = 1;
    setsockopt(all, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), setsockopt(one, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    need(bind_to(all, "0.0.0.0", 0) == 0 && bind_to(one, "127.0.0.7", own_port(all)) == 0, "two at one port");
    int client = socket(AF_INET, SOCK_DGRAM, 0), port = own_port(all);
    send_to(client, "one", "127.0.0.7", port);
    send_to(client, "others", "127.0.0.8", port);
    check(receive(one, MSG_DONTWAIT) == 3 && receive(all, MSG_DONTWAIT) == 6, "the one that fits better");
    check(receive(one, MSG_DONTWAIT) == -1 && receive(all, MSG_DONTWAIT) == -1, "and no other");
    int mine = socket(AF_INET, SOCK_DGRAM, 0);
    setsockopt(mine, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    bind_to(mine, "127.0.0.7", port);
    connect_to(mine, "127.0.0.1", own_port(client));
    send_to(client, "mine", "127.0.0.7", port);
    check(receive(mine, MSG_DONTWAIT) == 4, "who is connected to the sender comes first");
    close(all), close(one), close(client), close(mine);
    int shared[2];
    port = 0;
    for (int i = 0; i < 2; i++) {
        shared[i] = socket(AF_INET, SOCK_DGRAM, 0);
        setsockopt(shared[i], SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
        check_eq(bind_to(shared[i], "127.0.0.1", port), 0, "SO_REUSEPORT");
        port = own_port(shared[i]);
    }
    int got[2] = {0};
    for (int i = 0; i < 64; i++) {
        client = socket(AF_INET, SOCK_DGRAM, 0);
        send_to(client, "x", "127.0.0.1", port);
        send_to(client, "x", "127.0.0.1", port);
        for (int n = 0; n < 2; n++)
            for (int count = 0; receive(shared[n], MSG_DONTWAIT) == 1;) {
                got[n]++;
                count++;
                if (count == 2) got[n] += 1000;
            }
        close(client);
    }
    check(got[0] % 1000 && got[1] % 1000, "both are heard");
    check_eq(got[0] + got[1], 64 * 1002, "each sender by one");
    close(shared[0]), close(shared[1]);
}

static void dual(void) {
    int fd = bound("::"), only = socket(AF_INET6, SOCK_DGRAM, 0), on = 1, client = socket(AF_INET, SOCK_DGRAM, 0);
    send_to(client, "four", "127.0.0.1", own_port(fd));
    check(receive(fd, 0) == 4 && strcmp(name_of(&from), "::ffff:127.0.0.1") == 0, "version 4 in version 6");
    check_eq(sendto(fd, "back", 4, 0, (void *)&from, sizeof(struct sockaddr_in6)), 4, "and back");
    check(receive(client, 0) == 4 && strcmp(name_of(&from), "127.0.0.1") == 0, "arrives");
    struct sockaddr_storage to;
    socklen_t len = make(&to, "127.0.0.1", own_port(client));
    check_eq(sendto(fd, "plain", 5, 0, (void *)&to, len), 5, "an address of version 4 as it is");
    check_eq(receive(client, 0), 5, "will do");
    check_eq(connect(fd, (void *)&to, len), 0, "also for connect");
    check(send(fd, "x", 1, 0) == 1 && receive(client, 0) == 1, "and for what follows");
    to.ss_family = AF_UNSPEC;
    int old = socket(AF_INET, SOCK_DGRAM, 0);
    check_eq(sendto(old, "old", 3, 0, (void *)&to, len), 3, "and one without a family");
    check_eq(receive(client, 0), 3, "arrives");
    close(old);
    setsockopt(only, SOL_IPV6, IPV6_V6ONLY, &on, sizeof on);
    need(bind_to(only, "::", 0) == 0, "IPV6_V6ONLY");
    int four = socket(AF_INET, SOCK_DGRAM, 0);
    check_eq(bind_to(four, "0.0.0.0", own_port(only)), 0, "leaves version 4 to others");
    send_to(client, "four", "127.0.0.1", own_port(only));
    check(receive(four, 0) == 4 && receive(only, MSG_DONTWAIT) == -1, "who hear it");
    close(fd), close(only), close(client), close(four);
}

static void *sends_later(void *port) {
    usleep(30000);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    long count = send_to(fd, "late", "127.0.0.1", *(int *)port);
    close(fd);
    return (void *)count;
}

static void waiting(const char *address) {
    int fd = bound(address), port = own_port(fd);
    pthread_t thread;
    pthread_create(&thread, NULL, sends_later, &port);
    check_eq(receive(fd, 0), 4, "a receive waits");
    pthread_join(thread, NULL);
    struct pollfd one = {fd, POLLIN, 0};
    pthread_create(&thread, NULL, sends_later, &port);
    check(poll(&one, 1, 5000) == 1 && one.revents == POLLIN, "so does poll");
    pthread_join(thread, NULL);
    int epoll = epoll_create1(0), size;
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    check_eq(epoll_wait(epoll, &event, 1, 0), 1, "epoll tells of what is there");
    check_eq(epoll_wait(epoll, &event, 1, 0), 0, "once");
    pthread_create(&thread, NULL, sends_later, &port);
    check_eq(epoll_wait(epoll, &event, 1, 5000), 1, "and of what comes");
    pthread_join(thread, NULL);
    check(ioctl(fd, FIONREAD, &size) == 0 && size == 4, "FIONREAD");
    check(receive(fd, 0) == 4 && receive(fd, 0) == 4, "both");
    struct timeval limit = {0, 30000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    check_fails(receive(fd, 0), EAGAIN, "SO_RCVTIMEO");
    close(fd), close(epoll);
}

static void what_has_no_room(void) {
    int fd = bound("127.0.0.1"), client = socket(AF_INET, SOCK_DGRAM, 0), size = 8192, port = own_port(fd);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    static char big[1024];
    memset(big, 'x', sizeof big - 1);
    int sent = 0, got = 0;
    for (int i = 0; i < 1000; i++) sent += send_to(client, big, "127.0.0.1", port) == 1023;
    while (receive(fd, MSG_DONTWAIT) == 1023) got++;
    check_eq(sent, 1000, "all are sent");
    check(got > 2 && got < 100, "some arrive");
    send_to(client, "after", "127.0.0.1", port);
    check_eq(receive(fd, MSG_DONTWAIT), 5, "then there is room again");
    check_fails(sendto(client, buffer, 65508, 0, NULL, 0), EDESTADDRREQ, "to nobody");
    struct sockaddr_storage to;
    socklen_t len = make(&to, "127.0.0.1", port);
    check_fails(sendto(client, buffer, 65508, 0, (void *)&to, len), EMSGSIZE, "more than a datagram has room for");
    check_eq(sendto(client, buffer, 65507, 0, (void *)&to, len), 65507, "as much as it has");
    make(&to, "127.0.0.1", 0);
    check_fails(sendto(client, "x", 1, 0, (void *)&to, len), EINVAL, "to no port");
    close(fd), close(client);
}

static void of_a_family(void) {
    int fd = bound("127.0.0.1"), pair[2], port = own_port(fd);
    pid_t child = fork();
    if (child == 0) {
        int mine = socket(AF_INET, SOCK_DGRAM, 0);
        _exit(send_to(mine, "child", "127.0.0.1", port) == 5 ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    check_eq(status, 0, "another process sends");
    child = fork();
    if (child == 0) _exit(receive(fd, 0) == 5 ? 0 : 1);
    waitpid(child, &status, 0);
    check_eq(status, 0, "and another one receives, by a descriptor that it has inherited");
    check_fails(socketpair(AF_INET, SOCK_DGRAM, 0, pair), EOPNOTSUPP, "no pairs");
    check_fails(listen(fd, 1), EOPNOTSUPP, "nor listeners");
    check_fails(accept(fd, NULL, NULL), EOPNOTSUPP, "nor connections");
    close(fd);
}

int main(void) {
    there_and_back("127.0.0.1", "127.0.0.1", "127.0.0.1");
    there_and_back("0.0.0.0", "127.0.0.1", "127.0.0.1");
    there_and_back("::1", "::1", "::1");
    there_and_back("::", "::1", "::1");
    connected();
    who_hears();
    dual();
    waiting("127.0.0.1");
    waiting("0.0.0.0");
    what_has_no_room();
    of_a_family();
    return check_done();
}
