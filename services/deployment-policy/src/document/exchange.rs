//! What deployments give each other.

use serde::{Deserialize, Serialize};

use super::names::Name;

/// A value of another deployment. It is named in templates as a secret of one's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// The other deployment.
    pub deployment: Name,
    /// How it calls the secret; as here unless it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Name>,
    /// What is imported of it.
    pub kind: ImportKind,
}

/// What an import is of the other's secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ImportKind {
    /// The value of a `random`, `password` or `imported` one, for `{{ secret }}`.
    Value,
    /// The certificate of an `x509_ca`, for `{{ ca }}`. No private key leaves a deployment.
    Ca,
}

/// To whom a secret is given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// Deployments.
    pub to: Vec<Name>,
}
