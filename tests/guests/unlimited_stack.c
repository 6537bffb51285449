// A program is started without a limit for its stack.
#include "check.h"
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

// Touches 16 MiB of the stack, more than the usual limit.
static int deep(int depth) {
    volatile char page[4096];
    page[0] = (char)depth;
    return depth == 0 ? 0 : deep(depth - 1) + page[0] - (char)depth;
}

int main(int argc, char **argv) {
    if (argc > 1) return deep(4096);
    struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY}, limit;
    check(getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur > 0, "getrlimit");
    limit.rlim_cur = limit.rlim_max;
    if (limit.rlim_max != RLIM_INFINITY) setrlimit(RLIMIT_STACK, &none);
    check_eq(setrlimit(RLIMIT_STACK, &limit), 0, "setrlimit");
    for (int round = 0; round < 3; round++) {
        pid_t child = fork();
        if (child == 0) {
            execl("/proc/self/exe", argv[0], "deep", NULL);
            _exit(9);
        }
        int status = -1;
        check(waitpid(child, &status, 0) == child && status == 0, "a program with a deep stack");
    }
    return check_done();
}
