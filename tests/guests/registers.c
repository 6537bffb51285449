// A handler that spoils every register does not spoil them for the program that it interrupts.
// linkage: dynamic static
#include "check.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_int ticks, stop;
static pthread_t main_thread;

// Leaves nothing of the vector registers and flags as it was.
static void spoil(int signal) {
    (void)signal;
    ticks++;
    if (__builtin_cpu_supports("avx"))
        __asm__ volatile(
            "vpcmpeqd %%xmm0, %%xmm0, %%xmm0; vinsertf128 $1, %%xmm0, %%ymm0, %%ymm0; vmovaps %%ymm0, %%ymm1;"
            "vmovaps %%ymm0, %%ymm7; vmovaps %%ymm0, %%ymm15; fld1; fld1; fldz" ::
                : "memory");
    else
        __asm__ volatile("pcmpeqd %%xmm0, %%xmm0; movaps %%xmm0, %%xmm7; movaps %%xmm0, %%xmm15" ::
                             : "memory");
    __asm__ volatile("cld; mov $-1, %%r8; mov %%r8, %%r9; mov %%r8, %%r10; mov %%r8, %%r11; stc" ::
                         : "r8", "r9", "r10", "r11", "cc");
}

static void *shoot(void *unused) {
    while (!stop) pthread_kill(main_thread, SIGUSR1), usleep(200);
    return unused;
}

// Counts in registers only: a register that is lost shows in the sum.
static int count_in_registers(long rounds) {
    uint64_t a = 0, b = 1, c = 2, d = 3, e = 4, f = 5, g = 6, h = 7;
    double x = 0, y = 0;
    for (long i = 0; i < rounds; i++) {
        __asm__ volatile("inc %0; inc %1; inc %2; inc %3; inc %4; inc %5; inc %6; inc %7"
                         : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f), "+r"(g), "+r"(h));
        x += 1;
        y += 2;
        __asm__ volatile("" : "+x"(x), "+x"(y));
    }
    uint64_t n = (uint64_t)rounds;
    return a == n && b == n + 1 && c == n + 2 && d == n + 3 && e == n + 4 && f == n + 5 && g == n + 6 &&
           h == n + 7 && x == (double)n && y == 2 * (double)n;
}

// All vector registers hold a pattern until a handler has run.
static int keep_vectors(void) {
    if (!__builtin_cpu_supports("avx")) return 1;
    static uint64_t in[16][4] __attribute__((aligned(32))), out[16][4] __attribute__((aligned(32)));
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 4; j++) in[i][j] = (uint64_t)i << 32 | (uint64_t)(j + 1) << 8 | 0xa5;
    int before = ticks;
#define LOAD(n) "vmovdqa " #n "*32(%0), %%ymm" #n ";"
#define STORE(n) "vmovdqa %%ymm" #n ", " #n "*32(%1);"
#define ALL(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
    __asm__ volatile(ALL(LOAD) "1: pause; cmpl %3, (%2); je 1b;" ALL(STORE)
                     :
                     : "r"(in), "r"(out), "r"(&ticks), "r"(before)
                     : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                       "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
    return memcmp(in, out, sizeof in) == 0;
}

// As keep_vectors, for what AVX-512 adds: a fault, too, has to bring back all of ZMM0 to ZMM31 and the mask registers.
__attribute__((target("avx512f,avx512bw"))) static int keep_wide_vectors(volatile char *touched) {
    if (!__builtin_cpu_supports("avx512bw")) return 1;
    static uint64_t in[40][8] __attribute__((aligned(64))), out[40][8] __attribute__((aligned(64)));
    for (int i = 0; i < 40; i++)
        for (int j = 0; j < 8; j++) in[i][j] = i < 32 || j == 0 ? (uint64_t)i << 32 | (uint64_t)(j + 1) << 8 | 0x5a : 0;
    int before = ticks;
#define LOAD_Z(n) "vmovdqa64 " #n "*64(%0), %%zmm" #n ";"
#define STORE_Z(n) "vmovdqa64 %%zmm" #n ", " #n "*64(%1);"
#define LOAD_K(n) "kmovq (32+" #n ")*64(%0), %%k" #n ";"
#define STORE_K(n) "kmovq %%k" #n ", (32+" #n ")*64(%1);"
#define HIGH(X) X(16) X(17) X(18) X(19) X(20) X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31)
#define MASKS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
    __asm__ volatile(ALL(LOAD_Z) HIGH(LOAD_Z) MASKS(LOAD_K)
                     "movb $1, (%4); 1: pause; cmpl %3, (%2); je 1b;"
                     ALL(STORE_Z) HIGH(STORE_Z) MASKS(STORE_K)
                     :
                     : "r"(in), "r"(out), "r"(&ticks), "r"(before), "r"(touched)
                     : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                       "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "xmm16", "xmm17", "xmm18",
                       "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28",
                       "xmm29", "xmm30", "xmm31", "k1", "k2", "k3", "k4", "k5", "k6", "k7");
    return memcmp(in, out, sizeof in) == 0;
}

// Signals come between calls that a program makes with the direction flag set.
static int call_backwards(long rounds) {
    long pid = getpid(), answer;
    int good = 1;
    for (long i = 0; i < rounds; i++) {
        __asm__ volatile("std; syscall; cld" : "=a"(answer) : "0"((long)SYS_getpid) : "rcx", "r11", "memory");
        good &= answer == pid;
    }
    return good;
}

int main(void) {
    struct sigaction action = {.sa_handler = spoil};
    sigaction(SIGUSR1, &action, NULL);
    main_thread = pthread_self();
    pthread_t thread;
    pthread_create(&thread, NULL, shoot, NULL);
    check(count_in_registers(200000000), "general registers and doubles across handlers");
    check(ticks > 10, "there were some");
    int good = 1;
    for (int i = 0; i < 100; i++) good &= keep_vectors();
    check(good, "vector registers across handlers");
    // Far apart: each touch faults for the first time.
    static const size_t stride = 2 << 20;
    char *memory = mmap(NULL, 100 * stride, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    need(memory != MAP_FAILED, "memory");
    for (size_t i = 0; i < 100; i++) good &= keep_wide_vectors(memory + i * stride);
    check(good, "wide ones across handlers and faults");
    check(call_backwards(2000000), "calls with the direction flag across handlers");
    stop = 1;
    pthread_join(thread, NULL);

    // The control words of floating point are kept, and a handler starts with the defaults of neither.
    unsigned short control = 0x037f & ~0x0300, now;
    unsigned mxcsr = 0x1f80 | 0x6000, mxcsr_now;
    __asm__ volatile("fldcw %0; ldmxcsr %1" : : "m"(control), "m"(mxcsr));
    raise(SIGUSR1);
    syscall(SYS_getppid);
    __asm__ volatile("fnstcw %0; stmxcsr %1" : "=m"(now), "=m"(mxcsr_now));
    check(now == control && (mxcsr_now & ~0x3fU) == mxcsr, "control words across a handler and a call");
    return check_done();
}
