// vfork and posix_spawn: children that use their parent's memory until they execute a program.
// linkage: dynamic static no-pie musl musl-static
#define _GNU_SOURCE
#include "check.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int status_of(pid_t pid) {
    int status = -1;
    need(waitpid(pid, &status, 0) == pid, "the child is waited for");
    return status;
}

static volatile int shared;

static void borrowed(void) {
    pid_t pid = vfork();
    if (pid < 0) exit(1);
    if (pid == 0) {
        shared = 41;
        _exit(4);
    }
    check(shared == 41, "a child of vfork writes to its parent's memory, which waits for it");
    check(WEXITSTATUS(status_of(pid)) == 4, "its exit code");
}

static void executed(const char *self) {
    for (volatile int i = 0; i < 20; i++) {
        pid_t pid = vfork();
        if (pid < 0) exit(1);
        if (pid == 0) {
            execl(self, self, "code", "17", (char *)NULL);
            _exit(127);
        }
        check(WEXITSTATUS(status_of(pid)) == 17, "vfork and exec");
    }
    pid_t pid = vfork();
    if (pid == 0) {
        execl("/no/such/program", "x", (char *)NULL);
        _exit(errno == ENOENT ? 21 : 22);
    }
    check(WEXITSTATUS(status_of(pid)) == 21, "a failed exec leaves the child as it was");
}

static void spawned(const char *self) {
    int ends[2];
    need(pipe(ends) == 0, "a pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    char *arguments[] = {(char *)self, "say", "spawned", NULL};
    pid_t pid;
    need(posix_spawn(&pid, self, &actions, NULL, arguments, environ) == 0, "posix_spawn");
    close(ends[1]);
    char text[32] = "";
    check(read(ends[0], text, sizeof text) == 7 && strcmp(text, "spawned") == 0, "its output comes by a pipe");
    check(status_of(pid) == 0, "it ends well");
    close(ends[0]);
    char *wrong[] = {"none", NULL};
    check(posix_spawn(&pid, "/no/such/program", NULL, NULL, wrong, environ) == ENOENT, "posix_spawn's error");
}

static const char *program;

static void *spawn_often(void *result) {
    for (int i = 0; i < 10; i++) {
        char *arguments[] = {(char *)program, "code", "5", NULL};
        pid_t pid;
        int status = -1;
        if (posix_spawn(&pid, program, NULL, NULL, arguments, environ) != 0) return result;
        if (waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != 5) return result;
    }
    return NULL;
}

static void from_threads(void) {
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) need(pthread_create(&threads[i], NULL, spawn_often, threads) == 0, "a thread");
    int good = 0;
    for (int i = 0; i < 3; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        good += failed == NULL;
    }
    check(good == 3, "three threads spawn at the same time");
}

int main(int count, char **arguments) {
    if (count == 3 && strcmp(arguments[1], "code") == 0) return atoi(arguments[2]);
    if (count == 3 && strcmp(arguments[1], "say") == 0) {
        printf("%s", arguments[2]);
        return 0;
    }
    char path[256] = "";
    need(readlink("/proc/self/exe", path, sizeof path - 1) > 0, "/proc/self/exe");
    program = path;
    borrowed();
    executed(path);
    spawned(path);
    from_threads();
    return check_done();
}
