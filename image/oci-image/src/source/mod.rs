//! Opens an image for reading, from any kind of storage.

// What is read here may be hostile.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used))]

mod archive;
mod attachments;
mod docker;
mod error;
mod layout;

use std::path::PathBuf;

pub use attachments::attachment;
pub use error::{SourceError, SourceProblem};

use crate::blob::Blob;
use crate::config::ImageConfig;
use crate::digest::{self, AnyDigest, Digest};
use crate::layer::Layer;
use crate::manifest::{Annotations, Descriptor, Platform};
use crate::reference::{ImageRef, Transport};
use archive::Archive;

/// Bound on index, manifest and configuration, in bytes; registries refuse more than 4 MiB.
const MAX_DOCUMENT_LEN: u64 = 4 << 20;

/// An image, opened for reading. Its configuration and manifest were verified; its layers are when they are read.
#[derive(Debug)]
pub struct ImageSource {
    place: ImageRef,
    config: ImageConfig,
    config_digest: Digest,
    manifest_digest: Option<Digest>,
    annotations: Annotations,
    layers: Vec<Layer>,
}

impl ImageSource {
    /// Opens the image at `place`. Reads the headers of an archive, but no layer.
    ///
    /// An archive that is compressed as a whole (`.tar.gz`), or that comes through a pipe, is first copied to an unlinked
    /// file in `$TMPDIR`.
    pub fn open(place: &ImageRef) -> Result<Self, SourceError> {
        Self::open_store(place).map_err(|problem| SourceError {
            place: place.to_string(),
            problem,
        })
    }

    fn open_store(place: &ImageRef) -> Result<Self, SourceProblem> {
        let store = Store::open(place)?;
        let found = match place.transport {
            Transport::DockerArchive => docker::find(&store, place.reference.as_deref())?,
            // Of an archive that is both, the layout says more.
            Transport::Detected if !store.is_layout()? => docker::find(&store, place.reference.as_deref())?,
            _ => layout::find(&store, place.reference.as_deref())?,
        };

        let config: ImageConfig = from_json("the image configuration", &found.config)?;
        let platform: Platform = from_json("the image configuration", &found.config)?;
        if !platform.is_ours() {
            return Err(SourceProblem::WrongPlatform(platform.to_string()));
        }
        let diff_ids = &config.rootfs.diff_ids;
        if found.layers.len() != diff_ids.len() {
            return Err(SourceProblem::LayerCount {
                layers: found.layers.len(),
                diff_ids: diff_ids.len(),
            });
        }
        let layers = std::iter::zip(found.layers, diff_ids)
            .enumerate()
            .map(|(index, ((blob, digest), &diff_id))| {
                let number = index + 1;
                Layer::new(blob, digest, diff_id).map_err(|error| SourceProblem::Layer { number, error })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            place: place.clone(),
            config_digest: Digest::of(&found.config),
            config,
            manifest_digest: found.manifest_digest,
            annotations: found.annotations,
            layers,
        })
    }

    /// Where the image is.
    pub fn place(&self) -> &ImageRef {
        &self.place
    }

    /// What the image runs.
    pub fn config(&self) -> &ImageConfig {
        &self.config
    }

    /// The digest of the configuration: Docker's image ID. It commits to the content of all layers, so it is the
    /// same for the same image in each transport.
    pub fn config_digest(&self) -> Digest {
        self.config_digest
    }

    /// The digest of the manifest; `None` for a docker-archive that holds none.
    pub fn manifest_digest(&self) -> Option<Digest> {
        self.manifest_digest
    }

    /// The manifest's annotations.
    pub fn annotations(&self) -> &Annotations {
        &self.annotations
    }

    /// The layers, lowest first.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Bytes of all layers as they are stored (compressed).
    pub fn layers_len(&self) -> u64 {
        self.layers
            .iter()
            .fold(0, |sum, layer| sum.saturating_add(layer.size()))
    }
}

