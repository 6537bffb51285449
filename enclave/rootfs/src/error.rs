//! Errors of reading the root file system.

use core::fmt;

/// Why the root file system cannot be opened or read. To a program, each of them is `EIO`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The host did not supply the block of this number.
    Source {
        /// Index of the block in the image.
        block: u64,
    },
    /// The host offers fewer blocks than the measured configuration says the image has.
    Truncated {
        /// Blocks that the image must have.
        needed: u64,
        /// Blocks that the host offers.
        offered: u64,
    },
    /// The block of this number is not what was measured.
    Tampered {
        /// Index of the block in the image.
        block: u64,
    },
    /// The parameters of the hash tree contradict each other.
    Parameters(&'static str),
    /// The file system's structures contradict each other.
    Corrupt(&'static str),
    /// A feature of EROFS that this reader does not have.
    Unsupported(&'static str),
    /// The caller asked for what this kind of inode does not have.
    WrongKind(&'static str),
    /// The caller asked for bytes beyond the end of the image.
    OutOfRange,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source { block } => write!(f, "root file system: the host did not supply block {block}"),
            Self::Truncated { needed, offered } => write!(
                f,
                "root file system: the image has {offered} blocks, but {needed} were measured; it was cut short"
            ),
            Self::Tampered { block } => {
                write!(
                    f,
                    "root file system: block {block} is not what was measured; the image was changed"
                )
            }
            Self::Parameters(what) => write!(f, "root file system: hash tree parameters: {what}"),
            Self::Corrupt(what) => write!(f, "root file system: corrupt: {what}"),
            Self::Unsupported(what) => write!(f, "root file system: not supported: {what}"),
            Self::WrongKind(what) => write!(f, "root file system: {what}"),
            Self::OutOfRange => write!(f, "root file system: read beyond the end of the image"),
        }
    }
}

impl core::error::Error for Error {}
