// A program that runs is not written to, and one that is written to is not run; who may execute a file need not be able to read it.
// linkage: dynamic
#include "check.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OTHER = 4321 };

static char *const none[] = {NULL};

static void copy(const char *from, const char *to, int mode) {
    static char bytes[1 << 16];
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ssize_t got;
    need(in >= 0 && out >= 0, "a copy");
    while ((got = read(in, bytes, sizeof bytes)) > 0)
        if (write(out, bytes, (size_t)got) != got) exit(9);
    fchmod(out, (mode_t)mode);
    close(in), close(out);
}

static int run(const char *path, const char *argument) {
    char *const arguments[] = {(char *)path, (char *)argument, NULL};
    return execve(path, arguments, none);
}

static int status_of(pid_t pid) {
    int status = -1;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -status;
}

int main(int count, char **arguments) {
    char byte = 0;
    if (count == 2 && !strcmp(arguments[1], "end")) return 5;
    if (count == 2 && !strcmp(arguments[1], "wait")) return read(0, &byte, 1) == 0 && write(1, "", 0) == 0 ? 6 : 7;

    copy("/proc/self/exe", "copy", 0755);
    int ends[2], told[2];
    need(pipe(ends) == 0 && pipe(told) == 0, "pipes");
    fcntl(told[1], F_SETFD, FD_CLOEXEC);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[0], 0);
        close(ends[1]);
        run("./copy", "wait");
        _exit(99);
    }
    close(told[1]);
    need(read(told[0], &byte, 1) == 0, "a program runs");
    check_fails(open("copy", O_WRONLY), ETXTBSY, "it is not written to");
    check_fails(open("copy", O_RDWR), ETXTBSY, "nor read and written");
    check_fails(open("copy", O_RDONLY | O_TRUNC), ETXTBSY, "nor cut");
    check_fails(truncate("copy", 0), ETXTBSY, "by its name");
    check(open("copy", O_RDONLY) >= 0, "it is read");
    check_eq(rename("copy", "moved"), 0, "it gets another name");
    check_fails(open("moved", O_WRONLY), ETXTBSY, "which changes nothing");
    copy("/proc/self/exe", "copy", 0755);
    check(1, "another file may have the old one");
    close(ends[1]);
    check_eq(status_of(pid), 6, "it ends");
    int fd = open("moved", O_WRONLY);
    check(fd >= 0, "then it is written to");

    pid = fork();
    if (pid == 0) _exit(run("./moved", "end") == -1 && errno == ETXTBSY ? 0 : 1);
    check_eq(status_of(pid), 0, "and not run meanwhile");
    close(fd);
    pid = fork();
    if (pid == 0) _exit(run("./moved", "end") == -1 ? 1 : 2);
    check_eq(status_of(pid), 5, "but afterwards");

    chmod(".", 0777);
    chmod("copy", 0111);
    pid = fork();
    if (pid == 0) {
        if (geteuid() == 0 && (setgid(OTHER) != 0 || setuid(OTHER) != 0)) _exit(90);
        if (open("copy", O_RDONLY) != -1 || errno != EACCES) _exit(91);
        run("./copy", "end");
        _exit(92);
    }
    check_eq(status_of(pid), 5, "a program that cannot be read");
    need(symlink("nowhere", "link") == 0, "a link");
    check_fails(syscall(SYS_execveat, AT_FDCWD, "link", none, none, AT_SYMLINK_NOFOLLOW), ELOOP, "a link to nowhere");
    return check_done();
}
