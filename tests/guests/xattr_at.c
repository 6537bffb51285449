// setxattrat, getxattrat, listxattrat and removexattrat: extended attributes relative to a directory.
// linkage: dynamic
#include "check.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SETXATTRAT = 463, GETXATTRAT = 464, LISTXATTRAT = 465, REMOVEXATTRAT = 466 };
enum { CREATE = 1, REPLACE = 2 };

struct arguments {
    unsigned long value;
    unsigned size, flags;
};

struct longer {
    struct arguments known;
    unsigned long unknown;
};

static long set(int fd, const char *path, unsigned at, const char *name, const char *value, unsigned flags) {
    struct arguments arguments = {(unsigned long)value, (unsigned)strlen(value), flags};
    return syscall(SETXATTRAT, fd, path, at, name, &arguments, sizeof arguments);
}

static long get(int fd, const char *path, unsigned at, const char *name, char *value, unsigned size) {
    struct arguments arguments = {(unsigned long)value, size, 0};
    return syscall(GETXATTRAT, fd, path, at, name, &arguments, sizeof arguments);
}

static long list(int fd, const char *path, unsigned at, char *names, size_t size) {
    return syscall(LISTXATTRAT, fd, path, at, names, size);
}

static long drop(int fd, const char *path, unsigned at, const char *name) {
    return syscall(REMOVEXATTRAT, fd, path, at, name);
}

static void by_path(int dir) {
    char value[16] = "", names[64] = "";
    check_eq(set(dir, "file", 0, "user.one", "first", CREATE), 0, "sets one");
    check_fails(set(dir, "file", 0, "user.one", "again", CREATE), EEXIST, "creates it once");
    check_fails(set(dir, "file", 0, "user.two", "again", REPLACE), ENODATA, "replaces what is there");
    check_eq(get(dir, "file", 0, "user.one", value, sizeof value), 5, "gets it");
    check(strncmp(value, "first", 5) == 0, "as it was set");
    check_eq(get(dir, "file", 0, "user.one", NULL, 0), 5, "asks for its length");
    check_fails(get(dir, "file", 0, "user.one", value, 4), ERANGE, "no room for it");
    check_fails(get(dir, "file", 0, "user.none", value, 4), ENODATA, "gets none");
    check_eq(list(dir, "file", 0, names, sizeof names), 9, "lists it");
    check(strcmp(names, "user.one") == 0, "by its name");
    check_eq(get(dir, "link", 0, "user.one", value, sizeof value), 5, "follows a link");
    check_fails(get(dir, "link", AT_SYMLINK_NOFOLLOW, "user.one", value, sizeof value), ENODATA,
                "but not when told");
    check_fails(set(dir, "link", AT_SYMLINK_NOFOLLOW, "user.one", "x", 0), EPERM, "a link has none of users");
    check_eq(drop(dir, "file", 0, "user.one"), 0, "removes it");
    check_fails(drop(dir, "file", 0, "user.one"), ENODATA, "once");
    check_fails(get(dir, "none", 0, "user.one", value, sizeof value), ENOENT, "no such file");
    check_fails(get(99, "file", 0, "user.one", value, sizeof value), EBADF, "no such directory");
    check_fails(get(dir, "", 0, "user.one", value, sizeof value), ENOENT, "an empty path");
    check_eq(set(AT_FDCWD, "d/file", 0, "user.cwd", "x", 0), 0, "relative to the working directory");
    check_eq(drop(AT_FDCWD, "d/file", 0, "user.cwd"), 0, "and back");
}

static void by_descriptor(int dir, int file, int path) {
    char value[16] = "";
    check_eq(set(file, "", AT_EMPTY_PATH, "user.fd", "open", 0), 0, "of an open file");
    check_eq(get(file, NULL, AT_EMPTY_PATH, "user.fd", value, sizeof value), 4, "with no path at all");
    check_fails(get(file, NULL, 0, "user.fd", value, sizeof value), EFAULT, "if it is said");
    check_fails(set(path, "", AT_EMPTY_PATH, "user.fd", "x", 0), EBADF, "not of one that is a path only");
    check_fails(set(99, "", AT_EMPTY_PATH, "user.fd", "x", 0), EBADF, "not of one that is closed");
    check_fails(set(file, "x", AT_EMPTY_PATH, "user.fd", "x", 0), ENOTDIR, "a path from a file");
    check_eq(set(dir, "", AT_EMPTY_PATH, "user.dir", "x", 0), 0, "of a directory");
    check_eq(drop(AT_FDCWD, "d", 0, "user.dir"), 0, "which is the same by its path");
    check_eq(list(file, "", AT_EMPTY_PATH, NULL, 0), 8, "lists an open file's");
    check_eq(drop(file, "", AT_EMPTY_PATH, "user.fd"), 0, "removes an open file's");
}

static void arguments(int dir) {
    struct longer longer = {{(unsigned long)"x", 1, 0}, 0};
    struct arguments *known = &longer.known;
    check_fails(set(dir, "file", 1, "user.one", "x", 0), EINVAL, "an unknown flag beside the path");
    check_fails(set(dir, "file", 0, "user.one", "x", 4), EINVAL, "an unknown flag of the value");
    check_fails(set(dir, "file", 0, "", "x", 0), ERANGE, "an empty name");
    check_fails(set(dir, "file", 0, NULL, "x", 0), EFAULT, "no name");
    check_fails(set(dir, "file", 0, "odd.one", "x", 0), EOPNOTSUPP, "a name of no class");
    check_fails(syscall(SETXATTRAT, dir, "file", 0, "user.one", known, 15), EINVAL, "too short");
    check_fails(syscall(SETXATTRAT, dir, "file", 0, "user.one", known, 4097), E2BIG, "too long");
    check_fails(syscall(SETXATTRAT, dir, "file", 0, "user.one", NULL, 16), EFAULT, "no arguments");
    check_eq(syscall(SETXATTRAT, dir, "file", 0, "user.one", &longer, sizeof longer), 0, "zeros behind");
    longer.unknown = 1;
    check_fails(syscall(SETXATTRAT, dir, "file", 0, "user.one", &longer, sizeof longer), E2BIG,
                "something unknown behind");
    known->flags = CREATE;
    check_fails(syscall(GETXATTRAT, dir, "file", 0, "user.one", known, sizeof *known), EINVAL,
                "flags of who only gets");
    known->flags = 0;
    known->size = 65537;
    check_fails(syscall(SETXATTRAT, dir, "file", 0, "user.one", known, sizeof *known), E2BIG, "a long value");
    known->size = 1;
    known->value = 8;
    check_fails(syscall(SETXATTRAT, dir, "file", 0, "user.one", known, sizeof *known), EFAULT,
                "a value nowhere");
    check_fails(list(dir, "file", 2, NULL, 0), EINVAL, "an unknown flag of a list");
    check_fails(drop(dir, "file", 2, "user.one"), EINVAL, "an unknown flag of a removal");
}

int main(void) {
    mkdir("d", 0755);
    int dir = open("d", O_RDONLY | O_DIRECTORY);
    int file = openat(dir, "file", O_RDWR | O_CREAT, 0644);
    need(file >= 0 && symlinkat("file", dir, "link") == 0, "a file and a link");
    int path = openat(dir, "file", O_PATH);
    by_path(dir);
    by_descriptor(dir, file, path);
    arguments(dir);
    return check_done();
}
