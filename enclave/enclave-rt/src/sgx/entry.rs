//! The assembly that the processor enters, and the ways back to the program and to the host.
//!
//! # Interrupts on the way out
//! Between the last look at [`offset::PENDING`] and the program's first instruction, an interrupt that brings
//! something to look at would be forgotten until the next system call. So the way out keeps its frame intact
//! and its registers reloadable up to its last instruction: the exception handler (`exception.rs`) sends a
//! thread that was interrupted between `*_exit_check` and `*_exit_last` back to the check, and treats one that
//! was interrupted at the last instruction as the program it is.
//!
//! # The one way out
//! Every exit to the host goes through `nacre_eexit`, whatever its reason. It leaves nothing behind: every state component that is
//! in use goes to its initial state, and general registers to zero. Who has state that must come back keeps it before
//! (`vector_state.rs`). RSP and RBP are the host's again, as `__vdso_sgx_enter_enclave` expects.

use core::arch::global_asm;
use core::mem::offset_of;
use core::sync::atomic::AtomicBool;

use enclave_layout::{EXCEPTION_STACK_SIZE, ExitReason};

use crate::area::offset;
use crate::frame::{Registers, SyscallFrame, TrapFrame};
use crate::{processor, vector_state};

/// Whether the enclave has ended by a panic: every entry leaves at once.
pub(crate) static DEAD: AtomicBool = AtomicBool::new(false);

/// CF, PF, AF, ZF, SF and OF.
const STATUS_FLAGS: u32 = 0x8d5;
/// Bit 1 and IF, which every program has.
const FIXED_FLAGS: u32 = 0x202;

