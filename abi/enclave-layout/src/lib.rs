//! Where everything lies in an enclave's address range, its pages, and how the two sides meet at its entry.
//!
//! Both sides and the tool that lays out the enclave read the numbers here, so no linker script or second
//! constant can disagree with them. Addresses are enclave-linear and, since ELRANGE starts at 0, also offsets
//! for EADD.
//!
//! ```text
//! 0               never mapped (null pointers trap)
//! USER_START      programs: images, heaps, stacks, mappings
//! HEAP_START      the LibOS's heap, committed as it grows (EAUG)
//! IMAGE_BASE      the LibOS's ELF image, linked at this address (measured)
//! CONFIG_START    the measured configuration (measured, then read-only)
//! SLOTS_START     one thread slot after the other: guard, stack, exception stack, GS page, SSA frames, TCS
//! ELRANGE_SIZE    the host, from here on
//! ```
//!
//! # Entry protocol
//! A TCS is entered by EENTER with `RDI` = the address of the thread's call area (untrusted memory, see
//! [`host-abi`](../host_abi/index.html)), `RSI` = an [`EntryReason`]. The architecture gives `RAX` = CSSA,
//! `RBX` = TCS, `RCX` = the address to leave to. The enclave leaves with `EEXIT` to that address, `RDI` = an
//! [`ExitReason`]. With CSSA = 0 the enclave starts the thread (or continues its host call, if one is under
//! way); with CSSA = 1 it handles what interrupted it, and leaves with [`ExitReason::Resume`], upon which the
//! host does ERESUME.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

mod page;

pub use page::{Acceptance, PAGE_SIZE, PageRange, Protection};

/// SECS.SIZE; SECS.BASEADDR is 0. 64 TiB, half of what Linux gives a process: programs reserve far more addresses than they use,
/// and the other half is the host's.
pub const ELRANGE_SIZE: u64 = 1 << 46;

/// First address that programs may use.
pub const USER_START: u64 = 0x1_0000;
/// First address after what programs may use. The LibOS lies above them all, since some programs (AddressSanitizer's) have to have
/// many terabytes from the bottom on.
pub const USER_END: u64 = ELRANGE_SIZE - (8 << 30);

/// First address of the LibOS's heap, which grows upwards by committed pages.
pub const HEAP_START: u64 = USER_END;
/// First address after the LibOS's heap.
pub const HEAP_END: u64 = ELRANGE_SIZE - (2 << 30);

/// Where the LibOS's ELF image is linked.
pub const IMAGE_BASE: u64 = ELRANGE_SIZE - (1 << 30);
/// First address after the LibOS's ELF image.
pub const IMAGE_END: u64 = IMAGE_BASE + (256 << 20);

/// The measured configuration: a `u64` length in bytes, then the canonical bytes, zero-padded to a page.
pub const CONFIG_START: u64 = IMAGE_END;
/// Most bytes of configuration, length word included.
pub const MAX_CONFIG: u64 = 1 << 20;

/// First thread slot.
pub const SLOTS_START: u64 = ELRANGE_SIZE - (512 << 20);
/// Distance between thread slots.
pub const SLOT_STRIDE: u64 = 64 * PAGE_SIZE;
/// Most threads that an enclave can be laid out with.
pub const MAX_SLOTS: u64 = (ELRANGE_SIZE - SLOTS_START) / SLOT_STRIDE - 1;

/// Size of a thread's LibOS stack, in bytes.
pub const STACK_SIZE: u64 = 32 * PAGE_SIZE;
/// Size of a thread's exception stack (used with CSSA = 1 only), in bytes.
pub const EXCEPTION_STACK_SIZE: u64 = 4 * PAGE_SIZE;
/// SECS.SSAFRAMESIZE, in pages. One page holds an XSAVE image up to AVX-512 (2,688 bytes), EXINFO and GPRSGX.
pub const SSA_FRAME_PAGES: u64 = 1;
/// TCS.NSSA: one frame for the program or the LibOS, one for an interrupt while an exception is handled.
pub const SSA_FRAMES: u64 = 2;

/// A thread's slot: everything that belongs to one TCS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(u64);

