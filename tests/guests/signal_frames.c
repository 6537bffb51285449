// A signal whose frame cannot be written: SIGSEGV instead, by its handler if that has a stack, and otherwise the end.
// linkage: dynamic
#include "check.h"
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096 };

static char *small, *alternate;
static volatile int told, code, sender;
static volatile uintptr_t address;

static void no_stack(int signal) { (void)signal; }

static void on_fault(int signal, siginfo_t *info, void *context) {
    (void)context;
    told = signal;
    code = info->si_code;
    address = (uintptr_t)info->si_addr;
    _exit(told == SIGSEGV && code == SI_KERNEL && address == 0 ? 0 : 1);
}

static void on_small_fault(int signal) {
    (void)signal;
    _exit(3);
}

// Sends a signal to itself with a stack pointer that has no room for a frame.
__attribute__((noinline)) static void kill_on(char *stack, int signal) {
    long pid = getpid();
    __asm__ volatile(
        "mov %%rsp, %%rbx\n"
        "mov %0, %%rsp\n"
        "syscall\n"
        "mov %%rbx, %%rsp\n"
        :
        : "r"(stack), "a"(62L), "D"(pid), "S"((long)signal)
        : "rbx", "rcx", "r11", "memory");
}

static void handle(int signal, void (*handler)(int, siginfo_t *, void *), int flags) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO};
    sigaction(signal, &action, NULL);
}

static void use_alternate(size_t size) {
    stack_t stack = {.ss_sp = alternate, .ss_size = size};
    sigaltstack(&stack, NULL);
}

// How a child ends that does this: its status, or 128 and the signal.
static int end_of(void (*child)(void)) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        child();
        _exit(99);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void handler_on_alternate(void) {
    use_alternate(16 * PAGE);
    handle(SIGSEGV, on_fault, SA_ONSTACK);
    signal(SIGUSR1, no_stack);
    kill_on(small, SIGUSR1);
}

static void handler_without(void) {
    handle(SIGSEGV, on_fault, 0);
    signal(SIGUSR1, no_stack);
    kill_on(small, SIGUSR1);
}

static void no_handler(void) {
    use_alternate(16 * PAGE);
    signal(SIGUSR1, no_stack);
    kill_on(small, SIGUSR1);
}

static void blocked_handler(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGSEGV);
    sigprocmask(SIG_BLOCK, &set, NULL);
    handler_on_alternate();
}

static void ignored(void) {
    use_alternate(16 * PAGE);
    signal(SIGSEGV, SIG_IGN);
    signal(SIGUSR1, no_stack);
    kill_on(small, SIGUSR1);
}

static void segv_itself(void) {
    handle(SIGSEGV, on_fault, 0);
    kill_on(small, SIGSEGV);
}

static void segv_itself_on_alternate(void) {
    use_alternate(16 * PAGE);
    handle(SIGSEGV, on_fault, 0);
    signal(SIGUSR1, no_stack);
    // The handler of SIGUSR1 has the alternate stack, and that cannot be written to.
    struct sigaction action = {.sa_handler = no_stack, .sa_flags = SA_ONSTACK};
    sigaction(SIGUSR1, &action, NULL);
    mprotect(alternate, 16 * PAGE, PROT_READ);
    kill(getpid(), SIGUSR1);
}

static void read_only_stack(void) {
    mprotect(small, PAGE, PROT_READ);
    handler_on_alternate();
}

// A handler that runs on the alternate stack, and is interrupted when that is full.
static void overflow(void) {
    use_alternate(16 * PAGE);
    handle(SIGSEGV, on_fault, 0);
    struct sigaction action = {.sa_handler = on_small_fault, .sa_flags = SA_ONSTACK};
    sigaction(SIGUSR1, &action, NULL);
    // Just above the stack's beginning: there is memory below, but it is not the stack's.
    kill_on(alternate + 512, SIGUSR1);
}

static void twice(int signal) {
    (void)signal;
    kill_on(small, SIGUSR2);
}

// SIGSEGV's handler has no SA_NODEFER, and the signal that cannot be delivered comes while it runs.
static void in_the_handler(void) {
    use_alternate(16 * PAGE);
    struct sigaction action = {.sa_handler = twice, .sa_flags = SA_ONSTACK};
    sigaction(SIGSEGV, &action, NULL);
    action = (struct sigaction){.sa_handler = no_stack};
    sigaction(SIGUSR2, &action, NULL);
    raise(SIGSEGV);
}

int main(void) {
    char *both = mmap(NULL, 40 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    need(both != MAP_FAILED, "memory");
    // Nothing is mapped below the small stack.
    munmap(both, PAGE);
    small = both + PAGE;
    alternate = both + 20 * PAGE;
    char *top = small + 256;
    small = top;
    check_eq(end_of(handler_on_alternate), 0, "SIGSEGV has an alternate stack");
    check_eq(end_of(handler_without), 128 + SIGSEGV, "and none");
    check_eq(end_of(no_handler), 128 + SIGSEGV, "nor a handler");
    check_eq(end_of(blocked_handler), 128 + SIGSEGV, "it is blocked");
    check_eq(end_of(ignored), 128 + SIGSEGV, "it is ignored");
    check_eq(end_of(segv_itself), 128 + SIGSEGV, "it is SIGSEGV itself");
    check_eq(end_of(segv_itself_on_alternate), 0, "the alternate stack cannot be written to");
    small = both + PAGE;
    check_eq(end_of(read_only_stack), 0, "the stack is read-only");
    check_eq(end_of(overflow), 128 + SIGSEGV, "the alternate stack is full");
    check_eq(end_of(in_the_handler), 128 + SIGSEGV, "in the handler of SIGSEGV");
    return check_done();
}