// Loads the general registers from the frame at rsp, whose registers begin at \at, and goes to the program.
// The program's rip and rsp go through the thread's area: nothing is written below the program's stack pointer,
// where its red zone is.
global_asm!(
    r#"
# Restores the flags that the program had when it made its system call. Those that the LibOS leaves alone are as they were.
.macro NACRE_SYSCALL_FLAGS at
    mov rax, [rsp + \at + {rflags}]
    test eax, {slow_flags}
    jnz 3f
    # Status flags alone, as a program nearly always has them: POPFQ takes longer than all of this. Carry becomes OF.
    bt eax, 11
    setc cl
    mov ah, al
    add cl, 0x7f
    sahf
    jmp 4f
3:  push rax
    popfq
4:
.endm

# The flags stay as they are.
.macro NACRE_LEAVE at, last
    mov rax, [rsp + \at + {rip}]
    mov gs:[{user_rip}], rax
    mov rax, [rsp + \at + {user_rsp_in_frame}]
    mov gs:[{user_rsp}], rax
    mov r8, [rsp + \at + {r8}]
    mov r9, [rsp + \at + {r9}]
    mov r10, [rsp + \at + {r10}]
    mov r11, [rsp + \at + {r11}]
    mov r12, [rsp + \at + {r12}]
    mov r13, [rsp + \at + {r13}]
    mov r14, [rsp + \at + {r14}]
    mov r15, [rsp + \at + {r15}]
    mov rdi, [rsp + \at + {rdi}]
    mov rsi, [rsp + \at + {rsi}]
    mov rbp, [rsp + \at + {rbp}]
    mov rbx, [rsp + \at + {rbx}]
    mov rdx, [rsp + \at + {rdx}]
    mov rax, [rsp + \at + {rax}]
    mov rcx, [rsp + \at + {rcx}]
    mov rsp, gs:[{user_rsp}]
.globl \last
\last:
    jmp qword ptr gs:[{user_rip}]
.endm

# A host entered the TCS: rax = CSSA, rcx = where to leave to, rdi = call area, rsi = reason; rsp and rbp are the host's.
.globl nacre_enter
nacre_enter:
    cld
    cmp byte ptr [rip + {dead}], 0
    jne 7f
    test rax, rax
    jnz 5f
    mov gs:[{exit_target}], rcx
    mov gs:[{host_rsp}], rsp
    mov gs:[{host_rbp}], rbp
    mov rax, gs:[{host_call_rsp}]
    test rax, rax
    jnz 4f
    rdgsbase rax
    lea rsp, [rax - {stack_top_below_gs}]
    push 2
    popfq
    ldmxcsr [rip + nacre_mxcsr]
    fninit
    xor ebp, ebp
    call {thread_main}

# extern "C" fn() -> !
.globl nacre_thread_end
nacre_thread_end:
    mov edi, {thread_end}
    jmp nacre_leave

# Back from a host call.
4:
    mov rsp, rax
    mov qword ptr gs:[{host_call_rsp}], 0
    push 2
    popfq
    pop rax
    wrfsbase rax
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    ret

# An exception or interrupt: CSSA is 1. The exception stack ends where the GS page begins. A thread whose area is not yet
# filled is in its first instructions, which nothing but an interrupt interrupts: it goes on.
5:
    cmp rax, 1
    jne 6f
    cmp qword ptr gs:[{this}], 0
    je 6f
    mov gs:[{exception_exit_target}], rcx
    mov gs:[{exception_host_rsp}], rsp
    mov gs:[{exception_host_rbp}], rbp
    rdgsbase rsp
    push 2
    popfq
    ldmxcsr [rip + nacre_mxcsr]
    call {exception}
    mov rcx, gs:[{exception_exit_target}]
    mov rsp, gs:[{exception_host_rsp}]
    mov rbp, gs:[{exception_host_rbp}]
6:  mov rbx, rcx
    mov edi, {resume}
    jmp nacre_eexit

# The enclave has ended.
7:  mov rbx, rcx
    mov edi, {thread_end}
    jmp nacre_eexit

# edi = why: from a thread's own stack.
nacre_leave:
    mov rbx, gs:[{exit_target}]
    mov rsp, gs:[{host_rsp}]
    mov rbp, gs:[{host_rbp}]

# The one way out: rbx = where to, edi = why; rsp and rbp are the host's.
nacre_eexit:
    # What is in use goes to its initial state; SSE's registers are cleared below, without the cost of XRSTOR.
    mov ecx, 1
    xgetbv
    xor edx, edx
    and eax, {not_sse}
    jz 1f
    lea rcx, [rip + {initial}]
    xrstor64 [rcx]
1:  ldmxcsr [rip + nacre_mxcsr]
    xorps xmm0, xmm0
    xorps xmm1, xmm1
    xorps xmm2, xmm2
    xorps xmm3, xmm3
    xorps xmm4, xmm4
    xorps xmm5, xmm5
    xorps xmm6, xmm6
    xorps xmm7, xmm7
    xorps xmm8, xmm8
    xorps xmm9, xmm9
    xorps xmm10, xmm10
    xorps xmm11, xmm11
    xorps xmm12, xmm12
    xorps xmm13, xmm13
    xorps xmm14, xmm14
    xorps xmm15, xmm15
    xor ecx, ecx
    xor edx, edx
    xor esi, esi
    xor r8d, r8d
    xor r9d, r9d
    xor r10d, r10d
    xor r11d, r11d
    xor r12d, r12d
    xor r13d, r13d
    xor r14d, r14d
    xor r15d, r15d
    mov eax, 4
    enclu
    .byte 0x66, 0x90
    ud2
.balign 4
nacre_mxcsr:
    .long {mxcsr}

# extern "C" fn(): leaves for a host call and returns when the host enters with the answer.
.globl nacre_host_call
nacre_host_call:
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    rdfsbase rax
    push rax
    mov gs:[{host_call_rsp}], rsp
    mov edi, {host_call}
    jmp nacre_leave

# extern "C" fn(leaf, rbx, rcx, rdx) -> rax: any other ENCLU leaf.
.globl nacre_enclu
nacre_enclu:
    push rbx
    mov rax, rdi
    mov rbx, rsi
    xchg rcx, rdx
nacre_enclu_site:
    enclu
    .byte 0x66, 0x90
    pop rbx
    ret

# A program's system call, from a stub: rcx = where the program goes on.
nacre_syscall_entry:
    mov gs:[{user_rsp}], rsp
    mov rsp, gs:[{stack_top}]
    pushfq
    cld
    # The program's alignment check (bit 18) is not meant for the LibOS.
    test byte ptr [rsp + 2], 4
    jz 9f
    push 2
    popfq
9:
    sub rsp, {frame_size} - 8
    movaps [rsp], xmm0
    movaps [rsp + 16], xmm1
    movaps [rsp + 32], xmm2
    movaps [rsp + 48], xmm3
    movaps [rsp + 64], xmm4
    movaps [rsp + 80], xmm5
    movaps [rsp + 96], xmm6
    movaps [rsp + 112], xmm7
    movaps [rsp + 128], xmm8
    movaps [rsp + 144], xmm9
    movaps [rsp + 160], xmm10
    movaps [rsp + 176], xmm11
    movaps [rsp + 192], xmm12
    movaps [rsp + 208], xmm13
    movaps [rsp + 224], xmm14
    movaps [rsp + 240], xmm15
    # The arguments, in pairs: a pair that was stored in two halves and is loaded as one has to wait until both stores
    # are through, which takes as long as a short system call.
    movq xmm0, rdi
    movq xmm1, rsi
    punpcklqdq xmm0, xmm1
    movaps [rsp + {args}], xmm0
    movq xmm2, rdx
    movq xmm3, r10
    punpcklqdq xmm2, xmm3
    movaps [rsp + {args} + 16], xmm2
    movq xmm4, r8
    movq xmm5, r9
    punpcklqdq xmm4, xmm5
    movaps [rsp + {args} + 32], xmm4
    mov [rsp + {registers} + {r8}], r8
    mov [rsp + {registers} + {r9}], r9
    mov [rsp + {registers} + {r10}], r10
    mov r11, [rsp + {registers} + {rflags}]
    mov [rsp + {registers} + {r11}], r11
    mov [rsp + {registers} + {r12}], r12
    mov [rsp + {registers} + {r13}], r13
    mov [rsp + {registers} + {r14}], r14
    mov [rsp + {registers} + {r15}], r15
    mov [rsp + {registers} + {rdi}], rdi
    mov [rsp + {registers} + {rsi}], rsi
    mov [rsp + {registers} + {rbp}], rbp
    mov [rsp + {registers} + {rbx}], rbx
    mov [rsp + {registers} + {rdx}], rdx
    mov [rsp + {registers} + {rax}], rax
    mov [rsp + {registers} + {rcx}], rcx
    mov [rsp + {registers} + {rip}], rcx
    mov rcx, gs:[{user_rsp}]
    mov [rsp + {registers} + {user_rsp_in_frame}], rcx
    mov rdi, rsp
    xor ebp, ebp
    call {syscall}

# rsp = the frame; also where a restart of the way out begins.
nacre_syscall_exit:
    mov gs:[{exit_frame}], rsp
.globl nacre_syscall_exit_check
nacre_syscall_exit_check:
    cmp dword ptr gs:[{pending}], 0
    jne 7f
    movaps xmm0, [rsp]
    movaps xmm1, [rsp + 16]
    movaps xmm2, [rsp + 32]
    movaps xmm3, [rsp + 48]
    movaps xmm4, [rsp + 64]
    movaps xmm5, [rsp + 80]
    movaps xmm6, [rsp + 96]
    movaps xmm7, [rsp + 112]
    movaps xmm8, [rsp + 128]
    movaps xmm9, [rsp + 144]
    movaps xmm10, [rsp + 160]
    movaps xmm11, [rsp + 176]
    movaps xmm12, [rsp + 192]
    movaps xmm13, [rsp + 208]
    movaps xmm14, [rsp + 224]
    movaps xmm15, [rsp + 240]
    NACRE_SYSCALL_FLAGS {registers}
    NACRE_LEAVE {registers}, nacre_syscall_exit_last
7:  mov rdi, rsp
    call {syscall_pending}
    jmp nacre_syscall_exit

# A trap: the exception handler has put the program's state at the top of the LibOS stack; rsp points to it.
.globl nacre_trap_entry
nacre_trap_entry:
    cld
    xor ebp, ebp
    mov rdi, rsp
    call {trap}
    mov rdi, rax

# extern "C" fn(*mut TrapFrame) -> !: goes to the program with all of its state.
.globl nacre_trap_exit
nacre_trap_exit:
    mov rsp, rdi
    mov gs:[{exit_frame}], rsp
.globl nacre_trap_exit_check
nacre_trap_exit_check:
    cmp dword ptr gs:[{pending}], 0
    jne 8f
    mov eax, {components}
    xor edx, edx
    xrstor64 [rsp + {xsave}]
    push [rsp + {rflags}]
    popfq
    NACRE_LEAVE 0, nacre_trap_exit_last
8:  mov rdi, rsp
    call {trap_pending}
    mov rdi, rax
    jmp nacre_trap_exit

# extern "C" fn(stack, function, argument) -> !: goes on with another function at the top of a stack.
.globl nacre_start_on
nacre_start_on:
    mov rsp, rdi
    xor ebp, ebp
    mov rdi, rdx
    call rsi
    ud2
"#,
    rip = const offset_of!(Registers, rip),
    user_rsp_in_frame = const offset_of!(Registers, rsp),
    rflags = const offset_of!(Registers, rflags),
    r8 = const offset_of!(Registers, r8),
    r9 = const offset_of!(Registers, r9),
    r10 = const offset_of!(Registers, r10),
    r11 = const offset_of!(Registers, r11),
    r12 = const offset_of!(Registers, r12),
    r13 = const offset_of!(Registers, r13),
    r14 = const offset_of!(Registers, r14),
    r15 = const offset_of!(Registers, r15),
    rdi = const offset_of!(Registers, rdi),
    rsi = const offset_of!(Registers, rsi),
    rbp = const offset_of!(Registers, rbp),
    rbx = const offset_of!(Registers, rbx),
    rdx = const offset_of!(Registers, rdx),
    rax = const offset_of!(Registers, rax),
    rcx = const offset_of!(Registers, rcx),
    xsave = const offset_of!(TrapFrame, xsave),
    args = const offset_of!(SyscallFrame, args),
    registers = const offset_of!(SyscallFrame, registers),
    frame_size = const size_of::<SyscallFrame>(),
    user_rsp = const offset::USER_RSP,
    user_rip = const offset::USER_RIP,
    stack_top = const offset::STACK_TOP,
    this = const offset::THIS,
    exit_target = const offset::EXIT_TARGET,
    host_call_rsp = const offset::HOST_CALL_RSP,
    exception_exit_target = const offset::EXCEPTION_EXIT_TARGET,
    host_rsp = const offset::HOST_RSP,
    host_rbp = const offset::HOST_RBP,
    exception_host_rsp = const offset::EXCEPTION_HOST_RSP,
    exception_host_rbp = const offset::EXCEPTION_HOST_RBP,
    exit_frame = const offset::EXIT_FRAME,
    pending = const offset::PENDING,
    stack_top_below_gs = const offset::STACK_TOP_BELOW_GS,
    mxcsr = const vector_state::MXCSR_DEFAULT,
    not_sse = const (processor::COMPONENTS & !vector_state::SSE) as u32,
    components = const processor::COMPONENTS as u32,
    initial = sym vector_state::INITIAL,
    dead = sym DEAD,
    slow_flags = const !(STATUS_FLAGS | FIXED_FLAGS) as i32,
    host_call = const ExitReason::HostCall as u64,
    thread_end = const ExitReason::ThreadEnd as u64,
    resume = const ExitReason::Resume as u64,
    thread_main = sym crate::thread::thread_main,
    exception = sym super::exception::handle,
    syscall = sym crate::handlers::syscall,
    syscall_pending = sym crate::handlers::syscall_pending,
    trap = sym crate::handlers::trap,
    trap_pending = sym crate::handlers::trap_pending,
);