#[expect(
    clippy::arithmetic_side_effects,
    reason = "a slot lies in ELRANGE, and so does all that is in it"
)]
impl Slot {
    // Offsets in a slot: a guard page at the bottom of each stack, so that an overflow faults.
    const STACK: u64 = PAGE_SIZE;
    const EXCEPTION_STACK: u64 = Self::STACK + STACK_SIZE + PAGE_SIZE;
    const GS: u64 = Self::EXCEPTION_STACK + EXCEPTION_STACK_SIZE;
    const SSA: u64 = Self::GS + PAGE_SIZE;
    const TCS: u64 = Self::SSA + SSA_FRAMES * SSA_FRAME_PAGES * PAGE_SIZE;

    /// The slot with this number, if an enclave can have it.
    pub const fn new(index: u64) -> Option<Self> {
        if index < MAX_SLOTS {
            Some(Self(SLOTS_START + index * SLOT_STRIDE))
        } else {
            None
        }
    }

    /// This slot's number.
    pub const fn index(self) -> u64 {
        (self.0 - SLOTS_START) / SLOT_STRIDE
    }

    /// First address of the LibOS stack; it is `STACK_SIZE` long.
    pub const fn stack(self) -> u64 {
        self.0 + Self::STACK
    }

    /// First address of the exception stack; it is `EXCEPTION_STACK_SIZE` long.
    pub const fn exception_stack(self) -> u64 {
        self.0 + Self::EXCEPTION_STACK
    }

    /// The page that `GS` points to (TCS.OGSBASGX, and TCS.OFSBASGX as well at entry).
    pub const fn gs(self) -> u64 {
        self.0 + Self::GS
    }

    /// First SSA frame (TCS.OSSA).
    pub const fn ssa(self) -> u64 {
        self.0 + Self::SSA
    }

    /// The thread control structure.
    pub const fn tcs(self) -> u64 {
        self.0 + Self::TCS
    }

    /// The slot whose `GS` page this is.
    pub const fn of_gs(gs: u64) -> Option<Self> {
        match gs.checked_sub(SLOTS_START + Self::GS) {
            Some(offset) if offset % SLOT_STRIDE == 0 => Self::new(offset / SLOT_STRIDE),
            _ => None,
        }
    }
}

const _: () = assert!(Slot::TCS + PAGE_SIZE <= SLOT_STRIDE);

/// Offset from `GS` of the address that a call-site stub jumps to.
pub const GS_SYSCALL_ENTRY: u32 = 24;

/// Why the host enters a TCS (`RSI` at EENTER).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum EntryReason {
    /// Start a thread, or come back from its host call.
    Normal = 0,
    /// The thread was interrupted or met an exception; the SSA frame says which. CSSA is 1.
    Exception = 1,
}

/// Why the enclave left (`RDI` at EEXIT).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum ExitReason {
    /// A host call is staged in the thread's call area; enter again with the answer.
    HostCall = 0,
    /// The thread has ended; the TCS may be entered for another one.
    ThreadEnd = 1,
    /// The interruption has been dealt with: ERESUME.
    Resume = 2,
}

impl ExitReason {
    /// The reason with this number.
    pub const fn from_raw(raw: u64) -> Option<Self> {
        match raw {
            0 => Some(Self::HostCall),
            1 => Some(Self::ThreadEnd),
            2 => Some(Self::Resume),
            _ => None,
        }
    }
}

/// The emulator looks for `ENCLU` in this form, with a two-byte no-op behind it, to turn it into a five-byte
/// call of its own; on silicon the no-op is a no-op.
pub const ENCLU_SITE: [u8; 5] = [0x0f, 0x01, 0xd7, 0x66, 0x90];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_do_not_overlap_and_end_below_the_range() {
        let first = Slot::new(0).unwrap();
        let second = Slot::new(1).unwrap();
        assert!(first.tcs() + PAGE_SIZE <= second.stack() - PAGE_SIZE);
        let last = Slot::new(MAX_SLOTS - 1).unwrap();
        assert!(last.tcs() + PAGE_SIZE <= ELRANGE_SIZE);
        assert_eq!(Slot::new(MAX_SLOTS), None);
    }

    #[test]
    fn a_slot_is_found_by_its_gs_page() {
        let slot = Slot::new(17).unwrap();
        assert_eq!(Slot::of_gs(slot.gs()), Some(slot));
        assert_eq!(Slot::of_gs(slot.gs() + 8), None);
        assert_eq!(slot.index(), 17);
    }
}
