//! Instructions that the kernel can forbid to a thread: they raise #GP then, and the emulator answers.
//!
//! - CPUID is illegal in an enclave (SDM vol. 3D, 39.6.1: #UD). Where the processor has CPUID faulting, it is so here. Where it has not,
//!   CPUID executes, unless the thread is stepped through.
//! - RDTSC is legal; a hostile kernel chooses what it gives.
//!
//! The host's own code in the same thread goes on to execute both.

use std::arch::x86_64::{__cpuid_count, __rdtscp};
use std::io;

use enclave_layout::ELRANGE_SIZE;

use super::{address_space, hostile};

/// One that can be forbidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Privileged {
    Cpuid,
    Rdtsc,
}

impl Privileged {
    /// Lets it fault in the calling thread, and in all that it starts.
    pub(super) fn forbid(self) -> io::Result<()> {
        self.set(false)
    }

    fn set(self, is_allowed: bool) -> io::Result<()> {
        /// arch/x86/include/uapi/asm/prctl.h.
        const ARCH_SET_CPUID: libc::c_long = 0x1012;
        let result = match self {
            // SAFETY: what faults is answered by the emulator's signal handler.
            Self::Cpuid => unsafe {
                libc::syscall(
                    libc::SYS_arch_prctl,
                    ARCH_SET_CPUID,
                    libc::c_ulong::from(is_allowed),
                )
            },
            Self::Rdtsc => {
                let how = if is_allowed {
                    libc::PR_TSC_ENABLE
                } else {
                    libc::PR_TSC_SIGSEGV
                };
                // SAFETY: as above.
                unsafe { libc::prctl(libc::PR_SET_TSC, how) }.into()
            }
        };
        match result {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Does something that executes it.
    fn allowed<T>(self, work: impl FnOnce() -> T) -> io::Result<T> {
        self.set(true)?;
        let result = work();
        self.set(false)?;
        Ok(result)
    }
}

/// The registers that the instructions take and give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Registers {
    pub(super) rip: u64,
    pub(super) rax: u64,
    pub(super) rbx: u64,
    pub(super) rcx: u64,
    pub(super) rdx: u64,
}

/// What becomes of a thread that has met #GP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The instruction is done.
    Done(Registers),
    /// It is illegal in an enclave: #UD.
    Illegal,
}

/// The answer for a thread at one of these instructions that is forbidden to it. None for any other, and where the kernel does not play
/// along.
pub(super) fn answer(registers: Registers) -> Option<Answer> {
    let in_enclave = registers.rip < ELRANGE_SIZE;
    let low = |word: u64| word & u64::from(u32::MAX);
    match address_space::read::<3>(registers.rip)? {
        [0x0f, 0xa2, _] if in_enclave => Some(Answer::Illegal),
        [0x0f, 0xa2, _] => {
            let (leaf, subleaf) = (registers.rax as u32, registers.rcx as u32);
            let told = Privileged::Cpuid.allowed(|| __cpuid_count(leaf, subleaf)).ok()?;
            Some(Answer::Done(Registers {
                rip: registers.rip + 2,
                rax: told.eax.into(),
                rbx: told.ebx.into(),
                rcx: told.ecx.into(),
                rdx: told.edx.into(),
            }))
        }
        // RDTSC, RDTSCP.
        bytes @ ([0x0f, 0x31, _] | [0x0f, 0x01, 0xf9]) => {
            let mut aux = 0;
            // SAFETY: every processor with AVX has it.
            let now = Privileged::Rdtsc.allowed(|| unsafe { __rdtscp(&mut aux) }).ok()?;
            let told = if in_enclave { hostile::counter(now) } else { now };
            let (len, rcx) = match bytes {
                [_, 0x01, _] => (3, aux.into()),
                _ => (2, registers.rcx),
            };
            Some(Answer::Done(Registers {
                rip: registers.rip + len,
                rax: low(told),
                rdx: told >> 32,
                rcx,
                ..registers
            }))
        }
        _ => None,
    }
}
