//! The image below the overlay, whatever its blocks and locks are.

use alloc::vec::Vec;
use core::ops::ControlFlow;

use kobject::{Errno, Result};
use rootfs::{CacheSet, Chunk, DirEntry, Entry, Erofs, Inode, Lock, Nid, VerifiedBlocks, Xattr};

/// A verified, read-only file system: an [`Erofs`] whose type parameters do not matter.
///
/// What does not verify, or contradicts itself, is EIO.
pub trait Image: Send + Sync {
    /// The root directory's inode.
    fn root(&self) -> Nid;

    /// Blocks of 4,096 bytes.
    fn blocks(&self) -> u64;

    /// The inode of this number.
    fn inode(&self, nid: Nid) -> Result<Inode>;

    /// What a name in a directory stands for.
    fn lookup(&self, directory: &Inode, name: &[u8]) -> Result<Option<Entry>>;

    /// Shows the entries of a directory, as [`Erofs::readdir`].
    fn list(
        &self,
        directory: &Inode,
        cookie: u64,
        visit: &mut dyn FnMut(DirEntry<'_>) -> ControlFlow<()>,
    ) -> Result<u64>;

    /// A file's bytes from `offset` to the end of their block; `None` at the end of the file.
    fn chunk(&self, file: &Inode, offset: u64) -> Result<Option<Chunk>>;

    /// As [`Self::chunk`], if it can be had without a look at the host's memory; `None` also at the end of the file.
    fn cached_chunk(&self, file: &Inode, offset: u64) -> Result<Option<Chunk>>;

    /// Reads into `out`, past the cache; fewer bytes at the end of the file only.
    fn read(&self, file: &Inode, offset: u64, out: &mut [u8]) -> Result<usize>;

    /// The target of a symbolic link.
    fn readlink(&self, link: &Inode) -> Result<Vec<u8>>;

    /// All extended attributes.
    fn xattrs(&self, inode: &Inode) -> Result<Vec<Xattr>>;
}

impl<B, L> Image for Erofs<B, L>
where
    B: VerifiedBlocks + Send + Sync,
    L: Lock<CacheSet> + Send + Sync,
{
    fn root(&self) -> Nid {
        self.root()
    }

    fn blocks(&self) -> u64 {
        self.blocks()
    }

    fn inode(&self, nid: Nid) -> Result<Inode> {
        self.inode(nid).map_err(unreadable)
    }

    fn lookup(&self, directory: &Inode, name: &[u8]) -> Result<Option<Entry>> {
        self.lookup(directory, name).map_err(unreadable)
    }

    fn list(
        &self,
        directory: &Inode,
        cookie: u64,
        visit: &mut dyn FnMut(DirEntry<'_>) -> ControlFlow<()>,
    ) -> Result<u64> {
        self.readdir(directory, cookie, visit).map_err(unreadable)
    }

    fn chunk(&self, file: &Inode, offset: u64) -> Result<Option<Chunk>> {
        self.chunk(file, offset).map_err(unreadable)
    }

    fn cached_chunk(&self, file: &Inode, offset: u64) -> Result<Option<Chunk>> {
        self.cached_chunk(file, offset).map_err(unreadable)
    }

    fn read(&self, file: &Inode, offset: u64, out: &mut [u8]) -> Result<usize> {
        self.read_past_cache(file, offset, out).map_err(unreadable)
    }

    fn readlink(&self, link: &Inode) -> Result<Vec<u8>> {
        self.readlink(link).map_err(unreadable)
    }

    fn xattrs(&self, inode: &Inode) -> Result<Vec<Xattr>> {
        self.xattrs(inode).map_err(unreadable)
    }
}

fn unreadable(_: rootfs::Error) -> Errno {
    Errno::EIO
}
