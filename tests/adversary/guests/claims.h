// What the guests of the lying host share: they hold what they see against what Linux promises.
//
// They end with 0 if all went well, with 3 if a call failed as it may on Linux, and with 9 if they saw what no Linux shows.
#pragma once
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int errors_seen;

__attribute__((unused, noreturn)) static void broken(int line, const char *what, long value) {
    char text[200];
    int len = snprintf(text, sizeof text, "line %d: %s (%ld)\n", line, what, value);
    // The host may do with it what it likes; the status counts.
    if (write(2, text, len) < 0) _exit(9);
    _exit(9);
}

// Linux never breaks this.
#define promise(condition, value)                                        \
    do {                                                                 \
        if (!(condition)) broken(__LINE__, #condition, (long)(value));   \
    } while (0)

// The result of a call: never below -1, and an error is one that Linux has. Notes the error.
#define seen(call)                                                       \
    ({                                                                   \
        errno = 0;                                                       \
        long result_ = (long)(call);                                     \
        promise(result_ >= -1, result_);                                 \
        if (result_ == -1) {                                             \
            promise(errno > 0 && errno <= 133, errno);                   \
            errors_seen++;                                               \
        }                                                                \
        result_;                                                         \
    })

// A buffer between canaries.
#define ROOM 8192
#define MARGIN 4096
struct guarded {
    unsigned char before[MARGIN], bytes[ROOM], after[MARGIN];
};

__attribute__((unused)) static void *guard(struct guarded *buffer) {
    memset(buffer, 0xc5, sizeof *buffer);
    return buffer->bytes;
}

// Only the first `len` bytes may have been written.
__attribute__((unused)) static void guard_check(const struct guarded *buffer, long len, int line) {
    if (len < 0) len = 0;
    for (size_t i = 0; i < MARGIN; i++) {
        if (buffer->before[i] != 0xc5) broken(line, "written before the buffer", i);
        if (buffer->after[i] != 0xc5) broken(line, "written behind the buffer", i);
    }
    for (size_t i = len; i < ROOM; i++)
        if (buffer->bytes[i] != 0xc5) broken(line, "written behind what was asked for", i);
}
#define untouched_behind(buffer, len) guard_check(buffer, len, __LINE__)

// What the host must never see: it looks for these bytes in all that it gets. The program has them in its memory, in a file,
// in a pipe and in places that are free again, and sends them to nobody.
static unsigned char secret[32];

__attribute__((unused)) static void keep_secrets(void) {
    for (int i = 0; i < 32; i++) secret[i] = (unsigned char)(i * 37 + 11) ^ 0x5a;
    char *piece = malloc(1 << 16);
    for (int i = 0; i < 1 << 16; i++) piece[i] = secret[i % 32];
    int fd = open("/tmp/secret", O_RDWR | O_CREAT | O_TRUNC, 0600);
    int ends[2];
    promise(fd >= 0 && pipe(ends) == 0, errno);
    promise(write(fd, piece, 1 << 16) == 1 << 16, errno);
    promise(write(ends[1], piece, 4096) == 4096, errno);
    memset(piece, 0, 4096);
    promise(read(ends[0], piece, 4096) == 4096 && !memcmp(piece + 4064, secret, 32), errno);
    promise(pread(fd, piece, 4096, 4096) == 4096 && !memcmp(piece, secret, 32), errno);
    close(ends[0]);
    close(ends[1]);
    close(fd);
    free(piece);
}

__attribute__((unused)) static int end(void) { return errors_seen ? 3 : 0; }
