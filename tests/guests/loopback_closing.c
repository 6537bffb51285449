// How TCP connections over the loopback interface end, in order and not: what each end reads, writes, polls and is told.
// loopback: inside
#include "check.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static int one, other;
static char buffer[1 << 20];

static void pair(void) {
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    bind(listener, (void *)&address, sizeof address);
    listen(listener, 1);
    getsockname(listener, (void *)&address, &len);
    one = socket(AF_INET, SOCK_STREAM, 0);
    need(connect(one, (void *)&address, sizeof address) == 0, "connect");
    other = accept(listener, NULL, NULL);
    close(listener);
}

static int events(int fd) {
    struct pollfd asked = {fd, POLLIN | POLLOUT | POLLRDHUP | POLLPRI, 0};
    poll(&asked, 1, 0);
    return asked.revents;
}

static int state(int fd) {
    struct tcp_info info;
    socklen_t len = sizeof info;
    return getsockopt(fd, SOL_TCP, TCP_INFO, &info, &len) ? -1 : info.tcpi_state;
}

static int error_of(int fd) {
    int error = -1;
    socklen_t len = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
    return error;
}

static int has_peer(int fd) {
    struct sockaddr_in peer;
    socklen_t len = sizeof peer;
    return getpeername(fd, (void *)&peer, &len) == 0;
}

static void in_order(void) {
    pair();
    check_eq(events(one), POLLOUT, "connected");
    check_eq(state(one), TCP_ESTABLISHED, "TCP_INFO");
    write(one, "last", 4);
    close(one);
    check_eq(events(other), POLLIN | POLLOUT | POLLRDHUP, "its peer has closed");
    check_eq(state(other), TCP_CLOSE_WAIT, "TCP_INFO");
    check(has_peer(other), "getpeername");
    check(read(other, buffer, 2) == 2 && read(other, buffer, 9) == 2, "what was sent before");
    check_eq(read(other, buffer, 9), 0, "and the end");
    check_eq(read(other, buffer, 9), 0, "again");
    check_eq(write(other, "x", 1), 1, "the first write does not know");
    usleep(20000);
    check_eq(events(other), POLLIN | POLLOUT | POLLRDHUP | POLLERR | POLLHUP, "a reset came back");
    check_eq(state(other), TCP_CLOSE, "TCP_INFO");
    check(!has_peer(other), "no peer any more");
    check_eq(read(other, buffer, 9), 0, "still the end");
    check_fails(write(other, "x", 1), EPIPE, "the next one does");
    check_eq(error_of(other), 0, "so it is told");
    check_fails(write(other, "x", 1), EPIPE, "and for ever");
    check_fails(shutdown(other, SHUT_WR), ENOTCONN, "nothing to shut down");
    close(other);
    pair();
    close(one);
    write(other, "x", 1);
    usleep(20000);
    check_eq(error_of(other), EPIPE, "SO_ERROR");
    check_eq(events(other), POLLIN | POLLOUT | POLLRDHUP | POLLHUP, "takes it away");
    close(other);
}

static void by_halves(void) {
    pair();
    check_eq(shutdown(one, SHUT_WR), 0, "SHUT_WR");
    check_eq(events(one), POLLOUT, "nothing to see here");
    check(state(one) == TCP_FIN_WAIT1 || state(one) == TCP_FIN_WAIT2, "TCP_INFO");
    check_eq(events(other), POLLIN | POLLOUT | POLLRDHUP, "there is");
    check_fails(write(one, "x", 1), EPIPE, "no more");
    check_eq(write(other, "answer", 6), 6, "the other way");
    check_eq(read(one, buffer, 9), 6, "is open");
    check_eq(shutdown(other, SHUT_WR), 0, "both");
    check_eq(events(one), POLLIN | POLLOUT | POLLRDHUP | POLLHUP, "all is over");
    check_eq(events(other), POLLIN | POLLOUT | POLLRDHUP | POLLHUP, "on both sides");
    check_eq(read(one, buffer, 9), 0, "the end");
    check(!has_peer(one) && !has_peer(other), "no peer");
    check_fails(shutdown(one, SHUT_RD), ENOTCONN, "shutdown");
    close(one), close(other);

    pair();
    check_eq(shutdown(one, SHUT_RD), 0, "SHUT_RD");
    check_eq(events(one), POLLIN | POLLOUT | POLLRDHUP, "is the end for the reader");
    check_eq(events(other), POLLOUT, "of which the writer knows nothing");
    check_eq(read(one, buffer, 9), 0, "the end");
    check_eq(write(other, "late", 4), 4, "write");
    usleep(20000);
    check_eq(read(one, buffer, 9), 4, "arrives all the same");
    check_eq(read(one, buffer, 9), 0, "the end");
    check_eq(write(one, "x", 1), 1, "the other direction");
    check_eq(read(other, buffer, 9), 1, "is open");
    check_eq(shutdown(one, SHUT_RDWR), 0, "SHUT_RDWR");
    check_eq(events(one), POLLIN | POLLOUT | POLLRDHUP | POLLHUP, "is the end");
    check_eq(events(other), POLLIN | POLLOUT | POLLRDHUP, "of one direction for the other side");
    close(one), close(other);
}

