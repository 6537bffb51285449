//! The assembly that crosses between host and enclave: EENTER, ERESUME, EEXIT, and the fast path of the other leaves.
//!
//! # Leaving
//! EEXIT jumps to an address that the host gave at entry. Of the host's nothing is left then: FS and GS are the
//! enclave's, and so are all registers. So each thread has its own address to leave to, a thunk that loads the
//! address of its context (contexts lie at fixed addresses).
//!
//! # ENCLU
//! A patched site is a `call`, so the return address is at `[rsp]`. Saved registers go below it without moving `rsp`:
//! signals come on another stack. What the fast path cannot do ends at a `ud2`, whose handler does it from the start
//! (`leaf.rs`), with all registers as they were. [`settle`] does the same for a thread that is interrupted here.

use std::arch::global_asm;
use std::mem::offset_of;

use sgx_arch::{GprSgx, PageType, SecInfo};

use super::address_space::{CONTEXT_STRIDE, CONTEXTS, EPCM, MAX_CONTEXTS};
use super::context::Context;
use super::epcm::VALID;

/// The thread left by EEXIT; the value is RDI.
pub(super) const LEFT: u64 = 0;
/// An exception.
pub(super) const EXCEPTION: u64 = 1;
/// An interrupt.
pub(super) const INTERRUPT: u64 = 2;
/// An interrupt before ERESUME had begun.
pub(super) const NOT_RESUMED: u64 = 3;

/// How a thread came back.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Landing {
    /// One of the constants above.
    pub(super) kind: u64,
    /// RDI, for [`LEFT`].
    pub(super) value: u64,
}

