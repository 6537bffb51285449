// AddressSanitizer needs addresses beyond those of an enclave: the run ends with a line that says so (see reports.rs).
// flags: -fsanitize=address -fno-omit-frame-pointer -Wno-use-after-free
// env: ASAN_OPTIONS=detect_leaks=0:exitcode=9
// status: 9
#include "check.h"

int main(void) {
    char *volatile block = malloc(10);
    free(block);
    return block[5];
}