/// One image among those stored at a place.
struct Found {
    config: Vec<u8>,
    manifest_digest: Option<Digest>,
    annotations: Annotations,
    /// Each with its digest, if a manifest promises one.
    layers: Vec<(Blob, Option<Digest>)>,
}

/// The files that an image consists of: members of an archive, or files of a directory.
enum Store {
    Archive(Archive),
    Dir(PathBuf),
}

impl Store {
    fn open(place: &ImageRef) -> Result<Self, SourceProblem> {
        let open_failed = |error| SourceProblem::Open {
            path: place.path.clone(),
            hint: place.colon_hint(),
            error,
        };
        Ok(match place.transport {
            Transport::Detected if place.path.is_dir() => Self::Dir(place.path.clone()),
            Transport::OciDir => {
                std::fs::read_dir(&place.path).map_err(open_failed)?;
                Self::Dir(place.path.clone())
            }
            _ => Self::Archive(Archive::open(
                Blob::open_archive(&place.path).map_err(open_failed)?,
            )?),
        })
    }

    /// The file of this name. `name` comes from this crate or is a digest, or is looked up in an archive.
    fn file(&self, name: &str) -> Result<Option<Blob>, SourceProblem> {
        match self {
            Self::Archive(archive) => Ok(archive.file(name)),
            Self::Dir(dir) => {
                let path = dir.join(name);
                match Blob::open(&path) {
                    Ok(blob) => Ok(Some(blob)),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
                    Err(error) => Err(SourceProblem::Open {
                        path,
                        hint: "",
                        error,
                    }),
                }
            }
        }
    }

    /// Whether this is an OCI image layout, as far as its files tell. A directory can be nothing else.
    fn is_layout(&self) -> Result<bool, SourceProblem> {
        Ok(matches!(self, Self::Dir(_)) || self.file(layout::INDEX)?.is_some())
    }

    /// The blob that a descriptor points to, with the promised size. Its digest is yet to be checked.
    fn blob(&self, descriptor: &Descriptor) -> Result<Blob, SourceProblem> {
        let digest = sha256(descriptor)?;
        let name = format!("blobs/sha256/{}", digest.hex());
        let blob = self.file(&name)?.ok_or(SourceProblem::MissingBlob(digest))?;
        if blob.len() != descriptor.size {
            return Err(SourceProblem::Size {
                digest,
                expected: descriptor.size,
                actual: blob.len(),
            });
        }
        Ok(blob)
    }

    /// The verified JSON document that a descriptor points to.
    fn document(&self, what: &'static str, descriptor: &Descriptor) -> Result<Vec<u8>, SourceProblem> {
        let bytes = read_document(what, &self.blob(descriptor)?)?;
        digest::verify(what, &bytes, sha256(descriptor)?)?;
        Ok(bytes)
    }
}

/// The digest of what a descriptor points to.
fn sha256(descriptor: &Descriptor) -> Result<Digest, SourceProblem> {
    match &descriptor.digest {
        AnyDigest::Sha256(digest) => Ok(*digest),
        AnyDigest::Other(text) => Err(SourceProblem::Algorithm(text.clone())),
    }
}

fn read_document(what: &'static str, blob: &Blob) -> Result<Vec<u8>, SourceProblem> {
    read_bounded(what, blob, MAX_DOCUMENT_LEN)
}

fn read_bounded(what: &'static str, blob: &Blob, most: u64) -> Result<Vec<u8>, SourceProblem> {
    if blob.len() > most {
        return Err(SourceProblem::TooLarge {
            what,
            len: blob.len(),
        });
    }
    blob.read_all()
        .map_err(|error| SourceProblem::Read { what, error })
}

fn from_json<'a, T: serde::Deserialize<'a>>(what: &'static str, bytes: &'a [u8]) -> Result<T, SourceProblem> {
    serde_json::from_slice(bytes).map_err(|error| SourceProblem::Json { what, error })
}
