//! What a container asks for.

use serde::{Deserialize, Serialize};

use crate::Hex;

/// A container asks to be provisioned. Who it is, its quote says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// In which deployment it is a service. Without it the broker looks for the only one that has a service for this enclave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<String>,
    /// Which service of that deployment it is. Without it the broker looks for the only one that this enclave can be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Drawn once in the life of the container: who asks again is the same instance.
    pub instance: Hex<16>,
    /// The key that its image is encrypted with, by name; its measured configuration says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_key: Option<Hex<32>>,
}
