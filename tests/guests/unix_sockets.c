// Sockets of the Unix domain: pairs, names, kinds, credentials, descriptors that are sent.
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char buffer[1 << 17];

static struct sockaddr_un name(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path);
    return address;
}
#define ADDRESS(a) (struct sockaddr *)&(a), sizeof(a)

static void streams(void) {
    int s[2];
    need(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0, "socketpair");
    check_eq(write(s[0], "hello", 5), 5, "write");
    check_eq(send(s[0], "world", 5, 0), 5, "send");
    check(recv(s[1], buffer, 100, MSG_PEEK) == 10 && recv(s[1], buffer, 100, 0) == 10,
          "a stream joins them; MSG_PEEK leaves them");
    check_fails(recv(s[1], buffer, 1, MSG_DONTWAIT), EAGAIN, "MSG_DONTWAIT");
    check(write(s[1], "back", 4) == 4 && read(s[0], buffer, 10) == 4, "both ways");
    int ready;
    send(s[0], "123", 3, 0);
    check(ioctl(s[1], FIONREAD, &ready) == 0 && ready == 3, "FIONREAD");
    check_eq(recv(s[1], buffer, 3, MSG_WAITALL), 3, "MSG_WAITALL");
    fcntl(s[0], F_SETFL, O_NONBLOCK);
    long sent = 0, got;
    while ((got = write(s[0], buffer, sizeof buffer)) > 0) sent += got;
    check(errno == EAGAIN && sent >= 4096, "it is full at last");
    long received = 0;
    while (received < sent && (got = read(s[1], buffer, sizeof buffer)) > 0) received += got;
    check_eq(received, sent, "all of it arrives");
    check_eq(shutdown(s[0], SHUT_WR), 0, "shutdown");
    check_eq(read(s[1], buffer, 1), 0, "an end for the other");
    check_eq(write(s[1], "x", 1), 1, "which may still write");
    check_fails(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE, "but not the one that shut down");
    struct ucred credentials;
    socklen_t length = sizeof credentials;
    check(getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0 &&
              credentials.pid == getpid() && credentials.uid == getuid(),
          "SO_PEERCRED");
    close(s[1]);
    check_fails(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE, "nobody is there");
    close(s[0]);
}

static void packets(void) {
    int s[2];
    need(socketpair(AF_UNIX, SOCK_DGRAM, 0, s) == 0, "a pair of datagram sockets");
    send(s[0], "one", 3, 0), send(s[0], "", 0, 0), send(s[0], "three", 5, 0);
    check(recv(s[1], buffer, 100, 0) == 3 && recv(s[1], buffer, 100, 0) == 0, "datagrams have borders");
    check_eq(recv(s[1], buffer, 2, MSG_TRUNC), 5, "MSG_TRUNC tells the whole length");
    check_fails(recv(s[1], buffer, 2, MSG_DONTWAIT), EAGAIN, "the rest is gone");
    close(s[0]), close(s[1]);
    need(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s) == 0, "SOCK_SEQPACKET");
    send(s[0], "one", 3, 0), send(s[0], "three", 5, 0);
    check(recv(s[1], buffer, 100, 0) == 3 && recv(s[1], buffer, 100, 0) == 5, "has borders too");
    close(s[0]);
    check_eq(recv(s[1], buffer, 100, 0), 0, "and an end");
    close(s[1]);

    int server = socket(AF_UNIX, SOCK_DGRAM, 0), client = socket(AF_UNIX, SOCK_DGRAM, 0);
    struct sockaddr_un there = name("datagrams"), here = name("client"), from;
    socklen_t length = sizeof from;
    check(bind(server, ADDRESS(there)) == 0 && bind(client, ADDRESS(here)) == 0, "names for datagrams");
    check_eq(sendto(client, "to you", 6, 0, ADDRESS(there)), 6, "sendto");
    check(recvfrom(server, buffer, 100, 0, (struct sockaddr *)&from, &length) == 6 &&
              strcmp(from.sun_path, "client") == 0,
          "recvfrom tells the sender");
    check(connect(client, ADDRESS(there)) == 0 && send(client, "x", 1, 0) == 1,
          "connect chooses the receiver");
    struct mmsghdr many[3] = {0};
    struct iovec parts[3] = {{"a", 1}, {"bb", 2}, {"ccc", 3}};
    recv(server, buffer, 10, 0);
    for (int i = 0; i < 3; i++) many[i].msg_hdr.msg_iov = &parts[i], many[i].msg_hdr.msg_iovlen = 1;
    check_eq(sendmmsg(client, many, 3, 0), 3, "sendmmsg");
    for (int i = 0; i < 3; i++) parts[i] = (struct iovec){buffer + i * 100, 100};
    check(recvmmsg(server, many, 3, 0, NULL) == 3 && many[1].msg_len == 2 && many[2].msg_len == 3,
          "recvmmsg");
    close(server);
    check_fails(send(client, "x", 1, 0), ECONNREFUSED, "no receiver any more");
    close(client);
}

