//! Documents that are attached to an image: OCI's referrers.
//!
//! A registry lists them by its referrers API. One without that API has them in an index whose tag is made of the image's
//! digest. Source: OCI distribution-spec v1.1, "Listing Referrers" and "Referrers Tag Schema".

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use futures_util::TryStreamExt as _;
use oci_client::Reference;
use oci_client::errors::OciDistributionError;
use oci_image::Digest;
use serde_json::{Value, json};

use crate::connection::retried;
use crate::document::{ACCEPTED, Descriptor, Document};
use crate::{Connection, Error};

/// Longest document that is fetched, in bytes.
const MAX_ATTACHMENT: u64 = 64 << 20;

impl Connection {
    /// The document of this media type that is attached to the image whose manifest has the digest `image`.
    ///
    /// # Errors
    /// The registry refuses, fails or lies.
    pub fn attachment(&self, image: Digest, media_type: &str) -> Result<Option<Vec<u8>>, Error> {
        self.runtime.block_on(async {
            for digest in self.referrers(image, Some(media_type)).await? {
                let document = self.referrer(digest).await?;
                if let Some(blob) = document.layers.iter().flatten().next() {
                    return self.small_blob(blob).await.map(Some);
                }
            }
            Ok(None)
        })
    }

    /// The digest of the image's manifest, if the name leads to one; nothing if it leads to an index, of which somebody has
    /// to choose.
    ///
    /// # Errors
    /// The registry refuses or fails.
    pub fn manifest_digest(&self) -> Result<Option<Digest>, Error> {
        let reference = &self.remote.reference;
        let answer = self.runtime.block_on(retried(|| async {
            let pulled = self.client.pull_manifest_raw(reference, &self.auth, &ACCEPTED);
            self.failed(pulled.await)
        }));
        let (bytes, _) = answer?;
        let document = Document::parse(&self.remote.to_string(), &bytes)?;
        Ok(document.manifests.is_none().then(|| Digest::of(&bytes)))
    }

    /// The digests of what is attached to an image.
    async fn referrers(&self, image: Digest, media_type: Option<&str>) -> Result<Vec<Digest>, Error> {
        let reference = self.remote.reference.clone_with_digest(image.to_string());
        let index =
            retried(|| async { self.failed(self.client.pull_referrers(&reference, media_type).await) })
                .await?;
        let digests = index.manifests.iter();
        Ok(digests.filter_map(|entry| entry.digest.parse().ok()).collect())
    }

    async fn referrer(&self, digest: Digest) -> Result<Document, Error> {
        let reference = self.remote.reference.clone_with_digest(digest.to_string());
        let answer = retried(|| async {
            let pulled = self.client.pull_manifest_raw(&reference, &self.auth, &ACCEPTED);
            self.failed(pulled.await)
        });
        let (bytes, _) = answer.await?;
        if Digest::of(&bytes) != digest {
            return Err(self.lies(digest));
        }
        Document::parse(&reference.whole(), &bytes)
    }

    async fn small_blob(&self, blob: &Descriptor) -> Result<Vec<u8>, Error> {
        let malformed = |why: String| Error::Manifest(self.remote.to_string(), why);
        let digest = blob
            .sha256()
            .ok_or_else(|| malformed(format!("{} is no sha256 digest", blob.digest)))?;
        if blob.size > MAX_ATTACHMENT {
            return Err(malformed(format!(
                "a document of {} bytes is attached",
                blob.size
            )));
        }
        let name = digest.to_string();
        let reference = &self.remote.reference;
        let mut answer = self.failed(self.client.pull_blob_stream(reference, name.as_str()).await)?;
        let mut bytes = Vec::new();
        let piece = |error| self.failed(Err(OciDistributionError::IoError(error)));
        while let Some(part) = answer.try_next().await.or_else(piece)? {
            if (bytes.len() + part.len()) as u64 > blob.size {
                return Err(self.lies(digest));
            }
            bytes.extend_from_slice(&part);
        }
        match Digest::of(&bytes) == digest {
            true => Ok(bytes),
            false => Err(self.lies(digest)),
        }
    }

    fn lies(&self, digest: Digest) -> Error {
        Error::Mismatch {
            host: self.host().to_owned(),
            digest,
            what: "it has another digest",
        }
    }

    /// Pushes what an OCI layout has attached to its image: `entries` of its index.
    pub(crate) async fn attach(&self, layout: &Path, image: Digest, entries: &[Value]) -> Result<(), Error> {
        let blobs = layout.join("blobs/sha256");
        let name = layout.display().to_string();
        let malformed = || Error::Manifest(name.clone(), "it names nothing that is attached".into());
        let unseen = Arc::new(AtomicU64::new(0));
        let mut digests = Vec::new();
        for entry in entries {
            let text = entry
                .get("digest")
                .and_then(Value::as_str)
                .ok_or_else(malformed)?;
            let digest: Digest = text.parse().map_err(|_| malformed())?;
            let path = blobs.join(digest.hex());
            let bytes = std::fs::read(&path).map_err(|error| Error::Store { path, error })?;
            let document = Document::parse(&name, &bytes)?;
            for blob in document.blobs() {
                if !self.has(blob, None).await? {
                    let digest = blob.sha256().ok_or_else(malformed)?;
                    self.send(&blobs.join(digest.hex()), blob, &unseen).await?;
                }
            }
            let reference = self.remote.reference.clone_with_digest(text.to_owned());
            self.push_document(&reference, &document, bytes).await?;
            digests.push(digest);
        }
        // A registry with the API lists now what was pushed.
        let listed = self.referrers(image, None).await?;
        match digests.iter().all(|digest| listed.contains(digest)) {
            true => Ok(()),
            false => self.list_by_tag(image, entries).await,
        }
    }

    /// Adds to the index whose tag is made of the image's digest.
    async fn list_by_tag(&self, image: Digest, entries: &[Value]) -> Result<(), Error> {
        let own = &self.remote.reference;
        let tag = image.to_string().replace(':', "-");
        let (registry, repository) = (own.registry().to_owned(), own.repository().to_owned());
        let reference = Reference::with_tag(registry, repository, tag);
        let pulled = self.client.pull_manifest_raw(&reference, &self.auth, &ACCEPTED);
        let mut all = match self.failed(pulled.await) {
            Ok((bytes, _)) => {
                let index: Value = serde_json::from_slice(&bytes).unwrap_or_default();
                let there = index.get("manifests").and_then(Value::as_array).cloned();
                there.unwrap_or_default()
            }
            Err(Error::NotFound(_)) => Vec::new(),
            Err(error) => return Err(error),
        };
        all.retain(|entry| !entries.iter().any(|new| new.get("digest") == entry.get("digest")));
        all.extend_from_slice(entries);
        let index = json!({ "schemaVersion": 2, "mediaType": ACCEPTED[0], "manifests": all });
        let bytes = index.to_string().into_bytes();
        let document = Document::parse(&reference.whole(), &bytes)?;
        self.push_document(&reference, &document, bytes).await
    }
}
