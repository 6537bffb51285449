//! An SSA frame's end: what an asynchronous exit saves besides the XSAVE image (SDM 37.9).
//!
//! ```text
//! 0                       XSAVE image (XFRM, standard form)
//! frame size - 184 - 16   EXINFO, if MISCSELECT selects it
//! frame size - 184        GPRSGX
//! ```

use crate::Malformed;
use crate::field::{get_u32, get_u64, put};

/// EXIT_TYPE of EXITINFO.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitKind {
    /// A fault or trap of an instruction.
    Hardware = 3,
    /// INT3 and INTO.
    Software = 6,
}

/// EXITINFO: what caused the exit, if it is one that the enclave may know of (SDM 37.9.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExitInfo {
    /// The exception's vector.
    pub vector: u8,
    /// Hardware or software.
    pub kind: ExitKind,
}

impl ExitInfo {
    /// The bit that says that there is a cause.
    pub const VALID: u32 = 1 << 31;

    /// The word; an interrupt has no information, so `None` is 0.
    pub const fn to_raw(this: Option<Self>) -> u32 {
        match this {
            Some(info) => Self::VALID | (info.kind as u32) << 8 | info.vector as u32,
            None => 0,
        }
    }

    /// From the word.
    pub const fn from_raw(raw: u32) -> Result<Option<Self>, Malformed> {
        if raw & Self::VALID == 0 {
            return Ok(None);
        }
        let kind = match raw >> 8 & 7 {
            3 => ExitKind::Hardware,
            6 => ExitKind::Software,
            _ => return Err(Malformed("EXITINFO.EXIT_TYPE is unknown")),
        };
        Ok(Some(Self {
            vector: raw as u8,
            kind,
        }))
    }
}

/// EXINFO: more about a page fault or a general-protection fault, 16 bytes (SDM 37.9.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExInfo {
    /// The address whose access faulted.
    pub maddr: u64,
    /// The exception's error code.
    pub errcd: u32,
}

impl ExInfo {
    /// Bytes of the structure.
    pub const SIZE: usize = 16;

    /// The bytes.
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        put(&mut bytes, 0, self.maddr.to_le_bytes());
        put(&mut bytes, 8, self.errcd.to_le_bytes());
        bytes
    }

    /// From the bytes.
    pub fn from_bytes(bytes: [u8; Self::SIZE]) -> Self {
        Self {
            maddr: get_u64(&bytes, 0),
            errcd: get_u32(&bytes, 8),
        }
    }
}

/// GPRSGX: the general registers at an asynchronous exit, 184 bytes (SDM 37.9.1). This is the structure in
/// memory (x86-64 is little endian), for those who read and write it in place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
#[expect(missing_docs, reason = "the names are the registers'")]
pub struct GprSgx {
    pub rax: u64,
    pub rcx: u64,
    pub rdx: u64,
    pub rbx: u64,
    pub rsp: u64,
    pub rbp: u64,
    pub rsi: u64,
    pub rdi: u64,
    pub r8: u64,
    pub r9: u64,
    pub r10: u64,
    pub r11: u64,
    pub r12: u64,
    pub r13: u64,
    pub r14: u64,
    pub r15: u64,
    pub rflags: u64,
    pub rip: u64,
    /// The host's stack pointer.
    pub ursp: u64,
    /// The host's frame pointer.
    pub urbp: u64,
    /// See [`ExitInfo`].
    pub exit_info: u32,
    pub reserved: u32,
    pub fs_base: u64,
    pub gs_base: u64,
}

impl GprSgx {
    /// Bytes of the structure.
    pub const SIZE: usize = 184;
}

const _: () = assert!(size_of::<GprSgx>() == GprSgx::SIZE);
const _: () = assert!(core::mem::offset_of!(GprSgx, rflags) == 128);
const _: () = assert!(core::mem::offset_of!(GprSgx, exit_info) == 160);
const _: () = assert!(core::mem::offset_of!(GprSgx, gs_base) == 176);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupt_has_no_information() {
        assert_eq!(ExitInfo::to_raw(None), 0);
        assert_eq!(ExitInfo::from_raw(0x30e), Ok(None));
        let fault = ExitInfo {
            vector: 14,
            kind: ExitKind::Hardware,
        };
        assert_eq!(ExitInfo::to_raw(Some(fault)), 0x8000_030e);
        assert_eq!(ExitInfo::from_raw(0x8000_030e), Ok(Some(fault)));
        assert!(ExitInfo::from_raw(0x8000_010e).is_err());
    }

    #[test]
    fn exinfo_is_read_as_written() {
        let info = ExInfo {
            maddr: 0x7fff_0000,
            errcd: 6,
        };
        assert_eq!(ExInfo::from_bytes(info.to_bytes()), info);
    }
}
