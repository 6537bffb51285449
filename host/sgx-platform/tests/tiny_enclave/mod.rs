//! A hand-assembled enclave: its entry jumps to the routine whose address the host passes as call area.
//!
//! Routines leave with a number in RDI. `DATA` is a page that both sides use: the host can read and write an emulated
//! enclave's memory, which is how the tests play the enclave's part in an exception.
#![expect(dead_code, reason = "each test file uses a part")]

mod signing;

use std::arch::global_asm;

use enclave_layout::{EntryReason, IMAGE_BASE, Slot};
use sgx_arch::{GprSgx, MiscSelect, SecInfo, Secs, SigStruct};
use sgx_platform::emulator::{Emulated, EmulatedThread, Emulator, EncluSites, SimulatedProcessor};
use sgx_platform::{Builder, Chunks, Enclave, Exit, PlatformError, Thread, processor};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

pub use signing::{Page, sgxs, sign, slot_pages, unsigned};

/// A page of data that the enclave can read and write.
pub const DATA: u64 = IMAGE_BASE + 0x10_0000;
/// A page that the enclave can only read.
pub const READ_ONLY: u64 = IMAGE_BASE + 0x20_0000;
/// Where tests commit pages.
pub const DYNAMIC: u64 = 0x1000_0000;
/// What routines leave with when all went well.
pub const DONE: u64 = 77;

