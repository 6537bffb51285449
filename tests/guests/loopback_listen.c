// Servers and clients of one machine over the loopback interface: who gets which port, who is connected to whom, and when.
// loopback: inside
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
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sockaddr_in v4(const char *address, int port) {
    struct sockaddr_in made = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    inet_pton(AF_INET, address, &made.sin_addr);
    return made;
}

static struct sockaddr_in6 v6(const char *address, int port) {
    struct sockaddr_in6 made = {.sin6_family = AF_INET6, .sin6_port = htons((unsigned short)port)};
    inet_pton(AF_INET6, address, &made.sin6_addr);
    return made;
}

static int set(int fd, int level, int name, int value) {
    return setsockopt(fd, level, name, &value, sizeof value);
}

static int get(int fd, int level, int name) {
    int value = -1;
    socklen_t len = sizeof value;
    return getsockopt(fd, level, name, &value, &len) ? -errno : value;
}

static int port_of(int fd) {
    struct sockaddr_storage own;
    socklen_t len = sizeof own;
    if (getsockname(fd, (void *)&own, &len)) return -1;
    return ntohs(((struct sockaddr_in *)&own)->sin_port);
}

static const char *text(int (*name)(int, struct sockaddr *, socklen_t *), int fd) {
    static char out[64];
    struct sockaddr_storage found = {0};
    socklen_t len = sizeof found;
    if (name(fd, (void *)&found, &len)) return "none";
    if (found.ss_family == AF_INET)
        return inet_ntop(AF_INET, &((struct sockaddr_in *)&found)->sin_addr, out, sizeof out);
    return inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&found)->sin6_addr, out, sizeof out);
}

