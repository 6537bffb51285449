//! CPUID, which is illegal in an enclave: what programs are answered in its place.
//!
//! Answers come from a table that the host gave at boot. They are claims: a host can make a program believe in instructions that then
//! trap, or hide some, which costs speed; it cannot make an instruction compute wrongly. What programs size memory by is no claim: the
//! leaf of XSAVE is answered from the enclave's own state components, and a table that contradicts them is refused. Features whose
//! state the enclave does not have are left out.

use alloc::vec::Vec;

use enclave_rt::state_component::StateComponent;
use host_abi::CpuidEntry;

const EAX: usize = 0;
const EBX: usize = 1;
const ECX: usize = 2;
const EDX: usize = 3;

/// The leaf of XSAVE (SDM vol. 2A, CPUID, leaf 0DH).
const XSAVE: u32 = 0xd;
/// Bytes of an XSAVE image's legacy area and header.
const LEGACY_SIZE: u32 = 576;

// State components: bits of XCR0 and IA32_XSS (SDM vol. 1, 13.1).
const AVX: u64 = 1 << 2;
const MPX: u64 = 0b11 << 3;
const AVX512: u64 = 0b111 << 5;
const PKRU: u64 = 1 << 9;
const CET: u64 = 0b11 << 11;
const UINTR: u64 = 1 << 14;
const AMX: u64 = 0b11 << 17;
const APX: u64 = 1 << 19;

/// A register of an answer, bits of it, and the components that what they announce needs.
struct Feature {
    leaf: u32,
    subleaf: u32,
    register: usize,
    bits: u32,
    needs: u64,
}

const fn feature(leaf: u32, subleaf: u32, register: usize, bits: &[u32], needs: u64) -> Feature {
    let mut mask = 0;
    let mut rest = bits;
    while let [bit, behind @ ..] = rest {
        mask |= 1 << *bit;
        rest = behind;
    }
    Feature {
        leaf,
        subleaf,
        register,
        bits: mask,
        needs,
    }
}

/// All bits of a register.
const fn whole(leaf: u32, subleaf: u32, register: usize, needs: u64) -> Feature {
    Feature {
        leaf,
        subleaf,
        register,
        bits: u32::MAX,
        needs,
    }
}

/// SDM vol. 2A, CPUID, and vol. 1, 13.2; AMD's APM vol. 3, appendix E, for leaf 0x8000_0001.
const FEATURES: &[Feature] = &[
    // FMA, AVX, F16C.
    feature(1, 0, ECX, &[12, 28, 29], AVX),
    // MPX.
    feature(7, 0, EBX, &[14], MPX),
    // AVX2.
    feature(7, 0, EBX, &[5], AVX),
    // F, DQ, IFMA, PF, ER, CD, BW, VL.
    feature(7, 0, EBX, &[16, 17, 21, 26, 27, 28, 30, 31], AVX512),
    // VBMI, VBMI2, VNNI, BITALG, VPOPCNTDQ.
    feature(7, 0, ECX, &[1, 6, 11, 12, 14], AVX512),
    // PKU, OSPKE.
    feature(7, 0, ECX, &[3, 4], PKRU),
    // Shadow stacks; indirect branch tracking.
    feature(7, 0, ECX, &[7], CET),
    feature(7, 0, EDX, &[20], CET),
    // VAES, VPCLMULQDQ.
    feature(7, 0, ECX, &[9, 10], AVX),
    // 4VNNIW, 4FMAPS, VP2INTERSECT, FP16.
    feature(7, 0, EDX, &[2, 3, 8, 23], AVX512),
    feature(7, 0, EDX, &[5], UINTR),
    // BF16, TILE, INT8.
    feature(7, 0, EDX, &[22, 24, 25], AMX),
    // SHA512, SM3, SM4, AVX-VNNI, AVX-IFMA.
    feature(7, 1, EAX, &[0, 1, 2, 4, 23], AVX),
    // AVX512-BF16.
    feature(7, 1, EAX, &[5], AVX512),
    // FP16; COMPLEX.
    feature(7, 1, EAX, &[21], AMX),
    feature(7, 1, EDX, &[8], AMX),
    // AVX-VNNI-INT8, AVX-NE-CONVERT, AVX-VNNI-INT16.
    feature(7, 1, EDX, &[4, 5, 10], AVX),
    // AVX10.
    feature(7, 1, EDX, &[19], AVX512),
    feature(7, 1, EDX, &[18], CET),
    feature(7, 1, EDX, &[21], APX),
    // XOP, FMA4.
    feature(0x8000_0001, 0, ECX, &[11, 16], AVX),
    // Tiles and their multiplications.
    whole(0x1d, 0, EAX, AMX),
    whole(0x1d, 1, EAX, AMX),
    whole(0x1d, 1, EBX, AMX),
    whole(0x1d, 1, ECX, AMX),
    whole(0x1e, 0, EBX, AMX),
    // The version of AVX10.
    whole(0x24, 0, EBX, AVX512),
];

