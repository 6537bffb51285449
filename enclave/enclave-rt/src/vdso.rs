//! The code of the programs' vDSO: reads the clock without entering the LibOS.
//!
//! It is position-independent and is copied into each program's memory behind an ELF header (the LibOS's `time::vdso`), with
//! the address of the clock's pace ([`PACE_FIELDS`]) put at [`Code::pace_pointer`]. The pace lies in the LibOS's memory, which
//! programs can read. When the pace is too old, or the clock is another one, it makes the system call.

use core::arch::global_asm;

/// Offsets in the pace that the code reads: sequence (u32), counter, monotonic, realtime, rate (u64); and of the greatest
/// monotonic time given (u64), which it also writes.
pub const PACE_FIELDS: [usize; 6] = [0, 8, 16, 24, 32, 64];

/// Beyond this many nanoseconds the host's clocks are to be read again.
pub const FRESH: u64 = 1_000_000_000;

global_asm!(
    r#"
.globl nacre_vdso_start
.globl nacre_vdso_clock_gettime
.globl nacre_vdso_gettimeofday
.globl nacre_vdso_time
.globl nacre_vdso_getcpu
.globl nacre_vdso_clock_getres
.globl nacre_vdso_pace
.globl nacre_vdso_end
.p2align 4
nacre_vdso_start:

# edi = the clock, rax = its time in nanoseconds, carry if the pace is stale. Clobbers rcx, rdx, r8, r9, r10.
nacre_vdso_now:
    mov r8, [rip + nacre_vdso_pace]
2:  mov r9d, [r8]
    test r9d, 1
    jnz 3f
    lfence
    rdtsc
    shl rdx, 32
    or rax, rdx
    xor ecx, ecx
    sub rax, [r8 + 8]
    cmovb rax, rcx
    mul qword ptr [r8 + 32]
    shrd rax, rdx, 32
    cmp rax, {fresh}
    jae 4f
    mov rcx, [r8 + 16]
    mov r10d, 0b100001
    bt r10d, edi
    cmovc rcx, [r8 + 24]
    add rax, rcx
    cmp r9d, [r8]
    jne 2b
    bt r10d, edi
    jc 6f
    # Monotonic time: never less than what was given, wherever the counter stands.
    mov rcx, rax
    mov rax, [r8 + {greatest}]
5:  cmp rax, rcx
    jae 6f
    lock cmpxchg [r8 + {greatest}], rcx
    jne 5b
    mov rax, rcx
6:  clc
    ret
3:  pause
    jmp 2b
4:  stc
    ret

# int clock_gettime(clockid_t, struct timespec *)
nacre_vdso_clock_gettime:
    cmp edi, 7
    ja 5f
    mov eax, 0b11110011
    bt eax, edi
    jnc 5f
    call nacre_vdso_now
    jc 5f
    # n / 10^9 = (n >> 9) / 5^9, by multiplication with the reciprocal: exact for all 64-bit n.
    mov rcx, rax
    shr rax, 9
    mov r8, 0x44b82fa09b5a53
    mul r8
    shr rdx, 11
    mov [rsi], rdx
    imul rdx, rdx, 1000000000
    sub rcx, rdx
    mov [rsi + 8], rcx
    xor eax, eax
    ret
5:  mov eax, 228
    jmp nacre_vdso_call

# int gettimeofday(struct timeval *, struct timezone *)
nacre_vdso_gettimeofday:
    test rdi, rdi
    jz 6f
    test rsi, rsi
    jnz 6f
    mov r11, rdi
    xor edi, edi
    call nacre_vdso_now
    mov rdi, r11
    jc 6f
    mov rcx, rax
    shr rax, 9
    mov r8, 0x44b82fa09b5a53
    mul r8
    shr rdx, 11
    mov [rdi], rdx
    imul rdx, rdx, 1000000000
    sub rcx, rdx
    mov eax, ecx
    mov ecx, 1000
    xor edx, edx
    div ecx
    mov [rdi + 8], rax
    xor eax, eax
    ret
6:  mov eax, 96
    jmp nacre_vdso_call

# time_t time(time_t *)
nacre_vdso_time:
    mov r11, rdi
    xor edi, edi
    call nacre_vdso_now
    mov rdi, r11
    jc 7f
    shr rax, 9
    mov r8, 0x44b82fa09b5a53
    mul r8
    mov rax, rdx
    shr rax, 11
    test rdi, rdi
    jz 8f
    mov [rdi], rax
8:  ret
7:  mov eax, 201
    jmp nacre_vdso_call

# int getcpu(unsigned *, unsigned *, void *)
nacre_vdso_getcpu:
    mov eax, 309
    jmp nacre_vdso_call

# int clock_getres(clockid_t, struct timespec *)
nacre_vdso_clock_getres:
    mov eax, 229

nacre_vdso_call:
    lea rcx, [rip + 9f]
    jmp qword ptr gs:[{entry}]
9:  ret

.p2align 3
nacre_vdso_pace:
    .quad 0
nacre_vdso_end:
"#,
    fresh = const FRESH,
    greatest = const PACE_FIELDS[5],
    entry = const enclave_layout::GS_SYSCALL_ENTRY,
);

unsafe extern "C" {
    static nacre_vdso_start: u8;
    static nacre_vdso_clock_gettime: u8;
    static nacre_vdso_gettimeofday: u8;
    static nacre_vdso_time: u8;
    static nacre_vdso_getcpu: u8;
    static nacre_vdso_clock_getres: u8;
    static nacre_vdso_pace: u8;
    static nacre_vdso_end: u8;
}

/// The code and where its functions begin.
pub struct Code {
    /// The bytes.
    pub bytes: &'static [u8],
    /// Names and offsets.
    pub functions: [(&'static str, usize); 5],
    /// Offset of the word that is to hold the pace's address.
    pub pace_pointer: usize,
}

/// The code.
pub fn code() -> Code {
    let start = &raw const nacre_vdso_start;
    let offset = |at: *const u8| at as usize - start as usize;
    let len = offset(&raw const nacre_vdso_end);
    // SAFETY: the bytes between the two labels, which are code and never change.
    let bytes = unsafe { core::slice::from_raw_parts(start, len) };
    Code {
        bytes,
        functions: [
            (
                "__vdso_clock_gettime",
                offset(&raw const nacre_vdso_clock_gettime),
            ),
            ("__vdso_gettimeofday", offset(&raw const nacre_vdso_gettimeofday)),
            ("__vdso_time", offset(&raw const nacre_vdso_time)),
            ("__vdso_getcpu", offset(&raw const nacre_vdso_getcpu)),
            ("__vdso_clock_getres", offset(&raw const nacre_vdso_clock_getres)),
        ],
        pace_pointer: offset(&raw const nacre_vdso_pace),
    }
}
