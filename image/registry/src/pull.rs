//! Fetching: documents one after the other, as the image's rules lead from one to the next; blobs side by side.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use oci_client::client::BlobResponse;
use oci_image::{Digest, ImageSource, SourceError, SourceProblem};
use sha2::{Digest as _, Sha256};

use crate::connection::retried;
use crate::document::{ACCEPTED, Descriptor, Document};
use crate::{Connection, Error, Fetched, Progress, Store};

/// Blobs that are fetched at the same time.
const SIDE_BY_SIDE: usize = 3;
/// Documents and sets of blobs that one image may lead to.
const MAX_ROUNDS: usize = 64;
/// Bytes that are read back at a time.
const BUFFER: usize = 1 << 20;
/// How often the user is told.
const TELL_EACH: Duration = Duration::from_millis(100);

/// What a digest that is missing stands for.
enum Known {
    /// A manifest or an index.
    Document,
    /// The configuration or a layer of an image; all of its blobs.
    Blobs(Vec<Descriptor>),
}

impl Connection {
    /// Fetches the image, as far as the store does not have it.
    ///
    /// # Errors
    /// The registry refuses, fails or lies; there is no image for this machine; or the store cannot be written. What has
    /// come so far stays, and the next attempt goes on from there.
    pub fn pull(&self, store: &Store, progress: Progress<'_>) -> Result<Fetched, Error> {
        let name = self.remote.to_string();
        let (digest, top, size) = self.document(
            store,
            self.remote.reference.clone(),
            self.remote.reference.digest(),
        )?;
        let place = store.layout(digest, size, top.media_type())?;
        let mut known = HashMap::new();
        let mut bytes = 0;
        learn(&mut known, top);
        for _ in 0..MAX_ROUNDS {
            let missing = match ImageSource::open(&place) {
                Ok(_) => return Ok(Fetched { place, digest, bytes }),
                Err(SourceError {
                    problem: SourceProblem::MissingBlob(missing),
                    ..
                }) => missing,
                Err(SourceError { problem, .. }) => return Err(SourceError { place: name, problem }.into()),
            };
            match known.remove(&missing) {
                Some(Known::Document) => {
                    let text = missing.to_string();
                    let reference = self.remote.reference.clone_with_digest(text.clone());
                    let (_, document, _) = self.document(store, reference, Some(&text))?;
                    learn(&mut known, document);
                }
                Some(Known::Blobs(blobs)) => bytes += self.blobs(store, &blobs, progress)?,
                None => {
                    let problem = SourceProblem::MissingBlob(missing);
                    return Err(SourceError { place: name, problem }.into());
                }
            }
        }
        Err(Error::Endless)
    }

    /// Fetches a manifest or an index, which has to have this digest if one is wanted; from the store, if it is there.
    fn document(
        &self,
        store: &Store,
        reference: oci_client::Reference,
        wanted: Option<&str>,
    ) -> Result<(Digest, Document, u64), Error> {
        let name = reference.whole();
        let wanted: Option<Digest> = match wanted {
            Some(text) => Some(text.parse().map_err(|_| {
                Error::Manifest(
                    name.clone(),
                    format!("{text} is no digest that nacre knows: only sha256 is"),
                )
            })?),
            None => None,
        };
        if let Some(digest) = wanted.filter(|digest| store.has(*digest)) {
            let path = store.blob(digest);
            let bytes = store.at(&path, std::fs::read(&path))?;
            // Only a whole blob has that name, but files can be damaged.
            if Digest::of(&bytes) == digest {
                return Ok((digest, Document::parse(&name, &bytes)?, bytes.len() as u64));
            }
        }
        let answer = self.runtime.block_on(async {
            retried(|| async {
                self.failed(
                    self.client
                        .pull_manifest_raw(&reference, &self.auth, &ACCEPTED)
                        .await,
                )
            })
            .await
        });
        let (bytes, _) = answer?;
        let digest = Digest::of(&bytes);
        if let Some(wanted) = wanted.filter(|wanted| *wanted != digest) {
            return Err(Error::Mismatch {
                host: self.host().to_owned(),
                digest: wanted,
                what: "it has another digest",
            });
        }
        let document = Document::parse(&name, &bytes)?;
        store.put(digest, &bytes)?;
        Ok((digest, document, bytes.len() as u64))
    }

    /// Fetches those blobs that are not there; gives the bytes that came.
    fn blobs(&self, store: &Store, blobs: &[Descriptor], progress: Progress<'_>) -> Result<u64, Error> {
        let missing: Vec<(Digest, u64)> = blobs
            .iter()
            .filter_map(|blob| Some((blob.sha256()?, blob.size)))
            .filter(|(digest, _)| !store.has(*digest))
            .collect();
        for digest in blobs.iter().filter_map(Descriptor::sha256) {
            store.note_use(digest);
        }
        let total = missing.iter().map(|(_, size)| size).sum();
        let done = AtomicU64::new(0);
        let fetched = AtomicU64::new(0);
        let all = stream::iter(&missing)
            .map(|(digest, size)| self.blob(store, *digest, *size, &done, &fetched))
            .buffer_unordered(SIDE_BY_SIDE)
            .try_collect::<()>();
        self.runtime.block_on(watched(all, &done, total, progress))?;
        Ok(fetched.into_inner())
    }

