//! The file tree that results from applying all layers of an image.
//!
//! Metadata is in memory; contents are in a [`Spool`], a temporary file without a name. The tree depends on the
//! layers alone, not on the host's file system: nothing is created, resolved or looked up there.

mod apply;
mod build;
mod follow;
mod limits;
mod path;
mod spool;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

pub use apply::TreeError;
pub(crate) use apply::{Place, places};
pub use build::EntryError;
pub(crate) use follow::follow;
pub use limits::{Limit, Limits};
pub use spool::{Content, ContentReader};

use crate::source::ImageSource;
use crate::tar::{Timestamp, Xattrs};
use spool::Spool;

/// Identifies an inode within its tree: an index into `Tree::inodes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InodeId(u32);

impl InodeId {
    /// The root directory.
    pub const ROOT: Self = Self(0);

    /// The position in `Tree::inodes`.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A file of any kind. Hard links are several names for one inode. `C` says where a file's content is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inode<C = Content> {
    /// Permissions, set-id and sticky bits: at most 0o7777.
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The owning group.
    pub gid: u32,
    /// When the content last changed.
    pub mtime: Timestamp,
    /// Extended attributes.
    pub xattrs: Xattrs,
    /// How many names there are; for a directory 2 and one for each directory in it.
    pub nlink: u32,
    /// What it is.
    pub kind: Kind<C>,
}

/// What an inode is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind<C = Content> {
    /// Names are 1 to 255 bytes, any but `/` and NUL, never `.` or `..`.
    Directory(BTreeMap<Vec<u8>, InodeId>),
    /// A regular file.
    File(C),
    /// The target, 1 to 4095 bytes, any but NUL.
    Symlink(Vec<u8>),
    /// A character device; at most 12 bits major, 20 bits minor.
    CharDevice {
        /// The driver.
        major: u32,
        /// The device.
        minor: u32,
    },
    /// A block device; at most 12 bits major, 20 bits minor.
    BlockDevice {
        /// The driver.
        major: u32,
        /// The device.
        minor: u32,
    },
    /// A named pipe.
    Fifo,
}

/// The root file system of an image.
///
/// Inodes are in depth-first order of their first names, sorted by bytes, so the same image always gives the
/// same tree; the root is the first.
#[derive(Debug)]
pub struct Tree {
    inodes: Vec<Inode>,
    spool: Spool,
}

impl Tree {
    /// Applies all layers of `image`, lowest first. Contents go to an unlinked temporary file in `spool_dir`.
    ///
    /// Volumes and the working directory are made where no layer has them: root's, with mode 0755, as container engines
    /// make them. Where they exist, owner and mode stay.
    ///
    /// `progress` is told how many of [`ImageSource::layers_len`] bytes were read so far. Every layer's digest has
    /// been checked when this returns.
    pub fn build(
        image: &ImageSource,
        spool_dir: &Path,
        limits: &Limits,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self, TreeError> {
        apply::layers(image, spool_dir, limits, progress)
    }

    /// All inodes; [`InodeId::index`] is the position.
    pub fn inodes(&self) -> &[Inode] {
        &self.inodes
    }

    /// The inode of this id, which must be of this tree.
    pub fn inode(&self, id: InodeId) -> &Inode {
        &self.inodes[id.index()]
    }

    /// The inode at `path` (components separated by `/`, always from the root). Symlinks are not followed.
    pub fn lookup(&self, path: &[u8]) -> Option<InodeId> {
        let mut id = InodeId::ROOT;
        for name in path
            .split(|&byte| byte == b'/')
            .filter(|name| !matches!(*name, b"" | b"."))
        {
            let Kind::Directory(entries) = &self.inode(id).kind else {
                return None;
            };
            id = *entries.get(name)?;
        }
        Some(id)
    }

    /// The inode at `path` as a process sees it whose root directory is this tree's: symbolic links are followed within
    /// the tree, also at the end of the path. `None` if there is nothing, or if a link leads to nothing.
    ///
    /// # Errors
    /// [`Limit::Symlinks`] for a loop of links.
    pub fn follow(&self, path: &[u8]) -> Result<Option<InodeId>, Limit> {
        follow(&self.inodes, path)
    }

    /// Bytes of all files that are stored; the others are holes.
    ///
    /// # Errors
    /// The temporary file cannot be asked.
    pub fn data_len(&self) -> io::Result<u64> {
        self.spool
            .data_len(self.inodes.iter().filter_map(|inode| match &inode.kind {
                Kind::File(content) => Some(content),
                _ => None,
            }))
    }

    /// Reads a file of this tree from its beginning.
    pub fn open(&self, content: &Content) -> ContentReader<'_> {
        self.spool.reader(content)
    }

    /// Reads at `offset` of a file of this tree; fewer bytes than asked for only at its end.
    pub fn read_at(&self, content: &Content, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.spool.read_at(content, offset, buffer)
    }
}
