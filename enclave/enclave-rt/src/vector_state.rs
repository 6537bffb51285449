//! Vector and floating-point state: what has to be kept, cleared and brought back.
//!
//! The layout is XSAVE's standard form (SDM vol. 1, 13.4): 512 bytes of legacy area, 64 bytes of header, then
//! the components at the offsets that CPUID reports (the runtime does not need them).

use core::arch::asm;
use core::mem::MaybeUninit;

use crate::frame::XsaveArea;
use crate::processor;

/// Room for [`processor::COMPONENTS`] and what lies between them (2,688 bytes).
pub const MAX_XSAVE_SIZE: usize = 2688;

const LEGACY_FCW: usize = 0;
const LEGACY_FSW: usize = 2;
const LEGACY_MXCSR: usize = 24;
const LEGACY_XMM: usize = 160;
const HEADER: usize = 512;
const HEADER_END: usize = 576;

/// The exception flags of x87's status word and of MXCSR; masks have the same order.
const EXCEPTIONS: u16 = 0x3f;
/// XCR0 bit of SSE.
pub(crate) const SSE: u64 = 2;
/// The upper halves of YMM registers.
const AVX: u64 = 1 << 2;
/// Mask registers, the upper halves of ZMM0 to ZMM15, and ZMM16 to ZMM31.
const AVX512: u64 = 0b111 << 5;
/// The upper halves of ZMM0 to ZMM15.
const ZMM_HIGH: u64 = 1 << 6;
/// MXCSR after reset: all exceptions masked.
pub(crate) const MXCSR_DEFAULT: u32 = 0x1f80;
/// x87 control word after FNINIT.
const FCW_DEFAULT: u16 = 0x37f;

impl XsaveArea {
    /// The state that Linux gives to a fresh program.
    pub fn initial() -> Self {
        let mut area = Self([0; MAX_XSAVE_SIZE]);
        area.0[LEGACY_FCW..LEGACY_FCW + 2].copy_from_slice(&FCW_DEFAULT.to_le_bytes());
        area.0[LEGACY_MXCSR..LEGACY_MXCSR + 4].copy_from_slice(&MXCSR_DEFAULT.to_le_bytes());
        area
    }

    /// Saves the calling thread's state into the area.
    pub(crate) fn capture(&mut self) {
        self.0[HEADER..HEADER_END].fill(0);
        // SAFETY: the area is 64-aligned, large enough for these components, and exclusively ours.
        unsafe { xsave(self.0.as_mut_ptr(), processor::COMPONENTS) };
    }

    /// Overwrites one XMM register of the image.
    pub(crate) fn set_xmm(&mut self, register: usize, value: [u64; 2]) {
        let at = LEGACY_XMM + register * 16;
        self.0[at..at + 8].copy_from_slice(&value[0].to_le_bytes());
        self.0[at + 8..at + 16].copy_from_slice(&value[1].to_le_bytes());
        self.0[HEADER] |= SSE as u8;
    }

    /// The x87 exceptions that have happened and are not masked, as status bits (#MF: SDM vol. 1, 8.1.3).
    pub fn x87_exceptions(&self) -> u16 {
        let control = u16::from_le_bytes([self.0[LEGACY_FCW], self.0[LEGACY_FCW + 1]]);
        let status = u16::from_le_bytes([self.0[LEGACY_FSW], self.0[LEGACY_FSW + 1]]);
        status & !control & EXCEPTIONS
    }

    /// As [`Self::x87_exceptions`], of SSE and AVX (#XM: SDM vol. 1, 10.2.3).
    pub fn simd_exceptions(&self) -> u16 {
        let mxcsr = u16::from_le_bytes([self.0[LEGACY_MXCSR], self.0[LEGACY_MXCSR + 1]]);
        mxcsr & !(mxcsr >> 7) & EXCEPTIONS
    }