const _: () = assert!(offset_of!(SyscallFrame, args).is_multiple_of(16));
const _: () = assert!(
    offset_of!(SyscallFrame, registers) + offset_of!(Registers, rflags) + 8 == size_of::<SyscallFrame>()
);
const _: () = assert!(EXCEPTION_STACK_SIZE >= 8192);

unsafe extern "C" {
    fn nacre_syscall_entry();
    fn nacre_syscall_exit_check();
    fn nacre_syscall_exit_last();
    fn nacre_trap_entry();
    fn nacre_trap_exit(frame: *mut TrapFrame) -> !;
    fn nacre_trap_exit_check();
    fn nacre_trap_exit_last();
    fn nacre_host_call();
    fn nacre_thread_end() -> !;
    fn nacre_enclu(leaf: u64, rbx: u64, rcx: u64, rdx: u64) -> u64;
    fn nacre_enclu_site();
    fn nacre_start_on(stack: u64, function: extern "C" fn(u64) -> !, argument: u64) -> !;
}

/// Where call-site stubs jump to.
pub(crate) fn syscall_entry_address() -> u64 {
    nacre_syscall_entry as *const () as u64
}

/// Where the exception handler sends a thread whose program it has interrupted.
pub(crate) fn trap_entry_address() -> u64 {
    nacre_trap_entry as *const () as u64
}

