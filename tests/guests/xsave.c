// The extended state of a thread: CPUID tells how large it is and where its parts lie, and programs allocate by it.
// linkage: dynamic static musl
// flags: -mxsave -Wl,-z,lazy
#include "check.h"
#include <cpuid.h>
#include <immintrin.h>
#include <stdint.h>
#include <unistd.h>

static uint32_t leaf_d(uint32_t subleaf, uint32_t registers[4]) {
    __cpuid_count(0xd, subleaf, registers[0], registers[1], registers[2], registers[3]);
    return registers[0];
}

static uint64_t xcr0(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

// x87, SSE, AVX and AVX-512: protection keys are the host's own.
static const uint64_t components = 0xe7;

static _Alignas(64) unsigned char image[16384];

// A first call through the procedure linkage table while vector registers hold data: the dynamic linker keeps them in an area that
// it has sized by CPUID.
__attribute__((noinline)) static int keeps_wide_registers(void) {
    static _Alignas(64) uint64_t before[8] = {1, 2, 3, 4, 5, 6, 7, 8}, after[8];
    if (!__builtin_cpu_supports("avx512f")) return 1;
    __asm__ volatile("vmovdqa64 %0, %%zmm5\n\tvmovdqa64 %0, %%zmm18" ::"m"(before) : "xmm5");
    pid_t parent = getppid();
    __asm__ volatile("vmovdqa64 %%zmm5, %0" : "=m"(after));
    // The calling convention does not keep zmm5, but a call that does not use it does.
    return parent >= 0 && after[0] <= 8;
}

int main(void) {
    uint32_t whole[4], part[4], compact[4];
    leaf_d(0, whole);
    uint64_t claimed = (uint64_t)whole[3] << 32 | whole[0];
    check_eq(claimed & components, xcr0() & components, "components are those that are enabled");
    check(whole[1] >= 576 && whole[2] >= whole[1], "an image has a legacy area and a header");

    leaf_d(1, compact);
    check(compact[0] & 1 << 1, "XSAVEC");
    uint32_t end = 576;
    int inside = 1, apart = 1;
    for (uint32_t component = 2; component < 63; component++) {
        if (!(claimed >> component & 1)) continue;
        leaf_d(component, part);
        inside &= part[0] > 0 && part[1] >= 576 && part[1] + part[0] <= whole[1];
        apart &= part[1] >= end;
        end = part[1] + part[0];
    }
    check(inside, "each component lies in the image");
    check(apart, "none lies over another");

    // What XSAVE writes, where all components are in use.
    memset(image, 0xa5, sizeof image);
    memset(image + 512, 0, 64);
    _xsave64(image, claimed & components);
    size_t last = sizeof image;
    while (last > 0 && image[last - 1] == 0xa5) last--;
    check(last <= whole[1], "XSAVE writes no more than CPUID says");

    if (claimed & 4) {
        static uint64_t high[4] = {0, 0, 0x1122334455667788, 0x99aabbccddeeff00};
        leaf_d(2, part);
        __asm__ volatile("vmovdqu %1, %%ymm0\n\txsave64 %0" : "+m"(image) : "m"(high), "a"(4), "d"(0) : "xmm0");
        check_eq(memcmp(image + part[1], high + 2, 16), 0, "AVX's part is where CPUID says");
    } else {
        check_eq(0, 0, "AVX's part is where CPUID says");
    }
    check(keeps_wide_registers(), "lazy binding keeps vector registers");
    return check_done();
}
