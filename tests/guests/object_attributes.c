// fchmod, fchown and futimens on what has no name: pipes, sockets, standard streams; and on named pipes.
// linkage: dynamic musl
#include "check.h"
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct stat now;

static int is(int fd, unsigned mode, unsigned uid, unsigned gid) {
    return fstat(fd, &now) == 0 && (now.st_mode & 07777) == mode && now.st_uid == uid && now.st_gid == gid;
}

static const struct timespec times[2] = {{1000, 5}, {2000, 6}};

static void change(int fd, int twin, const char *what) {
    printf("# %s\n", what);
    check_eq(fchmod(fd, 0640), 0, "fchmod");
    check_eq(fchown(fd, 33, 34), 0, "fchown");
    check(is(fd, 0640, 33, 34), "fstat says it");
    check(twin < 0 || is(twin, 0640, 33, 34), "also at the other end");
    check_eq(fchown(fd, -1, 35), 0, "the group alone");
    check(is(fd, 0640, 33, 35), "the user stays");
    check_eq(futimens(fd, times), 0, "futimens");
    check(fstat(fd, &now) == 0 && now.st_atime == 1000 && now.st_mtime == 2000 && now.st_mtim.tv_nsec == 6,
          "fstat says the times");
}

static int as_another(void) {
    int ends[2], sockets[2];
    if (setgid(6) || setuid(5) || pipe(ends) || socketpair(AF_UNIX, SOCK_STREAM, 0, sockets)) return 1;
    if (!is(ends[0], 0600, 5, 6) || !is(sockets[1], 0777, 5, 6)) return 2;
    if (fchmod(ends[1], 0666) || !is(ends[0], 0666, 5, 6) || futimens(ends[0], NULL)) return 3;
    if (fchown(ends[0], 7, -1) != -1 || errno != EPERM || fchown(ends[0], 5, 6)) return 4;
    return 0;
}

static int of_others(int fd) {
    if (setuid(5)) return 1;
    if (fchmod(fd, 0600) != -1 || errno != EPERM) return 2;
    return fchown(fd, 5, -1) != -1 || errno != EPERM ? 3 : 0;
}

static int result(int (*body)(int), int fd) {
    int status = -1;
    pid_t child = fork();
    if (child == 0) _exit(body ? body(fd) : as_another());
    return waitpid(child, &status, 0) == child ? status : -1;
}

int main(void) {
    int ends[2], sockets[2];
    char path[64];
    need(pipe(ends) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0, "a pipe and two sockets");
    check(is(ends[1], 0600, 0, 0) && is(sockets[0], 0777, 0, 0), "belong to who makes them");
    check_eq(result(of_others, ends[0]), 0, "nobody else changes them");
    change(ends[1], ends[0], "a pipe");
    snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
    check(chown(path, 1, 2) == 0 && chmod(path, 0604) == 0 && is(ends[1], 0604, 1, 2), "by the name in /proc");
    change(sockets[0], -1, "a socket of a pair");
    check(is(sockets[1], 0777, 0, 0), "the other one is another");
    int tcp = socket(AF_INET, SOCK_STREAM, 0);
    change(tcp, -1, "a TCP socket");
    check_eq(result(NULL, 0), 0, "a pipe and sockets of another user");

    need(mkfifo("fifo", 0600) == 0, "mkfifo");
    int fifo = open("fifo", O_RDWR);
    change(fifo, -1, "a named pipe");
    check(stat("fifo", &now) == 0 && (now.st_mode & 07777) == 0640 && now.st_uid == 33, "the name says it, too");

    // As entry points do before they become another user.
    need(fstat(1, &now) == 0 && S_ISFIFO(now.st_mode), "standard output is a pipe");
    check_eq(chown("/dev/stdout", 33, 33), 0, "chown of standard output");
    check(fstat(1, &now) == 0 && now.st_uid == 33 && now.st_gid == 33, "which fstat says");
    check(fchmod(1, 0622) == 0 && fstat(1, &now) == 0 && (now.st_mode & 07777) == 0622, "fchmod of it");
    return check_done();
}
