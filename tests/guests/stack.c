// Stacks: the main one grows to its limit, an overflow is a SIGSEGV that an alternate stack survives.
#include "check.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static sigjmp_buf back;
static volatile int overflowed;
static char alternate[64 * 1024];
static volatile uintptr_t handler_stack;

static void on_overflow(int signal) {
    int here;
    handler_stack = (uintptr_t)&here;
    overflowed = signal;
    siglongjmp(back, 1);
}

__attribute__((noinline)) static long deep(long levels) {
    volatile char frame[1000];
    frame[0] = frame[999] = (char)levels;
    return levels == 0 ? 0 : deep(levels - 1) + frame[0] - frame[999] + 1;
}

static void *in_thread(void *levels) { return (void *)deep((long)levels); }

static siginfo_t told;

static void on_fault(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    told = *info;
    siglongjmp(back, 1);
}

static void never(int signal) { _exit(signal); }

// Sends itself a signal while there is no stack.
static void signal_without_stack(int signal) {
    __asm__ volatile(
        "mov %%rsp, %%r12\n"
        "mov $4096, %%esp\n"
        "syscall\n"
        "mov %%r12, %%rsp"
        :
        : "a"(SYS_tgkill), "D"(getpid()), "S"(syscall(SYS_gettid)), "d"(signal)
        : "rcx", "r11", "r12", "memory", "cc");
}

static int end_of(int flags, int blocks, int signal) {
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | flags};
        sigaction(SIGSEGV, &action, NULL);
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGSEGV);
        if (blocks) sigprocmask(SIG_BLOCK, &set, NULL);
        if (!sigsetjmp(back, 1)) signal_without_stack(signal);
        _exit(told.si_code == SI_KERNEL && told.si_addr == NULL && told.si_signo == SIGSEGV ? 0 : 1);
    }
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

static void without_stack(void) {
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = never}, NULL);
    check_eq(end_of(SA_ONSTACK, 0, SIGUSR1), 0, "a handler without a stack is a SIGSEGV, which is handled");
    check_eq(end_of(SA_ONSTACK, 1, SIGUSR1), SIGSEGV, "which kills if it is blocked");
    check_eq(end_of(0, 0, SIGUSR1), SIGSEGV, "or has no stack either");
    check_eq(end_of(0, 0, SIGSEGV), SIGSEGV, "as a SIGSEGV itself");
}

int main(void) {
    check_eq(deep(6000), 6000, "6 MB of the main stack");
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
    check_eq(sigaltstack(&stack, NULL), 0, "sigaltstack");
    struct sigaction action = {.sa_handler = on_overflow, .sa_flags = SA_ONSTACK};
    sigaction(SIGSEGV, &action, NULL);
    if (!sigsetjmp(back, 1)) deep(1L << 40);
    check_eq(overflowed, SIGSEGV, "an overflow is a SIGSEGV");
    check(handler_stack >= (uintptr_t)alternate && handler_stack < (uintptr_t)alternate + sizeof alternate,
          "on the alternate stack");
    check_eq(deep(1000), 1000, "the stack still works");
    stack_t now;
    check(sigaltstack(NULL, &now) == 0 && now.ss_sp == alternate && now.ss_flags == 0,
          "sigaltstack tells it");
    without_stack();
    stack.ss_size = 100;
    check_fails(sigaltstack(&stack, NULL), ENOMEM, "too small");
    stack = (stack_t){.ss_flags = SS_DISABLE};
    check_eq(sigaltstack(&stack, NULL), 0, "SS_DISABLE");

    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 64 << 20);
    void *result = NULL;
    check_eq(pthread_create(&thread, &attributes, in_thread, (void *)60000L), 0,
             "a thread with 64 MiB of stack");
    pthread_join(thread, &result);
    check_eq((long)result, 60000, "uses it");
    void *own = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    pthread_attr_setstack(&attributes, own, 1 << 20);
    check_eq(pthread_create(&thread, &attributes, in_thread, (void *)500L), 0,
             "a thread on memory of the program");
    pthread_join(thread, &result);
    check_eq((long)result, 500, "works as well");
    pthread_attr_t mine;
    void *base;
    size_t size;
    check_eq(pthread_getattr_np(pthread_self(), &mine), 0, "pthread_getattr_np");
    pthread_attr_getstack(&mine, &base, &size);
    check((char *)&mine > (char *)base && (char *)&mine < (char *)base + size, "knows the main stack");
    char *down = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_STACK, -1, 0);
    check(down != MAP_FAILED, "MAP_GROWSDOWN");
    down[0] = 1;
    return check_done();
}
