// A signal that a thread sends to its own process kills it, with the default action.
// status: 143
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

int main(void) {
    puts("terminating");
    fflush(stdout);
    kill(getpid(), SIGTERM);
    for (;;) pause();
}
