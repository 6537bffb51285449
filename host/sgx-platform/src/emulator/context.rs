//! The context of a host thread at a TCS, where the assembly and the signal handler find it.

use std::ffi::c_void;
use std::sync::atomic::{AtomicU32, Ordering};

use sgx_arch::{ExInfo, ExitInfo, GprSgx, PAGE_SIZE};

use super::address_space::{CONTEXT_STRIDE, CONTEXTS};

/// A thread's context, at the start of its 64 KiB; the signal stack is the rest.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Context {
    /// The host thread's FS.
    pub(super) host_fs: u64,
    /// The host's stack while the thread is inside; callee-saved registers lie there.
    pub(super) host_rsp: u64,
    /// Where EEXIT of this thread goes to.
    pub(super) exit_thunk: u64,
    /// The TCS's address, and what EADD has read from it, as addresses.
    pub(super) tcs: u64,
    pub(super) entry: u64,
    pub(super) fs: u64,
    pub(super) gs: u64,
    pub(super) ssa: u64,
    /// Bytes of an SSA frame.
    pub(super) ssa_frame_size: u64,
    /// State components that an exit saves.
    pub(super) xfrm: u64,
    /// What IRETQ takes: RIP, CS, RFLAGS, RSP, SS.
    pub(super) iret: [u64; 5],
    /// TCS.CSSA.
    pub(super) cssa: u32,
    /// TCS.NSSA.
    pub(super) nssa: u32,
    /// Whether the enclave runs.
    pub(super) inside: u32,
    /// An interrupt has come at a time when there was nothing to interrupt.
    pub(super) interrupted: AtomicU32,
    /// Whether #PF and #GP are reported (MISCSELECT.EXINFO).
    pub(super) has_exinfo: u32,
    /// The last exception.
    pub(super) vector: u32,
    pub(super) address: u64,
    /// The [`super::leaf::Identity`] of the TCS's enclave.
    pub(super) identity: *const c_void,
    /// Instructions that are still to be stepped through ([`super::stepping`]), how many were since the thread came into the LibOS, and
    /// what chooses where it is interrupted.
    pub(super) steps: u64,
    pub(super) steps_in_libos: u64,
    pub(super) random: u64,
    /// Whether the next entry is stepped through, or has registers of a hostile host: what the fast path of an entry does not do.
    pub(super) unusual: u32,
    /// XSAVE images of [`super::hostile`]: what to load before the entry, and where to save what an exit leaves. Null for an
    /// honest host.
    pub(super) presented: *const u8,
    pub(super) observed: *mut u8,
    /// Their components.
    pub(super) observed_components: u64,
    /// General registers after the exit, in the processor's order; then RSP and RBP at the entry.
    pub(super) general: [u64; 16],
    pub(super) host_stack: [u64; 2],
}

const _: () = assert!(size_of::<Context>() as u64 <= PAGE_SIZE);

impl Context {
    /// Address of the context with this index.
    pub(super) fn address(index: usize) -> u64 {
        CONTEXTS + index as u64 * CONTEXT_STRIDE
    }

    /// The signal stack of the context with this index: start and length.
    pub(super) fn signal_stack(index: usize) -> (u64, u64) {
        (Self::address(index) + PAGE_SIZE, CONTEXT_STRIDE - PAGE_SIZE)
    }

    fn frame(&self, number: u32) -> u64 {
        self.ssa + u64::from(number) * self.ssa_frame_size
    }

    /// The SSA frame that the next asynchronous exit uses.
    pub(super) fn next_frame(&self) -> SsaFrame {
        SsaFrame {
            start: self.frame(self.cssa),
            size: self.ssa_frame_size,
        }
    }

    /// The SSA frame that the last asynchronous exit used.
    pub(super) fn last_frame(&self) -> Option<SsaFrame> {
        let number = self.cssa.checked_sub(1)?;
        Some(SsaFrame {
            start: self.frame(number),
            size: self.ssa_frame_size,
        })
    }

    /// Takes a late interrupt.
    pub(super) fn take_interrupt(&self) -> bool {
        self.interrupted.swap(0, Ordering::Relaxed) != 0
    }
}

/// An SSA frame: memory of the enclave, which the enclave may change at any time.
#[derive(Clone, Copy, Debug)]
pub(super) struct SsaFrame {
    start: u64,
    size: u64,
}

impl SsaFrame {
    /// Address of the XSAVE image.
    pub(super) fn xsave(self) -> *mut u8 {
        std::ptr::with_exposed_provenance_mut(self.start as usize)
    }

    /// Address of GPRSGX.
    pub(super) fn registers(self) -> *mut GprSgx {
        let at = self.start + self.size - GprSgx::SIZE as u64;
        std::ptr::with_exposed_provenance_mut(at as usize)
    }

    fn exinfo(self) -> *mut [u8; ExInfo::SIZE] {
        let at = self.start + self.size - (GprSgx::SIZE + ExInfo::SIZE) as u64;
        std::ptr::with_exposed_provenance_mut(at as usize)
    }

    /// Writes what caused the exit.
    ///
    /// # Safety
    /// The frame is one of a TCS, and its pages are mapped.
    pub(super) unsafe fn set_cause(self, info: Option<ExitInfo>, exinfo: ExInfo) {
        // SAFETY: the caller's promise; the field is aligned.
        let word = unsafe { &raw mut (*self.registers()).exit_info };
        // SAFETY: as above.
        unsafe { word.write_volatile(ExitInfo::to_raw(info)) };
        // SAFETY: as above; EXINFO lies in the same frame.
        unsafe { self.exinfo().write_volatile(exinfo.to_bytes()) };
    }
}
