// sigaction: what a handler is told, and what its flags do.
// linkage: dynamic static musl
#include "check.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

static volatile int calls, depth, deepest, last, code, pid, uid, value, on_alternate, blocked_inside;
static char alternate[64 * 1024];

static void simple(int signal) {
    calls++;
    last = signal;
}

static void detailed(int signal, siginfo_t *info, void *context) {
    ucontext_t *machine = context;
    calls++;
    last = signal;
    code = info->si_code;
    pid = info->si_pid;
    uid = info->si_uid;
    value = info->si_value.sival_int;
    sigset_t now;
    pthread_sigmask(SIG_BLOCK, NULL, &now);
    blocked_inside = sigismember(&now, signal) | sigismember(&now, SIGUSR2) << 1 |
                     sigismember(&machine->uc_sigmask, signal) << 2;
    int here;
    on_alternate = (char *)&here >= alternate && (char *)&here < alternate + sizeof alternate;
}

static void nested(int signal) {
    depth++;
    if (depth > deepest) deepest = depth;
    if (++calls < 3) raise(signal);
    depth--;
}

static void set(int signal, void (*handler)(int), int flags) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigaction(signal, &action, NULL);
}

static sigjmp_buf back;

static void jump(int signal) {
    calls++;
    siglongjmp(back, signal);
}

static void change_mask(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info;
    sigaddset(&((ucontext_t *)context)->uc_sigmask, SIGUSR2);
}

int main(void) {
    struct sigaction action, old;
    check(signal(SIGUSR1, simple) == SIG_DFL, "the default at first");
    check_eq(raise(SIGUSR1), 0, "raise");
    check(calls == 1 && last == SIGUSR1, "the handler has run when raise returns");
    check(sigaction(SIGUSR1, NULL, &old) == 0 && old.sa_handler == simple, "sigaction tells");

    memset(&action, 0, sizeof action);
    action.sa_sigaction = detailed;
    action.sa_flags = SA_SIGINFO;
    sigaddset(&action.sa_mask, SIGUSR2);
    check_eq(sigaction(SIGUSR1, &action, &old), 0, "SA_SIGINFO");
    kill(getpid(), SIGUSR1);
    check(last == SIGUSR1 && code == SI_USER && pid == getpid() && (unsigned)uid == getuid(),
          "kill: SI_USER, pid and uid");
    check_eq(blocked_inside, 3, "the signal and sa_mask are blocked inside, and not outside");
    syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1);
    check_eq(code, SI_TKILL, "tgkill: SI_TKILL");
    sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 4711});
    check(code == SI_QUEUE && value == 4711, "sigqueue: SI_QUEUE and its value");
    pthread_kill(pthread_self(), SIGUSR1);
    check_eq(code, SI_TKILL, "pthread_kill: SI_TKILL");

    calls = 0, set(SIGUSR1, nested, 0);
    raise(SIGUSR1);
    check(calls == 3 && deepest == 1, "without SA_NODEFER it is not interrupted by itself");
    calls = deepest = 0, set(SIGUSR1, nested, SA_NODEFER);
    raise(SIGUSR1);
    check(calls == 3 && deepest == 3, "with SA_NODEFER it is");
    calls = 0, set(SIGUSR1, simple, (int)SA_RESETHAND);
    raise(SIGUSR1);
    sigaction(SIGUSR1, NULL, &old);
    check(calls == 1 && old.sa_handler == SIG_DFL, "SA_RESETHAND");

    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
    sigaltstack(&stack, NULL);
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    check(on_alternate, "SA_ONSTACK");
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    check(!on_alternate, "without it the stack in use");

    set(SIGUSR1, SIG_IGN, 0);
    check_eq(raise(SIGUSR1), 0, "SIG_IGN");
    set(SIGUSR1, simple, 0);
    check_fails(sigaction(SIGKILL, &action, NULL), EINVAL, "SIGKILL cannot be caught");
    check_fails(sigaction(SIGSTOP, &action, NULL), EINVAL, "nor SIGSTOP");
    check_fails(sigaction(65, &action, NULL), EINVAL, "no such signal");
    check_fails(kill(getpid(), 65), EINVAL, "kill with no such signal");
    check_eq(kill(getpid(), 0), 0, "signal 0 only asks");
    check_fails(kill(99999999, 0), ESRCH, "no such process");
    check_fails(syscall(SYS_tgkill, getpid(), 99999999, 0), ESRCH, "no such thread");
    check_eq(raise(SIGCHLD) | raise(SIGURG) | raise(SIGWINCH) | raise(SIGCONT), 0, "ignored by default");

    calls = 0, set(SIGUSR1, jump, 0);
    sigset_t mask;
    for (int i = 0; i < 5; i++)
        if (!sigsetjmp(back, 1)) raise(SIGUSR1);
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    check(calls == 5 && !sigismember(&mask, SIGUSR1), "a long jump out of a handler restores the mask");

    action.sa_sigaction = change_mask;
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    check(sigismember(&mask, SIGUSR2), "a handler may change the mask it returns to");

    // A handler per signal, all 64 of them but those of the system and the C library.
    calls = 0;
    sigemptyset(&mask), pthread_sigmask(SIG_SETMASK, &mask, NULL);
    int sent = 0;
    for (int i = 1; i <= SIGRTMAX; i++) {
        if (i == SIGKILL || i == SIGSTOP || (i >= 32 && i < SIGRTMIN)) continue;
        set(i, simple, 0);
        sent++;
        raise(i);
    }
    check_eq(calls, sent, "all signals");
    return check_done();
}
