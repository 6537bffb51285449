//! Single-stepping: what a hostile kernel does with the processor's timer (SGX-Step), here by the trap flag.
//!
//! A thread executes one instruction after the other, and is interrupted after some that are chosen at random. So an interrupt meets
//! every place of a program and of the LibOS's entries and exits. On the way, instructions that are illegal in an enclave and that this
//! machine would execute are found before they are: CPUID raises #UD.
//!
//! The trap flag is the program's own as well. The LibOS keeps it over a system call like any flag, which is how stepping goes on
//! behind it; in the LibOS it ends after [`MOST_IN_LIBOS`] instructions. PUSHFQ and POPFQ are done here, or they would show the flag
//! and lose it. So a program that steps through itself cannot be stepped through.

use std::ops::Range;

use enclave_layout::{ELRANGE_SIZE, IMAGE_BASE, IMAGE_END};

use sgx_arch::SecInfo;

use super::address_space;
use super::context::Context;
use super::epcm::Epcm;

/// TF of RFLAGS.
pub(super) const TRAP_FLAG: u64 = 1 << 8;

const LIBOS: Range<u64> = IMAGE_BASE..IMAGE_END;

/// How many instructions of the LibOS are stepped through at a time: its entry code, and some of what follows.
const MOST_IN_LIBOS: u64 = 200;
/// One instruction in so many is followed by an interrupt.
const INTERRUPT_EVERY: u64 = 61;

const CPUID: [u8; 2] = [0x0f, 0xa2];
const PUSHFQ: u8 = 0x9c;
const POPFQ: u8 = 0x9d;
/// What POPFQ loads: CF, PF, AF, ZF, SF, TF, DF, OF, NT, AC and ID.
const POPPED_FLAGS: u64 = 0x24_4dd5;

/// The registers that a step may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Registers {
    pub(super) rip: u64,
    pub(super) rsp: u64,
    pub(super) rflags: u64,
}

/// What comes after an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The thread goes on.
    GoOn,
    /// An interrupt, at this instruction.
    Interrupt,
    /// The next instruction is illegal: #UD.
    Illegal,
}

impl Context {
    /// Lets the next `count` instructions be stepped through.
    pub(super) fn begin_steps(&mut self, count: u64) {
        self.steps = count;
        // Any seed but 0: the same places each time, and others in each thread.
        self.random = self.tcs | 1;
        self.unusual = (count != 0).into();
    }

    /// A program that is interrupted with these flags and goes on later: it is stepped through then.
    pub(super) fn flags_to_resume(&self, rip: u64, rflags: u64) -> u64 {
        match self.steps {
            0 => rflags,
            _ if LIBOS.contains(&rip) => rflags,
            _ => rflags | TRAP_FLAG,
        }
    }

    /// An instruction has been executed with the trap flag set, and the one at `registers.rip` is next.
    pub(super) fn step(&mut self, epcm: Epcm, registers: &mut Registers) -> Step {
        if registers.rip >= ELRANGE_SIZE {
            // A leaf's fast path ends in the enclave again; everything else here is the host's.
            let is_over =
                registers.rip != address_space::TRAMPOLINE && !super::crossing::is_leaf(registers.rip);
            if is_over {
                registers.rflags &= !TRAP_FLAG;
                self.steps_in_libos = 0;
            }
            return Step::GoOn;
        }
        let in_libos = LIBOS.contains(&registers.rip);
        self.steps_in_libos = if in_libos { self.steps_in_libos + 1 } else { 0 };
        self.steps = self.steps.saturating_sub(1);
        if self.steps == 0 || self.steps_in_libos > MOST_IN_LIBOS {
            registers.rflags &= !TRAP_FLAG;
            self.steps_in_libos = 0;
            return Step::GoOn;
        }
        loop {
            let is_done = match address_space::read::<2>(registers.rip) {
                Some(CPUID) => return Step::Illegal,
                Some([POPFQ, _]) => pop_flags(epcm, registers),
                // The LibOS keeps the flag for the way back.
                Some([PUSHFQ, _]) if !in_libos => push_flags(epcm, registers),
                _ => false,
            };
            if !is_done {
                break;
            }
        }
        let is_chosen = self.cssa == 0 && self.next_random().is_multiple_of(INTERRUPT_EVERY);
        if is_chosen { Step::Interrupt } else { Step::GoOn }
    }

    fn next_random(&mut self) -> u64 {
        // Marsaglia's xorshift.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}

/// Does POPFQ. Where the enclave cannot access its stack, the instruction is left to the processor, which raises the fault.
fn pop_flags(epcm: Epcm, registers: &mut Registers) -> bool {
    let is_readable = epcm.allows(registers.rsp, SecInfo::R);
    let Some(word) = is_readable.then(|| address_space::read(registers.rsp)).flatten() else {
        return false;
    };
    let loaded = u64::from_le_bytes(word) & POPPED_FLAGS;
    registers.rflags = registers.rflags & !POPPED_FLAGS | loaded | TRAP_FLAG;
    registers.rsp += 8;
    registers.rip += 1;
    true
}

/// Does PUSHFQ, likewise.
fn push_flags(epcm: Epcm, registers: &mut Registers) -> bool {
    let to = registers.rsp.wrapping_sub(8);
    let word = (registers.rflags & !TRAP_FLAG).to_le_bytes();
    let is_done = epcm.allows(to, SecInfo::W) && address_space::write(to, &word);
    if is_done {
        registers.rsp = to;
        registers.rip += 1;
    }
    is_done
}
