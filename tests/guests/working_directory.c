// The current directory and what is relative to it.
// linkage: dynamic musl
#include "check.h"
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char *here(void) {
    static char path[PATH_MAX];
    return getcwd(path, sizeof path) ? path : "nowhere";
}

int main(void) {
    char start[PATH_MAX];
    check(getcwd(start, sizeof start) == start && start[0] == '/', "getcwd");
    check(mkdir("a", 0755) == 0 && mkdir("a/b", 0755) == 0, "two directories");
    check_eq(chdir("a/b"), 0, "chdir");
    check(strcmp(here() + strlen(start), "/a/b") == 0, "getcwd below");
    check_eq(chdir(".."), 0, "dot dot");
    check(strcmp(here() + strlen(start), "/a") == 0, "one up");
    check_eq(rename("../a", "../c"), 0, "renaming where one is");
    check(strcmp(here() + strlen(start), "/c") == 0, "getcwd follows");
    symlink("b", "to-b");
    check(chdir("to-b") == 0 && strcmp(here() + strlen(start), "/c/b") == 0, "a symlink is resolved");
    check(chdir("..") == 0 && strcmp(here() + strlen(start), "/c") == 0, "dot dot is the real parent");
    int dir = open("b", O_RDONLY | O_DIRECTORY), file = open("file", O_RDWR | O_CREAT, 0644);
    check(fchdir(dir) == 0 && strcmp(here() + strlen(start), "/c/b") == 0, "fchdir");
    check_fails(fchdir(file), ENOTDIR, "fchdir to a file");
    check_fails(chdir("../file"), ENOTDIR, "chdir to a file");
    check_fails(chdir("absent"), ENOENT, "chdir to nowhere");
    char tiny[2];
    check(getcwd(tiny, sizeof tiny) == NULL && errno == ERANGE, "a short buffer");
    char raw[PATH_MAX];
    check_eq(syscall(SYS_getcwd, raw, sizeof raw), strlen(start) + 5, "the call counts the NUL");
    char link[PATH_MAX];
    ssize_t length = readlink("/proc/self/cwd", link, sizeof link);
    check(length == (ssize_t)strlen(start) + 4 && memcmp(link, raw, length) == 0, "/proc/self/cwd");
    check(rmdir("../b") == 0, "deleting where one is");
    check(getcwd(raw, sizeof raw) == NULL && errno == ENOENT, "is nowhere");
    check_fails(open("x", O_RDWR | O_CREAT, 0644), ENOENT, "and nothing is made there");
    check_eq(chdir(".."), 0, "but there is a way out");
    check(chdir("/") == 0 && strcmp(here(), "/") == 0, "the root");
    check(chdir("..") == 0 && strcmp(here(), "/") == 0, "has no parent");
    check(chdir("//") == 0 && strcmp(here(), "/") == 0, "has one name");
    check_eq(chdir(start), 0, "back");
    check_eq(chroot("c"), 0, "chroot");
    check(chdir("/") == 0 && access("/file", F_OK) == 0 && access("/proc", F_OK) != 0, "is another root");
    check(access("/../../file", F_OK) == 0, "that has no parent either");
    mkdir("d", 0755);
    check_eq(chroot("d"), 0, "once more, and the working directory is outside");
    check(syscall(SYS_getcwd, raw, sizeof raw) > 0 && strncmp(raw, "(unreachable)/", 14) == 0, "which is said");
    check(getcwd(raw, sizeof raw) == NULL && errno == ENOENT, "and no path");
    return check_done();
}
