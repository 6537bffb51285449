//! Tar archives: ustar, PAX, GNU and old V7 headers, sparse files included.
//!
//! Written for this crate because an image needs what general tar libraries leave out: binary extended
//! attributes, every sparse format, a strict reading of hostile headers, and offsets of contents (to index an
//! archive without reading it, and to place contents at page boundaries).
//!
//! Sources: POSIX.1-2024 `pax`; GNU tar manual, "Tar Internals"; where they leave room, Go's `archive/tar` (with
//! which Docker and containerd read) decides.

// What is read here may be hostile.
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::unwrap_used))]

pub(crate) mod emit;
mod header;
mod pax;
mod reader;
mod sparse;

use std::collections::BTreeMap;
use std::io;

pub(crate) use reader::{Input, Reader, Stream};
pub(crate) use sparse::Extent;

/// Size of a tar block, in bytes.
pub(crate) const BLOCK: usize = 512;
/// The type flag of a PAX header for the entry that follows.
const PAX_LOCAL: u8 = b'x';

/// A point in time, relative to 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Whole seconds, rounded down.
    pub seconds: i64,
    /// 0 to 999,999,999, forward from `seconds`.
    pub nanoseconds: u32,
}

/// Extended attributes: full name (`security.capability`) to value, both arbitrary bytes.
pub type Xattrs = BTreeMap<Vec<u8>, Vec<u8>>;

/// One entry of an archive, with its PAX and GNU extensions applied.
#[derive(Debug)]
pub(crate) struct Entry {
    /// As written in the archive: any bytes but NUL.
    pub(crate) path: Vec<u8>,
    pub(crate) kind: EntryKind,
    /// Permissions, set-id and sticky bits: at most 0o7777.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mtime: Timestamp,
    pub(crate) xattrs: Xattrs,
}

#[derive(Debug)]
pub(crate) enum EntryKind {
    Directory,
    File(FileEntry),
    /// Another name for the entry of this path.
    HardLink(Vec<u8>),
    Symlink(Vec<u8>),
    CharDevice {
        major: u32,
        minor: u32,
    },
    BlockDevice {
        major: u32,
        minor: u32,
    },
    Fifo,
}

/// The content of a file entry; its bytes follow in the archive.
#[derive(Debug)]
pub(crate) struct FileEntry {
    /// The file's size in bytes, holes included.
    pub(crate) len: u64,
    /// The parts of the file that are stored, in order; `None` if all of it is.
    pub(crate) extents: Option<Vec<Extent>>,
    /// Where the stored bytes begin in the archive.
    pub(crate) offset: u64,
}

/// An archive that cannot be read. Offsets are in bytes of the (uncompressed) archive.
#[derive(Debug, thiserror::Error)]
pub enum TarError {
    /// Reading failed, or what was read does not have the promised digest.
    #[error(transparent)]
    Io(io::Error),
    /// The archive ends within an entry.
    #[error("the archive is cut off at byte {0}: download or save the image again")]
    Truncated(u64),
    /// No tar archive, or a damaged one.
    #[error("there is no tar header at byte {0}: this is not a tar archive, or it is damaged")]
    NotAHeader(u64),
    /// A header field is malformed.
    #[error("the tar header at byte {offset} has a bad {field}")]
    BadField {
        /// The field.
        field: &'static str,
        /// Where the header is.
        offset: u64,
    },
    /// Something valid that no image needs.
    #[error("the tar header at byte {offset} is {what}, which an image layer cannot hold")]
    Unsupported {
        /// The feature.
        what: &'static str,
        /// Where the header is.
        offset: u64,
    },
}

/// A malformed field, before its header's place is known.
#[derive(Debug, PartialEq, Eq)]
struct BadField(&'static str);

impl BadField {
    fn at(self, offset: u64) -> TarError {
        TarError::BadField {
            field: self.0,
            offset,
        }
    }
}

/// Bytes from `len` to the end of its last block.
fn padding(len: u64) -> u64 {
    len.wrapping_neg() % BLOCK as u64
}
