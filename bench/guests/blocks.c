// Reads a file in three ways: prints "read-random" with reads of 4 KiB per second, each block of the first half once;
// "read-cold" with MB per second, the second half once, from its beginning to its end; and "read-warm" with MB per
// second, 16 MiB that were just read.
//
// usage: blocks FILE
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BLOCK 4096
#define WARM (16 << 20)

static char buffer[128 * 1024];

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void take(int fd, size_t len, off_t offset) {
    if (pread(fd, buffer, len, offset) != (ssize_t)len) {
        perror("pread");
        exit(1);
    }
}

/// Reads a range from its beginning to its end; returns MB per second.
static double sequential(int fd, off_t start, off_t end) {
    double begin = now();
    for (off_t at = start; at < end; at += sizeof buffer)
        take(fd, end - at < (off_t)sizeof buffer ? (size_t)(end - at) : sizeof buffer, at);
    return (double)(end - start) / 1e6 / (now() - begin);
}

int main(int argc, char **argv) {
    int fd = argc == 2 ? open(argv[1], O_RDONLY) : -1;
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) {
        perror("blocks FILE");
        return 1;
    }
    off_t half = status.st_size / 2 / BLOCK * BLOCK;
    size_t blocks = (size_t)half / BLOCK;
    uint32_t *order = malloc(blocks * sizeof *order);
    if (order == NULL)
        return 1;
    for (size_t i = 0; i < blocks; i++)
        order[i] = (uint32_t)i;
    uint64_t state = 1;
    for (size_t i = blocks; i > 1; i--) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        size_t other = (size_t)(state >> 33) % i;
        uint32_t last = order[i - 1];
        order[i - 1] = order[other];
        order[other] = last;
    }
    double begin = now();
    for (size_t i = 0; i < blocks; i++)
        take(fd, BLOCK, (off_t)order[i] * BLOCK);
    printf("read-random %.1f\n", (double)blocks / (now() - begin));

    printf("read-cold %.1f\n", sequential(fd, half, status.st_size));
    off_t warm = status.st_size < WARM ? status.st_size : WARM;
    sequential(fd, 0, warm);
    double best = 0;
    for (int pass = 0; pass < 5; pass++) {
        double rate = sequential(fd, 0, warm);
        best = rate > best ? rate : best;
    }
    printf("read-warm %.1f\n", best);
    return 0;
}
