// Who maps the C library to read it sees the file's bytes, also after a program that used it has ended.
#include "check.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int same(int file, size_t size, int protection) {
    static char bytes[65536];
    char *map = mmap(NULL, size, protection, MAP_PRIVATE, file, 0);
    int good = map != MAP_FAILED;
    for (size_t at = 0; good && at < size; at += sizeof bytes) {
        ssize_t count = pread(file, bytes, sizeof bytes, at);
        good = count > 0 && memcmp(map + at, bytes, count) == 0;
    }
    return good && munmap(map, size) == 0;
}

int main(int count, char **arguments) {
    (void)arguments;
    if (count == 2) return 0;
    for (int i = 0; i < 2; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            execl("/proc/self/exe", "guest", "nothing", NULL);
            _exit(1);
        }
        int status = -1;
        need(waitpid(pid, &status, 0) == pid && status == 0, "a program that uses the library has ended");
    }
    struct stat stat;
    int file = open("/lib/x86_64-linux-gnu/libc.so.6", O_RDONLY);
    need(file >= 0 && fstat(file, &stat) == 0, "the library");
    check(same(file, stat.st_size, PROT_READ), "it is read");
    check(same(file, stat.st_size, PROT_READ | PROT_WRITE), "and with leave to write");
    return check_done();
}
