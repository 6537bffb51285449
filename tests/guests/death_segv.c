// A null pointer without a handler kills the process with SIGSEGV.
// linkage: dynamic static
// status: 139
#include <stdio.h>
#include <sys/resource.h>

int main(void) {
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    puts("falling");
    fflush(stdout);
    int *volatile null = NULL;
    return *null;
}
