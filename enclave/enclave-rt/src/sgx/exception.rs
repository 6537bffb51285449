//! The first stage of an exception: on its own small stack, with the interrupted state in the SSA frame.
//!
//! It decides by where the thread was and changes the SSA frame so that ERESUME goes on there:
//! - in a program: its state is copied to the top of the (empty) LibOS stack, and the second stage handles it as an
//!   ordinary piece of LibOS code;
//! - on the way out of the LibOS: see `entry.rs`;
//! - in a copy from or to a program's memory: the copy fails; at a leaf that may be refused: it is;
//! - anywhere else in the LibOS: an interrupt means nothing (what is pending is looked at on the way out), an
//!   exception is our own mistake and ends the enclave.
//!
//! The SSA frame is written by the processor, so its registers and EXITINFO are facts; *when* this runs is the
//! host's choice.
//!
//! # Page faults that are none
//! A page fault may be the host's doing: its page tables are its own, and a page that it takes away for an instant faults wherever it
//! is touched. It may also be over: the host's kernel brought a page back, and then entered the handler for another reason. So a page
//! fault is judged by state: where the page is committed and allows the access, there was no exception, and the thread goes on where
//! it was. The same holds for a leaf that accepts a page: silicon adds the page when the leaf faults. A program never sees a signal, nor a call an error, for what the host does to the page tables. A host that withholds a page
//! for good delays the thread as if it did not schedule it; after [`MAX_WITHHELD`] tries at one instruction the enclave ends.

use core::sync::atomic::Ordering;

use enclave_layout::{IMAGE_BASE, IMAGE_END, PAGE_SIZE, USER_END, USER_START};
use sgx_arch::{ExInfo, ExitInfo, GprSgx};

use crate::area::ThreadArea;
use crate::attestation;
use crate::entry::{self, ExitWindow};
use crate::frame::{Exception, Registers, TrapFrame};
use crate::handlers;
use crate::own_memory;
use crate::processor;
use crate::user;

/// How often in a row one instruction may meet a page that is there. Each time takes some microseconds, so a host that is busy and a
/// page that comes back late are no reason to end.
const MAX_WITHHELD: u32 = 1 << 18;
/// The same for a leaf that accepts a page, which the host has promised to add by then.
const MAX_NOT_ADDED: u32 = 1 << 12;
/// TF: a trap after the next instruction.
const TRAP_FLAG: u64 = 1 << 8;

pub(crate) extern "C" fn handle() {
    let area = ThreadArea::current();
    crate::call::take_host_signals(area);
    let frame = area.slot().ssa();
    let saved = (frame + PAGE_SIZE - GprSgx::SIZE as u64) as *mut GprSgx;
    // SAFETY: this thread's own SSA frame; CSSA is 1, so the processor has filled frame 0 and lets it be.
    let mut state = unsafe { saved.read() };
    if state.gs_base != area.gs_base() {
        // A program has executed WRGSBASE, and nothing of the LibOS can run on this thread with what it wrote.
        state.gs_base = area.gs_base();
        state.rip = gs_changed as *const () as u64;
        state.rsp = area.stack_top() - 8;
        state.rflags = 2;
        // SAFETY: as above; nothing on the LibOS stack is needed any more.
        unsafe { saved.write(state) };
        return;
    }
    let mut exception = exception_of(&state, saved);
    let tries = match exception.vector {
        Exception::PAGE_FAULT if entry::is_at_leaf(state.rip) => Some(MAX_NOT_ADDED),
        Exception::PAGE_FAULT if is_present(exception) => Some(MAX_WITHHELD),
        _ => None,
    };
    if let Some(tries) = tries {
        if count_withheld(area, state.rip, exception.address) > tries {
            LAST_WORDS.report(&state, exception);
            state.rip = withheld as *const () as u64;
            state.rsp = area.stack_top() - 8;
            // SAFETY: as above; nothing on the LibOS stack is needed any more.
            unsafe { saved.write(state) };
            return;
        }
        exception.vector = Exception::NONE;
    }
    let raised = exception.vector != Exception::NONE;
    let in_libos = (IMAGE_BASE..IMAGE_END).contains(&state.rip);

    match ExitWindow::at(state.rip) {
        Some(ExitWindow::Program) => state.rip = area.user_rip(),
        Some(ExitWindow::Restart(check)) if !raised => {
            state.rip = check;
            state.rsp = area.exit_frame();
            // The direction and the alignment check may be the program's again, and the LibOS goes on first.
            state.rflags = 2;
            // SAFETY: as above; ERESUME takes these registers.
            unsafe { saved.write(state) };
            return;
        }
        _ if in_libos => {
            if !raised {
                return;
            }
            if exception.vector == Exception::DEBUG {
                // A program that steps through itself has come here by a system call, which ends stepping.
                state.rflags &= !TRAP_FLAG;
                // SAFETY: as above.
                unsafe { saved.write(state) };
                return;
            }
            let rip = user::fixup(state.rip, exception);
            match rip.or_else(|| attestation::fixup(state.rip, exception)) {
                Some(rip) => {
                    area.fault_address.store(exception.address, Ordering::Relaxed);
                    area.fault_error.store(exception.error, Ordering::Relaxed);
                    state.rip = rip;
                }
                None => {
                    LAST_WORDS.report(&state, exception);
                    state.rip = broken as *const () as u64;
                    state.rsp = (state.rsp & !15) - 136;
                }
            }
            // SAFETY: as above.
            unsafe { saved.write(state) };
            return;
        }
        _ => {}
    }
    if raised || area.pending.load(Ordering::Relaxed) != 0 {
        save_program(area, &state, exception, frame);
        state.rip = entry::trap_entry_address();
        state.rsp = trap_frame_address(area);
        state.rflags = 2;
    }
    // SAFETY: as above.
    unsafe { saved.write(state) };
}