global_asm!(
    r#"
.section .text.tiny_enclave, "ax"
.macro TINY_EXIT
    mov eax, 4
    enclu
    .byte 0x66, 0x90
.endm
.macro TINY_FAULT name
.globl tiny_\name
tiny_\name:
    mov r15, rcx
    call tiny_\name\()_body
    mov rbx, r15
    mov edi, 77
    TINY_EXIT
.endm

.balign 4096
.globl tiny_begin
tiny_begin:
# The entry: a stack by CSSA, then the routine.
    rdgsbase r14
    lea rsp, [r14 - 0x10]
    test rax, rax
    jnz 1f
    lea rsp, [r14 - 0x5010]
1:  jmp rdi

# Leaves with CSSA.
.globl tiny_cssa
tiny_cssa:
    mov rbx, rcx
    mov rdi, rax
    TINY_EXIT

# Leaves with the reason.
.globl tiny_reason
tiny_reason:
    mov rbx, rcx
    mov rdi, rsi
    TINY_EXIT

# Leaves with ugly floating-point and direction state.
.globl tiny_ugly
tiny_ugly:
    mov rbx, rcx
    push 0x7fff
    ldmxcsr [rsp]
    fldcw [rsp]
    fld1
    fld1
    std
    mov edi, 77
    TINY_EXIT

# Leaves with an unmasked x87 exception pending.
.globl tiny_pending
tiny_pending:
    mov rbx, rcx
    push 0x340
    fldcw [rsp]
    fld1
    fldz
    fdivp
    mov edi, 77
    TINY_EXIT

# Resume: what an exception handler leaves with.
.globl tiny_resume
tiny_resume:
    mov rbx, rcx
    mov edi, 2
    vpxor xmm0, xmm0, xmm0
    vpcmpeqd ymm1, ymm1, ymm1
    mov r8, -1
    mov r12, -1
    TINY_EXIT

# Each raises one exception at tiny_*_body; the test moves RIP behind it.
TINY_FAULT divide
.globl tiny_divide_body
tiny_divide_body:
    xor ecx, ecx
    div ecx
    ret
TINY_FAULT undefined
tiny_undefined_body:
    ud2
    ret
TINY_FAULT cpuid
tiny_cpuid_body:
    mov eax, 0
    pushfq
    popfq
    cpuid
    ret
TINY_FAULT breakpoint
tiny_breakpoint_body:
    int3
    nop
    ret
TINY_FAULT load
tiny_load_body:
    mov rax, [rdx]
    ret
TINY_FAULT store
tiny_store_body:
    mov [rdx], rax
    ret
TINY_FAULT jump
tiny_jump_body:
    jmp rdx
TINY_FAULT simd
tiny_simd_body:
    push 0x1f00
    ldmxcsr [rsp]
    add rsp, 8
    pxor xmm0, xmm0
    divss xmm0, xmm0
    ret
TINY_FAULT x87
tiny_x87_body:
    push 0x340
    fldcw [rsp]
    add rsp, 8
    fld1
    fldz
    fdivp
    fwait
    ret
TINY_FAULT alignment
tiny_alignment_body:
    pushfq
    or dword ptr [rsp], 0x40000
    popfq
    mov eax, [rsp + 1]
    ret
TINY_FAULT getpid
tiny_getpid_body:
    mov eax, 39
    syscall
    ret
TINY_FAULT int80
tiny_int80_body:
    mov eax, 20
    int 0x80
    ret

# Known values in all registers, an exception, and what they are afterwards into DATA.
.globl tiny_registers
tiny_registers:
    mov r15, rcx
    movabs rbp, {data}
    vmovdqu ymm0, [rbp]
    vmovdqu ymm1, [rbp + 32]
    vmovdqa ymm15, ymm0
    fld1
    mov eax, 0xa
    mov ecx, 0xc
    mov edx, 0xd
    mov ebx, 0xb
    mov esi, 0x51
    mov edi, 0xd1
    mov r8d, 0x8
    mov r9d, 0x9
    mov r10d, 0x10
    mov r11d, 0x11
    mov r12d, 0x12
    mov r13d, 0x13
    std
    stc
    ud2
    pushfq
    cld
    mov [rbp + 512], rax
    mov [rbp + 520], rcx
    mov [rbp + 528], rdx
    mov [rbp + 536], rbx
    mov [rbp + 544], rsi
    mov [rbp + 552], rdi
    mov [rbp + 560], r8
    mov [rbp + 568], r9
    mov [rbp + 576], r10
    mov [rbp + 584], r11
    mov [rbp + 592], r12
    mov [rbp + 600], r13
    pop rax
    mov [rbp + 608], rax
    vmovdqu [rbp + 640], ymm0
    vmovdqu [rbp + 672], ymm1
    vmovdqu [rbp + 704], ymm15
    fistp qword ptr [rbp + 736]
    rdfsbase rax
    mov [rbp + 744], rax
    rdgsbase rax
    mov [rbp + 752], rax
    mov rbx, r15
    mov edi, 77
    TINY_EXIT

# Waits until the word at DATA is not 0; what is below the stack pointer must stay.
.globl tiny_spin
tiny_spin:
    mov r15, rcx
    movabs rbp, {data}
    mov qword ptr [rsp - 64], 0x5ca1ab1e
1:  inc qword ptr [rbp + 8]
    cmp qword ptr [rbp], 0
    je 1b
    mov edi, 77
    cmp qword ptr [rsp - 64], 0x5ca1ab1e
    je 2f
    mov edi, 1
2:  mov rbx, r15
    TINY_EXIT

# ENCLU with RAX, RBX, RCX, RDX from DATA; RAX and RFLAGS go behind them.
.macro TINY_LEAF name, mark:vararg
.globl tiny_\name
tiny_\name:
    mov r15, rcx
    movabs rbp, {data}
    mov rax, [rbp]
    mov rbx, [rbp + 8]
    mov rcx, [rbp + 16]
    mov rdx, [rbp + 24]
    mov esi, 0x51
    enclu
    \mark
    pushfq
    pop [rbp + 40]
    mov [rbp + 32], rax
    mov [rbp + 48], rdx
    mov [rbp + 56], rsi
    mov rbx, r15
    mov edi, 77
    TINY_EXIT
.endm
TINY_LEAF leaf, .byte 0x66, 0x90
TINY_LEAF raw_leaf, nop

# Accepts and extends the page of DATA for ever (EMODPE, then EACCEPT of what EMODPR would leave: a mismatch).
.globl tiny_leaf_loop
tiny_leaf_loop:
    mov r15, rcx
    movabs rbp, {data}
    mov r12, [rbp + 24]
    xor r13d, r13d
1:  mov eax, 6
    mov rbx, [rbp + 8]
    mov rcx, [rbp + 16]
    mov edx, 0xd
    mov esi, 0x51
    enclu
    .byte 0x66, 0x90
    cmp rax, 6
    jne 3f
    mov eax, 5
    mov rbx, [rbp + 32]
    mov rcx, [rbp + 16]
    enclu
    .byte 0x66, 0x90
    cmp rax, 19
    jne 3f
    cmp edx, 0xd
    jne 3f
    cmp esi, 0x51
    jne 3f
    inc r13
    cmp r13, r12
    jb 1b
    mov edi, 77
    jmp 4f
3:  mov rdi, rax
4:  mov rbx, r15
    TINY_EXIT

# Accepts as many pages as DATA says, one after the other.
.globl tiny_accept_many
tiny_accept_many:
    mov r15, rcx
    movabs rbp, {data}
    mov r12, [rbp + 24]
    mov r13, [rbp + 16]
1:  mov eax, 5
    mov rbx, [rbp + 8]
    mov rcx, r13
    enclu
    .byte 0x66, 0x90
    test eax, eax
    jnz 3f
    add r13, 4096
    dec r12
    jnz 1b
    mov edi, 77
    jmp 4f
3:  mov rdi, rax
4:  mov rbx, r15
    TINY_EXIT

# Accepts as many pages as DATA says with copies of the page there; no register but RAX may change.
.globl tiny_copy_many
tiny_copy_many:
    mov r15, rcx
    movabs rbp, {data}
    mov r12, [rbp + 24]
    mov r13, [rbp + 16]
    mov rdx, [rbp + 32]
    mov esi, 0x51
    mov edi, 0x52
    mov r10d, 0x53
    mov r11d, 0x54
1:  mov eax, 7
    mov rbx, [rbp + 8]
    mov rcx, r13
    enclu
    .byte 0x66, 0x90
    test eax, eax
    jnz 3f
    cmp rcx, r13
    jne 3f
    cmp rdx, [rbp + 32]
    jne 3f
    cmp esi, 0x51
    jne 3f
    cmp edi, 0x52
    jne 3f
    cmp r10d, 0x53
    jne 3f
    cmp r11d, 0x54
    jne 3f
    add r13, 4096
    dec r12
    jnz 1b
    mov edi, 77
    jmp 4f
3:  lea rdi, [rax + 100]
4:  mov rbx, r15
    TINY_EXIT

.globl tiny_end
tiny_end:
    .balign 4096
.text
"#,
    data = const DATA,
);

