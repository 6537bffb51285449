// A directory of /proc names a process to pidfd_send_signal, as a descriptor of pidfd_open does.
// linkage: dynamic
#include "check.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t count;
static void handle(int signal) { count += signal == SIGUSR1; }

static long send(int fd, int signal, void *info, unsigned flags) {
    return syscall(SYS_pidfd_send_signal, fd, signal, info, flags);
}

int main(void) {
    signal(SIGUSR1, handle);
    int self = open("/proc/self", O_RDONLY | O_DIRECTORY);
    need(self >= 0, "/proc/self");
    check_eq(send(self, 0, NULL, 0), 0, "a process is there");
    check_eq(send(self, SIGUSR1, NULL, 0), 0, "it gets a signal");
    check_eq(count, 1, "which it handles");
    check_fails(send(self, 65, NULL, 0), EINVAL, "no such signal");
    check_fails(send(self, SIGUSR1, NULL, 0x100), EINVAL, "no such flag");
    int other = open("/proc", O_RDONLY | O_DIRECTORY);
    check_fails(send(other, 0, NULL, 0), EBADF, "another directory");
    other = open("/proc/self/status", O_RDONLY);
    check_fails(send(other, 0, NULL, 0), EBADF, "a file of a process");
    other = open("/proc/self/fd", O_RDONLY | O_DIRECTORY);
    check_fails(send(other, 0, NULL, 0), EBADF, "another directory of a process");
    pid_t pid = fork();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    char path[64];
    snprintf(path, sizeof path, "/proc/%d", pid);
    int child = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    check_eq(send(child, SIGKILL, NULL, 0), 0, "a child");
    int status = 0;
    check(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "is killed");
    check_fails(send(child, 0, NULL, 0), ESRCH, "and gone");
    check_fails(syscall(SYS_pidfd_getfd, self, 0, 0), EBADF, "but no descriptors are taken by it");
    siginfo_t info;
    check_fails(waitid(P_PIDFD, (id_t)self, &info, WEXITED), EBADF, "nor is it waited for");
    return check_done();
}
