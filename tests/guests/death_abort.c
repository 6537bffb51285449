// abort kills the process with SIGABRT, even when it is ignored.
// status: 134
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

int main(void) {
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    signal(SIGABRT, SIG_IGN);
    puts("aborting");
    fflush(stdout);
    abort();
}
