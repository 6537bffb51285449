// Extended attributes of the user namespace.
#include "check.h"
#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

static int has(const char *list, ssize_t length, const char *name) {
    for (const char *at = list; at < list + length; at += strlen(at) + 1)
        if (strcmp(at, name) == 0) return 1;
    return 0;
}

int main(void) {
    char buffer[256];
    int fd = open("file", O_RDWR | O_CREAT, 0644);
    need(fd >= 0, "a file");
    check_fails(getxattr("file", "user.colour", buffer, sizeof buffer), ENODATA, "none yet");
    check_eq(setxattr("file", "user.colour", "blue", 4, 0), 0, "setxattr");
    check_eq(getxattr("file", "user.colour", buffer, sizeof buffer), 4, "getxattr");
    check(memcmp(buffer, "blue", 4) == 0, "its value");
    check_eq(getxattr("file", "user.colour", NULL, 0), 4, "its size");
    check_fails(getxattr("file", "user.colour", buffer, 2), ERANGE, "a short buffer");
    check_fails(setxattr("file", "user.colour", "red", 3, XATTR_CREATE), EEXIST, "XATTR_CREATE");
    check_fails(setxattr("file", "user.other", "red", 3, XATTR_REPLACE), ENODATA, "XATTR_REPLACE");
    check_eq(fsetxattr(fd, "user.colour", "red", 3, XATTR_REPLACE), 0, "fsetxattr");
    check_eq(fgetxattr(fd, "user.colour", buffer, sizeof buffer), 3, "fgetxattr");
    check_eq(setxattr("file", "user.empty", "", 0, 0), 0, "an empty value");
    check_eq(getxattr("file", "user.empty", buffer, sizeof buffer), 0, "is there");
    ssize_t length = listxattr("file", buffer, sizeof buffer);
    check(has(buffer, length, "user.colour") && has(buffer, length, "user.empty"), "listxattr");
    check_eq(flistxattr(fd, NULL, 0), length, "flistxattr");
    check_fails(listxattr("file", buffer, 3), ERANGE, "a short list");
    check_eq(removexattr("file", "user.colour"), 0, "removexattr");
    check_fails(removexattr("file", "user.colour"), ENODATA, "once");
    check_eq(fremovexattr(fd, "user.empty"), 0, "fremovexattr");
    check_fails(setxattr("file", "nonsense", "x", 1, 0), EOPNOTSUPP, "a name without a namespace");
    check_fails(setxattr("absent", "user.x", "x", 1, 0), ENOENT, "no file");
    symlink("file", "link");
    check_fails(lsetxattr("link", "user.x", "x", 1, 0), EPERM, "not on a symlink");
    check_eq(setxattr("link", "user.x", "x", 1, 0), 0, "but through it");
    check_eq(lgetxattr("file", "user.x", buffer, sizeof buffer), 1, "lgetxattr");
    return check_done();
}
