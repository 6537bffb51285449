//! The page that `GS` points to: what a thread's assembly and the runtime keep about it.
//!
//! The page is measured as zeros, so that a thread that is entered for the first time finds no stack to return
//! to. Fields that the assembly uses have the offsets that [`offset`] names.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering, compiler_fence};

use enclave_layout::{GS_SYSCALL_ENTRY, STACK_SIZE, Slot};

use crate::outbox::{self, Outbox};

/// A thread's area, at the start of its `GS` page.
#[repr(C)]
pub struct ThreadArea {
    /// Its own address; 0 until the rest is filled, which an exception's handler looks at.
    this: u64,
    /// Top of the LibOS stack: empty while the program runs.
    stack_top: u64,
    /// The program's stack pointer, for two instructions at each entry.
    user_rsp: u64,
    /// Where call-site stubs jump to.
    syscall_entry: u64,
    /// Where the last instruction of the way out jumps to.
    user_rip: u64,
    /// Where EEXIT goes to (host address).
    exit_target: u64,
    /// Stack pointer of the host call that is under way, else 0.
    host_call_rsp: u64,
    /// Where EEXIT goes to from the exception entry.
    exception_exit_target: u64,
    /// The host's RSP and RBP at its last entry, which it gets back at the exit.
    host_rsp: u64,
    host_rbp: u64,
    /// The same for the exception entry.
    exception_host_rsp: u64,
    exception_host_rbp: u64,
    /// The frame that the way out restores from, for a restart of it.
    exit_frame: u64,
    /// Something waits to be looked at before the program goes on: see [`crate::thread::Thread::notify`].
    pub(crate) pending: AtomicU32,
    _reserved: u32,
    /// Host address of the thread's call area.
    pub(crate) call_area: UnsafeCell<u64>,
    /// Signals that the host has passed on, not yet taken.
    pub(crate) host_signals: AtomicU64,
    /// Host calls by code, and system calls answered, for `--stats`.
    pub(crate) calls: [AtomicU64; 64],
    /// How often the thread is back from a call.
    pub(crate) exits: AtomicU64,
    /// What it sends with its next one.
    pub(crate) outbox: Outbox,
    /// The last fault in a copy from or to a program's memory: its address.
    pub(crate) fault_address: AtomicU64,
    /// The error code of that fault.
    pub(crate) fault_error: AtomicU32,
    /// How often in a row the host has withheld a page at the same instruction (`sgx/exception.rs`).
    pub(crate) withheld: AtomicU32,
    /// That instruction's address, and the one that it has met.
    pub(crate) withheld_at: AtomicU64,
    pub(crate) withheld_page: AtomicU64,
}

/// Offsets of the fields that the assembly uses.
pub mod offset {
    use super::ThreadArea;
    use core::mem::offset_of;

    /// Of `this`.
    pub const THIS: usize = offset_of!(ThreadArea, this);
    /// Of `stack_top`.
    pub const STACK_TOP: usize = offset_of!(ThreadArea, stack_top);
    /// Of `user_rsp`.
    pub const USER_RSP: usize = offset_of!(ThreadArea, user_rsp);
    /// Of `user_rip`.
    pub const USER_RIP: usize = offset_of!(ThreadArea, user_rip);
    /// Of `exit_target`.
    pub const EXIT_TARGET: usize = offset_of!(ThreadArea, exit_target);
    /// Of `host_call_rsp`.
    pub const HOST_CALL_RSP: usize = offset_of!(ThreadArea, host_call_rsp);
    /// Of `exception_exit_target`.
    pub const EXCEPTION_EXIT_TARGET: usize = offset_of!(ThreadArea, exception_exit_target);
    /// Of `host_rsp`.
    pub const HOST_RSP: usize = offset_of!(ThreadArea, host_rsp);
    /// Of `host_rbp`.
    pub const HOST_RBP: usize = offset_of!(ThreadArea, host_rbp);
    /// Of `exception_host_rsp`.
    pub const EXCEPTION_HOST_RSP: usize = offset_of!(ThreadArea, exception_host_rsp);
    /// Of `exception_host_rbp`.
    pub const EXCEPTION_HOST_RBP: usize = offset_of!(ThreadArea, exception_host_rbp);
    /// Of `exit_frame`.
    pub const EXIT_FRAME: usize = offset_of!(ThreadArea, exit_frame);
    /// Of `pending`.
    pub const PENDING: usize = offset_of!(ThreadArea, pending);
    /// From the `GS` page down to the top of the LibOS stack.
    pub const STACK_TOP_BELOW_GS: usize = {
        let slot = enclave_layout::Slot::new(0).unwrap();
        (slot.gs() - (slot.stack() + enclave_layout::STACK_SIZE)) as usize
    };
}

