// An exit status arrives at the shell, after the handlers have run and the streams are flushed.
// linkage: dynamic static musl
// status: 42
#include <stdio.h>
#include <stdlib.h>

static void at_exit(void) { puts("the exit handler ran"); }

int main(void) {
    atexit(at_exit);
    printf("no newline at the end, so this needs the flush;");
    exit(42 + 256);  // Only the low byte counts.
}
