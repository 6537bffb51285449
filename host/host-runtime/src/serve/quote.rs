//! Host calls about quotes.

use std::sync::atomic::{AtomicBool, Ordering};

use host_abi::{Answer, Quote, QuoteTarget, STAGING_SIZE};

use super::{Staging, value};
use crate::kernel;
use crate::quoting::{QuoteError, QuotingEnclave};

/// The quoting enclave of this machine, and whether its failure has been shown.
pub(crate) struct Quoting {
    enclave: Box<dyn QuotingEnclave>,
    is_reported: AtomicBool,
}

impl Quoting {
    pub(crate) fn new(enclave: Box<dyn QuotingEnclave>) -> Self {
        Self {
            enclave,
            is_reported: AtomicBool::new(false),
        }
    }

    pub(super) fn target(&self, _: QuoteTarget, staging: Staging) -> Answer {
        match self.enclave.target_info() {
            Ok(target_info) => {
                staging.write(0, &target_info);
                value(0)
            }
            Err(error) => self.failed(&error),
        }
    }

    pub(super) fn quote(&self, _: Quote, staging: Staging) -> Answer {
        let report = staging.read(0, Quote::REPORT_SIZE);
        let Ok(report) = report.try_into() else {
            return value(kernel::error(libc::EINVAL));
        };
        match self.enclave.quote(&report) {
            Ok(quote) if quote.len() <= STAGING_SIZE => {
                staging.write(0, &quote);
                value(quote.len() as i64)
            }
            Ok(_) => value(kernel::error(libc::EMSGSIZE)),
            Err(error) => self.failed(&error),
        }
    }

    /// The program sees a number only, so the reason is shown to whoever runs the container: once, since a program may ask
    /// again and again.
    fn failed(&self, error: &QuoteError) -> Answer {
        if !matches!(error, QuoteError::NotReady) && !self.is_reported.swap(true, Ordering::Relaxed) {
            eprintln!("nacre: no quote: {error}");
        }
        value(kernel::error(error.errno()))
    }
}
