//! Errors of writing an image.

use std::io;

/// Why an image cannot be written. Inodes are named by their id in the [`crate::Source`], whose owner knows the path.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file's contents could not be read.
    #[error("reading the contents of inode {inode}")]
    Read {
        /// The file.
        inode: usize,
        /// The error of reading.
        source: io::Error,
    },
    /// The image could not be written.
    #[error("writing the root file system image")]
    Write(#[source] io::Error),
    /// An image could not be read, or ends too early.
    #[error("reading the root file system image")]
    ReadImage(#[source] io::Error),
    /// Sizes that no image has.
    #[error("there is no root file system of this size")]
    Malformed,
    /// The root is not a directory, or an id is out of range.
    #[error("inode {0} is not what the tree uses it for")]
    WrongKind(usize),
    /// A directory has two names, or lies within itself.
    #[error("directory {0} has more than one name")]
    DirectoryTwice(usize),
    /// A name that Linux does not allow.
    #[error("directory {directory} has a name that Linux does not allow: {:?}", String::from_utf8_lossy(.name))]
    Name {
        /// The directory.
        directory: usize,
        /// The name.
        name: Vec<u8>,
    },
    /// A directory does not list its names in ascending order of their bytes, each once.
    #[error("the names of directory {0} are not sorted")]
    Unsorted(usize),
    /// A symbolic link that is empty, longer than 4095 bytes, or has a NUL.
    #[error("the target of symbolic link {0} is empty, too long, or has a NUL")]
    Symlink(usize),
    /// A device number that Linux does not allow: majors have 12 bits, minors 20.
    #[error("inode {0} has a device number that Linux does not allow")]
    Device(usize),
    /// A time with 10^9 nanoseconds or more.
    #[error("inode {0} has a modification time with too many nanoseconds")]
    Time(usize),
    /// Extended attributes that are longer than Linux allows.
    #[error(
        "the extended attributes of inode {0} are too long: EROFS has room for 65535 bytes each, 262136 in all"
    )]
    Xattr(usize),
    /// The file system would have more than 2^32 blocks.
    #[error("the files are too long for one file system: EROFS has room for 16 TiB")]
    TooLong,
    /// The salt is longer than 256 bytes.
    #[error("the salt is longer than the 256 bytes that dm-verity has room for")]
    Salt,
}
