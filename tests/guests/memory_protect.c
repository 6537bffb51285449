// mprotect, and the faults that follow from it, caught and mended.
// linkage: dynamic static musl
#include "check.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum { PAGE = 4096 };
static sigjmp_buf back;
static siginfo_t info;
static volatile int mended;
static char *mend;

static void jump(int signal, siginfo_t *si, void *context) {
    (void)signal, (void)context;
    info = *si;
    siglongjmp(back, 1);
}

static void repair(int signal, siginfo_t *si, void *context) {
    (void)signal, (void)context;
    info = *si;
    mended++;
    mprotect(mend, PAGE, PROT_READ | PROT_WRITE);
}

static void handle(int signal, void (*handler)(int, siginfo_t *, void *)) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigaction(signal, &action, NULL);
}

// Which signal does an access raise? 0 for none.
static int faults(volatile char *at, int writes) {
    memset(&info, 0, sizeof info);
    if (sigsetjmp(back, 1)) return info.si_signo;
    if (writes)
        *at = 1;
    else
        (void)*at;
    return 0;
}

int main(void) {
    handle(SIGSEGV, jump), handle(SIGBUS, jump);
    char *a = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    a[PAGE] = 'x';
    check_eq(faults(a, 1), 0, "a writable page");
    check_eq(mprotect(a + PAGE, PAGE, PROT_READ), 0, "mprotect to read only");
    check_eq(faults(a + PAGE, 0), 0, "can be read");
    check_eq(faults(a + PAGE + 5, 1), SIGSEGV, "not written");
    check_eq(info.si_code, SEGV_ACCERR, "SEGV_ACCERR");
    check(info.si_addr == a + PAGE + 5, "si_addr is the very address");
    check_eq(faults(a + 2 * PAGE, 1), 0, "the next page is as it was");
    check_eq(mprotect(a + PAGE, PAGE, PROT_NONE), 0, "PROT_NONE");
    check_eq(faults(a + PAGE, 0), SIGSEGV, "not even read");
    check_eq(mprotect(a, 4 * PAGE, PROT_READ | PROT_WRITE), 0, "mprotect across pieces");
    check(a[PAGE] == 'x', "the data was kept");
    munmap(a + 3 * PAGE, PAGE);
    check_eq(faults(a + 3 * PAGE + 7, 0), SIGSEGV, "an unmapped page");
    check_eq(info.si_code, SEGV_MAPERR, "SEGV_MAPERR");
    check(info.si_addr == a + 3 * PAGE + 7, "si_addr again");
    check_eq(faults((char *)8, 1), SIGSEGV, "a null pointer");
    check(info.si_code == SEGV_MAPERR && info.si_addr == (void *)8, "near address 0");
    check_eq(faults((char *)(1ULL << 63 | 1), 0), SIGSEGV, "a non-canonical address");
    check(info.si_code == SI_KERNEL && info.si_addr == NULL, "SI_KERNEL without an address");
    check_fails(mprotect(a, 4 * PAGE, PROT_READ), ENOMEM, "mprotect over a hole");
    check_fails(syscall(SYS_mprotect, a + 1, PAGE, PROT_READ), EINVAL, "mprotect of an odd address");
    check_eq(mprotect(a, 3 * PAGE, PROT_READ | PROT_WRITE), 0, "as it was");

    // A handler that makes the page writable and returns: the access is done again.
    handle(SIGSEGV, repair);
    int all = 1;
    for (int i = 0; i < 200; i++) {
        mend = a + (i % 3) * PAGE;
        mprotect(mend, PAGE, PROT_READ);
        mend[i] = (char)i;
        all &= mend[i] == (char)i;
    }
    check(all, "the store happens after the handler");
    check_eq(mended, 200, "one fault each");
    handle(SIGSEGV, jump);

    // Code is made at run time, in a page that is never writable and executable at once.
    unsigned char code[] = {0xb8, 42, 0, 0, 0, 0xc3};  // mov eax, 42; ret
    memcpy(a, code, sizeof code);
    check_eq(mprotect(a, PAGE, PROT_READ | PROT_EXEC), 0, "executable");
    check_eq(((int (*)(void))a)(), 42, "runs");
    check_eq(faults(a, 1), SIGSEGV, "is not writable");
    mprotect(a, PAGE, PROT_READ | PROT_WRITE);
    memset(&info, 0, sizeof info);
    if (!sigsetjmp(back, 1)) ((int (*)(void))a)();
    check(info.si_signo == SIGSEGV && info.si_addr == a && info.si_code == SEGV_ACCERR,
          "is not executable any more");

    // Past the end of a file there is no page to show.
    int fd = open("file", O_RDWR | O_CREAT, 0644);
    ftruncate(fd, 100);
    char *file = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    check_eq(faults(file + PAGE - 1, 0), 0, "the rest of the last page");
    check_eq(faults(file + PAGE, 0), SIGBUS, "a page past the end");
    check(info.si_code == BUS_ADRERR && info.si_addr == file + PAGE, "BUS_ADRERR");
    ftruncate(fd, 2 * PAGE);
    check_eq(faults(file + PAGE, 1), 0, "exists when the file grows");
    ftruncate(fd, 0);
    check_eq(faults(file, 0), SIGBUS, "and goes when it shrinks");

    // The system call says EFAULT where the program would have met the signal.
    check_fails(pwrite(fd, a + 3 * PAGE, 1, 0), EFAULT, "a bad buffer in a system call");
    mprotect(a + PAGE, PAGE, PROT_NONE);
    check_eq(pwrite(fd, "0123456789", 10, 0), 10, "some data");
    check_eq(pread(fd, a + PAGE - 4, 10, 0), 4, "a buffer that ends early is filled as far as it goes");
    check_eq(pwrite(fd, a + PAGE - 4, 10, 0), 4, "or written");
    check_fails(pread(fd, a + PAGE, 10, 0), EFAULT, "a protected buffer");
    return check_done();
}
