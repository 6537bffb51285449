//! Quotes of the enclave's reports, by Intel's quoting enclave behind AESM or by the simulated platform's.

mod aesm;
mod messages;
pub(crate) mod simulated;

use host_abi::{Quote, QuoteTarget};

pub use self::aesm::Aesm;

/// A quoting enclave, on this machine.
pub trait QuotingEnclave: Send + Sync {
    /// Its TARGETINFO: whom reports are to be made for.
    fn target_info(&self) -> Result<[u8; QuoteTarget::SIZE], QuoteError>;

    /// A quote of a report that was made for it.
    fn quote(&self, report: &[u8; Quote::REPORT_SIZE]) -> Result<Vec<u8>, QuoteError>;
}

/// Why there is no quote.
#[derive(Debug, thiserror::Error)]
pub enum QuoteError {
    /// Nobody makes quotes here.
    #[error("there is no quoting service: {0}")]
    Unavailable(String),
    /// The quoting enclave wants to be asked for its TARGETINFO again.
    #[error("the quoting enclave has been started anew")]
    NotReady,
    /// The report is not for the quoting enclave, or not of this machine.
    #[error("the quoting enclave refuses the report: it was not made for it, or not on this machine")]
    Refused,
    /// The service failed.
    #[error("the quoting service fails: {0}")]
    Failed(String),
}

impl QuoteError {
    /// As the enclave is told.
    pub(crate) fn errno(&self) -> libc::c_int {
        match self {
            Self::Unavailable(_) => libc::ENODEV,
            Self::NotReady => libc::EAGAIN,
            Self::Refused => libc::EACCES,
            Self::Failed(_) => libc::EIO,
        }
    }
}
