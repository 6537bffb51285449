//! What a hostile kernel does around an enclave, for tests of the boundary: it enters with registers of its choice, looks at what is
//! left in them after each exit, takes pages away, sets the time-stamp counter, and
//! steps through it.
//!
//! A processor lets any kernel do this. Nothing here reads or changes what an enclave holds.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{OnceLock, PoisonError, RwLock};

use enclave_layout::{PAGE_SIZE, SLOT_STRIDE, SLOTS_START, SSA_FRAME_PAGES, SSA_FRAMES, Slot};
use sgx_arch::SecInfo;

use super::epcm::Epcm;
use super::privileged::Privileged;
use crate::processor;

/// What a host does with its registers.
pub trait HostRegisters: Send + Sync {
    /// The state that the next entry of the calling thread begins with; `None` for whatever the registers hold.
    fn present(&self) -> Option<VectorState>;

    /// What the calling thread finds right after EEXIT.
    fn observe(&self, left: &Left);
}

/// An XSAVE image in standard form, with all components that an enclave may have on this processor.
#[derive(Clone, Debug)]
#[repr(C, align(64))]
pub struct VectorState {
    bytes: [u8; Self::SIZE],
    /// The components that are loaded.
    components: u64,
}

impl VectorState {
    const SIZE: usize = 4096;
    const FCW: usize = 0;
    const MXCSR: usize = 24;
    const LEGACY: std::ops::Range<usize> = 32..416;
    const HEADER: usize = 512;

    /// Nothing in use.
    pub(super) fn empty() -> Self {
        Self {
            bytes: [0; Self::SIZE],
            components: processor::xcr0() & processor::COMPONENTS,
        }
    }

    /// These components (bits of XCR0, as far as the processor has them) filled with one byte; the others in their initial state.
    pub fn filled(components: u64, byte: u8, mxcsr: u32, fcw: u16) -> Self {
        let mut state = Self::empty();
        let components = components & state.components;
        state.bytes[Self::FCW..][..2].copy_from_slice(&fcw.to_le_bytes());
        state.bytes[Self::MXCSR..][..4].copy_from_slice(&mxcsr.to_le_bytes());
        state.bytes[Self::LEGACY].fill(byte);
        state.bytes[Self::HEADER..][..8].copy_from_slice(&components.to_le_bytes());
        for part in processor::extended_state() {
            state.bytes[part.offset..][..part.len].fill(byte);
        }
        state
    }

    /// The image.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn address(&mut self) -> *mut u8 {
        self.bytes.as_mut_ptr()
    }

    pub(super) fn components(&self) -> u64 {
        self.components
    }
}

/// What an exit has left in the registers.
#[derive(Clone, Debug)]
pub struct Left {
    /// General registers in the processor's order: RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8 to R15. RBX is the host's again.
    pub general: [u64; 16],
    /// RSP and RBP at the entry.
    pub stack: [u64; 2],
    /// Everything else.
    pub vector: VectorState,
}

static REGISTERS: OnceLock<Box<dyn HostRegisters>> = OnceLock::new();

/// Lets every host thread of this process enter with such registers from now on. Whether it was the first to ask.
pub fn install(registers: Box<dyn HostRegisters>) -> bool {
    REGISTERS.set(registers).is_ok()
}

pub(super) fn registers() -> Option<&'static dyn HostRegisters> {
    REGISTERS.get().map(|registers| &**registers)
}

/// Instructions of each thread that are stepped through.
static STEPS: AtomicU64 = AtomicU64::new(0);

/// Steps through the first so many instructions of each thread that begins from now on (see `stepping`), and interrupts it at some.
pub fn step_through(instructions: u64) {
    STEPS.store(instructions, Ordering::Relaxed);
}

pub(super) fn steps() -> u64 {
    STEPS.load(Ordering::Relaxed)
}

/// What the enclave reads from the time-stamp counter, for what it holds.
type Counter = fn(u64) -> u64;

static COUNTER: OnceLock<Counter> = OnceLock::new();

/// Lets the enclave read another time-stamp counter from now on, in the calling thread and all that it starts. The enclave has to
/// have been initialised: its signal handlers answer.
///
/// # Errors
/// The kernel's, if it cannot make RDTSC fault.
pub fn set_counter(counter: Counter) -> io::Result<()> {
    if COUNTER.set(counter).is_err() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    Privileged::Rdtsc.forbid()
}

/// What the enclave is to read where the counter is `now`.
pub(super) fn counter(now: u64) -> u64 {
    COUNTER.get().map_or(now, |counter| counter(now))
}

/// Whether there is an enclave, whose table of pages may be read.
static IS_ALIVE: RwLock<bool> = RwLock::new(false);

pub(super) fn set_alive(is_alive: bool) {
    *IS_ALIVE.write().unwrap_or_else(PoisonError::into_inner) = is_alive;
}

/// The pages of this process's enclave in a range that software can touch; none without an enclave. SSA frames are left out: the
/// processor itself needs them at an exit, and here it is the emulator that would meet the fault.
pub fn pages(range: std::ops::Range<u64>) -> Vec<Page> {
    with_epcm(|epcm| {
        let pages = epcm
            .parts(range)
            .flat_map(|part| part.step_by(PAGE_SIZE as usize))
            .filter(|&address| !is_ssa_frame(address));
        let permissions = |address| Some((address, epcm.permissions(address)?));
        let pages = pages.filter_map(permissions);
        pages
            .map(|(address, permissions)| Page { address, permissions })
            .collect()
    })
    .unwrap_or_default()
}

fn is_ssa_frame(address: u64) -> bool {
    let index = address
        .checked_sub(SLOTS_START)
        .map(|offset| offset / SLOT_STRIDE);
    let slot = index.and_then(Slot::new);
    slot.is_some_and(|slot| {
        (slot.ssa()..slot.ssa() + SSA_FRAMES * SSA_FRAME_PAGES * PAGE_SIZE).contains(&address)
    })
}

/// A page that software can touch.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    address: u64,
    permissions: u64,
}

impl Page {
    /// Takes the page away (in the page tables: the enclave's own table stays as it is), if it is still the same; calls `meanwhile`,
    /// and gives it back.
    pub fn withhold(self, meanwhile: impl FnOnce()) {
        let is_taken = self.protect(0);
        meanwhile();
        if is_taken {
            self.protect(self.permissions);
        }
    }

    fn protect(self, permissions: u64) -> bool {
        let change = |epcm: Epcm| {
            if epcm.permissions(self.address) != Some(self.permissions) {
                return false;
            }
            let start = std::ptr::without_provenance_mut(self.address as usize);
            // SAFETY: a page of ELRANGE, which no Rust object lives in. What the enclave meets is a fault.
            let result = unsafe { libc::mprotect(start, PAGE_SIZE as usize, permissions as libc::c_int) };
            result == 0
        };
        with_epcm(change).unwrap_or(false)
    }
}

fn with_epcm<T>(work: impl FnOnce(Epcm) -> T) -> Option<T> {
    let is_alive = IS_ALIVE.read().ok()?;
    // SAFETY: the address space goes only after the flag has been cleared, under the lock.
    is_alive.then(|| work(unsafe { Epcm::new() }))
}

const _: () = assert!(SecInfo::R == libc::PROT_READ as u64 && SecInfo::W == libc::PROT_WRITE as u64);
