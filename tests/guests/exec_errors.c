// execve: the errors of a program that cannot be run, after which the old one goes on; and scripts.
// linkage: dynamic static
#include "check.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char *const none[] = {NULL};

static void file(const char *name, const char *text, size_t len, mode_t mode) {
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    need(fd >= 0 && write(fd, text, len) == (ssize_t)len && fchmod(fd, mode) == 0 && close(fd) == 0, name);
}

static int run(const char *path) {
    char *const arguments[] = {(char *)path, "last", NULL};
    return execve(path, arguments, none);
}

int main(int count, char **arguments) {
    if (count > 1 && !strcmp(arguments[count - 1], "last")) {
        // By two scripts: the outer one's interpreter is the inner one.
        check_eq(count, 6, "the arguments of a nested script");
        check(!strcmp(arguments[1], "-x y"), "the inner script's argument");
        check(!strcmp(arguments[2], "./inner") && !strcmp(arguments[3], "-o"), "the outer script's argument");
        check(!strcmp(arguments[4], "./outer"), "the outer script");
        return check_done();
    }
    char self[4096] = "", text[5000];
    need(readlink("/proc/self/exe", self, sizeof self - 1) > 0, "where the program is");
    check_fails(run("nothing"), ENOENT, "no such file");
    check_fails(run(""), ENOENT, "an empty path");
    check_fails(run("/"), EACCES, "a directory");
    file("plain", "text", 4, 0644);
    check_fails(run("plain"), EACCES, "a file that is not executable");
    check_fails(run("plain/x"), ENOTDIR, "a file as a directory");
    file("text", "neither nor\n", 12, 0755);
    check_fails(run("text"), ENOEXEC, "a file of no known format");
    file("empty", "", 0, 0755);
    check_fails(run("empty"), ENOEXEC, "an empty file");
    file("head", "\x7f""ELF\2\1\1", 7, 0755);
    check_fails(run("head"), ENOEXEC, "the head of a program");
    memset(text, 0, sizeof text);
    memcpy(text, "\x7f""ELF\2\1\1", 7);
    file("zeros", text, sizeof text, 0755);
    check_fails(run("zeros"), ENOEXEC, "a program of zeros");
    file("missing", "#!/no/such/interpreter\n", 23, 0755);
    check_fails(run("missing"), ENOENT, "a missing interpreter");
    file("loop", "#!./loop\n", 9, 0755);
    check_fails(run("loop"), ELOOP, "a script that names itself");
    file("bare", "#!\n", 3, 0755);
    check_fails(run("bare"), ENOEXEC, "a script that names nothing");
    need(symlink("around", "around") == 0, "a link");
    check_fails(run("around"), ELOOP, "a link to itself");
    memset(text, 'a', 300);
    text[300] = 0;
    check_fails(run(text), ENAMETOOLONG, "a long name");

    check_fails(syscall(SYS_execve, 1, none, none), EFAULT, "a bad path");
    check_fails(syscall(SYS_execve, self, 1, none), EFAULT, "bad arguments");
    check_fails(syscall(SYS_execve, self, none, 1), EFAULT, "a bad environment");
    char *const bad[] = {(char *)1, NULL};
    check_fails(syscall(SYS_execve, self, bad, none), EFAULT, "a bad argument");
    size_t most = 32 * 4096;
    char *much = malloc(most + 1);
    memset(much, 'x', most);
    much[most] = 0;
    char *const big[] = {"a", much, NULL};
    check_fails(execve(self, big, none), E2BIG, "an argument that is too long");
    much[most - 1] = 0;
    char *many[80];
    for (int i = 0; i < 79; i++) many[i] = much;
    many[79] = NULL;
    check_fails(execve(self, many, none), E2BIG, "too many arguments");
    free(much);

    check_fails(syscall(SYS_execveat, -1, "x", none, none, 0), EBADF, "execveat of a bad descriptor");
    check_fails(syscall(SYS_execveat, 0, "", none, none, 0), ENOENT, "execveat of nothing");
    check_fails(syscall(SYS_execveat, AT_FDCWD, "plain", none, none, 1), EINVAL, "execveat with a bad flag");
    check_fails(syscall(SYS_execveat, AT_FDCWD, "around", none, none, AT_SYMLINK_NOFOLLOW), ELOOP,
                "execveat of a link that is not followed");

    char script[5000];
    int len = snprintf(script, sizeof script, "#! %.230s -x y \nrest\n", "./self");
    need(symlink(self, "self") == 0, "a link to the program");
    file("inner", script, len, 0755);
    len = snprintf(script, sizeof script, "#!./inner -o\n");
    file("outer", script, len, 0755);
    printf("executing\n");
    fflush(stdout);
    run("./outer");
    need(0, "execve returns");
}
