// A system call changes rax, rcx and r11, and nothing else that a program can see.
// linkage: dynamic static no-pie
#include "check.h"
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { RAX, RBX, RDX, RSI, RDI, RBP, R8, R9, R10, R12, R13, R14, R15, RSP, FLAGS, COUNT };

struct state {
    uint64_t general[16];
    uint64_t vector[16][4];
};

// Loads all registers from `in`, calls, and stores them all to `out`.
void probe(const struct state *in, struct state *out);

#define LOAD_VECTOR(n) "vmovdqu 128+32*" #n "(%rdi), %ymm" #n "\n"
#define STORE_VECTOR(n) "vmovdqu %ymm" #n ", 128+32*" #n "(%rcx)\n"
#define ALL(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
__asm__(".text\n.globl probe\n.type probe, @function\nprobe:\n"
        "push %rbx\npush %rbp\npush %r12\npush %r13\npush %r14\npush %r15\npush %rsi\n"
        // The red zone belongs to the program too.
        "movq $0x5a5a, -8(%rsp)\nmovq $0x6b6b, -128(%rsp)\n" ALL(LOAD_VECTOR)
        // From here on, only what leaves the flags alone.
        "lea -200(%rsp), %rsp\npush 112(%rdi)\npopfq\nlea 200(%rsp), %rsp\n"
        "mov (%rdi), %rax\nmov 8(%rdi), %rbx\nmov 16(%rdi), %rdx\nmov 24(%rdi), %rsi\nmov 40(%rdi), %rbp\n"
        "mov 48(%rdi), %r8\nmov 56(%rdi), %r9\nmov 64(%rdi), %r10\nmov 72(%rdi), %r12\nmov 80(%rdi), %r13\n"
        "mov 88(%rdi), %r14\nmov 96(%rdi), %r15\nmov 32(%rdi), %rdi\n"
        "syscall\n"
        "lea -200(%rsp), %rsp\npushfq\npop %r11\npush $2\npopfq\nlea 200(%rsp), %rsp\n"
        "mov (%rsp), %rcx\n"
        "mov %rax, (%rcx)\nmov %rbx, 8(%rcx)\nmov %rdx, 16(%rcx)\nmov %rsi, 24(%rcx)\nmov %rdi, 32(%rcx)\n"
        "mov %rbp, 40(%rcx)\nmov %r8, 48(%rcx)\nmov %r9, 56(%rcx)\nmov %r10, 64(%rcx)\nmov %r12, 72(%rcx)\n"
        "mov %r13, 80(%rcx)\nmov %r14, 88(%rcx)\nmov %r15, 96(%rcx)\nmov %r11, 112(%rcx)\n"
        "mov -8(%rsp), %rax\nshl $16, %rax\nor -128(%rsp), %rax\nmov %rax, 104(%rcx)\n" ALL(STORE_VECTOR)
        "vzeroupper\npop %rsi\npop %r15\npop %r14\npop %r13\npop %r12\npop %rbp\npop %rbx\nret\n"
        ".size probe, . - probe\n");

static struct state in, out;

// CF, PF, AF, ZF, SF and OF; DF; AC, with which the program may not touch what is not aligned.
enum { STATUS = 0x8d5, DIRECTION = 0x400, ALIGNMENT = 0x40000 };
static uint64_t flags = STATUS | DIRECTION;

static int kept(long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
    for (int i = 0; i < COUNT; i++) in.general[i] = 0x1111111111111111 * (uint64_t)(i + 1);
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 4; j++) in.vector[i][j] = 0xfeed000000000000 | (uint64_t)(i * 4 + j);
    in.general[RAX] = (uint64_t)number;
    in.general[FLAGS] = flags;
    in.general[RDI] = a, in.general[RSI] = b, in.general[RDX] = c, in.general[R10] = d;
    memset(&out, 0, sizeof out);
    probe(&in, &out);
    int same = memcmp(in.vector, out.vector, sizeof in.vector) == 0;
    if (!same) printf("# vector registers have changed\n");
    for (int i = RBX; i <= R15; i++) {
        if (in.general[i] == out.general[i]) continue;
        printf("# register %d: %lx, was %lx\n", i, out.general[i], in.general[i]);
        same = 0;
    }
    if (out.general[RSP] != 0x5a5a6b6b) printf("# the red zone has changed\n"), same = 0;
    if ((out.general[FLAGS] & (STATUS | DIRECTION | ALIGNMENT)) != flags)
        printf("# flags: %lx, were %lx\n", out.general[FLAGS], flags), same = 0;
    return same;
}

int main(void) {
    static char buffer[4096];
    need(__builtin_cpu_supports("avx"), "a CPU with AVX");
    check(kept(SYS_getpid, 1, 2, 3, 4), "getpid");
    check_eq(out.general[RAX], getpid(), "its answer");
    check(kept(SYS_getppid, 0, 0, 0, 0), "getppid");
    check(kept(12345, 1, 2, 3, 4), "an unknown number");
    check_eq(out.general[RAX], -ENOSYS, "ENOSYS");
    check(kept(SYS_write, 99, (uint64_t)buffer, 1, 0), "a call that fails");
    check_eq(out.general[RAX], -EBADF, "EBADF");
    check(kept(SYS_read, 0, 8, 1, 0), "a bad pointer");
    check(kept(SYS_clock_gettime, 1, (uint64_t)buffer, 0, 0), "clock_gettime");
    check(kept(SYS_getrandom, (uint64_t)buffer, 256, 0, 0), "getrandom");
    check(kept(SYS_uname, (uint64_t)buffer, 0, 0, 0), "uname");
    check(kept(SYS_nanosleep, (uint64_t)&(struct { long s, n; }){0, 1000000}, 0, 0, 0),
          "nanosleep, which waits");
    check(kept(SYS_poll, 0, 0, 1, 0), "poll, which waits");
    check(kept(SYS_sched_yield, 0, 0, 0, 0), "sched_yield");
    check(kept(SYS_mmap, 0, 4096, 3, 0x22), "mmap");
    check(kept(SYS_tgkill, (uint64_t)getpid(), (uint64_t)getpid(), 0, 0), "tgkill");
    static const uint64_t others[] = {0, DIRECTION, ALIGNMENT, DIRECTION | ALIGNMENT};
    static const char *const names[] = {"all status flags", "with the direction", "with alignment checks", "with both"};
    for (int i = 0; i < 4; i++) {
        int good = 1;
        // Each subset of the status flags.
        for (uint64_t subset = STATUS;; subset = (subset - 1) & STATUS) {
            flags = subset | others[i];
            good &= kept(SYS_getpid, 0, 0, 0, 0) && kept(SYS_uname, (uint64_t)buffer + 1, 0, 0, 0);
            good &= kept(SYS_openat, -100, (uint64_t) "../an/odd/path", 0, 0);
            if (!subset) break;
        }
        check(good, names[i]);
    }
    return check_done();
}
