//! Errors of the client.

use attestation_token::{ClaimError, KeySetError, Refusal};

/// Why there is no answer that can be relied upon.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Not the address of a service.
    #[error("{0:?} is not the address of a service; it should be like https://attest.example:8443")]
    Address(String),
    /// No certificate of an authority.
    #[error(
        "the authority for the service's TLS certificate cannot be used: {0}; give its certificates as PEM"
    )]
    Authority(String),
    /// Not a bearer token.
    #[error("the admin token has characters that no header of a request can have; it is one line of text")]
    Bearer,
    /// No answer: not reachable, another certificate, or too slow.
    #[error("{url} does not answer: {error}")]
    Transport {
        /// What was asked for.
        url: String,
        /// The failure of the connection or of TLS.
        #[source]
        error: Box<ureq::Error>,
    },
    /// The service says no.
    #[error("{url} answers {status} {code}: {message}")]
    Service {
        /// What was asked for.
        url: String,
        /// Status of HTTP.
        status: u16,
        /// The service's code, for instance `InvalidParameter`.
        code: String,
        /// The service's words.
        message: String,
    },
    /// An answer in another form.
    #[error("the answer of {url} is not {expected}; is it an attestation service?")]
    Form {
        /// What was asked for.
        url: String,
        /// What the answer should be.
        expected: &'static str,
    },
    /// Its keys cannot be used.
    #[error("the service's keys cannot be used: {0}")]
    Keys(#[from] KeySetError),
    /// The token is not valid, or not acceptable.
    #[error("{0}")]
    Token(#[from] Refusal),
    /// A claim is not what was asked for.
    #[error("{0}")]
    Claim(#[from] ClaimError),
    /// The service is another one than its address says.
    #[error("the service at {url} calls itself {found:?}; it must be set right, or another issuer expected")]
    Issuer {
        /// The service's address.
        url: String,
        /// Its own word.
        found: String,
    },
    /// Before 1970.
    #[error("the clock of this machine is before 1970; set it right")]
    Clock,
}