    /// Fetches one blob, from where an earlier attempt ended.
    async fn blob(
        &self,
        store: &Store,
        digest: Digest,
        size: u64,
        done: &AtomicU64,
        fetched: &AtomicU64,
    ) -> Result<(), Error> {
        let mut partial = Partial::open(store, digest, size, done)?;
        // Another command may have been faster.
        if store.has(digest) {
            return Ok(());
        }
        retried(async || {
            if partial.len < size {
                self.go_on(store, digest, &mut partial, fetched).await?;
            }
            partial.check(self.host(), digest)
        })
        .await?;
        store.complete(digest)
    }

    /// Lets a blob's bytes come, from where they are missing.
    async fn go_on(
        &self,
        store: &Store,
        digest: Digest,
        partial: &mut Partial<'_>,
        fetched: &AtomicU64,
    ) -> Result<(), Error> {
        let name = digest.to_string();
        let reference = &self.remote.reference;
        let path = store.partial(digest);
        let answer = self
            .client
            .pull_blob_stream_partial(reference, name.as_str(), partial.len, None)
            .await;
        let mut bytes = match self.failed(answer)? {
            BlobResponse::Partial(bytes) => bytes,
            BlobResponse::Full(bytes) => {
                store.at(&path, partial.restart())?;
                bytes
            }
        };
        while let Some(piece) = bytes.stream.next().await {
            let piece = piece.map_err(|error| Error::Unreachable {
                host: self.host().to_owned(),
                reason: error.to_string(),
            })?;
            if partial.len + piece.len() as u64 > partial.size {
                store.at(&path, partial.restart())?;
                return Err(self.mismatch(digest, "it is longer than promised"));
            }
            store.at(&path, partial.append(&piece))?;
            fetched.fetch_add(piece.len() as u64, Ordering::Relaxed);
        }
        match partial.len == partial.size {
            true => Ok(()),
            false => Err(Error::Unreachable {
                host: self.host().to_owned(),
                reason: format!("{digest} ended after {} of {} bytes", partial.len, partial.size),
            }),
        }
    }

    fn mismatch(&self, digest: Digest, what: &'static str) -> Error {
        Error::Mismatch {
            host: self.host().to_owned(),
            digest,
            what,
        }
    }
}

/// Notes what the digests in a document stand for.
fn learn(known: &mut HashMap<Digest, Known>, document: Document) {
    for manifest in document.manifests.iter().flatten() {
        if let Some(digest) = manifest.sha256() {
            known.insert(digest, Known::Document);
        }
    }
    let blobs: Vec<_> = document.blobs().cloned().collect();
    for digest in blobs.iter().filter_map(Descriptor::sha256) {
        known.insert(digest, Known::Blobs(blobs.clone()));
    }
}

/// A blob on its way.
struct Partial<'a> {
    file: File,
    hash: Sha256,
    len: u64,
    size: u64,
    done: &'a AtomicU64,
}

impl<'a> Partial<'a> {
    /// What there is of it, read back.
    fn open(store: &Store, digest: Digest, size: u64, done: &'a AtomicU64) -> Result<Self, Error> {
        let mut partial = Self {
            file: store.open_partial(digest)?,
            hash: Sha256::new(),
            len: 0,
            size,
            done,
        };
        store.at(&store.partial(digest), partial.read_back())?;
        Ok(partial)
    }

    fn read_back(&mut self) -> std::io::Result<()> {
        if self.file.metadata()?.len() > self.size {
            return self.restart();
        }
        let mut buffer = vec![0; BUFFER];
        loop {
            let count = self.file.read(&mut buffer)?;
            if count == 0 {
                return Ok(());
            }
            self.take(buffer.get(..count).unwrap_or_default());
        }
    }

    fn append(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.file.write_all(bytes)?;
        self.take(bytes);
        Ok(())
    }

    fn take(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.len += bytes.len() as u64;
        self.done.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    }

    fn restart(&mut self) -> std::io::Result<()> {
        self.done.fetch_sub(self.len, Ordering::Relaxed);
        self.hash = Sha256::new();
        self.len = 0;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.set_len(0)
    }

    /// Whether it is what was asked for. If it is not, nothing of it is kept.
    fn check(&mut self, host: &str, digest: Digest) -> Result<(), Error> {
        let found: [u8; 32] = self.hash.clone().finalize().into();
        if found == *digest.as_bytes() {
            return Ok(());
        }
        // If that fails, the next attempt finds out.
        let _ = self.restart();
        Err(Error::Mismatch {
            host: host.to_owned(),
            digest,
            what: "it has another digest",
        })
    }
}

/// Tells the user how far it is while something runs.
pub(crate) async fn watched<T>(
    work: impl Future<Output = T>,
    done: &AtomicU64,
    total: u64,
    progress: Progress<'_>,
) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        match tokio::time::timeout(TELL_EACH, &mut work).await {
            Ok(result) => {
                progress(done.load(Ordering::Relaxed), total);
                return result;
            }
            Err(_) => progress(done.load(Ordering::Relaxed), total),
        }
    }
}
