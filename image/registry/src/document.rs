//! The little that is read of manifests and indexes: what they lead to.

use oci_image::Digest;
use serde::Deserialize;

use crate::Error;

/// Longest manifest that is taken, in bytes; registries refuse longer ones.
pub(crate) const MAX_DOCUMENT: usize = 4 << 20;

/// Media types of what a name may lead to, for the registry to choose from.
pub(crate) const ACCEPTED: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// A reference from one document to another, or to a blob.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    pub(crate) digest: String,
    pub(crate) size: u64,
}

impl Descriptor {
    pub(crate) fn sha256(&self) -> Option<Digest> {
        self.digest.parse().ok()
    }
}

/// A manifest or an index.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Document {
    pub(crate) media_type: String,
    pub(crate) manifests: Option<Vec<Descriptor>>,
    pub(crate) config: Option<Descriptor>,
    pub(crate) layers: Option<Vec<Descriptor>>,
}

impl Document {
    pub(crate) fn parse(name: &str, bytes: &[u8]) -> Result<Self, Error> {
        let malformed = |why: String| Error::Manifest(name.to_owned(), why);
        if bytes.len() > MAX_DOCUMENT {
            return Err(malformed("it is longer than 4 MiB".into()));
        }
        serde_json::from_slice(bytes).map_err(|error| malformed(error.to_string()))
    }

    /// Its media type: what it says of itself, or else what it looks like.
    pub(crate) fn media_type(&self) -> &str {
        match (self.media_type.as_str(), &self.manifests) {
            ("", Some(_)) => ACCEPTED[0],
            ("", None) => ACCEPTED[1],
            (said, _) => said,
        }
    }

    /// The configuration and the layers.
    pub(crate) fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        self.config.iter().chain(self.layers.iter().flatten())
    }
}
