//! Why an image cannot be opened.

use std::io;
use std::path::PathBuf;

use crate::compression::UnknownCompression;
use crate::digest::{Digest, DigestMismatch};
use crate::layer::LayerError;
use crate::tar::TarError;

/// An image that cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open {place}: {problem}")]
pub struct SourceError {
    /// The image reference as the user wrote it.
    pub place: String,
    /// What is wrong.
    pub problem: SourceProblem,
}

/// What is wrong with an image.
#[derive(Debug, thiserror::Error)]
pub enum SourceProblem {
    /// The file or directory cannot be opened.
    #[error("{}: {error}{hint}", path.display())]
    Open {
        /// The file or directory.
        path: PathBuf,
        /// What may help.
        hint: &'static str,
        /// The reason.
        error: io::Error,
    },
    /// Reading failed.
    #[error("reading {what}: {error}")]
    Read {
        /// The document.
        what: &'static str,
        /// The reason.
        error: io::Error,
    },
    /// The file is not a tar archive, or a damaged one.
    #[error(transparent)]
    Tar(#[from] TarError),
    /// The archive is compressed in a way that we do not read.
    #[error("the archive is {0}; nacre also reads a pipe: -")]
    Compression(#[from] UnknownCompression),
    /// Unpacking a compressed archive failed.
    #[error("unpacking the archive to {}: {error}", dir.display())]
    Unpack {
        /// The directory of the temporary file.
        dir: PathBuf,
        /// The reason.
        error: io::Error,
    },
    /// More members or links than an image has.
    #[error("the archive is not an image: {0}")]
    Hostile(&'static str),
    /// A file that every image of this transport has is missing.
    #[error("there is no {name}: {hint}")]
    Missing {
        /// The file.
        name: String,
        /// What the place may be instead.
        hint: &'static str,
    },
    /// A blob is missing.
    #[error("the blob {0} is missing: the image is incomplete")]
    MissingBlob(Digest),
    /// A blob is longer or shorter than promised.
    #[error("the blob {digest} has {actual} bytes instead of {expected}: the image is incomplete or damaged")]
    Size {
        /// The blob.
        digest: Digest,
        /// Bytes promised.
        expected: u64,
        /// Bytes there.
        actual: u64,
    },
    /// A document is not what its digest promised.
    #[error(transparent)]
    Digest(#[from] DigestMismatch),
    /// A document is too large.
    #[error("{what} has {len} bytes; at most 4 MiB are allowed")]
    TooLarge {
        /// The document.
        what: &'static str,
        /// Its size in bytes.
        len: u64,
    },
    /// A document is malformed.
    #[error("{what} is malformed: {error}")]
    Json {
        /// The document.
        what: &'static str,
        /// The reason.
        error: serde_json::Error,
    },
    /// There is no image at all.
    #[error("it holds no image")]
    Empty,
    /// There are several images and the reference does not say which.
    #[error("it holds several images; add one of these after the path and a colon: {}", .0.join(", "))]
    Ambiguous(Vec<String>),
    /// There is no image of this name.
    #[error("it holds no image {reference:?}, only: {}", names.join(", "))]
    NoSuchImage {
        /// The reference asked for.
        reference: String,
        /// The images there are.
        names: Vec<String>,
    },
    /// The image is for another operating system or CPU.
    #[error("the image is for {0}; only plain linux/amd64 can be converted")]
    WrongPlatform(String),
    /// Not a container image.
    #[error("it holds {0:?}, which is not a container image")]
    NotAnImage(String),
    /// A blob is named by a digest that we do not check.
    #[error("the digest {0} is not SHA-256, the only one that is supported")]
    Algorithm(String),
    /// Index points to index to index …
    #[error("its image indexes are nested too deeply")]
    NestedTooDeep,
    /// A layer's media type is none that can be applied.
    #[error("layer {number} ({media_type}) is {reason}")]
    LayerType {
        /// Counted from 1.
        number: usize,
        /// The layer's media type.
        media_type: String,
        /// Why it cannot be applied.
        reason: &'static str,
    },
    /// A layer cannot be opened.
    #[error("layer {number}: {error}")]
    Layer {
        /// Counted from 1.
        number: usize,
        /// The reason.
        error: LayerError,
    },
    /// Manifest and configuration disagree.
    #[error("the manifest lists {layers} layers, but the configuration {diff_ids}")]
    LayerCount {
        /// In the manifest.
        layers: usize,
        /// In the configuration.
        diff_ids: usize,
    },
}
