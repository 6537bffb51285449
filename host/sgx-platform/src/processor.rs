//! The state components and registers of this processor, as the emulator needs them.

use std::arch::asm;
use std::arch::x86_64::__cpuid_count;
use std::sync::OnceLock;

use sgx_arch::{Attributes, SigStruct, Xfrm};

/// State components that an enclave's SSA frame of one page has room for. Protection keys are left out: programs do not
/// need them.
pub(crate) const COMPONENTS: u64 = Xfrm::LEGACY.0 | Xfrm::AVX | Xfrm::AVX512;

/// The attributes of an enclave with this signature on this machine: where the signature leaves the choice, what the
/// processor has.
pub fn attributes(signature: &SigStruct) -> Attributes {
    let (wanted, mask) = (signature.attributes, signature.attributes_mask);
    let xfrm = wanted.xfrm.0 & mask.xfrm.0 | xcr0() & COMPONENTS & !mask.xfrm.0;
    Attributes {
        flags: wanted.flags,
        xfrm: Xfrm(xfrm),
    }
}

/// The state components that the operating system has enabled.
pub(crate) fn xcr0() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: every processor with XSAVE has it; `requirements` asks for XSAVE.
    unsafe {
        asm!("xgetbv", in("ecx") 0, out("eax") low, out("edx") high, options(nomem, nostack, preserves_flags));
    }
    u64::from(high) << 32 | u64::from(low)
}

/// Where a component of the extended state lies in an XSAVE image in standard form, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct StatePart {
    pub(crate) component: u32,
    pub(crate) offset: usize,
    pub(crate) len: usize,
}

/// The parts of an image that an enclave may have, behind its legacy area and header. Processors do not agree where
/// AVX-512's lie: Intel's leave the place of MPX free, AMD's do not.
pub(crate) fn extended_state() -> &'static [StatePart] {
    static PARTS: OnceLock<Vec<StatePart>> = OnceLock::new();
    PARTS.get_or_init(|| {
        let components = (2..Xfrm::BITS).filter(|component| COMPONENTS >> component & 1 != 0);
        let parts = components.map(|component| {
            // SDM volume 1, 13.2 and 13.4.3.
            let answer = __cpuid_count(0xd, component);
            StatePart {
                component,
                offset: answer.ebx as usize,
                len: answer.eax as usize,
            }
        });
        parts.filter(|part| part.len != 0).collect()
    })
}

/// The base of FS: the host thread's own pointer.
pub(crate) fn fs_base() -> u64 {
    let base;
    // SAFETY: reads a register; `requirements` asks for FSGSBASE.
    unsafe { asm!("rdfsbase {}", out(reg) base, options(nomem, nostack, preserves_flags)) };
    base
}

/// The base of GS, which the host does not use: at an exit, the enclave's.
pub(crate) fn gs_base() -> u64 {
    let base;
    // SAFETY: as above.
    unsafe { asm!("rdgsbase {}", out(reg) base, options(nomem, nostack, preserves_flags)) };
    base
}
