//! Reads and writes OCI and Docker images, and applies their layers.
//!
//! - [`ImageRef`] names an image: `docker-archive:FILE[:REF]`, `oci-archive:FILE[:REF]` or `oci:DIR[:REF]`.
//! - [`ImageSource`] opens it, whichever way it is stored, and gives its [`ImageConfig`] and layers. Archives are
//!   indexed by their headers and read by offset, so their size does not matter.
//! - [`Tree`] is the root file system that results from applying the layers: metadata in memory, contents in an
//!   unlinked temporary file. Needs no root, and touches no other file of the host.
//! - [`write()`] writes an image of one uncompressed layer whose files begin at page boundaries, and
//!   [`ImageSource::locate`] finds them again without reading them, so that the host can map them from the image.
//!
//! Neighbours: `convert` builds trees into root file systems and writes the result; the command line's `run` locates
//! the files. Nothing of the enclave depends on this crate.
//!
//! Trust: this runs on the machine that converts, which is trusted; the image need not be. Every blob is checked
//! against its digest as it is read, so a caller that got a [`Tree`] has what the manifest (or, in a docker-archive,
//! the configuration) promises. Who signed that is not checked here. Sizes, depths and numbers that an image claims
//! are bounded by [`Limits`]. What `locate` finds is not verified: the enclave does that.

#![forbid(unsafe_code)]

mod blob;
mod compression;
mod config;
mod digest;
mod layer;
mod locate;
mod manifest;
mod reference;
mod source;
pub mod sparse_file;
mod tar;
mod tree;
mod unfinished;
mod unpacked;
mod write;

pub use compression::{Compression, UnknownCompression};
pub use config::{ContainerConfig, Empty, Healthcheck, History, ImageConfig, RootFs};
pub use digest::{Digest, DigestMismatch, NotADigest};
pub use layer::{Layer, LayerError};
pub use locate::{LocateError, Located, LocatedFile};
pub use manifest::Annotations;
pub use reference::{ImageRef, RefError, Transport};
pub use source::{ImageSource, SourceError, SourceProblem, attachment};
pub use tar::{TarError, Timestamp, Xattrs};
pub use tree::{Content, ContentReader, EntryError, Inode, InodeId, Kind, Limit, Limits, Tree, TreeError};
pub use unpacked::UnpackError;
pub use write::{
    Attachment, LayerFile, NewImage, WriteError, WrittenImage, check_target, write, write_attached,
};
