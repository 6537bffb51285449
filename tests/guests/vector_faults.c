// Vector registers keep what they hold when an instruction faults on a page that is not there yet.
// linkage: dynamic static
#include "check.h"
#include <stdint.h>
#include <sys/mman.h>

// Loads 64 bytes into vector and mask registers, faults at `page`, and stores what the registers hold.
static void with_sse(const uint8_t *from, uint8_t *to, volatile char *page) {
    __asm__ volatile("movups (%0), %%xmm0\n movups 16(%0), %%xmm7\n movups 32(%0), %%xmm8\n movups 48(%0), %%xmm15\n"
                     "movb $1, (%2)\n"
                     "movups %%xmm0, (%1)\n movups %%xmm7, 16(%1)\n movups %%xmm8, 32(%1)\n movups %%xmm15, 48(%1)"
                     :
                     : "r"(from), "r"(to), "r"(page)
                     : "xmm0", "xmm7", "xmm8", "xmm15", "memory");
}

static void with_avx(const uint8_t *from, uint8_t *to, volatile char *page) {
    __asm__ volatile("vmovdqu (%0), %%ymm3\n vmovdqu 32(%0), %%ymm12\n"
                     "movb $1, (%2)\n"
                     "vmovdqu %%ymm3, (%1)\n vmovdqu %%ymm12, 32(%1)\n vzeroupper"
                     :
                     : "r"(from), "r"(to), "r"(page)
                     : "xmm3", "xmm12", "memory");
}

// The upper halves of the lower sixteen.
static void with_avx512(const uint8_t *from, uint8_t *to, volatile char *page) {
    __asm__ volatile("vmovdqu64 (%0), %%zmm5\n"
                     "movb $1, (%2)\n"
                     "vmovdqu64 %%zmm5, (%1)\n vzeroupper"
                     :
                     : "r"(from), "r"(to), "r"(page)
                     : "xmm5", "memory");
}

// The upper sixteen.
static void with_avx512_high(const uint8_t *from, uint8_t *to, volatile char *page) {
    __asm__ volatile("vmovdqu64 (%0), %%zmm16\n vmovdqu64 (%0), %%zmm31\n"
                     "movb $1, (%2)\n"
                     "vpandq %%zmm16, %%zmm31, %%zmm31\n vmovdqu64 %%zmm31, (%1)"
                     :
                     : "r"(from), "r"(to), "r"(page)
                     : "memory");
}

// The mask registers, in the first 16 bytes.
static void with_masks(const uint8_t *from, uint8_t *to, volatile char *page) {
    memcpy(to, from, 64);
    memset(to, 0, 16);
    __asm__ volatile("kmovw (%0), %%k1\n kmovw 2(%0), %%k7\n"
                     "movb $1, (%2)\n"
                     "kmovw %%k1, (%1)\n kmovw %%k7, 2(%1)"
                     :
                     : "r"(from), "r"(to), "r"(page)
                     : "memory");
    memcpy(to + 4, from + 4, 12);
}

static int keeps(int has_it, void (*with)(const uint8_t *, uint8_t *, volatile char *)) {
    // What the processor lacks, it does not lose.
    if (!has_it) return 1;
    enum { PAGES = 64, APART = 1 << 20 };
    char *pages = mmap(NULL, PAGES * (size_t)APART, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    need(pages != MAP_FAILED, "memory");
    int kept = 1;
    for (int round = 0; round < PAGES; round++) {
        uint8_t from[64], to[64] = {0};
        for (int i = 0; i < 64; i++) from[i] = (uint8_t)(i * 7 + round * 31 + 1);
        with(from, to, pages + round * (size_t)APART);
        kept &= !memcmp(from, to, 64);
    }
    munmap(pages, PAGES * (size_t)APART);
    return kept;
}

int main(void) {
    int avx512 = __builtin_cpu_supports("avx512f");
    check(keeps(1, with_sse), "SSE");
    check(keeps(__builtin_cpu_supports("avx"), with_avx), "AVX");
    check(keeps(avx512, with_avx512), "AVX-512, upper halves");
    check(keeps(avx512, with_avx512_high), "AVX-512, upper registers");
    check(keeps(avx512, with_masks), "AVX-512, masks");
    return check_done();
}