// Entry and exit.
global_asm!(
    r#"
.macro NACRE_SAVE
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
.endm

# What EENTER loads, and r11 = the entry.
.macro NACRE_ENTRY
    mov eax, [rdi + {cssa}]
    mov rbx, [rdi + {tcs}]
    mov rcx, [rdi + {exit_thunk}]
    mov r11, [rdi + {entry}]
    mov rdi, rsi
    mov rsi, rdx
.endm

# extern "C" fn(rdi context, rsi call area, rdx reason) -> Landing
.hidden nacre_emulator_enter
.globl nacre_emulator_enter
nacre_emulator_enter:
    NACRE_SAVE
    mov [rdi + {host_rsp}], rsp
    mov rax, [rdi + {fs}]
    mov r8, [rdi + {gs}]
    rdgsbase r9
    wrfsbase rax
    cmp r8, r9
    je 1f
    wrgsbase r8
1:  mov dword ptr [rdi + {inside}], 1
    cmp dword ptr [rdi + {unusual}], 0
    jne 3f
2:  NACRE_ENTRY
    jmp r11

# A hostile host: with the registers that it presents, if any, and step by step, if it wants.
3:  mov [rdi + {host_stack}], rsp
    mov [rdi + {host_stack} + 8], rbp
    mov rcx, [rdi + {presented}]
    test rcx, rcx
    jz 4f
    mov r8, rdx
    mov eax, [rdi + {observed_components}]
    mov edx, [rdi + {observed_components} + 4]
    xrstor64 [rcx]
    mov rdx, r8
4:  cmp qword ptr [rdi + {steps}], 0
    je 2b
    NACRE_ENTRY
    # The trap comes after the jump.
    pushfq
    or dword ptr [rsp], {trap_flag}
    popfq
    jmp r11

# One thunk per context, 16 bytes each.
.balign 16
.hidden nacre_emulator_exit_thunks
.globl nacre_emulator_exit_thunks
nacre_emulator_exit_thunks:
.set NACRE_CONTEXT, {contexts}
.rept {contexts_max}
    movabs rbx, NACRE_CONTEXT
    jmp nacre_emulator_left
    .balign 16
    .set NACRE_CONTEXT, NACRE_CONTEXT + {stride}
.endr

# rbx = context; nothing else is the host's. The C calling convention asks for an empty x87 stack, default control
# words and a clear direction flag; Rust's code for no alignment check.
.hidden nacre_emulator_left
.globl nacre_emulator_left
nacre_emulator_left:
    cmp qword ptr [rbx + {observed}], 0
    jne 3f
4:  mov rsp, [rbx + {host_rsp}]
    cld
    pushfq
    test dword ptr [rsp], 0x40000
    jnz 2f
1:  ldmxcsr [rip + nacre_emulator_mxcsr]
    # In place of FNINIT, which takes as long as all the rest. If the enclave has left an unmasked exception pending,
    # this raises it: the handler clears the state and it is done again.
    emms
    fldcw [rip + nacre_emulator_x87]
    mov rdx, rdi
    xor eax, eax

# rbx = context, rax and rdx = the landing. Also where the signal handler lands.
.hidden nacre_emulator_leave
.globl nacre_emulator_leave
nacre_emulator_leave:
    mov rsp, [rbx + {host_rsp}]
    mov rcx, [rbx + {host_fs}]
    wrfsbase rcx
    mov dword ptr [rbx + {inside}], 0
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    ret

2:  push 0x202
    popfq
    jmp 1b

# A hostile host looks at what is left.
3:  mov [rbx + {general}], rax
    mov [rbx + {general} + 8], rcx
    mov [rbx + {general} + 16], rdx
    mov [rbx + {general} + 24], rbx
    mov [rbx + {general} + 32], rsp
    mov [rbx + {general} + 40], rbp
    mov [rbx + {general} + 48], rsi
    mov [rbx + {general} + 56], rdi
    mov [rbx + {general} + 64], r8
    mov [rbx + {general} + 72], r9
    mov [rbx + {general} + 80], r10
    mov [rbx + {general} + 88], r11
    mov [rbx + {general} + 96], r12
    mov [rbx + {general} + 104], r13
    mov [rbx + {general} + 112], r14
    mov [rbx + {general} + 120], r15
    mov rcx, [rbx + {observed}]
    mov eax, [rbx + {observed_components}]
    mov edx, [rbx + {observed_components} + 4]
    xsave64 [rcx]
    jmp 4b

nacre_emulator_mxcsr:
    .long 0x1f80
nacre_emulator_x87:
    .word 0x37f

# extern "C" fn(rdi context, rsi GPRSGX, rdx XSAVE image) -> Landing. An interrupt that comes before the last
# instruction is moved to nacre_emulator_leave.
.hidden nacre_emulator_resume
.globl nacre_emulator_resume
nacre_emulator_resume:
    NACRE_SAVE
    mov [rdi + {host_rsp}], rsp
    mov rbx, rdi
.hidden nacre_emulator_resume_begin
.globl nacre_emulator_resume_begin
nacre_emulator_resume_begin:
    cmp dword ptr [rdi + {interrupted}], 0
    jne nacre_emulator_resume_abort
    mov dword ptr [rdi + {inside}], 1
    mov rcx, rdx
    mov eax, [rdi + {xfrm}]
    mov edx, [rdi + {xfrm} + 4]
    xrstor64 [rcx]
    mov rax, [rsi + {gpr_fs}]
    wrfsbase rax
    mov rax, [rsi + {gpr_gs}]
    wrgsbase rax
    lea rsp, [rdi + {iret}]
    mov rax, [rsi + {gpr_rax}]
    mov rcx, [rsi + {gpr_rcx}]
    mov rdx, [rsi + {gpr_rdx}]
    mov rbx, [rsi + {gpr_rbx}]
    mov rbp, [rsi + {gpr_rbp}]
    mov rdi, [rsi + {gpr_rdi}]
    mov r8, [rsi + {gpr_r8}]
    mov r9, [rsi + {gpr_r8} + 8]
    mov r10, [rsi + {gpr_r8} + 16]
    mov r11, [rsi + {gpr_r8} + 24]
    mov r12, [rsi + {gpr_r8} + 32]
    mov r13, [rsi + {gpr_r8} + 40]
    mov r14, [rsi + {gpr_r8} + 48]
    mov r15, [rsi + {gpr_r8} + 56]
    mov rsi, [rsi + {gpr_rsi}]
    iretq
nacre_emulator_resume_abort:
    mov eax, {not_resumed}
    jmp nacre_emulator_leave
.hidden nacre_emulator_resume_end
.globl nacre_emulator_resume_end
nacre_emulator_resume_end:
"#,
    host_rsp = const offset_of!(Context, host_rsp),
    host_fs = const offset_of!(Context, host_fs),
    fs = const offset_of!(Context, fs),
    gs = const offset_of!(Context, gs),
    inside = const offset_of!(Context, inside),
    cssa = const offset_of!(Context, cssa),
    tcs = const offset_of!(Context, tcs),
    exit_thunk = const offset_of!(Context, exit_thunk),
    entry = const offset_of!(Context, entry),
    interrupted = const offset_of!(Context, interrupted),
    presented = const offset_of!(Context, presented),
    unusual = const offset_of!(Context, unusual),
    steps = const offset_of!(Context, steps),
    trap_flag = const super::stepping::TRAP_FLAG,
    observed_components = const offset_of!(Context, observed_components),
    observed = const offset_of!(Context, observed),
    general = const offset_of!(Context, general),
    host_stack = const offset_of!(Context, host_stack),
    xfrm = const offset_of!(Context, xfrm),
    iret = const offset_of!(Context, iret),
    contexts = const CONTEXTS,
    contexts_max = const MAX_CONTEXTS,
    stride = const CONTEXT_STRIDE,
    not_resumed = const NOT_RESUMED,
    gpr_rax = const offset_of!(GprSgx, rax),
    gpr_rcx = const offset_of!(GprSgx, rcx),
    gpr_rdx = const offset_of!(GprSgx, rdx),
    gpr_rbx = const offset_of!(GprSgx, rbx),
    gpr_rbp = const offset_of!(GprSgx, rbp),
    gpr_rsi = const offset_of!(GprSgx, rsi),
    gpr_rdi = const offset_of!(GprSgx, rdi),
    gpr_r8 = const offset_of!(GprSgx, r8),
    gpr_fs = const offset_of!(GprSgx, fs_base),
    gpr_gs = const offset_of!(GprSgx, gs_base),
);

