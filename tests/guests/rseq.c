// Restartable sequences: either registered by the C library, or refused as on an old kernel.
#include "check.h"
#include <stddef.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void) {
    // __rseq_size is 0 where the C library could not register.
    struct rseq *area = (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
    if (__rseq_size)
        check((int)area->cpu_id >= 0 && area->cpu_id < 4096, "a processor, or no registration");
    else
        check((int)area->cpu_id < 0, "a processor, or no registration");
    check(syscall(SYS_rseq, area, 32, 0, 0x53053053) == -1 &&
              (errno == EBUSY || errno == EINVAL || errno == EPERM || errno == ENOSYS),
          "not twice");
    return check_done();
}
