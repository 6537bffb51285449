//! Reads the documents that are attached to an image: see [`crate::Attachment`].

use super::{SourceError, SourceProblem, Store, from_json, layout, read_bounded, sha256};
use crate::digest::{self, Digest};
use crate::manifest::{Descriptor, Manifest, Target};
use crate::reference::ImageRef;

/// Longest document that is read, in bytes: an SBOM of some ten thousand packages.
const MAX_ATTACHMENT_LEN: u64 = 64 << 20;

/// The document of this media type that is attached to the image whose manifest has the digest `subject`.
///
/// # Errors
/// What is stored there cannot be read, or is not what its digest promises.
pub fn attachment(
    place: &ImageRef,
    subject: Digest,
    media_type: &str,
) -> Result<Option<Vec<u8>>, SourceError> {
    let find = || {
        let store = Store::open(place)?;
        for descriptor in layout::top(&store)?.unwrap_or_default() {
            let is_wanted = matches!(descriptor.target(), Target::Manifest) && descriptor.is_artifact();
            if let Some(manifest) = is_wanted.then(|| referrer(&store, &descriptor)).transpose()?
                && manifest.subject_digest() == Some(subject)
                && manifest.artifact_type() == Some(media_type)
                && let Some(document) = manifest.layers.first()
            {
                const WHAT: &str = "an attached document";
                let bytes = read_bounded(WHAT, &store.blob(document)?, MAX_ATTACHMENT_LEN)?;
                digest::verify(WHAT, &bytes, sha256(document)?)?;
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    };
    find().map_err(|problem: SourceProblem| SourceError {
        place: place.to_string(),
        problem,
    })
}

fn referrer(store: &Store, descriptor: &Descriptor) -> Result<Manifest, SourceProblem> {
    const WHAT: &str = "the manifest of an attached document";
    from_json(WHAT, &store.document(WHAT, descriptor)?)
}