// ENCLU from a patched site: rax = leaf, [rsp] = the address after the site.
global_asm!(
    r#"
# Goes to 9 unless rbx is an aligned, readable SECINFO whose reserved part is zero; rsi = the EPCM, rdx is lost.
.macro NACRE_CHECK_SECINFO
    test bl, 63
    jnz 9b
    mov rdx, rbx
    shr rdx, 12
    movabs rsi, {pages}
    cmp rdx, rsi
    jae 9b
    movabs rsi, {epcm}
    movzx edx, word ptr [rsi + rdx * 2]
    and edx, {settled_mask} | {read}
    cmp edx, {settled} | {read}
    jne 9b
    mov rdx, [rbx + 8]
    or rdx, [rbx + 16]
    or rdx, [rbx + 24]
    or rdx, [rbx + 32]
    or rdx, [rbx + 40]
    or rdx, [rbx + 48]
    or rdx, [rbx + 56]
    jnz 9b
.endm

# rsi = the entry of the page at rcx, else goes to 9; rax and rdx are lost.
.macro NACRE_FIND_ENTRY
    mov rax, rcx
    test eax, 0xfff
    jnz 9b
    shr rax, 12
    movabs rdx, {pages}
    cmp rax, rdx
    jae 9b
    lea rsi, [rsi + rax * 2]
.endm

.macro NACRE_RESTORE_COPY
    mov r11, [rsp - 48]
    mov r10, [rsp - 40]
    mov rdi, [rsp - 32]
    mov rcx, [rsp - 24]
    mov rsi, [rsp - 16]
    mov rdx, [rsp - 8]
.endm

.hidden nacre_emulator_enclu
.globl nacre_emulator_enclu
nacre_emulator_enclu:
    cmp eax, 4
    je 4f
    cmp eax, 5
    je 5f
    cmp eax, 6
    je 6f
    cmp eax, 7
    je 7f
.hidden nacre_emulator_enclu_slow
.globl nacre_emulator_enclu_slow
nacre_emulator_enclu_slow:
    ud2

# EEXIT: rbx = where to.
4:  lea rsp, [rsp + 8]
    jmp rbx

# EMODPE: rbx = SECINFO, rcx = page.
6:  mov [rsp - 8], rdx
    mov [rsp - 16], rsi
.hidden nacre_emulator_emodpe
.globl nacre_emulator_emodpe
nacre_emulator_emodpe:
    jmp 1f
9:  mov rsi, [rsp - 16]
    mov rdx, [rsp - 8]
    mov eax, 6
    jmp nacre_emulator_enclu_slow
1:  NACRE_CHECK_SECINFO
    NACRE_FIND_ENTRY
    # A plain page of permissions only; the slow path raises what has to be raised.
    mov rdx, [rbx]
    mov rax, rdx
    and rax, -8
    cmp rax, {regular}
    jne 9b
    test dl, {read}
    jz 9b
    # Settled: its type is regular and neither pending nor modified; then its bits are added.
    movzx eax, word ptr [rsi]
    xor eax, {settled}
    test eax, {settled_mask}
    jnz 9b
    xor eax, {settled}
    or edx, eax
    lock cmpxchg word ptr [rsi], dx
    jne 9b
    mov rsi, [rsp - 16]
    mov rdx, [rsp - 8]
    mov eax, 6
    ret

# EACCEPT: rbx = SECINFO, rcx = page.
.hidden nacre_emulator_eaccept_entry
.globl nacre_emulator_eaccept_entry
nacre_emulator_eaccept_entry:
5:  mov [rsp - 8], rdx
    mov [rsp - 16], rsi
.hidden nacre_emulator_eaccept
.globl nacre_emulator_eaccept
nacre_emulator_eaccept:
    jmp 1f
9:  mov rsi, [rsp - 16]
    mov rdx, [rsp - 8]
    mov eax, 5
    jmp nacre_emulator_enclu_slow
1:  NACRE_CHECK_SECINFO
    NACRE_FIND_ENTRY
    # Is the state one that can be accepted: a pending or restricted page, or a trimmed one?
    mov rdx, [rbx]
    mov rax, rdx
    and rax, -8
    cmp rax, {regular} | {pending}
    je 2f
    cmp rax, {regular} | {restricted}
    je 2f
    cmp rdx, {trim} | {modified}
    jne 9b
    # From the expected state to the accepted one, if that is what the entry holds. Entries that are zero may be read-only.
2:  cmp word ptr [rsi], 0
    je 9b
    lea eax, [rdx + {valid}]
    mov edx, eax
    and edx, ~({pending} | {modified} | {restricted})
    lock cmpxchg word ptr [rsi], dx
.hidden nacre_emulator_eaccept_committed
.globl nacre_emulator_eaccept_committed
nacre_emulator_eaccept_committed:
    jne 9b
    mov rsi, [rsp - 16]
    mov rdx, [rsp - 8]
    # ZF, CF, PF, OF and SF clear: success.
    mov eax, 1
    test eax, eax
    mov eax, 0
    ret

# EACCEPTCOPY: rbx = SECINFO, rcx = page, rdx = source. The page may be inaccessible, so the kernel writes it.
.hidden nacre_emulator_eacceptcopy_entry
.globl nacre_emulator_eacceptcopy_entry
nacre_emulator_eacceptcopy_entry:
7:  mov [rsp - 8], rdx
    mov [rsp - 16], rsi
    mov [rsp - 24], rcx
    mov [rsp - 32], rdi
    mov [rsp - 40], r10
    mov [rsp - 48], r11
.hidden nacre_emulator_eacceptcopy
.globl nacre_emulator_eacceptcopy
nacre_emulator_eacceptcopy:
    jmp 1f
9:  NACRE_RESTORE_COPY
    mov eax, 7
    jmp nacre_emulator_enclu_slow
1:  NACRE_CHECK_SECINFO
    mov rdi, [rbx]
    mov rax, rdi
    and rax, -8
    cmp rax, {regular}
    jne 9b
    test dil, {read}
    jz 9b
    # The source: a whole page that may be read.
    mov rax, [rsp - 8]
    test eax, 0xfff
    jnz 9b
    shr rax, 12
    movabs rdx, {pages}
    cmp rax, rdx
    jae 9b
    movzx eax, word ptr [rsi + rax * 2]
    and eax, {settled_mask} | {read}
    cmp eax, {settled} | {read}
    jne 9b
    NACRE_FIND_ENTRY
    cmp word ptr [rsi], {added}
    jne 9b
    # pwrite64(memory, source, 4096, page)
    mov r10, rcx
    mov rsi, [rsp - 8]
    mov edi, [rip + {memory}]
    mov edx, 4096
    mov eax, 18
    syscall
    cmp rax, 4096
    jne 9b
    mov rsi, r10
    shr rsi, 12
    movabs rdi, {epcm}
    lea rsi, [rdi + rsi * 2]
    mov edx, [rbx]
    or edx, {valid}
    mov eax, {added}
    lock cmpxchg word ptr [rsi], dx
.hidden nacre_emulator_eacceptcopy_committed
.globl nacre_emulator_eacceptcopy_committed
nacre_emulator_eacceptcopy_committed:
    jne 9b
    NACRE_RESTORE_COPY
    mov eax, 1
    test eax, eax
    mov eax, 0
    ret
.hidden nacre_emulator_enclu_end
.globl nacre_emulator_enclu_end
nacre_emulator_enclu_end:
"#,
    pages = const enclave_layout::ELRANGE_SIZE / enclave_layout::PAGE_SIZE,
    epcm = const EPCM,
    valid = const VALID,
    settled_mask = const 0xff00 | VALID as u64 | SecInfo::PENDING | SecInfo::MODIFIED,
    settled = const (PageType::Reg as u64) << 8 | VALID as u64,
    read = const SecInfo::R,
    regular = const (PageType::Reg as u64) << 8,
    trim = const (PageType::Trim as u64) << 8,
    pending = const SecInfo::PENDING,
    modified = const SecInfo::MODIFIED,
    restricted = const SecInfo::PR,
    added = const (PageType::Reg as u64) << 8 | VALID as u64 | SecInfo::PENDING | SecInfo::R | SecInfo::W,
    memory = sym super::address_space::MEMORY,
);

