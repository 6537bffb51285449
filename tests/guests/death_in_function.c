// A crash below functions with names, one of them known to this file only and one reached by a pointer.
// linkage: dynamic no-pie musl-static
// status: 139
#include <stdio.h>
#include <sys/resource.h>

__attribute__((noinline, noclone)) int innermost(int *at) { return *at + 1; }

static __attribute__((noinline, noclone)) int known_here_only(int *at) { return innermost(at) * 3; }

int (*volatile by_pointer)(int *) = known_here_only;

__attribute__((noinline, noclone)) int outermost(int *at) { return by_pointer(at) + 5; }

int main(void) {
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    int *volatile null = NULL;
    return outermost(null);
}
