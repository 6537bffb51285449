//! Inodes, checked when they are read: where the contents of an [`Inode`] lie is known to be within the image.

use crate::Error;
use rootfs_format::BLOCK_SIZE;
use rootfs_format::erofs::{
    Device, ExtendedInode, FORMAT_INLINE, FORMAT_PLAIN, MAX_SYMLINK, Nid, S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO,
    S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK, SLOT_SIZE, Timestamp, XATTR_HEADER_SIZE,
};

/// What an inode is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Regular file.
    File,
    /// Directory.
    Directory,
    /// Symbolic link.
    Symlink,
    /// Character device.
    CharDevice(Device),
    /// Block device.
    BlockDevice(Device),
    /// Named pipe.
    Fifo,
    /// Socket.
    Socket,
}

/// An inode, as `stat` shows it.
#[derive(Clone, Debug)]
pub struct Inode {
    /// Its number.
    pub nid: Nid,
    /// What it is.
    pub kind: Kind,
    /// Permission bits, setuid, setgid and sticky bits: the low 12 bits of the mode.
    pub permissions: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Bytes of contents.
    pub size: u64,
    /// When the contents were last changed.
    pub mtime: Timestamp,
    /// Names of the inode.
    pub nlink: u32,
    /// Where the contents are.
    pub(crate) contents: Contents,
    /// Where the extended attributes are, from their header on.
    pub(crate) xattrs: Extent,
}

/// Where an inode's contents are: whole blocks, then perhaps a tail that lies within a block of inodes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contents {
    pub(crate) first_block: u64,
    /// Bytes of the contents that the blocks from `first_block` hold.
    pub(crate) in_blocks: u64,
    /// Byte offset in the image of the rest; it does not cross the end of its block.
    pub(crate) tail: u64,
}

/// Bytes of the image.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    pub(crate) start: u64,
    pub(crate) end: u64,
}

impl Inode {
    /// Byte offset of an inode in the image.
    pub(crate) fn offset(meta_block: u32, nid: Nid) -> Option<u64> {
        nid.0
            .checked_mul(SLOT_SIZE)?
            .checked_add(u64::from(meta_block) * BLOCK_SIZE as u64)
    }

    /// Checks the inode that lies at byte `offset` of a file system of `blocks` blocks.
    pub(crate) fn parse(nid: Nid, offset: u64, raw: &ExtendedInode, blocks: u64) -> Result<Self, Error> {
        let format = raw.format.get();
        if format != FORMAT_PLAIN && format != FORMAT_INLINE {
            return Err(Error::Unsupported("an inode that is not extended and flat"));
        }
        let location = raw.location.get();
        let mode = raw.mode.get();
        let kind = match mode & S_IFMT {
            S_IFREG => Kind::File,
            S_IFDIR => Kind::Directory,
            S_IFLNK => Kind::Symlink,
            S_IFCHR => Kind::CharDevice(Device::decode(location)),
            S_IFBLK => Kind::BlockDevice(Device::decode(location)),
            S_IFIFO => Kind::Fifo,
            S_IFSOCK => Kind::Socket,
            _ => return Err(Error::Corrupt("the mode of an inode has no kind")),
        };
        let size = raw.size.get();
        match kind {
            Kind::File | Kind::Directory => {}
            Kind::Symlink if (1..=MAX_SYMLINK as u64).contains(&size) => {}
            Kind::Symlink => return Err(Error::Corrupt("the length of a symbolic link")),
            _ if size == 0 => {}
            _ => return Err(Error::Corrupt("a device, pipe or socket with contents")),
        }
        let nanos = raw.mtime_nanos.get();
        if nanos >= 1_000_000_000 {
            return Err(Error::Corrupt("a time with more nanoseconds than a second has"));
        }

        let xattr_len = match raw.xattr_count.get() {
            0 => 0,
            count => XATTR_HEADER_SIZE as u64 + 4 * (u64::from(count) - 1),
        };
        let xattrs = (|| {
            let start = offset.checked_add(size_of::<ExtendedInode>() as u64)?;
            let end = start.checked_add(xattr_len)?;
            (end <= blocks.checked_mul(BLOCK_SIZE as u64)?).then_some(Extent { start, end })
        })();
        let xattrs = xattrs.ok_or(Error::Corrupt("an inode beyond the end of the file system"))?;
        let inline = format == FORMAT_INLINE;
        let contents = Contents::new(size, inline, u64::from(location), xattrs.end, blocks)?;
        Ok(Self {
            nid,
            kind,
            permissions: mode & !S_IFMT,
            uid: raw.uid.get(),
            gid: raw.gid.get(),
            size,
            mtime: Timestamp {
                seconds: raw.mtime.get().cast_signed(),
                nanos,
            },
            nlink: raw.nlink.get(),
            contents,
            xattrs,
        })
    }
}

impl Contents {
    fn new(size: u64, inline: bool, first_block: u64, tail: u64, blocks: u64) -> Result<Self, Error> {
        let block = BLOCK_SIZE as u64;
        let in_blocks = if inline { size - size % block } else { size };
        let tail_len = size - in_blocks;
        if in_blocks > 0
            && first_block
                .checked_add(in_blocks.div_ceil(block))
                .is_none_or(|end| end > blocks)
        {
            return Err(Error::Corrupt("contents beyond the end of the file system"));
        }
        // `tail` is within the file system, which ends with a whole block.
        if tail_len > 0 && (tail / block >= blocks || tail % block + tail_len > block) {
            return Err(Error::Corrupt("an inline tail that crosses the end of its block"));
        }
        Ok(Self {
            first_block,
            in_blocks,
            tail,
        })
    }
}
