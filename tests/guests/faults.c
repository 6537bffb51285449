// Exceptions of the CPU as signals: what the handler is told, and that it can mend them and return.
// linkage: dynamic static
#include "check.h"
#include <immintrin.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <ucontext.h>
#include <unistd.h>

static siginfo_t info;
static greg_t trap, code, address, instruction;
static int skip;
static volatile int calls;

static void handler(int signal, siginfo_t *si, void *context) {
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    (void)signal;
    calls++;
    info = *si;
    trap = registers[REG_TRAPNO];
    code = registers[REG_ERR];
    address = registers[REG_CR2];
    instruction = registers[REG_RIP];
    registers[REG_RIP] += skip;
    registers[REG_RAX] = 4711;
}

// Runs one instruction of this length which traps; the handler skips it and sets rax.
#define trapping(text, length, inputs...)                                             \
    ({                                                                                \
        uint64_t rax_ = 1, at_;                                                       \
        skip = length;                                                                \
        memset(&info, 0, sizeof info);                                                \
        __asm__ volatile("lea 1f(%%rip), %1\n1: " text                                \
                         : "+a"(rax_), "=&r"(at_)                                     \
                         : inputs                                                     \
                         : "rdx", "memory", "cc");                                    \
        check((uint64_t)instruction == at_, text ": the address of the instruction"); \
        rax_;                                                                         \
    })

static sigjmp_buf back;

static void jump(int signal, siginfo_t *si, void *context) {
    (void)signal, (void)context;
    info = *si;
    siglongjmp(back, 1);
}

static void *fault_in_thread(void *unused) {
    (void)unused;
    uint64_t value;
    __asm__ volatile("mov (%1), %0" : "=a"(value) : "r"(16L));
    return (void *)value;
}

static void single_step(int signal, siginfo_t *si, void *context) {
    (void)signal;
    info = *si;
    calls++;
    if (calls == 5) ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~0x100L;
}

int main(void) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    int signals[] = {SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGTRAP};
    for (int i = 0; i < 5; i++) sigaction(signals[i], &action, NULL);

    check_eq(trapping("mov (%2), %%rax", 3, "r"(8L)), 4711, "a null pointer is mended");
    check(info.si_signo == SIGSEGV && info.si_code == SEGV_MAPERR && info.si_addr == (void *)8, "SIGSEGV");
    check(trap == 14 && code == 4 && address == 8, "a page fault: user, read, not present");
    check_eq(trapping("mov %%rax, (%2)", 3, "r"(8L)), 4711, "a write");
    check(trap == 14 && code == 6, "a page fault: user, write");
    check_eq(trapping("mov (%2), %%rax", 3, "r"(0x8000000000000000)), 4711, "a non-canonical address");
    check(info.si_signo == SIGSEGV && info.si_code == SI_KERNEL && trap == 13, "a general protection fault");
    check_eq(trapping("hlt", 1, "r"(0L)), 4711, "a privileged instruction");
    check(info.si_signo == SIGSEGV && info.si_code == SI_KERNEL && trap == 13, "is one as well");
    check_eq(trapping("ud2", 2, "r"(0L)), 4711, "ud2");
    check(info.si_signo == SIGILL && info.si_code == ILL_ILLOPN && info.si_addr == (void *)instruction &&
              trap == 6,
          "SIGILL");
    skip = 0;
    uint64_t after;
    __asm__ volatile("int3\n1: lea 1b(%%rip), %0" : "=r"(after) : : "rax", "memory");
    check(
        info.si_signo == SIGTRAP && info.si_code == SI_KERNEL && (uint64_t)instruction == after && trap == 3,
        "SIGTRAP of int3, behind it");
    uint32_t quotient = 7;
    skip = 2;
    __asm__ volatile("div %1" : "+a"(quotient) : "r"(0), "d"(0) : "memory", "cc");
    check(info.si_signo == SIGFPE && info.si_code == FPE_INTDIV && trap == 0, "SIGFPE of a division by zero");
    check_eq(quotient, 4711, "is mended");
    check(info.si_addr == (void *)instruction, "si_addr is the instruction");

    // Unmasked exceptions of SSE arithmetic.
    unsigned masked = _mm_getcsr();
    _mm_setcsr(masked & ~_MM_MASK_DIV_ZERO);
    action.sa_sigaction = jump;
    sigaction(SIGFPE, &action, NULL);
    volatile double zero = 0, one = 1;
    if (!sigsetjmp(back, 1)) one = one / zero;
    check(info.si_signo == SIGFPE && info.si_code == FPE_FLTDIV, "SIGFPE of a floating-point division");
    _mm_setcsr(masked);
    one = 1;
    one = one / zero;
    check(one > 1e300 && _mm_getcsr() & _MM_EXCEPT_DIV_ZERO, "masked, it is infinite and noted");

    action.sa_sigaction = single_step;
    sigaction(SIGTRAP, &action, NULL);
    calls = 0;
    __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; nop; nop; nop; nop; nop; nop; nop; nop" ::
                         : "cc", "memory");
    check_eq(calls, 5, "single steps");
    check_eq(info.si_code, TRAP_TRACE, "TRAP_TRACE");

    action.sa_sigaction = handler;
    sigaction(SIGSEGV, &action, NULL);
    skip = 3;
    void *result;
    pthread_t thread;
    pthread_create(&thread, NULL, fault_in_thread, NULL);
    pthread_join(thread, &result);
    check_eq((long)result, 4711, "a fault in another thread is its own");
    calls = 0;
    int good = 1;
    for (int i = 0; i < 1000; i++) {
        uint64_t value;
        __asm__ volatile("mov (%1), %0" : "=a"(value) : "r"(16L) : "memory");
        good &= value == 4711;
    }
    check(good && calls == 1000, "a thousand faults");
    return check_done();
}
