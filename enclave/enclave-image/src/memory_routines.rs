//! The memory routines that the compiler calls by name.
//!
//! Small sizes by two overlapping moves, larger ones by `rep movsb`, which is fast on every processor with
//! SGX2 (ERMS, most also FSRM) and needs no vector registers beyond XMM.

use core::arch::global_asm;

global_asm!(
    r#"
.globl memcpy
.globl memmove
.globl memset
.globl memcmp
.globl bcmp
.globl strlen
.p2align 4
memcpy:
    mov rax, rdi
    cmp rdx, 16
    jb 4f
    cmp rdx, 32
    ja 2f
    movups xmm0, [rsi]
    movups xmm1, [rsi + rdx - 16]
    movups [rdi], xmm0
    movups [rdi + rdx - 16], xmm1
    ret
2:  cmp rdx, 128
    ja 3f
    movups xmm0, [rsi]
    movups xmm1, [rsi + 16]
    movups xmm2, [rsi + rdx - 32]
    movups xmm3, [rsi + rdx - 16]
    cmp rdx, 64
    jbe 7f
    movups xmm4, [rsi + 32]
    movups xmm5, [rsi + 48]
    movups xmm6, [rsi + rdx - 64]
    movups xmm7, [rsi + rdx - 48]
    movups [rdi + 32], xmm4
    movups [rdi + 48], xmm5
    movups [rdi + rdx - 64], xmm6
    movups [rdi + rdx - 48], xmm7
7:  movups [rdi], xmm0
    movups [rdi + 16], xmm1
    movups [rdi + rdx - 32], xmm2
    movups [rdi + rdx - 16], xmm3
    ret
3:  mov rcx, rdx
    rep movsb
    ret
4:  cmp edx, 8
    jae 5f
    cmp edx, 4
    jae 6f
    test edx, edx
    jz 8f
    # One to three bytes: the first, the last and the one in the middle, all read before any is written.
    movzx ecx, byte ptr [rsi]
    movzx r8d, byte ptr [rsi + rdx - 1]
    mov r9, rdx
    shr r9
    movzx r10d, byte ptr [rsi + r9]
    mov [rdi + r9], r10b
    mov [rdi + rdx - 1], r8b
    mov [rdi], cl
    ret
5:  mov rcx, [rsi]
    mov r8, [rsi + rdx - 8]
    mov [rdi], rcx
    mov [rdi + rdx - 8], r8
    ret
6:  mov ecx, [rsi]
    mov r8d, [rsi + rdx - 4]
    mov [rdi], ecx
    mov [rdi + rdx - 4], r8d
8:  ret

.p2align 4
memmove:
    mov rax, rdi
    mov rcx, rdi
    sub rcx, rsi
    cmp rcx, rdx
    jae memcpy
    # The destination begins within the source: backwards, eight bytes at a time, then the rest.
    mov rcx, rdx
2:  cmp rcx, 8
    jb 3f
    mov r8, [rsi + rcx - 8]
    mov [rdi + rcx - 8], r8
    sub rcx, 8
    jmp 2b
3:  test rcx, rcx
    jz 4f
    movzx r8d, byte ptr [rsi + rcx - 1]
    mov [rdi + rcx - 1], r8b
    dec rcx
    jmp 3b
4:  ret

.p2align 4
memset:
    mov r9, rdi
    movzx eax, sil
    mov rcx, 0x0101010101010101
    imul rax, rcx
    cmp rdx, 16
    jb 2f
    movq xmm0, rax
    punpcklqdq xmm0, xmm0
    cmp rdx, 64
    ja 5f
    movups [rdi], xmm0
    movups [rdi + rdx - 16], xmm0
    cmp rdx, 32
    jbe 4f
    movups [rdi + 16], xmm0
    movups [rdi + rdx - 32], xmm0
    jmp 4f
2:  cmp edx, 8
    jb 3f
    mov [rdi], rax
    mov [rdi + rdx - 8], rax
    jmp 4f
3:  mov rcx, rdx
    rep stosb
4:  mov rax, r9
    ret
5:  mov rcx, rdx
    rep stosb
    mov rax, r9
    ret

.p2align 4
bcmp:
memcmp:
    xor ecx, ecx
2:  lea r8, [rcx + 8]
    cmp r8, rdx
    ja 3f
    mov rax, [rdi + rcx]
    cmp rax, [rsi + rcx]
    jne 3f
    mov rcx, r8
    jmp 2b
3:  cmp rcx, rdx
    je 4f
    movzx eax, byte ptr [rdi + rcx]
    movzx r8d, byte ptr [rsi + rcx]
    inc rcx
    sub eax, r8d
    je 3b
    ret
4:  xor eax, eax
    ret

strlen:
    xor eax, eax
2:  cmp byte ptr [rdi + rax], 0
    je 3f
    inc rax
    jmp 2b
3:  ret
"#
);
