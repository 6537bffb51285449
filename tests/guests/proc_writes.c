// What of /proc nobody writes to is refused when it is opened.
// linkage: dynamic
#include "check.h"
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OTHER = 4321 };

// Never as root: on Linux that would be the machine's.
static int tries(void) {
    static const char *const files[] = {
        "/proc/sys/kernel/pid_max",   "/proc/sys/kernel/hostname", "/proc/sys/vm/overcommit_memory",
        "/proc/sys/fs/file-max",      "/proc/sys/kernel/osrelease", "/proc/sys/kernel/random/boot_id",
        "/proc/sys/fs/pipe-max-size", "/proc/version",             "/proc/self/stat",
    };
    if (getuid() == 0 && (setgid(OTHER) != 0 || setuid(OTHER) != 0)) return 90;
    for (int at = 0; at < (int)(sizeof files / sizeof *files); at++) {
        if (open(files[at], O_WRONLY) != -1 || errno != EACCES) return at + 1;
        if (open(files[at], O_RDWR | O_TRUNC) != -1 || errno != EACCES) return at + 1;
        if (access(files[at], W_OK) != -1 || errno != EACCES) return at + 1;
        int fd = open(files[at], O_RDONLY);
        char byte;
        if (fd < 0 || read(fd, &byte, 1) != 1 || write(fd, &byte, 1) != -1 || errno != EBADF) return at + 1;
    }
    if (open("/proc/sys/kernel/none", O_WRONLY | O_CREAT, 0644) != -1) return 80;
    return 0;
}

int main(void) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) _exit(tries());
    int status = -1;
    check(waitpid(pid, &status, 0) == pid && WIFEXITED(status), "a child tries");
    check_eq(WEXITSTATUS(status), 0, "and opens nothing of it");
    return check_done();
}
