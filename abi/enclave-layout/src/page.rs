//! Pages: ranges of them, what they allow, and how the enclave accepts new ones.

pub use sgx_arch::PAGE_SIZE;
use sgx_arch::SecInfo;

/// A page-aligned, non-empty range of addresses. It may lie outside ELRANGE: whoever changes pages checks that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRange {
    start: u64,
    len: u64,
}

#[expect(
    clippy::arithmetic_side_effects,
    reason = "`new` has checked that the end does not overflow"
)]
impl PageRange {
    /// `start` and `len` in bytes, both multiples of [`PAGE_SIZE`], `len` not 0, no overflow.
    pub const fn new(start: u64, len: u64) -> Option<Self> {
        if len == 0
            || !start.is_multiple_of(PAGE_SIZE)
            || !len.is_multiple_of(PAGE_SIZE)
            || start.checked_add(len).is_none()
        {
            return None;
        }
        Some(Self { start, len })
    }

    /// First address.
    pub const fn start(self) -> u64 {
        self.start
    }

    /// First address after it.
    pub const fn end(self) -> u64 {
        self.start + self.len
    }

    /// Bytes.
    #[expect(clippy::len_without_is_empty, reason = "a range is never empty")]
    pub const fn len(self) -> u64 {
        self.len
    }

    /// The address of each page.
    pub fn pages(self) -> impl Iterator<Item = u64> {
        (self.start..self.start + self.len).step_by(PAGE_SIZE as usize)
    }
}

/// What a page allows: read, write, execute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection(u8);

impl Protection {
    /// No access.
    pub const NONE: Self = Self(0);
    /// Reading.
    pub const READ: Self = Self(1);
    /// Reading and writing.
    pub const READ_WRITE: Self = Self(3);
    /// Reading and executing.
    pub const READ_EXECUTE: Self = Self(5);
    /// Everything.
    pub const ALL: Self = Self(7);

    /// From bits 1 (read), 2 (write) and 4 (execute), which are both Linux's PROT_ bits and SECINFO's.
    /// SGX has no page that can be written or executed but not read: such pages become readable too.
    pub const fn from_bits(bits: u64) -> Option<Self> {
        match bits {
            0..=7 => Some(Self(if bits == 0 { 0 } else { bits as u8 | 1 })),
            _ => None,
        }
    }

    /// The bits.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether all that `other` allows is allowed.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// What either allows.
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// How the enclave accepts pages that are added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Acceptance {
    /// As zeros (EACCEPT): the host's page tables let them be read and written.
    Zeros = 0,
    /// With a copy of another page (EACCEPTCOPY). Nobody is to see them before: on silicon because they are
    /// pending, in an emulator because the host's page tables allow nothing until the enclave asks for their
    /// protection, which it does in either case.
    Copies = 1,
}

impl Acceptance {
    /// The way with this number.
    pub const fn from_raw(raw: u64) -> Option<Self> {
        match raw {
            0 => Some(Self::Zeros),
            1 => Some(Self::Copies),
            _ => None,
        }
    }
}

// The same bits as SECINFO's, so that neither side translates.
const _: () = assert!(Protection::READ.0 as u64 == SecInfo::R);
const _: () = assert!(Protection::READ_WRITE.0 as u64 == SecInfo::R | SecInfo::W);
const _: () = assert!(Protection::READ_EXECUTE.0 as u64 == SecInfo::R | SecInfo::X);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_whole_pages() {
        assert!(PageRange::new(4096, 4096).is_some());
        for (start, len) in [(0, 0), (1, 4096), (4096, 1), (u64::MAX - 4095, 4096)] {
            assert_eq!(PageRange::new(start, len), None, "{start} {len}");
        }
    }

    #[test]
    fn what_can_be_used_can_be_read() {
        assert_eq!(Protection::from_bits(2), Some(Protection::READ_WRITE));
        assert_eq!(Protection::from_bits(4), Some(Protection::READ_EXECUTE));
        assert_eq!(Protection::from_bits(8), None);
    }
}
