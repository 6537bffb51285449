//! Writes an image of one uncompressed layer.
//!
//! The same files and configuration give the same bytes: times are 0, owners are root, names are sorted, nothing
//! is compressed. Each file's content begins at a multiple of 4096 bytes within the layer, and the layer at a
//! multiple of 4096 within the archive, so that a file can be mapped into memory straight out of the image
//! ([`crate::ImageSource::locate`] finds it).
//!
//! Nothing appears at the target before it is complete: see [`crate::unfinished`].

mod archive;
mod attachment;
mod directory;
mod layer;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Serialize;

pub use attachment::Attachment;

use attachment::Referrer;

use crate::config::{ImageConfig, RootFs};
use crate::digest::{AnyDigest, Digest};
use crate::manifest::{Annotations, CONFIG, Descriptor, LAYER_TAR, MANIFEST, Manifest, Platform, REF_NAME};
use crate::reference::{ImageRef, Transport};
use crate::tar::emit::PathTooLong;

/// What to write.
pub struct NewImage<'a> {
    /// What the image runs. Platform, layers and history are filled in: linux/amd64 and the one layer.
    pub config: ImageConfig,
    /// Metadata of the manifest.
    pub annotations: Annotations,
    /// The files of the layer, in any order. Directories are made as needed, owned by root, mode 0755.
    pub files: Vec<LayerFile<'a>>,
}

/// A file of the layer, owned by root.
pub struct LayerFile<'a> {
    /// From the root of the image, without a leading slash: `nacre/rootfs.img`; at most 100 bytes.
    pub path: String,
    /// The permission bits (the lower 12 bits of the mode).
    pub mode: u32,
    /// Bytes that `content` gives, neither more nor less.
    pub len: u64,
    /// Where the bytes come from.
    pub content: Box<dyn Read + 'a>,
}

impl<'a> LayerFile<'a> {
    /// A file with these bytes.
    pub fn from_bytes(path: &str, mode: u32, bytes: &'a [u8]) -> Self {
        Self {
            path: path.to_owned(),
            mode,
            len: bytes.len() as u64,
            content: Box::new(bytes),
        }
    }