/// Where a thread was interrupted on its way out.
pub(crate) enum ExitWindow {
    /// Its frame is intact: go back to this address with the stack pointer at the frame.
    Restart(u64),
    /// At the last instruction: it is the program already.
    Program,
}

impl ExitWindow {
    pub(crate) fn at(rip: u64) -> Option<Self> {
        let address = |function: unsafe extern "C" fn()| function as *const () as u64;
        let windows = [
            (
                address(nacre_syscall_exit_check),
                address(nacre_syscall_exit_last),
            ),
            (address(nacre_trap_exit_check), address(nacre_trap_exit_last)),
        ];
        windows.into_iter().find_map(|(check, last)| match rip {
            _ if rip == last => Some(Self::Program),
            _ if rip >= check && rip < last => Some(Self::Restart(check)),
            _ => None,
        })
    }
}

/// Leaves the enclave with what is staged and returns with the answer.
pub(crate) fn host_call() {
    // SAFETY: the assembly keeps every register that the C calling convention asks it to keep; vector state and MXCSR, which
    // the host may have changed, are the caller's business (`vector_state::hidden`).
    unsafe { nacre_host_call() };
}

/// Leaves the enclave for good, as far as this thread is concerned.
pub(crate) fn thread_end() -> ! {
    // SAFETY: leaves; the stack is used again from its top by the next thread on this slot.
    unsafe { nacre_thread_end() }
}

