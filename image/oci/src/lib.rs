//! Reads and writes OCI and Docker images, and applies their layers.
#![forbid(unsafe_code)]

mod blob;
mod compression;
mod config;
mod digest;
mod layer;
mod manifest;
mod reference;
mod source;
mod tar;
mod tree;

pub use compression::{Compression, UnknownCompression};
pub use config::{ContainerConfig, Empty, Healthcheck, History, ImageConfig, RootFs};
pub use digest::{Digest, DigestMismatch, NotADigest};
pub use layer::{Layer, LayerError};
pub use manifest::Annotations;
pub use reference::{ImageRef, RefError, Transport};
pub use source::{ImageSource, SourceError, SourceProblem};
pub use tar::{TarError, Timestamp, Xattrs};
pub use tree::{Content, ContentReader, EntryError, Inode, InodeId, Kind, Limit, Limits, Tree, TreeError};
mod locate;
mod write;
pub use locate::{LocateError, LocatedFile};
pub use write::{LayerFile, NewImage, WriteError, WrittenImage, write};
