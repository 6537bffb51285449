// Reads its standard input to the end, by line and by byte.
// linkage: dynamic musl
// stdin: first line\nsecond line, which is longer\n\nlast without newline
#include "check.h"
#include <unistd.h>

int main(void) {
    char line[256];
    int lines = 0;
    while (fgets(line, sizeof line, stdin)) printf("%d: %s", ++lines, line);
    puts("");
    check(feof(stdin), "the end of the file");
    char byte;
    check_eq(read(0, &byte, 1), 0, "the end stays");
    check_eq(lines, 4, "lines");
    return check_done();
}