unsafe extern "C" {
    fn nacre_emulator_enter(context: *mut Context, call_area: u64, reason: u64) -> Landing;
    fn nacre_emulator_resume(context: *mut Context, registers: *const GprSgx, xsave: *const u8) -> Landing;
    fn nacre_emulator_exit_thunks();
    fn nacre_emulator_resume_begin();
    fn nacre_emulator_resume_end();
    fn nacre_emulator_left();
    fn nacre_emulator_leave();
    fn nacre_emulator_enclu();
    fn nacre_emulator_enclu_slow();
    fn nacre_emulator_emodpe();
    fn nacre_emulator_eaccept_entry();
    fn nacre_emulator_eaccept();
    fn nacre_emulator_eaccept_committed();
    fn nacre_emulator_eacceptcopy_entry();
    fn nacre_emulator_eacceptcopy();
    fn nacre_emulator_eacceptcopy_committed();
    fn nacre_emulator_enclu_end();
}

fn address(label: unsafe extern "C" fn()) -> u64 {
    label as *const () as u64
}

/// EENTER.
///
/// # Safety
/// The context is the calling thread's, and describes a TCS of a live enclave that is not in use.
pub(super) unsafe fn enter(context: *mut Context, call_area: u64, reason: u64) -> Landing {
    // SAFETY: the caller's promise. The enclave cannot touch the host's stack by accident, and the assembly
    // keeps what the calling convention asks for.
    unsafe { nacre_emulator_enter(context, call_area, reason) }
}

