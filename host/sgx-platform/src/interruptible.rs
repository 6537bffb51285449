//! A system call that another thread can end, without a race.
//!
//! Looking at a token and then blocking would miss a wake-up that comes in between. So both happen within a few
//! instructions whose addresses are known: the handler of the interrupting signal moves a thread that it finds
//! there, before the kernel has begun the call, to the way out with EINTR. (musl's cancellation points work like
//! this.) The handler restarts nothing: a call that the kernel has begun returns what it has done, or EINTR.

use std::arch::global_asm;
use std::sync::atomic::AtomicU32;

// rdi = token, rsi = number, rdx = the six arguments. The call's result in rax.
global_asm!(
    ".hidden nacre_interruptible",
    ".hidden nacre_interruptible_begin",
    ".hidden nacre_interruptible_end",
    ".hidden nacre_interruptible_abort",
    ".globl nacre_interruptible",
    "nacre_interruptible:",
    "    mov r11, rdi",
    "    mov rax, rsi",
    "    mov rcx, rdx",
    "    mov rdi, [rcx]",
    "    mov rsi, [rcx + 8]",
    "    mov rdx, [rcx + 16]",
    "    mov r10, [rcx + 24]",
    "    mov r8, [rcx + 32]",
    "    mov r9, [rcx + 40]",
    ".globl nacre_interruptible_begin",
    "nacre_interruptible_begin:",
    "    cmp dword ptr [r11], 0",
    "    jne nacre_interruptible_abort",
    "    syscall",
    ".globl nacre_interruptible_end",
    "nacre_interruptible_end:",
    "    ret",
    ".globl nacre_interruptible_abort",
    "nacre_interruptible_abort:",
    "    mov rax, {eintr}",
    "    ret",
    eintr = const -libc::EINTR,
);

unsafe extern "C" {
    fn nacre_interruptible(token: *const AtomicU32, number: u64, arguments: *const [u64; 6]) -> i64;
    fn nacre_interruptible_begin();
    fn nacre_interruptible_end();
    fn nacre_interruptible_abort();
}

/// Makes a system call unless `token` is set or becomes set before it begins; EINTR then. Returns what the kernel
/// does: a result, or a negated error number.
///
/// Whoever sets the token calls [`crate::Interrupter::interrupt`] afterwards. EINTR may also come for no reason.
///
/// # Safety
/// As of the system call itself.
pub unsafe fn syscall(token: &AtomicU32, number: libc::c_long, arguments: [u64; 6]) -> i64 {
    // SAFETY: the assembly reads the token and the arguments; the rest is the caller's promise.
    unsafe { nacre_interruptible(token, number.cast_unsigned(), &arguments) }
}

/// The signal that interrupts a thread.
pub fn signal() -> libc::c_int {
    // The first two are used by C libraries.
    libc::SIGRTMIN() + 2
}

/// Where a thread that was interrupted at `rip` has to go on, if it was about to block.
pub(crate) fn diverted(rip: u64) -> Option<u64> {
    let address = |label: unsafe extern "C" fn()| label as *const () as u64;
    // At the end of the window the system call has been made and its result must not be lost.
    let window = address(nacre_interruptible_begin)..address(nacre_interruptible_end);
    window.contains(&rip).then(|| address(nacre_interruptible_abort))
}