static int bound(const char *address, int port, int type) {
    int is_6 = strchr(address, ':') != NULL, fd = socket(is_6 ? AF_INET6 : AF_INET, type, 0), done;
    struct sockaddr_in four = v4(is_6 ? "0.0.0.0" : address, port);
    struct sockaddr_in6 six = v6(is_6 ? address : "::", port);
    done = is_6 ? bind(fd, (void *)&six, sizeof six) : bind(fd, (void *)&four, sizeof four);
    if (done == 0) return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static int listening(const char *address, int backlog) {
    int fd = bound(address, 0, SOCK_STREAM);
    return fd >= 0 && listen(fd, backlog) == 0 ? fd : -1;
}

static int connecting(const char *address, int port, int flags) {
    int is_6 = strchr(address, ':') != NULL, fd = socket(is_6 ? AF_INET6 : AF_INET, SOCK_STREAM | flags, 0);
    struct sockaddr_in four = v4(is_6 ? "0.0.0.0" : address, port);
    struct sockaddr_in6 six = v6(is_6 ? address : "::", port);
    int done = is_6 ? connect(fd, (void *)&six, sizeof six) : connect(fd, (void *)&four, sizeof four);
    if (done == 0 || (flags && errno == EINPROGRESS)) return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static int events(int fd, int asked) {
    struct pollfd one = {fd, (short)asked, 0};
    poll(&one, 1, 0);
    return one.revents;
}

// Who connects to a server at all addresses, and under which addresses both see each other.
static void joins(const char *server, const char *client, const char *seen) {
    int listener = listening(server, 4), port = port_of(listener);
    int one = connecting(client, port, 0);
    if (!check(one >= 0, "connect")) return;
    int other = accept(listener, NULL, NULL);
    check(strcmp(text(getsockname, other), seen) == 0, "the server's own address");
    check(strcmp(text(getpeername, one), client) == 0, "the client's peer");
    check(port_of(other) == port && port_of(one) != port, "the ports");
    check(write(one, "to", 2) == 2, "write");
    char buffer[8];
    check(read(other, buffer, 8) == 2 && memcmp(buffer, "to", 2) == 0, "read");
    check(write(other, "fro", 3) == 3 && read(one, buffer, 8) == 3, "to and fro");
    close(one), close(other), close(listener);
}

static void ports(int type) {
    int one = bound("127.0.0.1", 0, type), port = port_of(one);
    need(one >= 0 && port > 0, "a port");
    check_fails(bound("127.0.0.1", port, type), EADDRINUSE, "taken");
    check_fails(bound("0.0.0.0", port, type), EADDRINUSE, "so all addresses are");
    check_fails(bound("::", port, type), EADDRINUSE, "of version 6, too");
    int other = bound("127.0.0.2", port, type);
    check(other >= 0, "another address is not");
    int six = bound("::1", port, type);
    check(six >= 0, "nor is one of version 6");
    struct sockaddr_in again = v4("127.0.0.1", 0);
    check_fails(bind(one, (void *)&again, sizeof again), EINVAL, "bound once");
    close(one), close(other), close(six);
    int first = socket(AF_INET, type, 0), second = socket(AF_INET, type, 0);
    struct sockaddr_in address = v4("127.0.0.1", port);
    set(first, SOL_SOCKET, SO_REUSEADDR, 1), set(second, SOL_SOCKET, SO_REUSEADDR, 1);
    check(bind(first, (void *)&address, sizeof address) == 0, "bind");
    check(bind(second, (void *)&address, sizeof address) == 0, "SO_REUSEADDR of both");
    if (type == SOCK_STREAM) {
        check_eq(listen(first, 1), 0, "one listens");
        check_fails(listen(second, 1), EADDRINUSE, "the other does not");
    }
    close(first), close(second);
}

static void refusals(void) {
    int listener = listening("127.0.0.1", 1), port = port_of(listener), buffer;
    close(listener);
    check_fails(connecting("127.0.0.1", port, 0), ECONNREFUSED, "nobody listens");
    int fd = connecting("127.0.0.1", port, SOCK_NONBLOCK);
    need(fd >= 0, "a connect that does not wait");
    check_eq(events(fd, POLLIN | POLLOUT | POLLRDHUP), POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP, "has failed");
    check_eq(get(fd, SOL_SOCKET, SO_ERROR), ECONNREFUSED, "SO_ERROR");
    check_eq(get(fd, SOL_SOCKET, SO_ERROR), 0, "once");
    check_eq(recv(fd, &buffer, 1, 0), 0, "nothing comes");
    check_fails(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE, "nothing goes");
    struct sockaddr_in to = v4("127.0.0.1", port);
    check_fails(connect(fd, (void *)&to, sizeof to), ECONNABORTED, "the failure is told by the next connect, too");
    check_fails(connect(fd, (void *)&to, sizeof to), EINPROGRESS, "then it begins anew");
    check_eq(get(fd, SOL_SOCKET, SO_ERROR), ECONNREFUSED, "and fails anew");
    close(fd);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    check_fails(connect(fd, (void *)&to, sizeof to), ECONNREFUSED, "refused");
    check_eq(events(fd, POLLIN | POLLOUT), POLLOUT | POLLHUP, "as if nothing was");
    listener = listening("127.0.0.1", 1);
    to = v4("127.0.0.1", port_of(listener));
    check_eq(connect(fd, (void *)&to, sizeof to), 0, "and the same socket connects");
    check_fails(connect(fd, (void *)&to, sizeof to), EISCONN, "once");
    check_fails(listen(fd, 1), EINVAL, "what is connected does not listen");
    check_fails(connect(listener, (void *)&to, sizeof to), EISCONN, "what listens does not connect");
    check_fails(recv(listener, &buffer, 1, 0), ENOTCONN, "nor receive");
    check_fails(send(listener, "x", 1, MSG_NOSIGNAL), EPIPE, "nor send");
    struct sockaddr unspecified = {.sa_family = AF_UNSPEC};
    check_eq(connect(fd, &unspecified, sizeof unspecified), 0, "AF_UNSPEC ends it");
    check_fails(send(fd, "x", 1, MSG_NOSIGNAL), ECONNRESET, "who leaves is told, too");
    check_fails(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE, "there is no peer");
    int other = accept(listener, NULL, NULL);
    check_fails(recv(other, &buffer, 1, 0), ECONNRESET, "the peer was reset");
    check_eq(connect(fd, (void *)&to, sizeof to), 0, "it connects again");
    close(fd), close(other), close(listener);
}

static void without_waiting(void) {
    int listener = listening("127.0.0.1", 1), port = port_of(listener);
    check_eq(events(listener, POLLIN | POLLOUT), 0, "nobody has come");
    int fd = connecting("127.0.0.1", port, SOCK_NONBLOCK);
    struct pollfd one = {fd, POLLOUT, 0};
    check(poll(&one, 1, 5000) == 1 && one.revents == POLLOUT, "connected");
    check_eq(events(listener, POLLIN | POLLOUT), POLLIN, "somebody has");
    struct sockaddr_in to = v4("127.0.0.1", port);
    check_eq(connect(fd, (void *)&to, sizeof to), 0, "the next connect says so");
    check_fails(connect(fd, (void *)&to, sizeof to), EISCONN, "the one after it complains");
    fcntl(listener, F_SETFL, O_NONBLOCK);
    int other = accept(listener, NULL, NULL);
    check(other >= 0 && (fcntl(other, F_GETFL) & O_NONBLOCK) == 0, "accept");
    check_fails(accept(listener, NULL, NULL), EAGAIN, "no other has");
    check_eq(ioctl(listener, FIONREAD, &port), -1, "a listening socket has no bytes");
    close(fd), close(other), close(listener);
}

static void *accepts_later(void *listener) {
    usleep(50000);
    long count = 0;
    for (int i = 0; i < 4; i++) {
        int fd = accept(*(int *)listener, NULL, NULL);
        count += fd >= 0;
        write(fd, "x", 1);
        usleep(20000);
    }
    return (void *)count;
}

// Those who find no room wait for it.
static void a_full_backlog(void) {
    int listener = listening("127.0.0.1", 1), port = port_of(listener), clients[4];
    for (int i = 0; i < 2; i++) clients[i] = connecting("127.0.0.1", port, 0);
    check(clients[0] >= 0 && clients[1] >= 0, "one more than asked for");
    clients[2] = connecting("127.0.0.1", port, SOCK_NONBLOCK);
    check_eq(events(clients[2], POLLIN | POLLOUT), 0, "the next one is under way");
    struct sockaddr_in to = v4("127.0.0.1", port);
    check_fails(connect(clients[2], (void *)&to, sizeof to), EALREADY, "still");
    check_fails(getpeername(clients[2], (void *)&to, &(socklen_t){sizeof to}), ENOTCONN, "with nobody");
    check_fails(recv(clients[2], &to, 1, 0), EAGAIN, "nothing to receive");
    check_fails(send(clients[2], "x", 1, 0), EAGAIN, "nor to be sent");
    check_eq(events(listener, POLLIN), POLLIN, "there is somebody");
    close(clients[2]);
    pthread_t thread;
    // It takes two who wait, and two more that come.
    pthread_create(&thread, NULL, accepts_later, &listener);
    usleep(100000);
    clients[2] = connecting("127.0.0.1", port, 0);
    clients[3] = connecting("127.0.0.1", port, 0);
    char byte;
    int good = 1;
    for (int i = 0; i < 4; i++) good &= read(clients[i], &byte, 1) == 1;
    check(good, "all are served");
    void *count;
    pthread_join(thread, &count);
    check_eq((long)count, 4, "all were accepted");
    for (int i = 0; i < 4; i++) close(clients[i]);
    close(listener);
}

static void *shuts(void *fd) {
    usleep(50000);
    return (void *)(long)shutdown(*(int *)fd, SHUT_RDWR);
}

static void who_leaves_the_backlog(void) {
    int listener = listening("127.0.0.1", 4), port = port_of(listener);
    int fd = connecting("127.0.0.1", port, 0);
    check_eq(write(fd, "early", 5), 5, "sent before it is accepted");
    shutdown(fd, SHUT_WR);
    int gone = connecting("127.0.0.1", port, 0);
    close(gone);
    int first = accept(listener, NULL, NULL), second = accept(listener, NULL, NULL);
    char buffer[8];
    check(read(first, buffer, 8) == 5 && read(first, buffer, 8) == 0, "what came early, and the end");
    check_eq(read(second, buffer, 8), 0, "one that is gone is accepted all the same");
    close(first), close(second), close(fd);
    fd = connecting("127.0.0.1", port, 0);
    close(listener);
    check_fails(read(fd, buffer, 8), ECONNRESET, "a listener that closes resets who waits");
    close(fd);
    listener = listening("127.0.0.1", 4);
    pthread_t thread;
    pthread_create(&thread, NULL, shuts, &listener);
    check_fails(accept(listener, NULL, NULL), EINVAL, "a shutdown ends accept");
    pthread_join(thread, NULL);
    check_eq(get(listener, SOL_SOCKET, SO_ACCEPTCONN), 0, "it listens no more");
    check_eq(listen(listener, 1), 0, "but may again");
    close(listener);
}

// What is watched before it is bound or connected.
static void watched_early(void) {
    int epoll = epoll_create1(0), fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP, .data.u32 = 1};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    check(epoll_wait(epoll, &event, 1, 0) == 1 && event.events == (EPOLLOUT | EPOLLHUP), "a fresh socket");
    int server = socket(AF_INET, SOCK_STREAM, 0);
    event = (struct epoll_event){.events = EPOLLIN | EPOLLET, .data.u32 = 2};
    epoll_ctl(epoll, EPOLL_CTL_ADD, server, &event);
    struct sockaddr_in any = v4("0.0.0.0", 0);
    bind(server, (void *)&any, sizeof any);
    check_eq(listen(server, 4), 0, "listen");
    struct sockaddr_in to = v4("127.0.0.1", port_of(server));
    check_fails(connect(fd, (void *)&to, sizeof to), EINPROGRESS, "connect");
    struct epoll_event found[4];
    int seen = 0;
    for (int i = 0; i < 10 && seen != 3; i++) {
        int count = epoll_wait(epoll, found, 4, 1000);
        for (int n = 0; n < count; n++) {
            if (found[n].data.u32 == 1 && found[n].events == EPOLLOUT) seen |= 1;
            if (found[n].data.u32 == 2 && found[n].events == EPOLLIN) seen |= 2;
        }
    }
    check_eq(seen, 3, "both are told of");
    int other = accept(server, NULL, NULL);
    write(other, "x", 1);
    check(epoll_wait(epoll, found, 4, 1000) == 1 && found[0].events == (EPOLLIN | EPOLLOUT), "and data");
    close(other);
    check(epoll_wait(epoll, found, 4, 1000) == 1 && found[0].events == (EPOLLIN | EPOLLOUT | EPOLLRDHUP), "and the end");
    close(fd), close(server), close(epoll);
}

static void who_shares_a_port(void) {
    int all[2], port = 0;
    for (int i = 0; i < 2; i++) {
        all[i] = socket(AF_INET, SOCK_STREAM, 0);
        set(all[i], SOL_SOCKET, SO_REUSEPORT, 1);
        struct sockaddr_in address = v4("127.0.0.1", port);
        check_eq(bind(all[i], (void *)&address, sizeof address), 0, "bind");
        check_eq(listen(all[i], 64), 0, "listen");
        port = port_of(all[i]);
    }
    int clients[40];
    for (int i = 0; i < 40; i++) clients[i] = connecting("127.0.0.1", port, 0);
    int got[2] = {0};
    for (int i = 0; i < 2; i++) {
        fcntl(all[i], F_SETFL, O_NONBLOCK);
        for (int fd; (fd = accept(all[i], NULL, NULL)) >= 0; close(fd)) got[i]++;
    }
    check_eq(got[0] + got[1], 40, "each has some of the connections");
    check(got[0] > 0 && got[1] > 0, "none has all");
    for (int i = 0; i < 40; i++) close(clients[i]);
    close(all[0]), close(all[1]);
}

// Four processes accept from one socket.
static void workers(void) {
    int listener = listening("0.0.0.0", 64), port = port_of(listener);
    pid_t children[4];
    for (int i = 0; i < 4; i++)
        if ((children[i] = fork()) == 0) {
            for (;;) {
                int fd = accept(listener, NULL, NULL);
                char order;
                if (fd < 0 || read(fd, &order, 1) != 1) _exit(9);
                write(fd, &order, 1);
                close(fd);
                if (order == 'q') _exit(0);
            }
        }
    int good = 0;
    for (int i = 0; i < 100; i++) {
        int fd = connecting("127.0.0.1", port, 0);
        char answer = 0;
        good += write(fd, "a", 1) == 1 && read(fd, &answer, 1) == 1 && answer == 'a';
        close(fd);
    }
    check_eq(good, 100, "each connection is served by one of them");
    for (int i = 0; i < 4; i++) {
        int fd = connecting("127.0.0.1", port, 0);
        char answer;
        write(fd, "q", 1), read(fd, &answer, 1), close(fd);
    }
    int ended = 0, status;
    for (int i = 0; i < 4; i++) ended += waitpid(children[i], &status, 0) == children[i] && status == 0;
    check_eq(ended, 4, "all end");
    close(listener);
}

// Four processes wait for one listening socket, each by an epoll instance: not all of them wake for each connection.
static void no_herd(void) {
    int listener = listening("127.0.0.1", 64), port = port_of(listener), woken[2];
    fcntl(listener, F_SETFL, O_NONBLOCK);
    if (pipe(woken)) return;
    pid_t children[4];
    for (int i = 0; i < 4; i++)
        if ((children[i] = fork()) == 0) {
            int epoll = epoll_create1(0);
            struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE};
            epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
            for (;;) {
                if (epoll_wait(epoll, &event, 1, -1) != 1) continue;
                int fd = accept(listener, NULL, NULL);
                write(woken[1], fd >= 0 ? "a" : "-", 1);
                close(fd);
            }
        }
    usleep(100000);
    int served = 0, in_vain = 0;
    for (int i = 0; i < 20; i++) {
        int fd = connecting("127.0.0.1", port, 0);
        char byte;
        served += read(fd, &byte, 1) == 0;
        close(fd);
        usleep(5000);
    }
    fcntl(woken[0], F_SETFL, O_NONBLOCK);
    for (char byte; read(woken[0], &byte, 1) == 1;) in_vain += byte == '-';
    check_eq(served, 20, "each connection is served");
    check(in_vain < 20, "and few wake in vain");
    for (int i = 0; i < 4; i++) kill(children[i], SIGKILL), waitpid(children[i], NULL, 0);
    close(listener), close(woken[0]), close(woken[1]);
}