/// ERESUME.
///
/// # Safety
/// As [`enter`]; `context.iret` is what IRETQ takes, and the pointers are into the last SSA frame.
pub(super) unsafe fn resume(context: *mut Context, registers: *const GprSgx, xsave: *const u8) -> Landing {
    // SAFETY: the caller's promise.
    unsafe { nacre_emulator_resume(context, registers, xsave) }
}

/// Where EEXIT goes to for the context with this index.
pub(super) fn exit_thunk(index: usize) -> u64 {
    address(nacre_emulator_exit_thunks) + index as u64 * 16
}

/// Where ENCLU sites go to.
pub(super) fn enclu() -> u64 {
    address(nacre_emulator_enclu)
}

/// Whether a thread that was interrupted at `rip` has not resumed yet.
pub(super) fn is_resuming(rip: u64) -> bool {
    (address(nacre_emulator_resume_begin)..address(nacre_emulator_resume_end)).contains(&rip)
}

/// Whether a thread has left by EEXIT, but not yet with the host's floating-point state.
pub(super) fn is_leaving(rip: u64) -> bool {
    (address(nacre_emulator_left)..address(nacre_emulator_leave)).contains(&rip)
}

/// Where a thread leaves to that is inside no more: `rbx` = its context, `rax` = the kind of landing.
pub(super) fn leave() -> u64 {
    address(nacre_emulator_leave)
}