macro_rules! routines {
    ($($name:ident),* $(,)?) => {
        unsafe extern "C" { fn tiny_begin(); fn tiny_end(); $(fn $name();)* }
        $(
            /// Address of the routine in the enclave.
            pub mod $name {
                pub fn address() -> u64 {
                    let offset = super::$name as *const () as u64 - super::tiny_begin as *const () as u64;
                    enclave_layout::IMAGE_BASE + offset
                }
            }
        )*
    };
}

routines! {
    tiny_cssa, tiny_reason, tiny_ugly, tiny_pending, tiny_resume, tiny_divide, tiny_undefined, tiny_cpuid, tiny_breakpoint, tiny_load,
    tiny_store, tiny_jump, tiny_simd, tiny_x87, tiny_alignment, tiny_getpid, tiny_int80, tiny_registers,
    tiny_spin, tiny_leaf, tiny_raw_leaf, tiny_leaf_loop, tiny_accept_many, tiny_copy_many,
}

fn code() -> &'static [u8] {
    let (begin, end) = (tiny_begin as *const u8, tiny_end as *const u8);
    let len = end as usize - begin as usize;
    // SAFETY: the assembly between the two labels, which nobody writes.
    unsafe { std::slice::from_raw_parts(begin, len) }
}

fn pages(threads: u64) -> Vec<Page> {
    let mut pages: Vec<Page> = code()
        .chunks(4096)
        .zip(0..)
        .map(|(bytes, page)| Page::regular(IMAGE_BASE + page * 4096, SecInfo::R | SecInfo::X, Some(bytes)))
        .collect();
    pages.push(Page::regular(DATA, SecInfo::R | SecInfo::W, None));
    pages.push(Page::regular(READ_ONLY, SecInfo::R, Some(&[0xc3; 8])));
    pages.extend((0..threads).flat_map(|index| slot_pages(index, IMAGE_BASE)));
    pages
}

/// The processor that all tests share.
pub fn simulated_processor() -> SimulatedProcessor {
    SimulatedProcessor::new(Zeroizing::new([0x42; 16]), CPU_SVN)
}

/// Its CPUSVN.
pub const CPU_SVN: [u8; 16] = [3, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];

/// An enclave with all pages added, and its measurement as computed here.
pub fn build(threads: u64, sites: EncluSites) -> (Emulator, [u8; 32]) {
    let attributes = processor::attributes(&unsigned());
    let secs = Secs::new(0, enclave_layout::ELRANGE_SIZE, 1, MiscSelect::EXINFO, attributes);
    let mut emulator =
        Emulator::create(secs, simulated_processor(), sites).expect("this machine can emulate");
    let pages = pages(threads);
    for page in &pages {
        let measured = if page.content.is_some() {
            Chunks::ALL
        } else {
            Chunks::NONE
        };
        let content = page.content.as_deref();
        emulator
            .add_page(page.offset, page.sec_info, content, measured)
            .expect("a good page");
    }
    (emulator, Sha256::digest(sgxs(&pages)).into())
}

