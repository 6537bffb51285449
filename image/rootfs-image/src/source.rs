//! The trait by which a caller shows the tree to write.

use std::io;

use rootfs_format::erofs::{Device, Timestamp};

/// A tree of inodes with small ids. Names are bytes; hard links are names with the same id.
pub trait Source {
    /// The root directory.
    fn root(&self) -> usize;

    /// Every id is below this. Ids that no name leads to are left out.
    fn inodes(&self) -> usize;

    /// The inode with this id.
    fn inode(&self, id: usize) -> Inode<'_>;

    /// Names and ids of a directory, in ascending order of the names' bytes, without `.` and `..`.
    fn entries(&self, id: usize) -> impl Iterator<Item = (&[u8], usize)>;

    /// Names and values of an inode's extended attributes, in an order that depends on nothing else.
    fn xattrs(&self, id: usize) -> impl Iterator<Item = (&[u8], &[u8])>;

    /// Fills `out` from byte `offset` of a file. A file is read once, from front to back.
    fn read_exact_at(&self, id: usize, offset: u64, out: &mut [u8]) -> io::Result<()>;
}

/// What a tree says of an inode. The number of names is counted, not asked for.
#[derive(Clone, Copy, Debug)]
pub struct Inode<'a> {
    /// Permission bits, setuid, setgid and sticky bits: the low 12 bits of the mode; others are ignored.
    pub permissions: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// When the contents were last changed.
    pub mtime: Timestamp,
    /// What it is.
    pub kind: Kind<'a>,
}

/// What an inode is.
#[derive(Clone, Copy, Debug)]
pub enum Kind<'a> {
    /// Directory, whose names [`Source::entries`] gives.
    Directory,
    /// Regular file of `len` bytes, which [`Source::read_exact_at`] gives.
    File {
        /// Bytes of contents.
        len: u64,
    },
    /// Symbolic link with its target.
    Symlink(&'a [u8]),
    /// Character device.
    CharDevice(Device),
    /// Block device.
    BlockDevice(Device),
    /// Named pipe.
    Fifo,
    /// Socket.
    Socket,
}