    /// A copy of an open file, from its current position to its end.
    pub fn from_file(path: &str, mode: u32, mut file: File) -> io::Result<Self> {
        let len = file
            .metadata()?
            .len()
            .saturating_sub(io::Seek::stream_position(&mut file)?);
        Ok(Self {
            path: path.to_owned(),
            mode,
            len,
            content: Box::new(file),
        })
    }
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenImage {
    /// The digest of the manifest.
    pub manifest_digest: Digest,
    /// The digest of the configuration.
    pub config_digest: Digest,
    /// The digest of the layer; it is not compressed, so this is its diff_id as well.
    pub layer_digest: Digest,
    /// The layer's size in bytes.
    pub layer_len: u64,
}

/// An image that cannot be written. Nothing of it is left at the target.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A file or directory of the target cannot be made or written.
    #[error("cannot write {}: {error}", path.display())]
    Target {
        /// The file or directory.
        path: PathBuf,
        /// The reason.
        error: io::Error,
    },
    /// The content of a file cannot be read.
    #[error("cannot read the content of {path}: {error}")]
    Content {
        /// The path within the layer.
        path: String,
        /// The reason.
        error: io::Error,
    },
    /// The content of a file has another length than stated.
    #[error(
        "the content of {path} does not have the {len} bytes that were announced: it was changed in the meantime"
    )]
    ContentLength {
        /// The path within the layer.
        path: String,
        /// The announced length.
        len: u64,
    },
    /// A path of the layer is not a plain relative path, or is given twice.
    #[error("{0:?} cannot be a file of the layer: it is not a plain relative path, or is there twice")]
    BadPath(String),
    /// A path of the layer is too long.
    #[error(transparent)]
    PathTooLong(#[from] PathTooLong),
    /// The image cannot be given this name.
    #[error("{0:?} cannot name an image in this archive: use a lower-case name and a tag, as in app:1.0")]
    BadReference(String),
    /// It is not said what to write.
    #[error("{0} does not say what to write: docker-archive:, oci-archive: or oci: must come first")]
    NoTransport(ImageRef),
    /// There is no directory for the archive.
    #[error("cannot write {}: there is no directory {}", path.display(), dir.display())]
    NoDirectory {
        /// The archive.
        path: PathBuf,
        /// Its directory.
        dir: PathBuf,
    },
    /// A device, a socket or the like stands where the archive should go.
    #[error("{} is not a file that an image could replace; name another", path.display())]
    NotAFile {
        /// What stands there.
        path: PathBuf,
    },
    /// The target directory holds something else.
    #[error("{} is not an OCI image layout: {reason}", path.display())]
    NotALayout {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl WriteError {
    fn target(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Target {
            path: path.to_owned(),
            error,
        }
    }
}

/// Writes an image to `place`: a new archive (an existing file is replaced), or an addition to the layout in a
/// directory (an image of the same name there is replaced). `progress` is told how many bytes of the layer were
/// written so far.
pub fn write(
    place: &ImageRef,
    image: NewImage<'_>,
    progress: &mut dyn FnMut(u64),
) -> Result<WrittenImage, WriteError> {
    write_attached(place, image, &|_| Vec::new(), progress)
}

/// As [`write()`], with documents about the image, which `attach` makes of what was written.
///
/// They are further entries of the layout's index. Tools that expect one image there have to be told its name or digest.
pub fn write_attached(
    place: &ImageRef,
    image: NewImage<'_>,
    attach: &dyn Fn(&WrittenImage) -> Vec<Attachment>,
    progress: &mut dyn FnMut(u64),
) -> Result<WrittenImage, WriteError> {
    check_target(place)?;
    match place.transport {
        Transport::DockerArchive | Transport::OciArchive => archive::write(place, image, attach, progress),
        Transport::OciDir => directory::write(place, image, attach, progress),
        Transport::Detected => Err(WriteError::NoTransport(place.clone())),
    }
}

/// Whether an image could be written to `place`, as far as can be told before its content is there: [`write`] asks the
/// same, but whoever has long work to do first can ask early.
pub fn check_target(place: &ImageRef) -> Result<(), WriteError> {
    if let Some(reference) = &place.reference
        && reference.starts_with('@')
    {
        return Err(WriteError::BadReference(reference.clone()));
    }
    match place.transport {
        Transport::DockerArchive | Transport::OciArchive => archive::check_target(place),
        Transport::OciDir => directory::check_target(place),
        Transport::Detected => Err(WriteError::NoTransport(place.clone())),
    }
}

/// The JSON documents of an image, made when its layer is complete.
struct Documents {
    config: Vec<u8>,
    manifest: Vec<u8>,
    /// What `index.json` says about the image.
    descriptor: Descriptor,
    /// What is attached to it.
    referrers: Vec<Referrer>,
    written: WrittenImage,
}

impl Documents {
    fn new(
        mut config: ImageConfig,
        annotations: Annotations,
        reference: Option<&str>,
        layer: &layer::WrittenLayer,
        attach: &dyn Fn(&WrittenImage) -> Vec<Attachment>,
    ) -> Self {
        let platform = Platform::ours();
        config.architecture = platform.architecture.clone();
        config.os = platform.os.clone();
        config.rootfs = RootFs {
            diff_ids: vec![layer.digest],
            ..RootFs::default()
        };
        config.history = Vec::new();
        let config = json(&config);
        let descriptor = |media_type: &str, bytes: &[u8]| Descriptor {
            media_type: media_type.to_owned(),
            artifact_type: String::new(),
            digest: AnyDigest::Sha256(Digest::of(bytes)),
            size: bytes.len() as u64,
            annotations: Annotations::new(),
            platform: None,
        };
        let config_descriptor = descriptor(CONFIG, &config);
        let config_digest = Digest::of(&config);
        let manifest = json(&Manifest {
            schema_version: 2,
            media_type: MANIFEST.to_owned(),
            artifact_type: String::new(),
            config: config_descriptor,
            layers: vec![Descriptor {
                digest: AnyDigest::Sha256(layer.digest),
                size: layer.len,
                ..descriptor(LAYER_TAR, &[])
            }],
            subject: None,
            annotations,
        });
        let mut descriptor = descriptor(MANIFEST, &manifest);
        descriptor.platform = Some(platform);
        descriptor
            .annotations
            .extend(reference.map(|name| (REF_NAME.to_owned(), name.to_owned())));
        let written = WrittenImage {
            manifest_digest: Digest::of(&manifest),
            config_digest,
            layer_digest: layer.digest,
            layer_len: layer.len,
        };
        let attachments = attach(&written).into_iter();
        let referrers = attachments.map(|attachment| Referrer::new(attachment, &descriptor));
        Self {
            config,
            manifest,
            referrers: referrers.collect(),
            descriptor,
            written,
        }
    }

    /// The blobs of what is attached, each once.
    fn attached_blobs(&self) -> BTreeMap<Digest, &[u8]> {
        let blobs = self.referrers.iter().flat_map(|referrer| &referrer.blobs);
        blobs.map(|(digest, bytes)| (*digest, bytes.as_slice())).collect()
    }
}

/// The file that marks an image layout, and its content.
const LAYOUT_FILE: &str = "oci-layout";
const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

fn blob_name(digest: Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

fn json(document: &impl Serialize) -> Vec<u8> {
    // Strings, numbers, lists and maps with string keys: nothing that JSON could refuse.
    serde_json::to_vec(document).expect("the documents of an image are valid JSON")
}
