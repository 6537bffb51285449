// What /proc says of other processes' states: running, waiting, stopped, ended.
// linkage: dynamic musl
#include "check.h"
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static char name[32];

// The state of a process, and its name.
static char state_of(pid_t pid) {
    char path[64], text[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (file == NULL) return '?';
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    char *begin = strchr(text, '('), *end = strrchr(text, ')');
    if (begin == NULL || end == NULL) return '!';
    *end = 0;
    snprintf(name, sizeof name, "%s", begin + 1);
    return end[2];
}

static void until(pid_t pid, char state) {
    while (state_of(pid) != state) sched_yield();
}

static volatile int woken;

static void wake(int signal) { woken = signal; }

int main(void) {
    volatile int *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check_eq(state_of(getpid()), 'R', "who looks runs");
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_NAME, "sleeper");
        signal(SIGUSR1, wake);
        while (!woken) pause();
        *word = 1;
        for (;;) pause();
    }
    until(pid, 'S');
    // It may have looked before it paused; from here on it waits.
    while (strcmp(name, "sleeper") != 0) until(pid, 'S');
    check_eq(state_of(pid), 'S', "who waits sleeps");
    kill(pid, SIGUSR1);
    while (!*word) sched_yield();
    until(pid, 'S');
    check_eq(*word, 1, "once woken, it waits again");
    kill(pid, SIGSTOP);
    int status;
    check_eq(waitpid(pid, &status, WUNTRACED), pid, "it is stopped");
    check_eq(state_of(pid), 'T', "and says so");
    kill(pid, SIGCONT);
    check_eq(waitpid(pid, &status, WCONTINUED), pid, "it goes on");
    until(pid, 'S');
    kill(pid, SIGKILL);
    siginfo_t info;
    check_eq(waitid(P_PID, pid, &info, WEXITED | WNOWAIT), 0, "it ends");
    check_eq(state_of(pid), 'Z', "and waits to be waited for");
    check(strcmp(name, "sleeper") == 0, "with its name");
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d/stat", pid, pid);
    check_eq(access(path, F_OK), 0, "and its first thread");
    check_eq(waitpid(pid, &status, 0), pid, "it is waited for");
    check_eq(state_of(pid), '?', "and gone");
    return check_done();
}