const _: () = assert!(core::mem::offset_of!(ThreadArea, syscall_entry) == GS_SYSCALL_ENTRY as usize);
const _: () = assert!(size_of::<ThreadArea>() <= enclave_layout::PAGE_SIZE as usize);

impl ThreadArea {
    /// The calling thread's area.
    pub fn current() -> &'static Self {
        let this: *const Self;
        // SAFETY: the first word of the GS page is its own address from `initialize` on, which every thread
        // runs before anything else.
        unsafe {
            core::arch::asm!("mov {}, gs:[0]", out(reg) this, options(nostack, readonly, preserves_flags));
        }
        // SAFETY: the area lives as long as the enclave; shared fields are atomic, the others are used by the
        // owning thread alone.
        unsafe { &*this }
    }

    /// Fills the area of the calling thread at its first entry and gives the slot.
    pub(crate) fn initialize(call_area: u64) -> Slot {
        let gs = crate::processor::gs_base();
        let slot = Slot::of_gs(gs).expect("GS is a slot's page: the TCS is measured");
        let area = gs as *mut Self;
        // SAFETY: the page belongs to this thread alone and is zero or what an ended thread left.
        unsafe { (&raw mut (*area).stack_top).write(slot.stack() + STACK_SIZE) };
        // SAFETY: as above.
        unsafe { (&raw mut (*area).syscall_entry).write(crate::entry::syscall_entry_address()) };
        // SAFETY: as above.
        unsafe { (&raw mut (*area).call_area).write(UnsafeCell::new(call_area)) };
        // Last: from here on the handler of an interrupt uses all of it.
        compiler_fence(Ordering::SeqCst);
        // SAFETY: as above.
        unsafe { (&raw mut (*area).this).write_volatile(gs) };
        let area = Self::current();
        // What an earlier thread of this slot has left is not this one's; but for signals, which are the container's.
        let has_signals = area.host_signals.load(Ordering::Relaxed) != 0;
        area.pending.store(has_signals.into(), Ordering::Relaxed);
        area.fault_address.store(0, Ordering::Relaxed);
        area.fault_error.store(0, Ordering::Relaxed);
        area.withheld.store(0, Ordering::Relaxed);
        area.withheld_at.store(0, Ordering::Relaxed);
        area.withheld_page.store(0, Ordering::Relaxed);
        outbox::forget(area);
        slot
    }

    /// The thread's slot.
    pub fn slot(&self) -> Slot {
        Slot::of_gs(self.this).expect("an area lies in a slot")
    }

    pub(crate) fn call_area_address(&self) -> u64 {
        // SAFETY: written once, by this thread, before any other use.
        unsafe { *self.call_area.get() }
    }

    /// What GS holds in this thread.
    pub(crate) fn gs_base(&self) -> u64 {
        self.this
    }

    pub(crate) fn stack_top(&self) -> u64 {
        self.stack_top
    }

    pub(crate) fn user_rip(&self) -> u64 {
        // SAFETY: an aligned word of this thread's own area; the assembly writes it.
        unsafe { (&raw const self.user_rip).read_volatile() }
    }

    pub(crate) fn exit_frame(&self) -> u64 {
        // SAFETY: as above.
        unsafe { (&raw const self.exit_frame).read_volatile() }
    }
}

// SAFETY: what other threads touch is atomic; the rest is used by the owning thread alone.
unsafe impl Sync for ThreadArea {}