static void *serve(void *listener) {
    int connection = accept4((int)(long)listener, NULL, NULL, SOCK_CLOEXEC);
    char byte;
    while (read(connection, &byte, 1) == 1) {
        byte++;
        if (write(connection, &byte, 1) != 1) break;
    }
    close(connection);
    return NULL;
}

static void names(void) {
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un address = name("socket"), told;
    check_fails(connect(client, ADDRESS(address)), ENOENT, "no such name");
    check_eq(bind(listener, ADDRESS(address)), 0, "bind");
    struct stat st;
    check(stat("socket", &st) == 0 && S_ISSOCK(st.st_mode), "a socket in the file system");
    check_fails(open("socket", O_RDWR), ENXIO, "is not opened");
    struct sockaddr_un second = name("second");
    check_fails(bind(listener, ADDRESS(second)), EINVAL, "a second name");
    int other = socket(AF_UNIX, SOCK_STREAM, 0);
    check_fails(bind(other, ADDRESS(address)), EADDRINUSE, "a name that is taken");
    close(other);
    check_fails(connect(client, ADDRESS(address)), ECONNREFUSED, "nobody listens");
    check_eq(listen(listener, 5), 0, "listen");
    int accepts;
    socklen_t length = sizeof accepts;
    check(getsockopt(listener, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &length) == 0 && accepts == 1,
          "SO_ACCEPTCONN");
    pthread_t thread;
    pthread_create(&thread, NULL, serve, (void *)(long)listener);
    check_eq(connect(client, ADDRESS(address)), 0, "connect");
    char byte = 'a';
    int good = 1;
    for (int i = 0; i < 1000; i++) {
        char sent = byte;
        good &= write(client, &byte, 1) == 1 && read(client, &byte, 1) == 1 && byte == (char)(sent + 1);
    }
    check(good, "a thousand times to and fro");
    length = sizeof told;
    check(getpeername(client, (struct sockaddr *)&told, &length) == 0 && strcmp(told.sun_path, "socket") == 0,
          "getpeername");
    length = sizeof told;
    check(getsockname(client, (struct sockaddr *)&told, &length) == 0 && length == sizeof(sa_family_t),
          "getsockname of no name");
    check_fails(connect(client, ADDRESS(address)), EISCONN, "connect twice");
    close(client);
    pthread_join(thread, NULL);
    check_eq(unlink("socket"), 0, "unlink");
    close(listener);

    // Abstract names are no files. Linux runs several builds of this guest at once: one name each.
    struct sockaddr_un abstract = {.sun_family = AF_UNIX};
    length = offsetof(struct sockaddr_un, sun_path) + 1 + sprintf(abstract.sun_path + 1, "nacre %d", getpid());
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    check(bind(listener, (struct sockaddr *)&abstract, length) == 0 && listen(listener, 1) == 0,
          "an abstract name");
    check_fails(accept(listener, NULL, NULL), EAGAIN, "accept without waiting");
    check_eq(connect(client, (struct sockaddr *)&abstract, length), 0, "connect to it");
    struct pollfd poller = {listener, POLLIN, 0};
    check(poll(&poller, 1, 0) == 1 && (other = accept(listener, NULL, NULL)) >= 0, "accept");
    check(write(other, "x", 1) == 1 && read(client, buffer, 1) == 1, "works");
    close(listener), close(client), close(other);
    client = socket(AF_UNIX, SOCK_STREAM, 0);
    check_fails(connect(client, (struct sockaddr *)&abstract, length), ECONNREFUSED,
                "it goes with its socket");
    check_fails(connect(client, (struct sockaddr *)&abstract, 1), EINVAL, "a short address");
    check_fails(socket(AF_UNIX, 77, 0), EINVAL, "no such kind");
    check_fails(socket(99, SOCK_STREAM, 0), EAFNOSUPPORT, "no such family");
    close(client);
}

