//! The enclave's pages (SGX2 dynamic memory).
//!
//! The host only *offers* pages and permissions; the enclave accepts each with EACCEPT, so a host that does
//! something else makes the enclave stop, not err.

use crate::{Acceptance, Answer, CallCode, CallError, HostCall, PageRange, Protection};

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
                [self.range.start(), self.range.len(), 0, 0, 0, 0]
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
        [
            self.range.start(),
            self.range.len(),
            self.acceptance as u64,
            0,
            0,
            0,
        ]
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
            self.range.start(),
            self.range.len(),
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
