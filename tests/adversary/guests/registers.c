// Registers under a host that looks at what each exit leaves in them, and enters with others: nothing of the program's is to be seen,
// and everything is as it was.
#include "claims.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

static int has_avx, has_avx512;

// Puts the secret into every register that the processor has, and makes a system call with them.
// `secret` is 32 bytes; its halves repeat.
#define FILL_X87 "fninit\n fildll (%[s])\n fildll 8(%[s])\n"
#define FILL_SSE                                                                                          \
    "movups (%[s]),%%xmm0\n movaps %%xmm0,%%xmm1\n movaps %%xmm0,%%xmm2\n movaps %%xmm0,%%xmm3\n"          \
    "movaps %%xmm0,%%xmm4\n movaps %%xmm0,%%xmm5\n movaps %%xmm0,%%xmm6\n movaps %%xmm0,%%xmm7\n"          \
    "movaps %%xmm0,%%xmm8\n movaps %%xmm0,%%xmm9\n movaps %%xmm0,%%xmm10\n movaps %%xmm0,%%xmm11\n"        \
    "movaps %%xmm0,%%xmm12\n movaps %%xmm0,%%xmm13\n movaps %%xmm0,%%xmm14\n movaps %%xmm0,%%xmm15\n"
#define FILL_AVX                                                                                          \
    "vinsertf128 $1,%%xmm0,%%ymm0,%%ymm0\n vinsertf128 $1,%%xmm0,%%ymm7,%%ymm7\n"                          \
    "vinsertf128 $1,%%xmm0,%%ymm15,%%ymm15\n"
#define FILL_AVX512                                                                                       \
    "vbroadcasti32x4 (%[s]),%%zmm1\n vbroadcasti32x4 (%[s]),%%zmm14\n vbroadcasti32x4 (%[s]),%%zmm16\n"    \
    "vbroadcasti32x4 (%[s]),%%zmm23\n vbroadcasti32x4 (%[s]),%%zmm31\n"                                    \
    "kmovq (%[s]),%%k1\n kmovq 8(%[s]),%%k2\n kmovq (%[s]),%%k7\n"
#define FILL_GENERAL                                                                                      \
    "mov (%[s]),%%rbx\n mov 8(%[s]),%%r12\n mov (%[s]),%%r13\n mov 8(%[s]),%%r14\n mov (%[s]),%%r15\n"

#define CALL_WITH(fill)                                                                                   \
    __asm__ volatile(fill FILL_GENERAL "syscall"                                                          \
                     : "=a"(result)                                                                       \
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), [s] "r"(bytes)                      \
                     : "rcx", "r11", "rbx", "r12", "r13", "r14", "r15", "memory", "cc", "xmm0", "xmm1",    \
                       "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",  \
                       "xmm12", "xmm13", "xmm14", "xmm15")

static long call_filled(long number, long a, long b, long c) {
    register long r10 __asm__("r10") = 0;
    register const unsigned char *bytes __asm__("r9") = secret;
    long result;
    if (has_avx512)
        CALL_WITH(FILL_X87 FILL_SSE FILL_AVX FILL_AVX512);
    else if (has_avx)
        CALL_WITH(FILL_X87 FILL_SSE FILL_AVX);
    else
        CALL_WITH(FILL_X87 FILL_SSE);
    __asm__ volatile("fninit");
    return result;
}

static sigjmp_buf back;
static void jump_back(int signal) {
    (void)signal;
    siglongjmp(back, 1);
}

static void *end_filled(void *unused) {
    call_filled(SYS_exit, 0, 0, 0);
    return unused;
}

static volatile int is_over;
static void *compute_filled(void *unused) {
    // Is interrupted while it computes, with the secret everywhere.
    while (!is_over) call_filled(SYS_gettid, 0, 0, 0);
    return unused;
}

static void nothing(int signal) { (void)signal; }

static void leave_in_every_way(void) {
    struct timespec shortly = {0, 20000};
    for (int i = 0; i < 20; i++) {
        promise(call_filled(SYS_nanosleep, (long)&shortly, 0, 0) == 0, i);
        promise(call_filled(SYS_sched_yield, 0, 0, 0) == 0, i);
        promise(call_filled(SYS_write, 1, (long)".", 1) == 1, i);
        pthread_t thread;
        promise(pthread_create(&thread, NULL, end_filled, NULL) == 0, i);
        promise(pthread_join(thread, NULL) == 0, i);
    }
    // Into a handler, and from a page that is not there.
    unsigned char *gone = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    signal(SIGSEGV, jump_back);
    if (!sigsetjmp(back, 1)) {
        call_filled(SYS_getppid, 0, 0, 0);
        __asm__ volatile("movups (%0),%%xmm3\n movq (%1),%%xmm0" ::"r"(secret), "r"(gone) : "xmm0", "xmm3");
        promise(0, 0);
    }
    signal(SIGUSR1, nothing);
    pthread_t thread;
    promise(pthread_create(&thread, NULL, compute_filled, NULL) == 0, 0);
    for (int i = 0; i < 50; i++) {
        pthread_kill(thread, SIGUSR1);
        nanosleep(&shortly, NULL);
    }
    is_over = 1;
    pthread_join(thread, NULL);
}