    /// Makes an image that a program may have written acceptable to XRSTOR, which faults on unknown
    /// components, on reserved bits of the header and of MXCSR.
    pub fn sanitize(&mut self) {
        let allowed = processor::components().to_le_bytes();
        for (byte, allowed) in self.0[HEADER..HEADER + 8].iter_mut().zip(allowed) {
            *byte &= allowed;
        }
        self.0[HEADER + 8..HEADER_END].fill(0);
        let mxcsr = &mut self.0[LEGACY_MXCSR..LEGACY_MXCSR + 4];
        // Bits above 15 are reserved (SDM vol. 1, 10.2.3).
        mxcsr[2..].fill(0);
    }
}

/// # Safety
/// `to` is 64-byte aligned, writable for the size of XFRM's state, and its header is zero or an XSAVE's.
unsafe fn xsave(to: *mut u8, mask: u64) {
    // SAFETY: the caller's promise.
    unsafe {
        asm!("xsave64 [{}]", in(reg) to, in("eax") mask as u32, in("edx") (mask >> 32) as u32,
            options(nostack, preserves_flags));
    }
}

/// # Safety
/// `from` is 64-byte aligned and holds an image that XRSTOR accepts. The components in `mask` are not SSE's
/// (the compiler owns the XMM registers).
unsafe fn xrstor(from: *const u8, mask: u64) {
    // SAFETY: the caller's promise.
    unsafe {
        asm!("xrstor64 [{}]", in(reg) from, in("eax") mask as u32, in("edx") (mask >> 32) as u32,
            options(nostack, preserves_flags));
    }
}

/// The image that brings components to their initial state.
pub(crate) static INITIAL: XsaveArea = {
    let mut bytes = [0; MAX_XSAVE_SIZE];
    [bytes[LEGACY_FCW], bytes[LEGACY_FCW + 1]] = FCW_DEFAULT.to_le_bytes();
    [bytes[LEGACY_MXCSR], bytes[LEGACY_MXCSR + 1], _, _] = MXCSR_DEFAULT.to_le_bytes();
    XsaveArea(bytes)
};

/// Runs `leave`, which leaves the enclave, with everything but the XMM registers hidden from the host and
/// brought back afterwards. Whatever the host leaves behind, it is gone then, MXCSR and x87's control word included.
///
/// Programs that use only SSE pay two XGETBV. Those whose C library uses AVX or AVX-512 (glibc's string functions leave
/// AVX-512's registers in use for ever) pay some moves: XRSTOR alone takes as long as all the rest of a call.
pub fn hidden(leave: impl FnOnce()) {
    let mxcsr = mxcsr();
    let used = processor::xinuse() & !SSE;
    if used & AVX512 != 0 {
        hidden_wide(used, leave);
    } else if used != 0 {
        hidden_used(used, leave);
    } else {
        leave();
        // What the host has touched meanwhile goes back to the initial state.
        initialize(processor::xinuse() & !SSE);
    }
    // Last: XRSTOR loads MXCSR as well, when it restores AVX's state, and even when it just initialises it.
    set_mxcsr(mxcsr);
}

fn mxcsr() -> u32 {
    let mut value = 0u32;
    // SAFETY: stores a register to a word of ours.
    unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut value, options(nostack, preserves_flags)) };
    value
}

fn set_mxcsr(value: u32) {
    // SAFETY: the program's own value, so no reserved bit is set. The LibOS computes nothing with it.
    unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const value, options(nostack, preserves_flags, readonly)) };
}

/// Brings components, not SSE's, to their initial state.
fn initialize(components: u64) {
    if components != 0 {
        // SAFETY: a valid image, and no SSE in the mask.
        unsafe { xrstor(INITIAL.0.as_ptr(), components) };
    }
}

/// As [`hidden`], when AVX-512's state is in use, and so perhaps AVX's.
fn hidden_wide(used: u64, leave: impl FnOnce()) {
    let others = used & !(AVX | AVX512);
    if others != 0 {
        return hidden_used(used, leave);
    }
    // Often just ZMM16 and up are: glibc clears the upper halves of the others itself.
    let is_low_used = used & (AVX | ZMM_HIGH) != 0;
    let mut low = MaybeUninit::<LowState>::uninit();
    let mut high = MaybeUninit::<HighState>::uninit();
    if is_low_used {
        // SAFETY: AVX-512 is there, since its state is in use, and there is room.
        unsafe { save_low(low.as_mut_ptr()) };
    }
    // SAFETY: as above.
    unsafe { save_high(high.as_mut_ptr()) };
    leave();
    // SAFETY: saved above.
    unsafe { restore_high(high.as_ptr()) };
    if is_low_used {
        // SAFETY: saved above.
        unsafe { restore_low(low.as_ptr()) };
    } else {
        // SAFETY: AVX is there, too; nothing of the upper halves is anybody's.
        unsafe { asm!("vzeroupper", options(nomem, nostack, preserves_flags)) };
    }
    initialize(processor::xinuse() & !(SSE | AVX | AVX512));
}

