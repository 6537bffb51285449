//! Who may do what with a policy.

use dcap_quote::Bytes;
use serde::{Deserialize, Serialize};

use super::map::Map;
use super::names::Name;

/// Who may do what. What nobody is named for, nobody may do, but the broker's own administrators.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// The people, and the programs that act for people, by the certificates with which they come.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub people: Map<Name, Person>,
    /// Who may read the policy, its history and its state. Whoever may do more may also read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub read: Vec<Name>,
    /// Who may propose another policy, and set imported secrets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub update: Vec<Name>,
    /// Who must agree before a proposed policy takes effect. Without it, it takes effect at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approve: Option<Approvals>,
}

impl Access {
    /// Whether it says nothing.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Somebody, by one of these, or by either if both are there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// SHA-256 of the client certificate's DER.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<super::schema::Hex32>"))]
    pub certificate: Option<Bytes<32>>,
    /// SHA-256 of the public key (SubjectPublicKeyInfo in DER): the same for each certificate of one key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<super::schema::Hex32>"))]
    pub public_key: Option<Bytes<32>>,
}

/// n of m.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Approvals {
    /// Who may approve.
    pub by: Vec<Name>,
    /// How many of them must.
    pub required: u32,
}
