// What processes cost: prints a line "name nanoseconds" for each.
//
// usage: processes SELF ROUNDS
// SELF is the path of this program, which the children execute. The median of ROUNDS rounds counts.
#define _GNU_SOURCE
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static double ping_pong_programs(void) {
    check(pipe(there) == 0 && pipe(back) == 0, "pipe");
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