fn hidden_used(used: u64, leave: impl FnOnce()) {
    let mut area = MaybeUninit::<XsaveArea>::uninit();
    let bytes = area.as_mut_ptr().cast::<u8>();
    // XSAVE writes the components that are in use and XRSTOR reads MXCSR, which is none of them: nothing may come from memory
    // that nobody has written, since the loader chooses what a fresh stack holds.
    // SAFETY: the legacy area and the header lie within the area.
    unsafe { bytes.write_bytes(0, HEADER_END) };
    // SAFETY: aligned and large enough; the header is zero.
    unsafe { xsave(bytes, used) };
    // SAFETY: a valid image, and no SSE in the mask.
    unsafe { xrstor(INITIAL.0.as_ptr(), used) };
    leave();
    let components = (used | processor::xinuse()) & !SSE;
    // SAFETY: XSAVE has written the image; components that it does not hold go to their initial state.
    unsafe { xrstor(bytes, components) };
}

/// ZMM0 to ZMM15.
#[repr(C, align(64))]
struct LowState([[u64; 8]; 16]);

/// ZMM16 to ZMM31 and K0 to K7.
#[repr(C, align(64))]
struct HighState {
    zmm: [[u64; 8]; 16],
    k: [u64; 8],
}

const _: () = assert!(core::mem::offset_of!(HighState, k) == 1024);

/// Saves the low registers and clears what is not XMM's.
///
/// # Safety
/// The processor has AVX-512, and `to` has room.
#[inline(always)]
unsafe fn save_low(to: *mut LowState) {
    // SAFETY: the caller's promise; the compiler does not use what is cleared.
    unsafe {
        asm!(
            ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
            "vmovdqa64 [{to} + \\n * 64], zmm\\n",
            ".endr",
            "vzeroupper",
            to = in(reg) to,
            options(nostack, preserves_flags),
        );
    }
}

/// Brings back what [`save_low`] has saved.
///
/// # Safety
/// As there, and `from` holds a state.
#[inline(always)]
unsafe fn restore_low(from: *const LowState) {
    // SAFETY: the caller's promise; the compiler knows that the XMM registers change.
    unsafe {
        asm!(
            ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15",
            "vmovdqa64 zmm\\n, [{from} + \\n * 64]",
            ".endr",
            from = in(reg) from,
            out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _, out("xmm4") _, out("xmm5") _,
            out("xmm6") _, out("xmm7") _, out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
            out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
            options(nostack, preserves_flags, readonly),
        );
    }
}

/// Saves the high registers and clears them.
///
/// # Safety
/// The processor has AVX-512 with 64-bit masks (AVX512BW, which every processor with SGX2 or Zen 4 has), and `to` has room.
#[inline(always)]
unsafe fn save_high(to: *mut HighState) {
    // SAFETY: the caller's promise; the compiler does not use these registers.
    unsafe {
        asm!(
            ".irp n,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
            "vmovdqa64 [{to} + (\\n - 16) * 64], zmm\\n",
            ".endr",
            ".irp n,0,1,2,3,4,5,6,7",
            "kmovq [{to} + 1024 + \\n * 8], k\\n",
            "kxorq k\\n, k\\n, k\\n",
            ".endr",
            ".irp n,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
            "vpxorq xmm\\n, xmm\\n, xmm\\n",
            ".endr",
            to = in(reg) to,
            options(nostack, preserves_flags),
        );
    }
}

