//! What the LibOS is called for.

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

    /// A piece that `sender` has posted ([`crate::outbox::post`]) was not sent: the host keeps it for now, or there was an error.
    fn not_sent(&self, sender: u64, error: Option<host_abi::Errno>);

    /// A program's memory is touched by the LibOS on its behalf and is not there yet: whether it is now.
    fn populate(&self, address: u64, access: crate::user::Access) -> bool;

    /// Whether the page at this address of the programs' part is committed and allows the access, as far as the enclave has agreed
    /// with the processor. Called where no lock may be taken.
    fn is_present(&self, address: u64, access: crate::user::Access) -> bool;
}

#[cfg(feature = "image")]
unsafe extern "Rust" {
    /// The LibOS; the enclave's binary names it (with `kernel!`), so that no call goes through a lookup.
    safe fn nacre_kernel() -> &'static dyn Kernel;
}

/// Unit tests on the host link without an enclave's binary.
#[cfg(not(feature = "image"))]
fn nacre_kernel() -> &'static dyn Kernel {
    panic!("there is no kernel outside of the enclave")
}

/// Names the LibOS, once, in the enclave's binary.
#[macro_export]
macro_rules! kernel {
    ($kernel:expr) => {
        #[unsafe(no_mangle)]
        fn nacre_kernel() -> &'static dyn $crate::handlers::Kernel {
            $kernel
        }
    };
}

pub(crate) fn kernel() -> &'static dyn Kernel {
    nacre_kernel()
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