/// Whether a thread was stopped at a leaf that accepts or extends pages.
pub(crate) fn is_at_leaf(rip: u64) -> bool {
    rip == nacre_enclu_site as *const () as u64
}

/// Executes an ENCLU leaf other than EEXIT.
///
/// # Safety
/// `rbx`, `rcx` and `rdx` are what the leaf requires (SDM vol. 3D, chapter 41).
pub(crate) unsafe fn enclu(leaf: u64, rbx: u64, rcx: u64, rdx: u64) -> u64 {
    // SAFETY: the caller's promise.
    unsafe { nacre_enclu(leaf, rbx, rcx, rdx) }
}

/// Goes to the program with this state. Nothing on the calling stack is dropped.
pub fn enter_program(frame: &mut TrapFrame) -> ! {
    frame.xsave.sanitize();
    // SAFETY: the frame is a valid state: XRSTOR accepts it, and the program's registers are its own affair.
    unsafe { nacre_trap_exit(frame) }
}

/// Leaves everything on the thread's LibOS stack behind and calls `function` at its top.
pub fn start_over(function: extern "C" fn(u64) -> !, argument: u64) -> ! {
    let stack = crate::area::ThreadArea::current().stack_top();
    // SAFETY: the thread's own stack; what was on it is never returned to.
    unsafe { nacre_start_on(stack, function, argument) }
}
