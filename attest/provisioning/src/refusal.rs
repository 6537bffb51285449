//! Why a container is given nothing.

use serde::{Deserialize, Serialize};

/// A broker's answer with any status but 200. The host reads what the container prints of it, so it says no more than a stranger may
/// know: the reason is in the broker's audit log, under the reference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message} (reference {reference})")]
pub struct Refusal {
    /// What kind it is of.
    pub code: Code,
    /// The same in words.
    pub message: String,
    /// Where the owner of the deployment finds the reason.
    pub reference: String,
}

/// What kind of refusal it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// No policy gives this enclave anything: asking again does not help. Status 403.
    Refused,
    /// The request cannot be understood. Status 400.
    BadRequest,
    /// The broker cannot answer now: ask again later. Status 503.
    Unavailable,
    /// A newer broker's code.
    #[serde(other)]
    Other,
}
