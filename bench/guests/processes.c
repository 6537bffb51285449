// What processes cost: prints a line "name nanoseconds" for each.
//
// usage: processes SELF ROUNDS
// SELF is the path of this program, which the children execute. The median of ROUNDS rounds counts.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 2000, MESSAGES = 2000 };

extern char **environ;
static char *self;

static void check(int ok, const char *what) {
    if (!ok) {
        fprintf(stderr, "processes: %s: %s\n", what, strerror(errno));
        exit(1);
    }
}

static void wait_for(pid_t pid) {
    int status;
    check(waitpid(pid, &status, 0) == pid && status == 0, "a child");
}

static double fork_exit(void) {
    pid_t pid = fork();
    check(pid >= 0, "fork");
    if (pid == 0) _exit(0);
    wait_for(pid);
    return 1;
}

static double vfork_exit(void) {
    pid_t pid = vfork();
    check(pid >= 0, "vfork");
    if (pid == 0) _exit(0);
    wait_for(pid);
    return 1;
}

static double fork_exec(void) {
    pid_t pid = fork();
    check(pid >= 0, "fork");
    if (pid == 0) {
        execl(self, self, "nothing", (char *)NULL);
        _exit(1);
    }
    wait_for(pid);
    return 1;
}

static double spawn(void) {
    char *arguments[] = {self, "nothing", NULL};
    pid_t pid;
    check(posix_spawn(&pid, self, NULL, NULL, arguments, environ) == 0, "posix_spawn");
    wait_for(pid);
    return 1;
}

static int answer(int in, int out) {
    char byte;
    while (read(in, &byte, 1) == 1)
        if (write(out, &byte, 1) != 1) return 1;
    return 0;
}

static int there[2], back[2];

static double talk(pid_t pid) {
    close(there[0]);
    close(back[1]);
    char byte = 'x';
    for (int i = 0; i < MESSAGES; i++)
        check(write(there[1], &byte, 1) == 1 && read(back[0], &byte, 1) == 1, "a message");
    close(there[1]);
    close(back[0]);
    wait_for(pid);
    return MESSAGES;
}

static double ping_pong_relatives(void) {
    check(pipe(there) == 0 && pipe(back) == 0, "pipe");
    pid_t pid = fork();
    check(pid >= 0, "fork");
    if (pid == 0) {
        close(there[1]);
        _exit(answer(there[0], back[1]));
    }
    return talk(pid);
}

static double ping_pong(void) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, there[0], 0);
    posix_spawn_file_actions_adddup2(&actions, back[1], 1);
    posix_spawn_file_actions_addclose(&actions, there[1]);
    char *arguments[] = {self, "answer", NULL};
    pid_t pid;
    check(posix_spawn(&pid, self, &actions, NULL, arguments, environ) == 0, "posix_spawn");
    posix_spawn_file_actions_destroy(&actions);
    return talk(pid);
}

static double ping_pong_programs(void) {
    check(pipe(there) == 0 && pipe(back) == 0, "pipe");
    return ping_pong();
}

static int listener = -1;
static struct sockaddr_in address;

// Both ends of a connection over the loopback interface.
static void connection(int ends[2]) {
    if (listener < 0) {
        socklen_t len = sizeof address;
        address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        check(bind(listener, (void *)&address, sizeof address) == 0 && listen(listener, 8) == 0, "listen");
        getsockname(listener, (void *)&address, &len);
    }
    ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    check(connect(ends[0], (void *)&address, sizeof address) == 0, "connect");
    ends[1] = accept(listener, NULL, NULL);
    check(ends[1] >= 0, "accept");
}

static double ping_pong_tcp(void) {
    int ends[2], on = 1;
    connection(ends);
    for (int i = 0; i < 2; i++) setsockopt(ends[i], SOL_TCP, TCP_NODELAY, &on, sizeof on);
    there[1] = ends[0], back[0] = dup(ends[0]);
    there[0] = ends[1], back[1] = dup(ends[1]);
    // The other program has the server's end only.
    fcntl(there[1], F_SETFD, FD_CLOEXEC), fcntl(back[0], F_SETFD, FD_CLOEXEC);
    return ping_pong();
}

static double connect_close(void) {
    for (int i = 0; i < 100; i++) {
        int ends[2];
        connection(ends);
        close(ends[1]);
        close(ends[0]);
    }
    return 100;
}

static const struct {
    const char *name;
    double (*run)(void);
    /// So many rounds make one.
    int divisor;
} measured[] = {
    {"fork-exit", fork_exit, 1},
    {"vfork-exit", vfork_exit, 1},
    {"fork-exec", fork_exec, 4},
    {"spawn", spawn, 4},
    {"ping-pong-relatives", ping_pong_relatives, 50},
    {"ping-pong-programs", ping_pong_programs, 50},
    {"ping-pong-tcp", ping_pong_tcp, 50},
    {"connect-close", connect_close, 10},
};

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int count, char **arguments) {
    if (count == 2) return strcmp(arguments[1], "answer") == 0 ? answer(0, 1) : 0;
    check(count == 3, "usage: processes SELF ROUNDS");
    self = arguments[1];
    int rounds = atoi(arguments[2]);
    check(rounds > 0 && rounds <= MOST, "ROUNDS");
    static double times[MOST];
    for (size_t i = 0; i < sizeof measured / sizeof *measured; i++) {
        int wanted = rounds / measured[i].divisor + 1;
        for (int round = 0; round < wanted; round++) {
            double start = now();
            double amount = measured[i].run();
            times[round] = (now() - start) / amount;
        }
        qsort(times, (size_t)wanted, sizeof *times, compare);
        printf("%s %.0f\n", measured[i].name, times[wanted / 2]);
    }
    return 0;
}
