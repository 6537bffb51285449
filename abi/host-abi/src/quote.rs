//! From a report, which only this machine can check, to a quote, which everyone can.

use crate::{Answer, CallCode, CallError, HostCall, STAGING_SIZE};

/// Asks who is to check the reports that are to become quotes: the TARGETINFO of the quoting enclave
/// ([`QuoteTarget::SIZE`] bytes) in the staging buffer. ENODEV when there is none.
///
/// A host that names another target only gets a report that its quoting enclave refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuoteTarget;

impl QuoteTarget {
    /// Bytes of a TARGETINFO.
    pub const SIZE: usize = 512;
}

/// Makes a quote of the REPORT ([`Quote::REPORT_SIZE`] bytes) in the staging buffer, where the quote is put: the answer is
/// its length. ENODEV when there is no quoting enclave, EACCES when it refuses the report, EAGAIN when it is not ready.
///
/// The quote is for others to verify: to the enclave, it is bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote;

impl Quote {
    /// Bytes of a REPORT.
    pub const REPORT_SIZE: usize = 432;
}

impl HostCall for QuoteTarget {
    const CODE: CallCode = CallCode::QuoteTarget;
    type Answer = ();

    fn to_args(&self) -> [u64; 6] {
        [0; 6]
    }

    fn from_args(_: [u64; 6]) -> Option<Self> {
        Some(Self)
    }

    fn check(&self, answer: Answer) -> Result<(), CallError> {
        answer.unit()
    }
}

impl HostCall for Quote {
    const CODE: CallCode = CallCode::Quote;
    type Answer = usize;

    fn to_args(&self) -> [u64; 6] {
        [0; 6]
    }

    fn from_args(_: [u64; 6]) -> Option<Self> {
        Some(Self)
    }

    fn check(&self, answer: Answer) -> Result<usize, CallError> {
        match answer.count(STAGING_SIZE)? {
            0 => Err(CallError::Lie("a quote of no bytes")),
            len => Ok(len),
        }
    }
}
