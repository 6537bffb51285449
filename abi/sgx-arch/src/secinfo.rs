//! SECINFO: the state of a page, 64 bytes (SDM 37.12).

use crate::Malformed;
use crate::field::{get_u64, is_zero, put};

/// SECINFO.FLAGS.PAGE_TYPE (SDM 37.12.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum PageType {
    /// An enclave's control structure; the hardware's alone.
    Secs = 0,
    /// A thread control structure.
    Tcs = 1,
    /// A regular page.
    Reg = 2,
    /// A version array, for eviction.
    Va = 3,
    /// A page that is about to be removed.
    Trim = 4,
}

impl PageType {
    /// The type with this number.
    pub const fn from_raw(raw: u8) -> Option<Self> {
        Some(match raw {
            0 => Self::Secs,
            1 => Self::Tcs,
            2 => Self::Reg,
            3 => Self::Va,
            4 => Self::Trim,
            _ => return None,
        })
    }
}

/// SECINFO's flags: permissions, state bits and page type, as one word. In memory the structure is 64 bytes
/// long and 64-byte aligned.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SecInfo(u64);

impl SecInfo {
    /// The page can be read.
    pub const R: u64 = 1 << 0;
    /// The page can be written.
    pub const W: u64 = 1 << 1;
    /// The page can be executed.
    pub const X: u64 = 1 << 2;
    /// The page has been added (EAUG) and not yet accepted.
    pub const PENDING: u64 = 1 << 3;
    /// The page's type has been changed (EMODT) and not yet accepted.
    pub const MODIFIED: u64 = 1 << 4;
    /// The page's permissions have been restricted (EMODPR) and not yet accepted.
    pub const PR: u64 = 1 << 5;

    /// Read, write and execute.
    pub const RWX: u64 = Self::R | Self::W | Self::X;
    const STATE: u64 = Self::PENDING | Self::MODIFIED | Self::PR;

    /// Bytes of the structure, and its alignment.
    pub const SIZE: usize = 64;

    /// A page of this type with the given permission and state bits; other bits are dropped.
    pub const fn new(page_type: PageType, bits: u64) -> Self {
        Self((bits & (Self::RWX | Self::STATE)) | (page_type as u64) << 8)
    }

    /// The thread control structure: no permissions.
    pub const TCS: Self = Self::new(PageType::Tcs, 0);

    /// From FLAGS; refuses reserved bits, unknown types and permissions that cannot be (W or X without R).
    pub const fn from_flags(flags: u64) -> Result<Self, Malformed> {
        if flags & !(Self::RWX | Self::STATE | 0xff00) != 0 {
            return Err(Malformed("SECINFO.FLAGS has reserved bits set"));
        }
        if PageType::from_raw((flags >> 8) as u8).is_none() {
            return Err(Malformed("SECINFO.FLAGS.PAGE_TYPE is unknown"));
        }
        if flags & (Self::W | Self::X) != 0 && flags & Self::R == 0 {
            return Err(Malformed(
                "SECINFO.FLAGS allows writing or executing without reading",
            ));
        }
        Ok(Self(flags))
    }

    /// FLAGS as one word.
    pub const fn flags(self) -> u64 {
        self.0
    }

    /// The permissions: some of R, W, X.
    pub const fn permissions(self) -> u64 {
        self.0 & Self::RWX
    }

    /// The state bits: some of PENDING, MODIFIED, PR.
    pub const fn state(self) -> u64 {
        self.0 & Self::STATE
    }

    /// The type.
    pub const fn page_type(self) -> PageType {
        match PageType::from_raw((self.0 >> 8) as u8) {
            Some(page_type) => page_type,
            None => unreachable!(),
        }
    }

    /// The bytes of the structure.
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        let mut bytes = [0; Self::SIZE];
        put(&mut bytes, 0, self.0.to_le_bytes());
        bytes
    }

    /// From the bytes of the structure.
    pub fn from_bytes(bytes: [u8; Self::SIZE]) -> Result<Self, Malformed> {
        if !is_zero(&bytes, 8..Self::SIZE) {
            return Err(Malformed("SECINFO has reserved bytes set"));
        }
        Self::from_flags(get_u64(&bytes, 0))
    }
}

impl core::fmt::Debug for SecInfo {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:?} ", self.page_type())?;
        for (bit, name) in [(Self::R, "r"), (Self::W, "w"), (Self::X, "x")] {
            f.write_str(if self.0 & bit != 0 { name } else { "-" })?;
        }
        for (bit, name) in [
            (Self::PENDING, " PENDING"),
            (Self::MODIFIED, " MODIFIED"),
            (Self::PR, " PR"),
        ] {
            if self.0 & bit != 0 {
                f.write_str(name)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_architecture_defines_is_read() {
        let page = SecInfo::new(PageType::Reg, SecInfo::R | SecInfo::W | SecInfo::PENDING);
        assert_eq!(page.flags(), 0x20b);
        assert_eq!(SecInfo::from_bytes(page.to_bytes()), Ok(page));
        assert!(SecInfo::from_flags(0x20b | 1 << 6).is_err());
        assert!(SecInfo::from_flags(0x502).is_err());
        assert!(SecInfo::from_flags(0x202).is_err());
        let mut bytes = page.to_bytes();
        bytes[63] = 1;
        assert!(SecInfo::from_bytes(bytes).is_err());
        assert_eq!(SecInfo::TCS.flags(), 0x100);
    }

    #[test]
    fn every_state_has_a_name() {
        let page = SecInfo::new(PageType::Trim, SecInfo::R | SecInfo::MODIFIED);
        assert_eq!(format!("{page:?}"), "Trim r-- MODIFIED");
    }
}
