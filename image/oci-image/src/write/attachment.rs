//! Documents about an image, which an image index ties to it: OCI's referrers.
//!
//! Each is a manifest with the image as its `subject`. Source: OCI image-spec v1.1, manifest.md ("Guidelines for Artifact
//! Usage") and distribution-spec v1.1 ("Listing Referrers").

use super::json;
use crate::digest::{AnyDigest, Digest};
use crate::manifest::{Annotations, Descriptor, MANIFEST, Manifest};

/// A document about an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The media type of the document, which is also the type of the artifact.
    pub media_type: &'static str,
    /// What lists of referrers show of it.
    pub annotations: Annotations,
    /// The document.
    pub bytes: Vec<u8>,
}

/// An attachment as it is stored.
pub(super) struct Referrer {
    /// What an index says about it.
    pub(super) descriptor: Descriptor,
    pub(super) blobs: Vec<(Digest, Vec<u8>)>,
}

/// The configuration of what has none.
const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";
const EMPTY: &[u8] = b"{}";

impl Referrer {
    /// Ties a document to the image of this manifest.
    pub(super) fn new(attachment: Attachment, image: &Descriptor) -> Self {
        let Attachment {
            media_type,
            annotations,
            bytes,
        } = attachment;
        let descriptor = |media_type: &str, bytes: &[u8]| Descriptor {
            media_type: media_type.to_owned(),
            artifact_type: String::new(),
            digest: AnyDigest::Sha256(Digest::of(bytes)),
            size: bytes.len() as u64,
            annotations: Annotations::new(),
            platform: None,
        };
        let subject = Descriptor {
            annotations: Annotations::new(),
            platform: None,
            ..image.clone()
        };
        let manifest = json(&Manifest {
            schema_version: 2,
            media_type: MANIFEST.to_owned(),
            artifact_type: media_type.to_owned(),
            config: descriptor(EMPTY_TYPE, EMPTY),
            layers: vec![descriptor(media_type, &bytes)],
            subject: Some(subject),
            annotations: annotations.clone(),
        });
        Self {
            descriptor: Descriptor {
                artifact_type: media_type.to_owned(),
                annotations,
                ..descriptor(MANIFEST, &manifest)
            },
            blobs: vec![
                (Digest::of(EMPTY), EMPTY.to_vec()),
                (Digest::of(&bytes), bytes),
                (Digest::of(&manifest), manifest),
            ],
        }
    }
}
