//! Services: which enclaves they are, and what these get.

use dcap_quote::Bytes;
use serde::{Deserialize, Serialize};

use super::file::File;
use super::map::Map;
use super::names::{GuestPath, ImageKeyId, Name, PeerName, VariableName};
use super::platforms::Platforms;
use super::renewal::Renewal;
use super::secret::Scope;
use super::tolerance::Tolerance;
use crate::template::Template;

/// A program of the deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// The confidential image. For people and for `nacre policy pin`, which writes its MRENCLAVE into `enclaves`; nothing is
    /// decided by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Enclaves that are this service, by MRENCLAVE in hexadecimal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<super::schema::Hex32>"))]
    pub enclaves: Vec<Bytes<32>>,
    /// Whose enclaves are this service, from a security version on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signers: Vec<Signer>,
    /// What is accepted beyond the best.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tolerate: Vec<Tolerance>,
    /// On whose machines it may run; in place of the deployment's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platforms: Option<Platforms>,
    /// The arguments, program included, in place of the image's; templates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Vec<Template>>,
    /// Variables that are added to the image's, or replace them; templates.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub environment: Map<VariableName, Template>,
    /// In place of the image's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_directory: Option<GuestPath>,
    /// Files that are made before the program starts.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub files: Map<GuestPath, File>,
    /// Where volumes are mounted.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub volumes: Map<GuestPath, Mount>,
    /// Names of the keys of encrypted images that it may be given, to open its own image.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub image_keys: Vec<ImageKeyId>,
    /// Who it is to its peers, and who these are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// How much of it there may be.
    #[serde(default, skip_serializing_if = "Limits::is_empty")]
    pub limits: Limits,
    /// What happens when something that it was given is renewed.
    #[serde(default, skip_serializing_if = "Renewal::is_default")]
    pub on_renewal: Renewal,
}

/// Enclaves by who has signed them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Signer {
    /// SHA-256 of the signer's key, in hexadecimal.
    #[cfg_attr(feature = "schema", schemars(with = "super::schema::Hex32"))]
    pub mrsigner: Bytes<32>,
    /// Which of the signer's products (ISVPRODID).
    pub product_id: u16,
    /// The least security version (ISVSVN).
    pub min_svn: u16,
}

/// Names in TLS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The `x509` secret with which it proves who it is. Its certificate also names it as
    /// `spiffe://DEPLOYMENT/SERVICE`.
    pub identity: Name,
    /// Services that may connect to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accept: Vec<PeerName>,
    /// Services that it may connect to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub connect: Vec<PeerName>,
}

/// Bounds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// How many instances may run at one time; any number without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instances: Option<u32>,
}

impl Limits {
    /// Whether it says nothing.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A volume of the deployment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Volume {
    /// One key for all (`shared`, the default), or one for each `instance`.
    #[serde(default, skip_serializing_if = "Scope::is_default")]
    pub scope: Scope,
}

/// A volume in a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Mount {
    /// Which one.
    pub volume: Name,
    /// Whether the service may only read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub read_only: bool,
}
