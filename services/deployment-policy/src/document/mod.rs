//! The document: what a policy says, field by field, as it is written in YAML or JSON.
//!
//! A value of these types has the right form. Whether what it names exists is checked when it becomes a
//! [`Policy`](crate::Policy). What is absent is left out of the canonical form, so that new optional fields change no digest.

mod access;
mod dates;
mod exchange;
mod file;
mod map;
mod names;
mod platforms;
mod renewal;
mod schema;
mod secret;
mod service;
mod text;
mod tolerance;

pub use access::{Access, Approvals, Person};
pub use dates::{Expiry, Lifetime};
pub use exchange::{Export, Import, ImportKind};
pub use file::{Base64, File, Mode, Owner};
pub use map::Map;
pub use names::{GuestPath, ImageKeyId, Name, PeerName, VariableName};
pub use platforms::{Node, Platforms, RegistryUrl};
pub use renewal::{Renewal, SignalName};
pub use secret::{CertificateSubject, KeyAlgorithm, Scope, Secret, SecretKind, SecretValue, Use};
pub use service::{Limits, Mount, Service, Signer, Tls, Volume};
pub use text::NotOfThatForm;
pub(crate) use text::text_type;
pub use tolerance::{Tolerance, Tolerated};

#[cfg(feature = "schema")]
pub use schema::schema;

use serde::{Deserialize, Serialize};

use crate::canonical::PolicyDigest;

/// A whole policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// The deployment's name.
    pub name: Name,
    /// In an update: the digest of the policy that it replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predecessor: Option<PolicyDigest>,
    /// The programs of the deployment, each an enclave.
    pub services: Map<Name, Service>,
    /// Values that the broker makes or keeps.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub secrets: Map<Name, Secret>,
    /// Encrypted volumes, whose keys the broker makes and keeps.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub volumes: Map<Name, Volume>,
    /// On whose machines the services may run. Without it, on any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platforms: Option<Platforms>,
    /// Who may read, change and approve this policy.
    #[serde(default, skip_serializing_if = "Access::is_empty")]
    pub access: Access,
    /// Values of other deployments, which these export.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub imports: Map<Name, Import>,
    /// Secrets that other deployments may import, by the secrets' names.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub exports: Map<Name, Export>,
}
