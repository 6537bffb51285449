//! Vector and floating-point state: what has to be kept, cleared and brought back.
//!
//! The layout is XSAVE's standard form (SDM vol. 1, 13.4): 512 bytes of legacy area, 64 bytes of header, then
//! the components at the offsets that CPUID reports (the runtime does not need them).

use core::arch::asm;
use core::mem::MaybeUninit;

use crate::frame::XsaveArea;
use crate::processor;

/// Room for x87, SSE, AVX, MPX, AVX-512 and PKRU (2,696 bytes), rounded up.
pub const XSAVE_MAX: usize = 2752;

const LEGACY_FCW: usize = 0;
const LEGACY_FSW: usize = 2;
const LEGACY_MXCSR: usize = 24;
const LEGACY_XMM: usize = 160;
const HEADER: usize = 512;
const HEADER_END: usize = 576;

/// The exception flags of x87's status word and of MXCSR; masks have the same order.
const EXCEPTIONS: u16 = 0x3f;
/// XCR0 bit of SSE.
const SSE: u64 = 2;
/// MXCSR after reset: all exceptions masked.
const MXCSR_DEFAULT: u32 = 0x1f80;
/// x87 control word after FNINIT.
const FCW_DEFAULT: u16 = 0x37f;

impl XsaveArea {
    /// The state that Linux gives to a fresh program.
    pub fn initial() -> Self {
        let mut area = Self([0; XSAVE_MAX]);
        area.0[LEGACY_FCW..LEGACY_FCW + 2].copy_from_slice(&FCW_DEFAULT.to_le_bytes());
        area.0[LEGACY_MXCSR..LEGACY_MXCSR + 4].copy_from_slice(&MXCSR_DEFAULT.to_le_bytes());
        area
    }

    /// Saves the calling thread's state into the area.
    pub(crate) fn capture(&mut self) {
        self.0[HEADER..HEADER_END].fill(0);
        // SAFETY: the area is 64-aligned, large enough for every component of XFRM, and exclusively ours.
        unsafe { xsave(self.0.as_mut_ptr(), u64::MAX) };
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
        let allowed = processor::xcr0().to_le_bytes();
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
static INITIAL: XsaveArea = {
    let mut bytes = [0; XSAVE_MAX];
    [bytes[LEGACY_FCW], bytes[LEGACY_FCW + 1]] = FCW_DEFAULT.to_le_bytes();
    [bytes[LEGACY_MXCSR], bytes[LEGACY_MXCSR + 1], _, _] = MXCSR_DEFAULT.to_le_bytes();
    XsaveArea(bytes)
};

/// Runs `leave`, which leaves the enclave, with everything but the XMM registers hidden from the host and
/// brought back afterwards. Programs that use only SSE (most, most of the time) pay two XGETBV.
pub fn hidden(leave: impl FnOnce()) {
    let used = processor::xinuse() & !SSE;
    if used != 0 {
        return hidden_used(used, leave);
    }
    leave();
    // What the host has touched meanwhile goes back to the initial state.
    let touched = processor::xinuse() & !SSE;
    if touched != 0 {
        // SAFETY: a valid image, and no SSE in the mask.
        unsafe { xrstor(INITIAL.0.as_ptr(), touched) };
    }
}

#[cold]
fn hidden_used(used: u64, leave: impl FnOnce()) {
    let mut area = MaybeUninit::<XsaveArea>::uninit();
    let bytes = area.as_mut_ptr().cast::<u8>();
    // SAFETY: within the area.
    let header = unsafe { bytes.add(HEADER) };
    // SAFETY: the header lies within the area.
    unsafe { header.write_bytes(0, HEADER_END - HEADER) };
    // SAFETY: aligned and large enough; the header is zero.
    unsafe { xsave(bytes, used) };
    // SAFETY: a valid image, and no SSE in the mask.
    unsafe { xrstor(INITIAL.0.as_ptr(), used) };
    leave();
    let components = (used | processor::xinuse()) & !SSE;
    // SAFETY: XSAVE has written the image; components that it does not hold go to their initial state.
    unsafe { xrstor(bytes, components) };
}
