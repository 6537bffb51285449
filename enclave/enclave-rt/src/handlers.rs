//! What the LibOS is called for.

use core::sync::atomic::{AtomicPtr, Ordering};

use crate::frame::{SyscallFrame, TrapFrame};

/// The LibOS's side of the runtime.
pub trait Kernel: Sync {
    /// The first thread of the enclave has entered; boot information lies in its staging buffer.
    fn boot(&self) -> !;

    /// A program made a system call through a stub: answer it in the frame.
    fn syscall(&self, frame: &mut SyscallFrame);

    /// Something is pending for a thread that is about to return from a system call.
    fn syscall_pending(&self, frame: &mut SyscallFrame);

    /// A program was stopped by an exception, or was interrupted with something pending.
    fn trap(&self, frame: &mut TrapFrame);

    /// Something is pending for a thread that is about to return to its program from a trap.
    fn trap_pending(&self, frame: &mut TrapFrame);

    /// A program's memory is touched by the LibOS on its behalf and is not there yet: whether it is now.
    fn populate(&self, address: u64, access: crate::user::Access) -> bool;
}

/// A pointer to a `&'static dyn Kernel`.
static KERNEL: AtomicPtr<&'static dyn Kernel> = AtomicPtr::new(core::ptr::null_mut());

/// Names the LibOS; once, before anything else.
pub fn install(kernel: &'static &'static dyn Kernel) {
    KERNEL.store(core::ptr::from_ref(kernel).cast_mut(), Ordering::Release);
}

pub(crate) fn kernel() -> &'static dyn Kernel {
    let pointer = KERNEL.load(Ordering::Acquire);
    // SAFETY: `install` stored a pointer to a static; a null pointer becomes `None`.
    let kernel = unsafe { pointer.as_ref() };
    *kernel.expect("the kernel is installed before any thread enters")
}

pub(crate) extern "C" fn syscall(frame: &mut SyscallFrame) {
    kernel().syscall(frame);
}

pub(crate) extern "C" fn syscall_pending(frame: &mut SyscallFrame) {
    kernel().syscall_pending(frame);
}

pub(crate) extern "C" fn trap(frame: &mut TrapFrame) -> *mut TrapFrame {
    kernel().trap(frame);
    frame.xsave.sanitize();
    frame
}

pub(crate) extern "C" fn trap_pending(frame: &mut TrapFrame) -> *mut TrapFrame {
    kernel().trap_pending(frame);
    frame.xsave.sanitize();
    frame
}