/// Brings back what [`save_high`] has saved.
///
/// # Safety
/// As there, and `from` holds a state.
#[inline(always)]
unsafe fn restore_high(from: *const HighState) {
    // SAFETY: the caller's promise; the compiler does not use these registers.
    unsafe {
        asm!(
            ".irp n,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
            "vmovdqa64 zmm\\n, [{from} + (\\n - 16) * 64]",
            ".endr",
            ".irp n,0,1,2,3,4,5,6,7",
            "kmovq k\\n, [{from} + 1024 + \\n * 8]",
            ".endr",
            from = in(reg) from,
            options(nostack, preserves_flags, readonly),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::sync::atomic::{AtomicU64, Ordering};

    /// Puts a value into the upper half of YMM5 and, if there is AVX-512, into ZMM20 and K3.
    fn fill(value: u64, wide: bool) {
        // SAFETY: the processor has AVX (the test looks); the compiler does not use these registers' upper parts.
        unsafe {
            asm!("vmovq xmm5, {0}", "vinsertf128 ymm5, ymm5, xmm5, 1", in(reg) value, out("xmm5") _,
                options(nostack, preserves_flags));
        }
        if wide {
            // SAFETY: as above, with AVX-512.
            unsafe {
                asm!("vpbroadcastq zmm20, {0}", "kmovq k3, {0}", in(reg) value, options(nostack, preserves_flags));
            }
        }
    }

    /// The upper half of YMM5, the top of ZMM20, and K3.
    fn found(wide: bool) -> [u64; 3] {
        let (upper, mut top, mut mask) = (0u64, 0u64, 0u64);
        // SAFETY: as in `fill`.
        let upper = unsafe {
            let mut upper = upper;
            asm!("vextractf128 xmm5, ymm5, 1", "vmovq {0}, xmm5", inout(reg) upper, out("xmm5") _,
                options(nostack, preserves_flags));
            upper
        };
        if wide {
            // SAFETY: as above.
            unsafe {
                asm!("vextracti64x4 ymm5, zmm20, 1", "vextracti128 xmm5, ymm5, 1", "vmovq {0}, xmm5", "kmovq {1}, k3",
                    inout(reg) top, inout(reg) mask, out("xmm5") _, options(nostack, preserves_flags));
            }
        }
        [upper, top, mask]
    }

    #[test]
    fn a_call_hides_what_only_avx_512_has_and_brings_it_back() {
        if processor::components() & AVX512 != AVX512 {
            println!("SKIPPED: this processor has no AVX-512");
            return;
        }
        const SECRET: u64 = 0x5ec2_e75e_c2e7_5ec2;
        let seen = [const { AtomicU64::new(u64::MAX) }; 3];
        fill(SECRET, true);
        // SAFETY: as in `fill`.
        unsafe { asm!("vzeroupper", options(nomem, nostack, preserves_flags)) };
        hidden(|| {
            for (place, value) in seen.iter().zip(found(true)) {
                place.store(value, Ordering::Relaxed);
            }
            fill(!SECRET, true);
        });
        assert_eq!(
            found(true),
            [0, SECRET, SECRET],
            "what the program had, and nothing of the host's"
        );
        assert_eq!(seen.map(AtomicU64::into_inner), [0; 3], "what the host saw");
    }

    #[test]
    fn a_call_hides_vector_state_and_brings_it_back() {
        const SECRET: u64 = 0x5ec2_e75e_c2e7_5ec2;
        let wide = processor::components() & AVX512 == AVX512;
        if processor::components() & AVX == 0 {
            println!("SKIPPED: this processor has no AVX");
            return;
        }
        let seen = [const { AtomicU64::new(u64::MAX) }; 3];
        fill(SECRET, wide);
        hidden(|| {
            for (place, value) in seen.iter().zip(found(wide)) {
                place.store(value, Ordering::Relaxed);
            }
            fill(!SECRET, wide);
        });
        let after = found(wide);
        let expected = if wide { [SECRET; 3] } else { [SECRET, 0, 0] };
        assert_eq!(after, expected, "what the program had");
        let seen = seen.map(AtomicU64::into_inner);
        assert_eq!(seen, [0; 3], "what the host saw");
    }
}
