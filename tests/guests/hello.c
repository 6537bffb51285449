// The smallest program.
// linkage: dynamic static no-pie musl musl-static
#include <stdio.h>

int main(void) {
    puts("Hello from wherever this runs.");
    return 0;
}