/// FSGSBASE (leaf 7, EBX). Programs may set FS by WRFSBASE, but GS is the LibOS's own.
const FSGSBASE: u32 = 1 << 0;

/// The host's table says otherwise than the processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Contradiction(pub(crate) &'static str);

/// The answers.
pub(crate) struct Cpuid {
    table: Vec<CpuidEntry>,
    /// The enclave's XCR0.
    components: u64,
    layout: Vec<StateComponent>,
}

impl Cpuid {
    /// Answers from the host's `table` for an enclave that has these `components` (bits of XCR0), which lie in an XSAVE image as
    /// `layout` says.
    pub(crate) fn new(
        table: Vec<CpuidEntry>,
        components: u64,
        layout: Vec<StateComponent>,
    ) -> Result<Self, Contradiction> {
        let cpuid = Self {
            table,
            components,
            layout,
        };
        cpuid.check()?;
        Ok(cpuid)
    }

    /// What an honest host's table must say of a processor on which this enclave runs.
    fn check(&self) -> Result<(), Contradiction> {
        /// XSAVE, and that the operating system has enabled it (OSXSAVE).
        const XSAVE_IN_USE: u32 = 0b11 << 26;
        const HAS_AVX: u32 = 1 << 28;
        const HAS_AVX512F: u32 = 1 << 16;
        let is_claimed = |leaf, register: usize, bits| {
            let claim = self.claim(leaf, 0).get(register).copied().unwrap_or(0);
            claim & bits == bits
        };
        let [low, _, _, high] = self.claim(XSAVE, 0);
        let claimed = u64::from(high) << 32 | u64::from(low);
        if !is_claimed(1, ECX, XSAVE_IN_USE) || self.components & !claimed != 0 {
            return Err(Contradiction("it lacks state components that the enclave has"));
        }
        if self.components & AVX != 0 && !is_claimed(1, ECX, HAS_AVX)
            || self.components & AVX512 != 0 && !is_claimed(7, EBX, HAS_AVX512F)
        {
            return Err(Contradiction("it lacks instructions whose state the enclave has"));
        }
        let is_placed = |component: &StateComponent| {
            let [size, offset, ..] = self.claim(XSAVE, component.number);
            (size, offset) == (component.size, component.offset)
        };
        if !self.layout.iter().all(is_placed) {
            return Err(Contradiction(
                "it puts state components elsewhere than XSAVE does",
            ));
        }
        Ok(())
    }

    /// The host's answer; zeros for a leaf that is not in the table, as for one beyond the highest.
    fn claim(&self, leaf: u32, subleaf: u32) -> [u32; 4] {
        let of_leaf = || self.table.iter().filter(|entry| entry.leaf == leaf);
        let exact = of_leaf().find(|entry| entry.subleaf == subleaf);
        // Leaves without subleaves ignore ECX; those that have them are in the table with more than one.
        let any = || of_leaf().next().filter(|_| of_leaf().count() == 1);
        exact.or_else(any).map_or([0; 4], |entry| entry.registers)
    }

    /// EAX, EBX, ECX and EDX after CPUID with `leaf` in EAX and `subleaf` in ECX.
    pub(crate) fn answer(&self, leaf: u32, subleaf: u32) -> [u32; 4] {
        if leaf == XSAVE {
            return self.xsave(subleaf);
        }
        let mut answer = self.claim(leaf, subleaf);
        let absent = FEATURES.iter().filter(|feature| {
            feature.leaf == leaf
                && feature.subleaf == subleaf
                && self.components & feature.needs != feature.needs
        });
        for feature in absent {
            if let Some(register) = answer.get_mut(feature.register) {
                *register &= !feature.bits;
            }
        }
        if (leaf, subleaf) == (7, 0) {
            let [_, features, ..] = &mut answer;
            *features &= !FSGSBASE;
        }
        answer
    }

    /// Leaf 0xD: what XSAVE and its kin save, and where.
    fn xsave(&self, subleaf: u32) -> [u32; 4] {
        /// XSAVEC, and XGETBV with ECX = 1: the LibOS needs them itself.
        const OWN_INSTRUCTIONS: u32 = 0b110;
        const XSAVEOPT: u32 = 1;
        match subleaf {
            0 => {
                let end = |component: &StateComponent| component.offset.saturating_add(component.size);
                let size = self.layout.iter().map(end).max().unwrap_or(LEGACY_SIZE);
                let [low, high] = [self.components, self.components >> 32].map(|word| word as u32);
                [low, size, size, high]
            }
            1 => {
                let [claimed, ..] = self.claim(XSAVE, 1);
                // In compact form one follows the other: none of these components is to be aligned.
                let sizes = self.layout.iter().map(|component| component.size);
                let size = sizes.fold(LEGACY_SIZE, u32::saturating_add);
                [claimed & XSAVEOPT | OWN_INSTRUCTIONS, size, 0, 0]
            }
            number => {
                let component = self.layout.iter().find(|component| component.number == number);
                component.map_or([0; 4], |component| [component.size, component.offset, 0, 0])
            }
        }
    }
}

#[cfg(test)]
mod tests;