static void passed_on(void) {
    int listener = listening("127.0.0.1", 4), pair[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    int client = connecting("127.0.0.1", port_of(listener), 0), server = accept(listener, NULL, NULL);
    char control[CMSG_SPACE(sizeof(int))] = {0}, byte = 'f';
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    *CMSG_FIRSTHDR(&message) =
        (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &server, sizeof server);
    check_eq(sendmsg(pair[0], &message, 0), 1, "SCM_RIGHTS");
    close(server);
    check_eq(recvmsg(pair[1], &message, 0), 1, "received");
    memcpy(&server, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof server);
    int twin = dup(server);
    close(server);
    char buffer[8];
    check(write(client, "still", 5) == 5 && read(twin, buffer, 8) == 5, "still connected");
    close(twin);
    check_eq(read(client, buffer, 8), 0, "until the last one closes");
    close(client), close(listener), close(pair[0]), close(pair[1]);
}

// A server that is given its listening socket, as systemd gives it.
static int served(void) {
    int fd = accept(3, NULL, NULL);
    return get(3, SOL_SOCKET, SO_ACCEPTCONN) == 1 && write(fd, "served", 6) == 6 ? 0 : 1;
}

static void handed_over(void) {
    int listener = listening("127.0.0.1", 4), port = port_of(listener), status;
    pid_t child = fork();
    if (child == 0) {
        if (listener != 3) dup2(listener, 3), close(listener);
        char *words[] = {"guest", "serve", NULL}, *with[] = {"LISTEN_FDS=1", NULL};
        execve("/proc/self/exe", words, with);
        _exit(9);
    }
    close(listener);
    int fd = connecting("127.0.0.1", port, 0);
    char answer[8];
    check(read(fd, answer, 8) == 6 && memcmp(answer, "served", 6) == 0, "another program accepts");
    check(waitpid(child, &status, 0) == child && status == 0, "and ends");
    check_fails(connecting("127.0.0.1", port, 0), ECONNREFUSED, "with it, the port");
    close(fd);
}

int main(int count, char **arguments) {
    if (count > 1 && strcmp(arguments[1], "serve") == 0) return served();
    joins("127.0.0.1", "127.0.0.1", "127.0.0.1");
    joins("0.0.0.0", "127.0.0.1", "127.0.0.1");
    joins("0.0.0.0", "127.0.0.5", "127.0.0.5");
    joins("127.0.0.5", "127.0.0.5", "127.0.0.5");
    joins("::1", "::1", "::1");
    joins("::", "::1", "::1");
    joins("::", "127.0.0.1", "::ffff:127.0.0.1");
    ports(SOCK_STREAM);
    ports(SOCK_DGRAM);
    refusals();
    without_waiting();
    a_full_backlog();
    who_leaves_the_backlog();
    watched_early();
    who_shares_a_port();
    workers();
    no_herd();
    passed_on();
    handed_over();
    return check_done();
}
