//! The documents that tie an image together: index, manifest, descriptor, and Docker's `manifest.json`.
//!
//! Source: OCI image-spec v1.1 (image-index.md, manifest.md, image-layout.md); Docker image manifest v2,
//! schema 2; moby's image/tarexport.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::{null_is_default, null_values};
use crate::digest::{AnyDigest, Digest};

pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const LAYER_TAR: &str = "application/vnd.oci.image.layer.v1.tar";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";

/// The name of an image within an index (OCI).
pub(crate) const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// The full name of an image within an index (containerd, and `docker save`).
pub(crate) const CONTAINERD_NAME: &str = "io.containerd.image.name";
/// Marks BuildKit's attestations, which are manifests but no images.
const DOCKER_REFERENCE_TYPE: &str = "vnd.docker.reference.type";

/// Metadata that the writer of an image attached to it.
pub type Annotations = BTreeMap<String, String>;

/// Points to a blob.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) media_type: String,
    /// What an artifact is; an image has none, or its configuration's media type.
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub(crate) artifact_type: String,
    pub(crate) digest: AnyDigest,
    /// In bytes.
    pub(crate) size: u64,
    #[serde(
        default,
        deserialize_with = "null_values",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub(crate) annotations: Annotations,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) platform: Option<Platform>,
}

/// What a descriptor says that it points to.
pub(crate) enum Target {
    Index,
    Manifest,
    Other,
}

impl Descriptor {
    pub(crate) fn target(&self) -> Target {
        match self.media_type.as_str() {
            INDEX | DOCKER_LIST => Target::Index,
            MANIFEST | DOCKER_MANIFEST => Target::Manifest,
            _ => Target::Other,
        }
    }

    /// Whether it says of what it points to that it is something else than an image: a signature, an SBOM.
    pub(crate) fn is_artifact(&self) -> bool {
        self.annotations.contains_key(DOCKER_REFERENCE_TYPE) || is_artifact_type(&self.artifact_type)
    }
}

fn is_image_config(media_type: &str) -> bool {
    matches!(media_type, CONFIG | DOCKER_CONFIG)
}

fn is_artifact_type(artifact_type: &str) -> bool {
    !artifact_type.is_empty() && !is_image_config(artifact_type)
}

/// What an image runs on: of a descriptor, or of an image configuration, which has the same members.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Platform {
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) architecture: String,
    #[serde(deserialize_with = "null_is_default")]
    pub(crate) os: String,
    #[serde(
        deserialize_with = "null_is_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub(crate) variant: String,
    /// What an operating system must be able to do beyond what it usually can, for instance mount EROFS layers.
    #[serde(
        rename = "os.features",
        deserialize_with = "null_is_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub(crate) os_features: Vec<String>,
}

impl Platform {
    /// What Nacre runs.
    pub(crate) fn ours() -> Self {
        Self {
            architecture: "amd64".to_owned(),
            os: "linux".to_owned(),
            ..Self::default()
        }
    }

    /// What is missing is ours, as it is an engine's own.
    pub(crate) fn is_ours(&self) -> bool {
        matches!(self.os.as_str(), "linux" | "")
            && matches!(self.architecture.as_str(), "amd64" | "")
            && self.os_features.is_empty()
    }

    /// Of amd64, v1 runs everywhere, and is what no variant means.
    pub(crate) fn is_baseline(&self) -> bool {
        matches!(self.variant.as_str(), "" | "v1")
    }
}

impl std::fmt::Display for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if !self.variant.is_empty() {
            write!(f, "/{}", self.variant)?;
        }
        if !self.os_features.is_empty() {
            write!(f, " with {}", self.os_features.join(", "))?;
        }
        Ok(())
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Index {
    pub(crate) schema_version: u32,
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub(crate) media_type: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) manifests: Vec<Descriptor>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    pub(crate) schema_version: u32,
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub(crate) media_type: String,
    #[serde(
        default,
        deserialize_with = "null_is_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub(crate) artifact_type: String,
    pub(crate) config: Descriptor,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) layers: Vec<Descriptor>,
    /// The image that an artifact is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<Descriptor>,
    #[serde(
        default,
        deserialize_with = "null_values",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub(crate) annotations: Annotations,
}

impl Manifest {
    /// The digest of the image that it is about, if it is about one.
    pub(crate) fn subject_digest(&self) -> Option<Digest> {
        match &self.subject.as_ref()?.digest {
            AnyDigest::Sha256(digest) => Some(*digest),
            AnyDigest::Other(_) => None,
        }
    }

    /// What it is if it is not an image, by its media types. Signatures of old have an image's configuration, but no
    /// layer of a file system.
    pub(crate) fn artifact_type(&self) -> Option<&str> {
        if is_artifact_type(&self.artifact_type) {
            return Some(&self.artifact_type);
        }
        if !is_image_config(&self.config.media_type) {
            return Some(&self.config.media_type);
        }
        let first = self.layers.first()?.media_type.as_str();
        (!self.layers.iter().any(|layer| is_file_system(&layer.media_type))).then_some(first)
    }
}

/// Whether a media type is that of a layer of an image, one that we read or not.
fn is_file_system(media_type: &str) -> bool {
    media_type.starts_with("application/vnd.oci.image.layer.")
        || media_type.starts_with("application/vnd.docker.image.rootfs.")
}

/// One image in the `manifest.json` of a docker-archive.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DockerImage {
    /// The path of the configuration within the archive.
    pub(crate) config: String,
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) repo_tags: Vec<String>,
    /// The path of each layer within the archive, lowest first.
    #[serde(default, deserialize_with = "null_is_default")]
    pub(crate) layers: Vec<String>,
}

/// Whether a layer of this media type is one that we read. The compression is told by the layer's first bytes.
pub(crate) fn layer_media_type(media_type: &str) -> Result<(), &'static str> {
    const KNOWN: [&str; 6] = [
        LAYER_TAR,
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.oci.image.layer.v1.tar+zstd",
        "application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
        "application/vnd.docker.image.rootfs.diff.tar.zstd",
    ];
    if KNOWN.contains(&media_type) {
        Ok(())
    } else if media_type.contains("foreign") || media_type.contains("nondistributable") {
        Err("a foreign layer, whose content is not part of the image")
    } else if media_type.contains("+encrypted") {
        Err("an encrypted layer; decrypt the image first (skopeo copy --decryption-key)")
    } else {
        Err("not a tar archive of a root file system")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layer_types() {
        assert!(layer_media_type("application/vnd.oci.image.layer.v1.tar+zstd").is_ok());
        assert!(layer_media_type("application/vnd.docker.image.rootfs.diff.tar.gzip").is_ok());
        for (media_type, reason) in [
            (
                "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
                "foreign",
            ),
            (
                "application/vnd.oci.image.layer.nondistributable.v1.tar",
                "foreign",
            ),
            (
                "application/vnd.oci.image.layer.v1.tar+gzip+encrypted",
                "encrypted",
            ),
            (
                "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
                "not a tar archive",
            ),
        ] {
            assert!(layer_media_type(media_type).unwrap_err().contains(reason));
        }
    }
}
