//! What an entry says.

use dcap_quote::UnixTime;
use serde::{Deserialize, Serialize};

/// Who caused a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Actor {
    /// The broker itself, or whoever started it.
    Broker,
    /// A person, by the SHA-256 of their certificate in hexadecimal.
    Person {
        /// SHA-256 of the certificate.
        certificate: String,
    },
    /// An enclave, by what its quote has proven.
    Enclave {
        /// MRENCLAVE in hexadecimal.
        mrenclave: String,
        /// MRSIGNER in hexadecimal.
        mrsigner: String,
        /// PPID of the platform in hexadecimal, if its certificate tells.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        ppid: Option<String>,
    },
    /// Somebody who has proven nothing.
    Unknown {
        /// SHA-256 of the certificate that was shown, if one was.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        certificate: Option<String>,
    },
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    Granted,
    /// It was not.
    Refused,
    /// It waits for approvals.
    Pending,
}

/// A decision. No member ever has a secret's value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Seconds since 1970, by the broker's clock.
    pub time: u64,
    /// Who.
    pub actor: Actor,
    /// What, for example `policy.apply`.
    pub action: String,
    /// About which deployment.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub deployment: Option<String>,
    /// About what in it: a service, a secret, the digest of a policy.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subject: Option<String>,
    /// What was decided.
    pub outcome: Outcome,
    /// Why, in words for the owner.
    pub reason: String,
    /// What the caller was told in place of the reason.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reference: Option<String>,
}

/// A line, but for its signature.
#[derive(Serialize, Deserialize)]
pub(super) struct Line {
    pub sequence: u64,
    pub previous: String,
    #[serde(flatten)]
    pub event: Event,
}

/// When a line was written.
pub(crate) fn time_of(line: &[u8]) -> Option<UnixTime> {
    let line: Line = serde_json::from_slice(line).ok()?;
    Some(UnixTime(line.event.time))
}

/// Whether a line is about a deployment.
pub(crate) fn is_about(line: &[u8], deployment: &str) -> bool {
    let line: Result<Line, _> = serde_json::from_slice(line);
    line.is_ok_and(|line| line.event.deployment.as_deref() == Some(deployment))
}
