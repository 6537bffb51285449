//! The enclave's pages (SGX2 dynamic memory).
//!
//! The host only *offers* pages and permissions; the enclave accepts each with EACCEPT, so a host that does
//! something else makes the enclave stop, not err.

use crate::{Answer, CallCode, CallError, HostCall};

const PAGE: u64 = 4096;

/// A page-aligned, non-empty range of enclave addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRange {
    start: u64,
    len: u64,
}

impl PageRange {
    /// `start` and `len` in bytes, both multiples of 4096, `len` not 0, no overflow.
    pub const fn new(start: u64, len: u64) -> Option<Self> {
        if len == 0
            || !start.is_multiple_of(PAGE)
            || !len.is_multiple_of(PAGE)
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
        (self.start..self.start + self.len).step_by(PAGE as usize)
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

macro_rules! page_calls {
    ($($(#[$doc:meta])* $name:ident;)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name {
            /// Which pages.
            pub range: PageRange,
        }

        impl HostCall for $name {
            const CODE: CallCode = CallCode::$name;
            type Answer = ();

            fn to_args(&self) -> [u64; 6] {
                [self.range.start, self.range.len, 0, 0, 0, 0]
            }

            fn from_args(args: [u64; 6]) -> Option<Self> {
                Some(Self { range: PageRange::new(args[0], args[1])? })
            }

            fn check(&self, answer: Answer) -> Result<(), CallError> {
                answer.unit()
            }
        }
    )* };
}

page_calls! {
    /// Changes pages to type TRIM; the enclave accepts each, then asks for [`Remove`] (EMODT).
    Trim;
    /// Takes back trimmed pages: they are no longer mapped and cost no memory (EREMOVE).
    Remove;
}

/// How the enclave accepts pages that are added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Acceptance {
    /// As zeros (EACCEPT): the host's page tables let them be read and written.
    Zeros = 0,
    /// With a copy of another page (EACCEPTCOPY). Nobody is to see them before: on silicon because they are pending, in an
    /// emulator because the host's page tables allow nothing until [`Protect`], which the enclave asks for in either case.
    Copies = 1,
}

impl Acceptance {
    const fn from_raw(raw: u64) -> Option<Self> {
        match raw {
            0 => Some(Self::Zeros),
            1 => Some(Self::Copies),
            _ => None,
        }
    }
}

/// Adds zeroed pages, readable and writable in the EPCM, pending until the enclave accepts them (EAUG).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Which pages.
    pub range: PageRange,
    /// How they will be accepted.
    pub acceptance: Acceptance,
}

impl HostCall for Commit {
    const CODE: CallCode = CallCode::Commit;
    type Answer = ();

    fn to_args(&self) -> [u64; 6] {
        [self.range.start, self.range.len, self.acceptance as u64, 0, 0, 0]
    }

    fn from_args(args: [u64; 6]) -> Option<Self> {
        Some(Self {
            range: PageRange::new(args[0], args[1])?,
            acceptance: Acceptance::from_raw(args[2])?,
        })
    }

    fn check(&self, answer: Answer) -> Result<(), CallError> {
        answer.unit()
    }
}

/// Sets what the pages allow: the host's page tables, and the EPCM where this restricts (EMODPR). The enclave
/// has extended the EPCM before (EMODPE) where this extends, and accepts each page afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protect {
    /// Which pages.
    pub range: PageRange,
    /// What they allow from now on.
    pub protection: Protection,
}

impl HostCall for Protect {
    const CODE: CallCode = CallCode::Protect;
    type Answer = ();

    fn to_args(&self) -> [u64; 6] {
        [
            self.range.start,
            self.range.len,
            self.protection.bits().into(),
            0,
            0,
            0,
        ]
    }

    fn from_args(args: [u64; 6]) -> Option<Self> {
        let range = PageRange::new(args[0], args[1])?;
        Some(Self {
            range,
            protection: Protection::from_bits(args[2])?,
        })
    }

    fn check(&self, answer: Answer) -> Result<(), CallError> {
        answer.unit()
    }
}

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