/// A good enclave.
pub fn enclave(threads: u64, sites: EncluSites) -> Emulated {
    signed_enclave(threads, sites, unsigned())
}

/// An enclave with this signature, but for what follows from its pages and the key.
pub fn signed_enclave(threads: u64, sites: EncluSites, signature: SigStruct) -> Emulated {
    let (emulator, enclave_hash) = build(threads, sites);
    emulator
        .init(&sign(SigStruct {
            enclave_hash,
            ..signature
        }))
        .expect("a good signature")
}

/// The thread of a slot.
pub fn thread(enclave: &Emulated, slot: u64) -> EmulatedThread<'_> {
    enclave
        .thread(Slot::new(slot).unwrap().tcs())
        .expect("a free TCS")
}

/// Enters normally.
pub fn enter(thread: &mut EmulatedThread, routine: u64) -> Exit {
    thread.enter(routine, EntryReason::Normal)
}

/// Lets the exception handler run, move RIP to `rip` if given, and resumes.
pub fn handle(thread: &mut EmulatedThread, slot: u64, rip: impl FnOnce(GprSgx) -> u64) -> Exit {
    assert_eq!(
        thread.enter(tiny_cssa::address(), EntryReason::Exception),
        Exit::Left(1)
    );
    assert_eq!(
        thread.enter(tiny_reason::address(), EntryReason::Exception),
        Exit::Left(1)
    );
    assert_eq!(
        thread.enter(tiny_resume::address(), EntryReason::Exception),
        Exit::Left(2)
    );
    let mut state = ssa(slot);
    state.rip = rip(state);
    set_ssa(slot, state);
    thread.resume()
}

fn ssa_address(slot: u64) -> u64 {
    Slot::new(slot).unwrap().ssa() + 4096 - GprSgx::SIZE as u64
}

/// The registers in the slot's first SSA frame.
pub fn ssa(slot: u64) -> GprSgx {
    // SAFETY: the frame is mapped, and the enclave does not run on it now.
    unsafe { (ssa_address(slot) as *const GprSgx).read_volatile() }
}

/// Changes them.
pub fn set_ssa(slot: u64, registers: GprSgx) {
    // SAFETY: as above.
    unsafe { (ssa_address(slot) as *mut GprSgx).write_volatile(registers) };
}

/// EXINFO of the slot's first SSA frame: address and error code.
pub fn exinfo(slot: u64) -> (u64, u32) {
    let at = ssa_address(slot) - 16;
    // SAFETY: as above.
    (unsafe { (at as *const u64).read_volatile() }, unsafe {
        ((at + 8) as *const u32).read_volatile()
    })
}

/// A word of an accessible page of the enclave.
pub fn word(address: u64) -> u64 {
    // SAFETY: the tests name mapped pages only.
    unsafe { (address as *const u64).read_unaligned() }
}

/// Changes a word of a writable page.
pub fn set_word(address: u64, value: u64) {
    // SAFETY: as above.
    unsafe { (address as *mut u64).write_volatile(value) };
}

/// The bytes at an address of accessible pages.
pub fn bytes<const N: usize>(address: u64) -> [u8; N] {
    // SAFETY: as above.
    unsafe { (address as *const [u8; N]).read_volatile() }
}

/// Changes bytes of writable pages.
pub fn set_bytes<const N: usize>(address: u64, value: [u8; N]) {
    // SAFETY: as above.
    unsafe { (address as *mut [u8; N]).write_volatile(value) };
}

/// ELRANGE is one, so the tests of a process run one after the other.
pub fn alone() -> std::sync::MutexGuard<'static, ()> {
    static LOCK: std::sync::Mutex<()> = std::sync::Mutex::new(());
    LOCK.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The error of a build that is refused.
pub fn refusal(sig: impl FnOnce(SigStruct) -> SigStruct) -> PlatformError {
    let (emulator, enclave_hash) = build(1, EncluSites::Patched);
    let sig = sig(SigStruct {
        enclave_hash,
        ..unsigned()
    });
    emulator.init(&sig).expect_err("refused")
}
