// Programs that run as their files' owners and groups.
// linkage: static dynamic
#include "check.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { USER = 1000, GROUP = 1001, OWNER = 2000, OWNERS = 2001 };

static int copy_of_this(const char *path) {
    char bytes[65536];
    int from = open("/proc/self/exe", O_RDONLY), to = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);
    ssize_t count;
    while ((count = read(from, bytes, sizeof bytes)) > 0)
        if (write(to, bytes, count) != count) return 0;
    return count == 0 && close(from) == 0 && close(to) == 0;
}

// What the program finds, in one line.
static int tell(void) {
    uid_t ids[3];
    gid_t groups[3];
    getresuid(&ids[0], &ids[1], &ids[2]);
    getresgid(&groups[0], &groups[1], &groups[2]);
    int signal = -1;
    prctl(PR_GET_PDEATHSIG, &signal);
    dprintf(3, "%d %d %d, %d %d %d, secure %ld, dumpable %d, signal %d", ids[0], ids[1], ids[2], groups[0],
            groups[1], groups[2], getauxval(AT_SECURE), prctl(PR_GET_DUMPABLE), signal);
    return 0;
}

// Runs the program as another user, and gives what it tells.
static const char *told(const char *path, int without_new_privileges) {
    static char text[256];
    int ends[2];
    need(pipe(ends) == 0, "a pipe");
    pid_t pid = fork();
    if (pid == 0) {
        if (setresgid(GROUP, GROUP, GROUP) != 0 || setresuid(USER, USER, USER) != 0) _exit(1);
        prctl(PR_SET_PDEATHSIG, 15);
        if (without_new_privileges) prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        if (ends[1] != 3) dup2(ends[1], 3);
        execl(path, path, "tell", NULL);
        _exit(2);
    }
    close(ends[1]);
    memset(text, 0, sizeof text);
    int status = -1;
    ssize_t count = read(ends[0], text, sizeof text - 1);
    need(waitpid(pid, &status, 0) == pid && status == 0 && count > 0, path);
    close(ends[0]);
    return text;
}

static void tells(mode_t mode, int without, const char *expected, const char *what) {
    need(chmod("program", mode) == 0, "chmod");
    const char *text = told("./program", without);
    check(strcmp(text, expected) == 0, what);
    if (strcmp(text, expected) != 0) printf("# %s\n", text);
}

int main(int count, char **arguments) {
    if (count >= 2 && strcmp(arguments[1], "tell") == 0) return tell();
    if (geteuid() != 0) {
        fprintf(stderr, "this guest needs root\n");
        return 1;
    }
    need(chmod(".", 0755) == 0 && copy_of_this("program"), "a copy of this program");
    need(chown("program", OWNER, OWNERS) == 0, "somebody else's");
    tells(0755, 0, "1000 1000 1000, 1001 1001 1001, secure 0, dumpable 1, signal 15", "without bits");
    tells(04755, 0, "1000 2000 2000, 1001 1001 1001, secure 1, dumpable 0, signal 0", "set-user-ID");
    tells(02755, 0, "1000 1000 1000, 1001 2001 2001, secure 1, dumpable 0, signal 0", "set-group-ID");
    tells(06755, 0, "1000 2000 2000, 1001 2001 2001, secure 1, dumpable 0, signal 0", "both");
    tells(02745, 0, "1000 1000 1000, 1001 1001 1001, secure 0, dumpable 1, signal 15", "not for its group");
    tells(06755, 1, "1000 1000 1000, 1001 1001 1001, secure 0, dumpable 1, signal 15", "PR_SET_NO_NEW_PRIVS");
    need(chown("program", 0, 0) == 0, "root's");
    tells(04755, 0, "1000 0 0, 1001 1001 1001, secure 1, dumpable 0, signal 0", "as root");

    // A script's own bits have no effect.
    int script = open("script", O_WRONLY | O_CREAT | O_TRUNC, 0755);
    dprintf(script, "#!./program tell\n");
    close(script);
    need(chmod("program", 0755) == 0 && chown("script", OWNER, OWNERS) == 0 && chmod("script", 06755) == 0, "a script");
    check(strcmp(told("./script", 0), "1000 1000 1000, 1001 1001 1001, secure 0, dumpable 1, signal 15") == 0,
          "a script's bits");
    return check_done();
}
