//! Pushing: blobs that the registry does not have, then the manifest.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::TryStreamExt as _;
use oci_client::Reference;
use oci_client::errors::OciDistributionError;
use oci_image::Digest;
use serde_json::Value;
use tokio_util::io::ReaderStream;

use crate::connection::retried;
use crate::document::{Descriptor, Document};
use crate::pull::watched;
use crate::{Connection, Error, Progress, Remote};

/// Bytes that are sent at a time.
const PIECE: usize = 1 << 20;

/// What a push has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The digest of the manifest, by which anybody can ask for this very image.
    pub digest: Digest,
    /// Bytes that were sent; the registry had the others.
    pub sent: u64,
}

impl Connection {
    /// Pushes the first image of an OCI layout in a directory, and what is attached to it. Blobs that `from`, in the same registry, has are not sent.
    ///
    /// # Errors
    /// The registry refuses or fails, or the layout is damaged.
    pub fn push(
        &self,
        layout: &Path,
        from: Option<&Remote>,
        progress: Progress<'_>,
    ) -> Result<Pushed, Error> {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|error| Error::Store {
                path: path.into(),
                error,
            })
        };
        let name = layout.display().to_string();
        let index = read(&layout.join("index.json"))?;
        let attached = attached(&index);
        let index = Document::parse(&name, &index)?;
        let incomplete = || Error::Manifest(name.clone(), "it names no image".into());
        let manifest = index.manifests.iter().flatten().next().ok_or_else(incomplete)?;
        let digest = manifest.sha256().ok_or_else(incomplete)?;
        let blob = |digest: Digest| layout.join("blobs/sha256").join(digest.hex());
        let bytes = read(&blob(digest))?;
        let document = Document::parse(&name, &bytes)?;

        let total = document.blobs().map(|blob| blob.size).sum();
        let (done, sent) = (Arc::new(AtomicU64::new(0)), AtomicU64::new(0));
        let from = from.filter(|from| from.host() == self.host());
        let work = async {
            for descriptor in document.blobs() {
                let digest = descriptor.sha256().ok_or_else(incomplete)?;
                if self.has(descriptor, from).await? {
                    done.fetch_add(descriptor.size, Ordering::Relaxed);
                } else {
                    self.send(&blob(digest), descriptor, &done).await?;
                    sent.fetch_add(descriptor.size, Ordering::Relaxed);
                }
            }
            self.push_document(&self.remote.reference, &document, bytes)
                .await?;
            match attached.as_slice() {
                [] => Ok(()),
                attached => self.attach(layout, digest, attached).await,
            }
        };
        self.runtime.block_on(watched(work, &done, total, progress))?;
        Ok(Pushed {
            digest,
            sent: sent.into_inner(),
        })
    }

    /// Pushes a manifest or an index.
    pub(crate) async fn push_document(
        &self,
        reference: &Reference,
        document: &Document,
        bytes: Vec<u8>,
    ) -> Result<(), Error> {
        let media_type = document.media_type().parse();
        let media_type =
            media_type.map_err(|_| Error::Manifest(reference.whole(), "its media type".into()))?;
        let pushed = self.client.push_manifest_raw(reference, bytes, media_type);
        self.failed(pushed.await).map(drop)
    }

    /// Whether the registry has the blob, or can take it from the other image.
    pub(crate) async fn has(&self, blob: &Descriptor, from: Option<&Remote>) -> Result<bool, Error> {
        let reference = &self.remote.reference;
        let there =
            retried(|| async { self.failed(self.client.blob_exists(reference, &blob.digest).await) }).await;
        if there? {
            return Ok(true);
        }
        let Some(from) = from else { return Ok(false) };
        // A registry that does not mount begins an upload instead, or refuses; then the blob is sent.
        Ok(self
            .client
            .mount_blob(reference, &from.reference, &blob.digest)
            .await
            .is_ok())
    }

    pub(crate) async fn send(
        &self,
        path: &Path,
        blob: &Descriptor,
        done: &Arc<AtomicU64>,
    ) -> Result<(), Error> {
        let before = done.load(Ordering::Relaxed);
        retried(|| async {
            done.store(before, Ordering::Relaxed);
            let file = tokio::fs::File::open(path).await.map_err(|error| Error::Store {
                path: path.into(),
                error,
            })?;
            let counter = done.clone();
            let pieces = ReaderStream::with_capacity(file, PIECE)
                .inspect_ok(move |piece| {
                    counter.fetch_add(piece.len() as u64, Ordering::Relaxed);
                })
                .map_err(OciDistributionError::IoError);
            let reference = &self.remote.reference;
            let sent = self
                .client
                .push_blob_stream(reference, pieces, &blob.digest, Some(blob.size))
                .await;
            self.failed(sent)
        })
        .await
        .map(drop)
    }
}

/// The entries of an index that are attached to its image.
fn attached(index: &[u8]) -> Vec<Value> {
    let index: Value = serde_json::from_slice(index).unwrap_or_default();
    let entries = index.get("manifests").and_then(Value::as_array);
    let artifacts = entries.into_iter().flatten().skip(1);
    artifacts
        .filter(|entry| entry.get("artifactType").is_some())
        .cloned()
        .collect()
}
