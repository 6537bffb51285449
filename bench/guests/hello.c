// The smallest program: what starting and ending costs.
#include <stdio.h>

int main(void) {
    puts("hello");
    return 0;
}
