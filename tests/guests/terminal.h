// What guests about terminals share.
#pragma once
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

// A new pair; the slave does not become a controlling terminal.
__attribute__((unused)) static void open_pair(int *master, int *slave) {
    *master = posix_openpt(O_RDWR | O_NOCTTY);
    if (*master < 0 || grantpt(*master) || unlockpt(*master)) exit(2);
    *slave = open(ptsname(*master), O_RDWR | O_NOCTTY);
    if (*slave < 0) exit(3);
}

// Whether exactly these bytes come, each within ten seconds.
__attribute__((unused)) static int comes(int fd, const char *text) {
    size_t len = strlen(text), got = 0;
    char bytes[8192];
    while (got < len) {
        struct pollfd entry = {.fd = fd, .events = POLLIN};
        if (poll(&entry, 1, 10000) != 1) break;
        ssize_t count = read(fd, bytes + got, len - got);
        if (count <= 0) break;
        got += count;
    }
    if (got == len && !memcmp(bytes, text, len)) return 1;
    printf("# came %zu of %zu bytes:", got, len);
    for (size_t i = 0; i < got; i++) printf(" %02x", (unsigned char)bytes[i]);
    printf("\n");
    return 0;
}

// Whether one read gives exactly this.
__attribute__((unused)) static int reads(int fd, size_t most, const char *text) {
    char bytes[8192];
    ssize_t count = read(fd, bytes, most);
    if (count == (ssize_t)strlen(text) && !memcmp(bytes, text, count)) return 1;
    printf("# read gives %zd:", count);
    for (ssize_t i = 0; i < count; i++) printf(" %02x", (unsigned char)bytes[i]);
    printf("\n");
    return 0;
}

__attribute__((unused)) static void type(int master, const char *text) {
    if (write(master, text, strlen(text)) != (ssize_t)strlen(text)) exit(4);
}

// Changes modes: what is set, and what is cleared.
__attribute__((unused)) static void local(int fd, tcflag_t set, tcflag_t clear) {
    struct termios settings;
    if (tcgetattr(fd, &settings)) exit(5);
    settings.c_lflag = (settings.c_lflag & ~clear) | set;
    if (tcsetattr(fd, TCSANOW, &settings)) exit(6);
}