static void *accept_one(void *shared) {
    int *state = shared, listener = state[0];
    __atomic_store_n(&state[1], gettid(), __ATOMIC_SEQ_CST);
    state[0] = accept(listener, NULL, NULL);
    state[2] = errno;
    return NULL;
}

// Waits until a thread of this process sleeps.
static void until_it_sleeps(int tid) {
    char path[64], text[256] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
    for (char *state = NULL; !state || state[2] != 'S'; sched_yield()) {
        int fd = open(path, O_RDONLY);
        if (fd < 0) return;
        ssize_t length = read(fd, text, sizeof text - 1);
        close(fd);
        text[length > 0 ? length : 0] = 0;
        state = strrchr(text, ')');
    }
}

static int polled(int fd) {
    struct pollfd poller = {fd, POLLIN | POLLOUT | POLLRDHUP, 0};
    poll(&poller, 1, 0);
    return poller.revents;
}

static void shut(int kind) {
    printf("# shutdown without a connection, kind %d\n", kind);
    struct sockaddr_un address = name("shut");
    int listener = socket(AF_UNIX, kind, 0), early = socket(AF_UNIX, kind, 0), late = socket(AF_UNIX, kind, 0);
    need(bind(listener, ADDRESS(address)) == 0 && listen(listener, 5) == 0, "a socket that listens");
    int state[3] = {listener, 0, 0};
    pthread_t thread;
    pthread_create(&thread, NULL, accept_one, state);
    while (!__atomic_load_n(&state[1], __ATOMIC_SEQ_CST)) sched_yield();
    until_it_sleeps(state[1]);
    check_eq(shutdown(listener, SHUT_WR), 0, "shut down for writing");
    check_eq(connect(early, ADDRESS(address)), 0, "it still takes connections");
    pthread_join(thread, NULL);
    check(state[0] >= 0, "which who waits accepts");
    close(state[0]), close(early);
    check_eq(polled(listener), 0, "nothing to poll");

    state[0] = listener, state[1] = 0;
    pthread_create(&thread, NULL, accept_one, state);
    while (!__atomic_load_n(&state[1], __ATOMIC_SEQ_CST)) sched_yield();
    until_it_sleeps(state[1]);
    check_eq(shutdown(listener, SHUT_RD), 0, "shut down for reading");
    pthread_join(thread, NULL);
    check(state[0] == -1 && state[2] == EINVAL, "ends an accept that waits");
    check_fails(accept(listener, NULL, NULL), EINVAL, "and later ones");
    fcntl(listener, F_SETFL, O_NONBLOCK);
    check_fails(accept(listener, NULL, NULL), EAGAIN, "not those that do not wait");
    fcntl(listener, F_SETFL, 0);
    check_eq(polled(listener), POLLIN | POLLRDHUP | POLLHUP, "poll says it");
    check_fails(connect(late, ADDRESS(address)), ECONNREFUSED, "nobody can connect");
    check_eq(listen(listener, 5), 0, "listen does not change it");
    check_fails(connect(late, ADDRESS(address)), ECONNREFUSED, "still nobody");
    close(listener);
    unlink("shut");

    listener = socket(AF_UNIX, kind, 0), early = socket(AF_UNIX, kind, 0);
    need(bind(listener, ADDRESS(address)) == 0 && listen(listener, 5) == 0, "another one");
    check_eq(connect(early, ADDRESS(address)), 0, "a connection waits");
    check_eq(shutdown(listener, SHUT_RDWR), 0, "shut down");
    int accepted = accept(listener, NULL, NULL);
    check(accepted >= 0 && write(early, "x", 1) == 1 && read(accepted, buffer, 1) == 1, "it is accepted");
    check_fails(accept(listener, NULL, NULL), EINVAL, "none after it");
    close(listener), close(early), close(accepted);
    unlink("shut");

    check_eq(shutdown(late, SHUT_WR), 0, "of a socket without a connection");
    listener = socket(AF_UNIX, kind, 0);
    need(bind(listener, ADDRESS(address)) == 0 && listen(listener, 5) == 0, "a third one");
    check_eq(connect(late, ADDRESS(address)), 0, "it can connect");
    check_fails(send(late, "x", 1, MSG_NOSIGNAL), EPIPE, "but not write");
    close(listener), close(late);
    unlink("shut");
}

