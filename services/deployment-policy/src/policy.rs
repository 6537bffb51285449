//! A policy that was checked.

use serde::Serialize;

use crate::canonical::{PolicyDigest, canonical};
use crate::check::{Problem, check};
use crate::document::{Document, Name, Secret, Service};
use crate::read::{ReadError, read};

/// A policy: whatever it names exists, its templates fit, its authorities have no cycle. It never changes; an update is
/// another policy with another digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    document: Document,
    canonical: String,
    digest: PolicyDigest,
}

/// Why a text is no policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum PolicyError {
    /// It cannot be read.
    #[error("{0}")]
    Read(ReadError),
    /// It does not fit together: every problem, in the order of the fields.
    #[error("{}", lines(.0))]
    Problems(Vec<Problem>),
}

fn lines(problems: &[Problem]) -> String {
    let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

impl Policy {
    /// Reads a policy in YAML, or in JSON.
    ///
    /// # Errors
    /// When it cannot be read, or does not fit together.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        Self::new(read(text).map_err(PolicyError::Read)?)
    }

    /// Checks a document.
    ///
    /// # Errors
    /// When it does not fit together.
    pub fn new(document: Document) -> Result<Self, PolicyError> {
        let problems = check(&document);
        if !problems.is_empty() {
            return Err(PolicyError::Problems(problems));
        }
        let canonical = canonical(&document).map_err(|error| {
            PolicyError::Problems(vec![Problem {
                path: String::new(),
                message: format!("it has no canonical form: {error}"),
            }])
        })?;
        Ok(Self {
            digest: PolicyDigest::of(&canonical),
            document,
            canonical,
        })
    }

    /// What it says.
    #[must_use]
    pub const fn document(&self) -> &Document {
        &self.document
    }

    /// The canonical form: JSON, from which the same policy can be read again.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The address by which it is known.
    #[must_use]
    pub const fn digest(&self) -> PolicyDigest {
        self.digest
    }

    /// The deployment's name.
    #[must_use]
    pub const fn name(&self) -> &Name {
        &self.document.name
    }

    /// A service, with its name.
    #[must_use]
    pub fn service(&self, name: &str) -> Option<(&Name, &Service)> {
        self.document.services.get_key_value(name)
    }

    /// A secret.
    #[must_use]
    pub fn secret(&self, name: &str) -> Option<&Secret> {
        self.document.secrets.get(name)
    }

    /// The service whose identity in TLS this secret is.
    #[must_use]
    pub fn service_with_identity(&self, secret: &str) -> Option<&Name> {
        let is_its = |service: &Service| {
            service
                .tls
                .as_ref()
                .is_some_and(|tls| tls.identity.as_str() == secret)
        };
        let mut services = self.document.services.iter();
        services
            .find(|(_, service)| is_its(service))
            .map(|(name, _)| name)
    }

    /// How a service is named in certificates, as a SPIFFE ID.
    #[must_use]
    pub fn spiffe_id(&self, service: &Name) -> String {
        format!("spiffe://{}/{service}", self.document.name)
    }
}
