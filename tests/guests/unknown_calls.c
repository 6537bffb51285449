// System calls that no Linux has: ENOSYS each time, and the program goes on.
// linkage: dynamic musl-static
#include "check.h"
#include <sys/syscall.h>
#include <unistd.h>

int main(void) {
    for (int i = 0; i < 3; i++) {
        check_fails(syscall(999), ENOSYS, "a number beyond the last");
        check_fails(syscall(400), ENOSYS, "a number that was never given out");
        check_fails(syscall(-1), ENOSYS, "a negative number");
        check_fails(syscall(SYS_afs_syscall), ENOSYS, "a number that was only reserved");
    }
    check_eq(syscall(SYS_getpid | 1l << 32), getpid(), "the upper half is not looked at");
    // Whether Linux has it depends on its administrator.
    syscall(SYS_io_uring_setup, 0, NULL);
    errno = 0;
    return check_done();
}
