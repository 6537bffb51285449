// Reads a file from its beginning to its end, twice: prints "first" and "second", each with MiB per second.
//
// usage: sequential FILE
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static char buffer[128 * 1024];

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
    int fd = argc == 2 ? open(argv[1], O_RDONLY) : -1;
    if (fd < 0) {
        perror("sequential FILE");
        return 1;
    }
    static const char *const names[] = {"first", "second"};
    for (int pass = 0; pass < 2; pass++) {
        double start = now(), bytes = 0;
        lseek(fd, 0, SEEK_SET);
        ssize_t count;
        while ((count = read(fd, buffer, sizeof buffer)) > 0)
            bytes += (double)count;
        if (count < 0) {
            perror(argv[1]);
            return 1;
        }
        printf("%s %.1f\n", names[pass], bytes / (1024 * 1024) / (now() - start));
    }
    return 0;
}
