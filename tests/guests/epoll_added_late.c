// What is added to an epoll instance while another thread waits for it wakes that thread.
// loopback: host inside
// linkage: dynamic musl
// flags: -pthread
#include "check.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

static int instance;

static void *waits(void *found) {
    // Time is bounded so that a lost wake-up fails and does not hang.
    *(int *)found = epoll_wait(instance, (struct epoll_event[1]){}, 1, 5000);
    return NULL;
}

// Adds `fd` while a thread waits, and gives what epoll_wait returned to that.
static int wakes(int fd, unsigned events) {
    pthread_t thread;
    int found = -2;
    if (pthread_create(&thread, NULL, waits, &found) != 0) return -3;
    usleep(50000);
    struct epoll_event event = {.events = events, .data.fd = fd};
    if (epoll_ctl(instance, EPOLL_CTL_ADD, fd, &event) != 0) return -4;
    pthread_join(thread, NULL);
    epoll_ctl(instance, EPOLL_CTL_DEL, fd, NULL);
    return found;
}

static int listener(struct sockaddr_in *address) {
    socklen_t size = sizeof *address;
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)address, size) || listen(fd, 8) || getsockname(fd, (struct sockaddr *)address, &size))
        exit(1);
    return fd;
}

int main(void) {
    instance = epoll_create1(0);
    int event = eventfd(1, 0);
    check_eq(wakes(event, EPOLLIN), 1, "an event counter");
    int ends[2];
    if (pipe(ends)) return 1;
    check_eq(wakes(ends[1], EPOLLOUT), 1, "a pipe with room");

    struct sockaddr_in address;
    int server = listener(&address);
    for (int round = 0; round < 3; round++) {
        int client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        int connected = connect(client, (struct sockaddr *)&address, sizeof address);
        check(connected == 0 || errno == EINPROGRESS, "connect");
        check_eq(wakes(client, EPOLLOUT | EPOLLONESHOT), 1, "a socket that connects");
        int accepted = accept(server, NULL, NULL);
        check_eq(wakes(client, EPOLLOUT), 1, "a socket that is connected");
        check(write(accepted, "x", 1) == 1 && poll(&(struct pollfd){client, POLLIN, 0}, 1, 5000) == 1, "a byte");
        check_eq(wakes(client, EPOLLIN), 1, "a socket with a byte");
        check_eq(wakes(client, EPOLLIN | EPOLLET | EPOLLONESHOT), 1, "once more, for one edge");
        close(client);
        check_eq(wakes(accepted, EPOLLRDHUP | EPOLLHUP), 1, "a socket whose peer has gone");
        close(accepted);
    }
    return check_done();
}
