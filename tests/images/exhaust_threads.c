// Forks until there are no threads left, and says how that was; then ends its children and forks once more.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 64 };

int main(void) {
    pid_t children[MOST];
    int count = 0;
    while (count < MOST && (children[count] = fork()) > 0) count++;
    if (count < MOST && children[count] == 0) for (;;) pause();
    printf("%s\n", count < MOST && errno == EAGAIN ? "told" : "not told");
    for (int i = 0; i < count; i++) kill(children[i], SIGKILL);
    while (wait(NULL) > 0) continue;
    // The last one to end may hold its thread a little longer than its parent sees.
    pid_t pid = -1;
    for (int tries = 0; tries < 100 && (pid = fork()) < 0; tries++) usleep(10000);
    if (pid == 0) _exit(7);
    int status = 0;
    waitpid(pid, &status, 0);
    printf("%s\n", WIFEXITED(status) && WEXITSTATUS(status) == 7 ? "and goes on" : "for ever");
    return 0;
}
