//! The calls that turn a report, which only this machine can check, into a quote, which everyone can: sizes and checks.

use crate::{Answer, CallError, Quote, QuoteTarget, STAGING_SIZE};

impl QuoteTarget {
    /// Bytes of a TARGETINFO.
    pub const SIZE: usize = 512;
}

impl Quote {
    /// Bytes of a REPORT.
    pub const REPORT_SIZE: usize = 432;
}

/// The length of a quote.
pub(crate) fn length(answer: Answer) -> Result<usize, CallError> {
    match answer.count(STAGING_SIZE)? {
        0 => Err(CallError::Lie("a quote of no bytes")),
        len => Ok(len),
    }
}