struct state {
    uint32_t mxcsr;
    uint16_t fcw;
    unsigned char x87[10], ymm5[32], zmm20[64];
    uint64_t k3;
};

// What is in use when the call is made: bits of `used`.
enum { X87 = 1, AVX = 2, AVX512 = 4 };

static void sleep_with(int used, uint32_t mxcsr, uint16_t fcw, struct state *after) {
    struct timespec shortly = {0, 5000};
    uint32_t usual_mxcsr = 0x1f80;
    long double pi = 3.14159265358979323846264338327950288L;
    long result;
    memset(after, 0, sizeof *after);
    __asm__ volatile("fninit");
    if (has_avx) __asm__ volatile("vzeroall" ::: "xmm0", "xmm5");
    if (has_avx512) __asm__ volatile("vpxorq %%xmm20,%%xmm20,%%xmm20\n kxorq %%k3,%%k3,%%k3" ::: "memory");
    if (used & AVX) __asm__ volatile("vmovdqu (%0),%%ymm5" ::"r"(secret) : "xmm5");
    if (used & AVX512)
        __asm__ volatile("vbroadcasti32x4 (%0),%%zmm20\n kmovq (%0),%%k3" ::"r"(secret) : "memory");
    if (used & X87) __asm__ volatile("fldt (%0)" ::"r"(&pi));
    if (used & X87 || fcw != 0x37f) __asm__ volatile("fldcw %0" ::"m"(fcw));
    __asm__ volatile("ldmxcsr %[mxcsr]\n syscall\n stmxcsr %[after]\n fnstcw %[fcw]\n ldmxcsr %[usual]"
                     : "=a"(result), [after] "=m"(after->mxcsr), [fcw] "=m"(after->fcw)
                     : "a"(SYS_nanosleep), "D"(&shortly), "S"(0), [mxcsr] "m"(mxcsr), [usual] "m"(usual_mxcsr)
                     : "rcx", "r11", "memory");
    if (has_avx) __asm__ volatile("vmovdqu %%ymm5,(%0)" ::"r"(after->ymm5) : "memory");
    if (has_avx512)
        __asm__ volatile("vmovdqu64 %%zmm20,(%0)\n kmovq %%k3,(%1)" ::"r"(after->zmm20), "r"(&after->k3)
                         : "memory");
    if (used & X87) __asm__ volatile("fstpt (%0)" ::"r"(after->x87) : "memory");
    __asm__ volatile("fninit");
    promise(result == 0, result);
    if (used & X87) promise(!memcmp(after->x87, &pi, 10), used);
}

static void keep_registers(void) {
    static const uint32_t mxcsrs[] = {0x1f80, 0xffc0, 0x3f80, 0x9f80};
    static const uint16_t fcws[] = {0x37f, 0x27f, 0xf7f};
    for (int used = 0; used < 8; used++) {
        if ((used & AVX && !has_avx) || (used & AVX512 && !has_avx512)) continue;
        for (int round = 0; round < 12; round++) {
            uint32_t mxcsr = mxcsrs[round % 4];
            uint16_t fcw = fcws[round % 3];
            struct state after;
            sleep_with(used, mxcsr, fcw, &after);
            promise(after.mxcsr == mxcsr, after.mxcsr);
            promise(after.fcw == fcw, after.fcw);
            for (int i = 0; i < 32; i++) promise(after.ymm5[i] == (used & AVX ? secret[i] : 0), used);
            for (int i = 0; i < 64; i++) promise(after.zmm20[i] == (used & AVX512 ? secret[i % 16] : 0), used);
            uint64_t k3 = 0;
            if (used & AVX512) memcpy(&k3, secret, 8);
            promise(after.k3 == k3, used);
        }
    }
}

int main(void) {
    keep_secrets();
    has_avx = __builtin_cpu_supports("avx");
    has_avx512 = __builtin_cpu_supports("avx512bw");
    leave_in_every_way();
    keep_registers();
    int status = end();
    call_filled(SYS_exit_group, status, 0, 0);
}