fn exception_of(state: &GprSgx, saved: *const GprSgx) -> Exception {
    if state.exit_info & ExitInfo::VALID == 0 {
        return Exception {
            vector: Exception::NONE,
            error: 0,
            address: 0,
        };
    }
    let vector = state.exit_info & 0xff;
    let (error, address) = match vector {
        Exception::PAGE_FAULT | Exception::GENERAL_PROTECTION => {
            // SAFETY: EXINFO lies below GPRSGX in the same SSA frame (MISCSELECT.EXINFO is required).
            let bytes = unsafe { saved.cast::<[u8; ExInfo::SIZE]>().sub(1).read() };
            let info = ExInfo::from_bytes(bytes);
            (info.errcd, info.maddr)
        }
        _ => (0, 0),
    };
    Exception {
        vector,
        error,
        address,
    }
}

/// Whether the page of a page fault is committed and allows the access.
fn is_present(exception: Exception) -> bool {
    let access = exception.access();
    match exception.address {
        address @ USER_START..USER_END => handlers::kernel().is_present(address, access),
        address => own_memory::is_present(address, access),
    }
}

/// How often in a row the instruction at `rip` has met the page at `address`, which is there. Another page, another instruction or a
/// host call in between is progress, and begins a new row: honest hosts withhold pages, too, when they page them out.
fn count_withheld(area: &ThreadArea, rip: u64, address: u64) -> u32 {
    let is_same_instruction = area.withheld_at.swap(rip, Ordering::Relaxed) == rip;
    let is_same_page = area.withheld_page.swap(address, Ordering::Relaxed) == address;
    let is_same = is_same_instruction && is_same_page;
    let count = if is_same {
        area.withheld.load(Ordering::Relaxed) + 1
    } else {
        0
    };
    area.withheld.store(count, Ordering::Relaxed);
    count
}

/// Where the state of an interrupted program goes: the top of its thread's LibOS stack.
fn trap_frame_address(area: &ThreadArea) -> u64 {
    (area.stack_top() - size_of::<TrapFrame>() as u64) & !63
}

fn save_program(area: &ThreadArea, state: &GprSgx, exception: Exception, ssa: u64) {
    let frame = trap_frame_address(area) as *mut TrapFrame;
    let registers = Registers {
        r8: state.r8,
        r9: state.r9,
        r10: state.r10,
        r11: state.r11,
        r12: state.r12,
        r13: state.r13,
        r14: state.r14,
        r15: state.r15,
        rdi: state.rdi,
        rsi: state.rsi,
        rbp: state.rbp,
        rbx: state.rbx,
        rdx: state.rdx,
        rax: state.rax,
        rcx: state.rcx,
        rsp: state.rsp,
        rip: state.rip,
        rflags: state.rflags,
    };
    // SAFETY: the program was running, so its thread's LibOS stack is empty and nobody else's.
    unsafe { (&raw mut (*frame).registers).write(registers) };
    // SAFETY: as above.
    unsafe { (&raw mut (*frame).exception).write(exception) };
    // SAFETY: as above.
    let to = unsafe { &raw mut (*frame).xsave }.cast::<u8>();
    // SAFETY: the SSA frame begins with the XSAVE image of the interrupted state, which is no longer than the
    // area; the two do not overlap.
    unsafe { core::ptr::copy_nonoverlapping(ssa as *const u8, to, processor::xsave_size()) };
}

/// What is known about an exception in the LibOS itself.
struct LastWords {
    words: [core::sync::atomic::AtomicU64; 4],
}

static LAST_WORDS: LastWords = LastWords {
    words: [const { core::sync::atomic::AtomicU64::new(0) }; 4],
};

impl LastWords {
    fn words(&self) -> [u64; 4] {
        self.words.each_ref().map(|word| word.load(Ordering::Relaxed))
    }

    fn report(&self, state: &GprSgx, exception: Exception) {
        let words = [exception.vector.into(), exception.address, state.rip, state.rsp];
        for (slot, word) in self.words.iter().zip(words) {
            slot.store(word, Ordering::Relaxed);
        }
    }
}

extern "C" fn withheld() -> ! {
    let [_, address, rip, _] = LAST_WORDS.words();
    panic!("the host withholds the page at {address:#x} from the instruction at {rip:#x}")
}

extern "C" fn gs_changed() -> ! {
    panic!("a program has changed GS, which is the enclave's own in every thread")
}

extern "C" fn broken() -> ! {
    let [vector, address, rip, rsp] = LAST_WORDS.words();
    panic!("exception {vector} in the LibOS at {rip:#x} (address {address:#x}, stack {rsp:#x})")
}