static void modes(void) {
    struct sockaddr_un address = name("mode");
    struct stat st;
    mode_t before = umask(0027);
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    check(bind(s, ADDRESS(address)) == 0 && stat("mode", &st) == 0, "bind under a umask");
    check_eq(st.st_mode & 07777, 0750, "takes it away");
    close(s), unlink("mode");
    s = socket(AF_UNIX, SOCK_DGRAM, 0);
    check_eq(fchmod(s, 0622), 0, "fchmod before bind");
    check(bind(s, ADDRESS(address)) == 0 && stat("mode", &st) == 0, "bind");
    check_eq(st.st_mode & 07777, 0600, "the file has that mode, without the umask");
    check(fstat(s, &st) == 0 && (st.st_mode & 07777) == 0622, "the socket keeps it");
    check(fchmod(s, 0666) == 0 && stat("mode", &st) == 0 && (st.st_mode & 07777) == 0600,
          "later changes are the socket's alone");
    close(s), unlink("mode");
    umask(before);
}

static long pass(int through, int *fds, int count) {
    union {
        char bytes[CMSG_SPACE(sizeof(int) * 4)];
        struct cmsghdr align;
    } control = {0};
    struct iovec part = {"fd", 2};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)count)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET, header->cmsg_type = SCM_RIGHTS,
    header->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count);
    memcpy(CMSG_DATA(header), fds, sizeof(int) * (size_t)count);
    return sendmsg(through, &message, 0);
}

static int take(int from, int *fds, int most, int *flags) {
    union {
        char bytes[CMSG_SPACE(sizeof(int) * 4)];
        struct cmsghdr align;
    } control;
    struct iovec part = {buffer, 10};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = most ? CMSG_LEN(sizeof(int) * (size_t)most) : 0};
    if (recvmsg(from, &message, MSG_CMSG_CLOEXEC) != 2) return -1;
    *flags = message.msg_flags;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (!header) return 0;
    int count = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    memcpy(fds, CMSG_DATA(header), sizeof(int) * (size_t)count);
    return count;
}

static void descriptors(void) {
    int s[2], sent[2], got[4], flags;
    need(socketpair(AF_UNIX, SOCK_STREAM, 0, s) == 0, "a pair");
    int file = open("passed", O_RDWR | O_CREAT, 0644), pipes[2];
    need(write(file, "content", 7) == 7 && pipe(pipes) == 0, "a file and a pipe");
    sent[0] = file, sent[1] = pipes[1];
    check_eq(pass(s[0], sent, 2), 2, "SCM_RIGHTS");
    close(pipes[1]);
    check_eq(take(s[1], got, 2, &flags), 2, "arrives");
    check(got[0] != file && fcntl(got[0], F_GETFD) == FD_CLOEXEC && flags & MSG_CMSG_CLOEXEC,
          "MSG_CMSG_CLOEXEC");
    check_eq(lseek(got[0], 0, SEEK_CUR), 7, "it shares the offset");
    check(write(got[1], "p", 1) == 1 && read(pipes[0], buffer, 1) == 1, "the pipe lived on in between");
    close(got[1]);
    check_eq(read(pipes[0], buffer, 1), 0, "and ends now");
    pass(s[0], sent, 1);
    check(take(s[1], got, 0, &flags) == 0 && flags & MSG_CTRUNC, "no room: MSG_CTRUNC");
    sent[0] = -1;
    check_fails(pass(s[0], sent, 1), EBADF, "a descriptor that is none");
    // A socket that carries itself is not kept alive by that.
    pass(s[0], s, 2);
    close(s[0]), close(s[1]);
    check(1, "a pair that holds itself");
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    streams();
    packets();
    names();
    shut(SOCK_STREAM);
    shut(SOCK_SEQPACKET);
    modes();
    descriptors();
    return check_done();
}
