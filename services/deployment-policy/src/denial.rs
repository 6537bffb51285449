//! Denials: which rule an enclave does not meet, and by what.
//!
//! They are for the policy's owner. Whoever asked, and its host, should learn no more than a reference to them.

use serde::Serialize;

use crate::document::Name;

/// Why an enclave gets nothing: at least one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{}", sentences(.reasons))]
pub struct Denial {
    /// The service that it would be, if that is known.
    pub service: Option<Name>,
    /// Every rule that it does not meet, the most fundamental first.
    pub reasons: Vec<Reason>,
}

/// A rule that is not met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// For programs. Codes never change their meaning.
    pub code: DenialCode,
    /// The field of the policy that decides, such as `services.web.enclaves`.
    pub rule: String,
    /// The value that does not meet it.
    pub found: String,
    /// For people: what is wrong, and what would help.
    pub message: String,
}

/// The kinds of reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DenialCode {
    /// It asks to be a service that the policy does not have.
    UnknownService,
    /// It is none of the services.
    NoService,
    /// It is several services, and has not said which.
    AmbiguousService,
    /// It is not the enclave that the service is.
    Enclave,
    /// It is another product of the signer.
    Product,
    /// It is an old version of the product.
    SecurityVersion,
    /// It can be debugged by its host.
    Debug,
    /// Its platform is simulated.
    Simulated,
    /// Its platform has a TCB status that is not tolerated.
    TcbStatus,
    /// Its platform has a weakness that is not tolerated.
    Advisory,
    /// Its platform is none of those that are named.
    Platform,
    /// Whether its platform is registered could not be found out.
    RegistryUnavailable,
    /// It asks for an image key that is not its service's.
    ImageKey,
    /// There are as many instances as there may be.
    Instances,
}

impl DenialCode {
    /// As it is written in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnknownService => "unknown_service",
            Self::NoService => "no_service",
            Self::AmbiguousService => "ambiguous_service",
            Self::Enclave => "enclave",
            Self::Product => "product",
            Self::SecurityVersion => "security_version",
            Self::Debug => "debug",
            Self::Simulated => "simulated",
            Self::TcbStatus => "tcb_status",
            Self::Advisory => "advisory",
            Self::Platform => "platform",
            Self::RegistryUnavailable => "registry_unavailable",
            Self::ImageKey => "image_key",
            Self::Instances => "instances",
        }
    }
}

fn sentences(reasons: &[Reason]) -> String {
    let sentences: Vec<_> = reasons
        .iter()
        .map(|reason| format!("{} ({}): {}", reason.rule, reason.code.name(), reason.message))
        .collect();
    sentences.join("; ")
}

impl Denial {
    /// The first reason's code.
    #[must_use]
    pub fn code(&self) -> DenialCode {
        let first = self.reasons.first();
        first.map_or(DenialCode::NoService, |reason| reason.code)
    }
}

impl Reason {
    pub(crate) fn new(
        code: DenialCode,
        rule: impl Into<String>,
        found: impl ToString,
        message: impl Into<String>,
    ) -> Self {
        Self {
            code,
            rule: rule.into(),
            found: found.to_string(),
            message: message.into(),
        }
    }
}