static void out_of_order(void) {
    pair();
    write(one, "unread", 6);
    write(other, "sent", 4);
    usleep(20000);
    close(other);
    check_eq(events(one), POLLIN | POLLOUT | POLLRDHUP | POLLERR | POLLHUP, "closed with unread data: reset");
    check_eq(read(one, buffer, 9), 4, "what was sent before");
    check_fails(read(one, buffer, 9), ECONNRESET, "then the error");
    check_eq(read(one, buffer, 9), 0, "then the end");
    check_fails(write(one, "x", 1), EPIPE, "write");
    close(one);
    pair();
    struct linger at_once = {1, 0};
    setsockopt(one, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(one);
    check_fails(write(other, "x", 1), ECONNRESET, "SO_LINGER without time: reset");
    check_fails(write(other, "x", 1), EPIPE, "then closed");
    check_eq(read(other, buffer, 9), 0, "the end");
    close(other);
    pair();
    setsockopt(one, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(one);
    check_eq(error_of(other), ECONNRESET, "SO_ERROR");
    check_eq(error_of(other), 0, "once");
    check_eq(read(other, buffer, 9), 0, "the end");
    close(other);
    pair();
    shutdown(other, SHUT_WR);
    write(one, "unread", 6);
    usleep(20000);
    close(other);
    check_eq(read(one, buffer, 9), 0, "in order first, then not");
    check_eq(error_of(one), EPIPE, "a broken pipe");
    close(one);
}

static void *reads(void *fd) {
    return (void *)(long)read(*(int *)fd, buffer, sizeof buffer);
}

static void *writes(void *fd) {
    static char data[1 << 20];
    long sum = 0, count;
    while ((count = write(*(int *)fd, data, sizeof data)) > 0) sum += count;
    return (void *)(long)errno;
}

// Who waits is woken by all that ends the waiting.
static void while_one_waits(void) {
    pthread_t thread;
    void *result;
    pair();
    pthread_create(&thread, NULL, reads, &one);
    usleep(30000);
    close(other);
    pthread_join(thread, &result);
    check_eq((long)result, 0, "a reader, by a close");
    close(one);
    pair();
    pthread_create(&thread, NULL, reads, &one);
    usleep(30000);
    shutdown(one, SHUT_RD);
    pthread_join(thread, &result);
    check_eq((long)result, 0, "by its own shutdown");
    close(one), close(other);
    pair();
    pthread_create(&thread, NULL, writes, &one);
    usleep(50000);
    close(other);
    pthread_join(thread, &result);
    check((long)result == ECONNRESET || (long)result == EPIPE, "a writer, by a reset");
    close(one);
    pair();
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    close(other);
    pthread_create(&thread, NULL, reads, &one);
    usleep(30000);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    pthread_join(thread, &result);
    check_eq((long)result, 0, "a reader, by the death of a process");
    close(one);
}

static void limits(void) {
    pair();
    int size = 4096, on = 1, queued;
    setsockopt(one, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    setsockopt(other, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    fcntl(one, F_SETFL, O_NONBLOCK);
    long sum = 0, count;
    while ((count = write(one, buffer, sizeof buffer)) > 0) sum += count;
    check(errno == EAGAIN && sum > 1000 && sum < 200000, "small buffers fill soon");
    check_eq(events(one), 0, "no room");
    check(ioctl(other, FIONREAD, &queued) == 0 && queued > 0, "FIONREAD");
    long got = 0;
    while (got < sum && (count = read(other, buffer, sizeof buffer)) > 0) got += count;
    check_eq(got, sum, "all arrives");
    struct pollfd room = {one, POLLOUT, 0};
    check(poll(&room, 1, 5000) == 1 && room.revents == POLLOUT, "room again");
    usleep(50000);
    check(ioctl(one, TIOCOUTQ, &queued) == 0 && queued == 0, "nothing is on its way");
    check(setsockopt(one, SOL_TCP, TCP_NODELAY, &on, sizeof on) == 0, "TCP_NODELAY");
    struct timeval limit = {0, 30000};
    fcntl(one, F_SETFL, 0);
    setsockopt(one, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    count = write(one, buffer, sizeof buffer);
    check(count > 0 && count < (long)sizeof buffer, "SO_SNDTIMEO: a part");
    check_fails(write(one, buffer, sizeof buffer), EAGAIN, "then nothing");
    close(one), close(other);
}

static void urgent(void) {
    pair();
    int at_mark;
    write(one, "ab", 2);
    check_eq(send(one, "cX", 2, MSG_OOB), 2, "MSG_OOB");
    write(one, "de", 2);
    usleep(20000);
    check(events(other) & POLLPRI, "POLLPRI");
    check_eq(read(other, buffer, 9), 3, "up to the mark");
    check(ioctl(other, SIOCATMARK, &at_mark) == 0 && at_mark == 1, "SIOCATMARK");
    check(recv(other, buffer, 9, MSG_OOB) == 1 && *buffer == 'X', "the urgent byte");
    check_fails(recv(other, buffer, 9, MSG_OOB), EINVAL, "once");
    check(!(events(other) & POLLPRI), "no POLLPRI");
    check(read(other, buffer, 9) == 2 && *buffer == 'd', "what is behind");
    close(one), close(other);
    pair();
    int on = 1;
    setsockopt(other, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on);
    write(one, "ab", 2);
    send(one, "X", 1, MSG_OOB);
    write(one, "cd", 2);
    usleep(20000);
    check(read(other, buffer, 9) == 2 && *buffer == 'a', "in line: up to the mark");
    check(read(other, buffer, 9) == 3 && *buffer == 'X', "and from there");
    check_fails(recv(other, buffer, 9, MSG_OOB), EINVAL, "nothing beside it");
    close(one), close(other);
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    in_order();
    by_halves();
    out_of_order();
    while_one_waits();
    limits();
    urgent();
    return check_done();
}