/// Whether a thread does the fast path of a leaf. It leaves by EEXIT from here, too.
pub(super) fn is_leaf(rip: u64) -> bool {
    (enclu()..address(nacre_emulator_enclu_end)).contains(&rip)
}

/// Whether a thread met the `ud2` for which the leaf is done from the start.
pub(super) fn is_slow_leaf(rip: u64) -> bool {
    rip == address(nacre_emulator_enclu_slow)
}

/// The registers that a leaf's fast path uses.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeafRegisters {
    pub(super) rip: u64,
    pub(super) rsp: u64,
    pub(super) rax: u64,
    pub(super) rdx: u64,
    pub(super) rsi: u64,
    pub(super) rcx: u64,
    pub(super) rdi: u64,
    pub(super) r10: u64,
    pub(super) r11: u64,
    pub(super) rflags: u64,
}

const ZF: u64 = 0x40;
/// CF, PF, AF, ZF, SF and OF.
pub(super) const STATUS_FLAGS: u64 = 0x8d5;
/// Bytes of a call.
pub(super) const SITE_SIZE: u64 = 5;

/// If the thread is in a leaf's fast path: its registers at the site, before the leaf or after it. None while it leaves
/// by EEXIT, or anywhere else.
///
/// # Safety
/// `registers` are those of a thread that the enclave runs on, so that `rsp` points to its stack when `rip` is here.
pub(super) unsafe fn settle(registers: LeafRegisters) -> Option<LeafRegisters> {
    let rip = registers.rip;
    if !is_leaf(rip) {
        return None;
    }
    let stack = std::ptr::with_exposed_provenance::<u64>(registers.rsp as usize);
    // SAFETY: the site's call has pushed this.
    let after_site = unsafe { stack.read() };
    let site = LeafRegisters {
        rip: after_site - SITE_SIZE,
        rsp: registers.rsp + 8,
        ..registers
    };
    let leaf = match rip {
        _ if rip >= address(nacre_emulator_eacceptcopy) => 7,
        _ if rip >= address(nacre_emulator_eacceptcopy_entry) => return Some(site),
        _ if rip >= address(nacre_emulator_eaccept) => 5,
        _ if rip >= address(nacre_emulator_eaccept_entry) => return Some(site),
        _ if rip >= address(nacre_emulator_emodpe) => 6,
        // Nothing is changed yet. A thread that is about to leave by EEXIT does so.
        _ => return (registers.rax != 4).then_some(site),
    };
    // SAFETY: the fast path has saved this register below the stack pointer.
    let saved = |place| unsafe { stack.sub(place).read() };
    let (rdx, rsi) = (saved(1), saved(2));
    let site = match leaf {
        7 => LeafRegisters {
            rcx: saved(3),
            rdi: saved(4),
            r10: saved(5),
            r11: saved(6),
            ..site
        },
        _ => site,
    };
    // EMODPE's fast path lies below both.
    let committed = match leaf {
        7 => address(nacre_emulator_eacceptcopy_committed),
        _ => address(nacre_emulator_eaccept_committed),
    };
    let accepted = rip > committed || rip == committed && registers.rflags & ZF != 0;
    if accepted {
        let rflags = registers.rflags & !STATUS_FLAGS;
        Some(LeafRegisters {
            rip: after_site,
            rax: 0,
            rdx,
            rsi,
            rflags,
            ..site
        })
    } else {
        // EMODPE changes nothing when it is done again.
        Some(LeafRegisters {
            rax: leaf,
            rdx,
            rsi,
            ..site
        })
    }
}
