//! Limits against images that were made to exhaust their reader.

/// What a tree may grow to. The default fits every image in practice and keeps memory below some GiB.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Entries of all layers together.
    pub entries: u64,
    /// Directories between the root and a file.
    pub depth: usize,
    /// Bytes of names, link targets and extended attributes of all layers together.
    pub metadata_len: u64,
    /// Bytes of extended attributes of one inode, names and values.
    pub xattrs_len: usize,
    /// Bytes of all files together (holes included), and of each uncompressed layer.
    pub content_len: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: 4 << 20,
            depth: 1024,
            metadata_len: 1 << 30,
            xattrs_len: 128 << 10,
            content_len: 256 << 30,
        }
    }
}

/// Linux: `NAME_MAX`, `PATH_MAX` with its NUL, `XATTR_NAME_MAX`, `XATTR_SIZE_MAX`, and the number of symlinks that
/// are followed for one path.
pub(super) const NAME_MAX: usize = 255;
pub(super) const PATH_MAX: usize = 4096;
pub(super) const XATTR_NAME_MAX: usize = 255;
pub(super) const XATTR_SIZE_MAX: usize = 64 << 10;
pub(super) const MAX_SYMLINKS: usize = 40;

/// A bound that an image exceeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Limit {
    /// [`Limits::entries`]
    #[error("the image has too many entries")]
    Entries,
    /// [`Limits::depth`]
    #[error("it is in too many nested directories")]
    Depth,
    /// [`Limits::metadata_len`]
    #[error("the image's names, links and extended attributes are too large")]
    Metadata,
    /// [`Limits::content_len`]
    #[error("the image's files are too large together (nacre convert --max-size allows more)")]
    Content,
    /// `NAME_MAX`
    #[error("a name in its path is longer than 255 bytes")]
    Name,
    /// `PATH_MAX`
    #[error("its path or link target is longer than 4095 bytes")]
    Path,
    /// `XATTR_NAME_MAX`, `XATTR_SIZE_MAX`, [`Limits::xattrs_len`]
    #[error("its extended attributes are too large")]
    Xattrs,
    /// Symbolic links to symbolic links …
    #[error("its path goes through too many symbolic links, or a loop of them")]
    Symlinks,
}
