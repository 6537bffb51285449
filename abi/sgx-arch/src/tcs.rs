//! TCS: a thread control structure, one page of which 72 bytes are defined (SDM 37.8).

use crate::Malformed;
use crate::field::{get_u32, get_u64, is_zero, put};

/// The fields that an enclave's author chooses. STATE, CSSA and AEP belong to the hardware and are zero when a
/// TCS is added. All offsets count from the start of ELRANGE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tcs {
    /// [`Tcs::DBGOPTIN`] or 0.
    pub flags: u64,
    /// First SSA frame (OSSA).
    pub ssa: u64,
    /// SSA frames (NSSA).
    pub ssa_frames: u32,
    /// Where EENTER goes (OENTRY).
    pub entry: u64,
    /// Base of FS inside (OFSBASGX).
    pub fs: u64,
    /// Base of GS inside (OGSBASGX).
    pub gs: u64,
    /// Limit of FS; 32-bit enclaves only.
    pub fs_limit: u32,
    /// Limit of GS; 32-bit enclaves only.
    pub gs_limit: u32,
}

impl Tcs {
    /// A debugger may set breakpoints and single-step.
    pub const DBGOPTIN: u64 = 1;

    /// Bytes that are defined; the rest of the page is zero.
    pub const SIZE: usize = 72;

    /// Offset of STATE, and the other fields that the hardware changes.
    pub const STATE: usize = 0;
    /// Offset of FLAGS.
    pub const FLAGS: usize = 8;
    /// Offset of OSSA.
    pub const OSSA: usize = 16;
    /// Offset of CSSA, 4 bytes: the SSA frame that the next AEX uses.
    pub const CSSA: usize = 24;
    /// Offset of NSSA, 4 bytes.
    pub const NSSA: usize = 28;
    /// Offset of OENTRY.
    pub const OENTRY: usize = 32;
    /// Offset of AEP.
    pub const AEP: usize = 40;
    /// Offset of OFSBASGX.
    pub const OFSBASGX: usize = 48;
    /// Offset of OGSBASGX.
    pub const OGSBASGX: usize = 56;
    /// Offset of FSLIMIT, 4 bytes.
    pub const FSLIMIT: usize = 64;
    /// Offset of GSLIMIT, 4 bytes.
    pub const GSLIMIT: usize = 68;

    /// The bytes at the start of the page.
    pub fn to_bytes(&self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        put(&mut bytes, Self::FLAGS, self.flags.to_le_bytes());
        put(&mut bytes, Self::OSSA, self.ssa.to_le_bytes());
        put(&mut bytes, Self::NSSA, self.ssa_frames.to_le_bytes());
        put(&mut bytes, Self::OENTRY, self.entry.to_le_bytes());
        put(&mut bytes, Self::OFSBASGX, self.fs.to_le_bytes());
        put(&mut bytes, Self::OGSBASGX, self.gs.to_le_bytes());
        put(&mut bytes, Self::FSLIMIT, self.fs_limit.to_le_bytes());
        put(&mut bytes, Self::GSLIMIT, self.gs_limit.to_le_bytes());
        bytes
    }

    /// From a page that is to be added; refuses what EADD and EENTER refuse.
    pub fn from_page(page: &[u8; crate::PAGE_SIZE as usize]) -> Result<Self, Malformed> {
        let tcs = Self {
            flags: get_u64(page, Self::FLAGS),
            ssa: get_u64(page, Self::OSSA),
            ssa_frames: get_u32(page, Self::NSSA),
            entry: get_u64(page, Self::OENTRY),
            fs: get_u64(page, Self::OFSBASGX),
            gs: get_u64(page, Self::OGSBASGX),
            fs_limit: get_u32(page, Self::FSLIMIT),
            gs_limit: get_u32(page, Self::GSLIMIT),
        };
        let hardware =
            get_u64(page, Self::STATE) | u64::from(get_u32(page, Self::CSSA)) | get_u64(page, Self::AEP);
        if hardware != 0 || !is_zero(page, Self::SIZE..page.len()) {
            return Err(Malformed("TCS has reserved fields set"));
        }
        if tcs.flags & !Self::DBGOPTIN != 0 {
            return Err(Malformed("TCS.FLAGS has reserved bits set"));
        }
        if !(tcs.ssa | tcs.fs | tcs.gs).is_multiple_of(crate::PAGE_SIZE) {
            return Err(Malformed("TCS.OSSA, OFSBASGX or OGSBASGX is not page-aligned"));
        }
        Ok(tcs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let tcs = Tcs {
            flags: 0,
            ssa: 0x1000,
            ssa_frames: 2,
            entry: 0x1234,
            fs: 0x3000,
            gs: 0x4000,
            fs_limit: 0xfff,
            gs_limit: 0xfff,
        };
        let mut page = [0; 4096];
        page[..Tcs::SIZE].copy_from_slice(&tcs.to_bytes());
        assert_eq!(Tcs::from_page(&page), Ok(tcs));
        for at in [Tcs::STATE, Tcs::CSSA, Tcs::AEP, Tcs::SIZE, 4095] {
            let mut page = page;
            page[at] = 1;
            assert!(Tcs::from_page(&page).is_err(), "{at}");
        }
        page[Tcs::OSSA] = 1;
        assert!(Tcs::from_page(&page).is_err());
    }
}
