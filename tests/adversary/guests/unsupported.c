// Makes a system call that is not there, of which the user is told.
#include "claims.h"
#include <sys/syscall.h>

int main(void) {
    keep_secrets();
    seen(syscall(SYS_kexec_load, 0, 0, NULL, 0));
    return end();
}
