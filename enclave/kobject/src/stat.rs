//! The attributes of a file, as `stat` gives them.

use linux_abi::stat;

/// Seconds and nanoseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp {
    /// Seconds, negative before 1970.
    pub seconds: i64,
    /// Nanoseconds, below 10^9.
    pub nanoseconds: u32,
}

/// The kind of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
    /// A named or unnamed pipe.
    Fifo,
    /// A socket.
    Socket,
    /// An anonymous inode (epoll, eventfd, …), which has no S_IF bits.
    Anonymous,
}

impl FileKind {
    /// The S_IF bits of st_mode.
    pub const fn mode_bits(self) -> u32 {
        match self {
            Self::Fifo => stat::S_IFIFO,
            Self::CharDevice => stat::S_IFCHR,
            Self::Directory => stat::S_IFDIR,
            Self::BlockDevice => stat::S_IFBLK,
            Self::Regular => stat::S_IFREG,
            Self::Symlink => stat::S_IFLNK,
            Self::Socket => stat::S_IFSOCK,
            Self::Anonymous => 0,
        }
    }

    /// The kind with these S_IF bits.
    pub const fn of_mode(mode: u32) -> Option<Self> {
        Some(match mode & stat::S_IFMT {
            stat::S_IFIFO => Self::Fifo,
            stat::S_IFCHR => Self::CharDevice,
            stat::S_IFDIR => Self::Directory,
            stat::S_IFBLK => Self::BlockDevice,
            stat::S_IFREG => Self::Regular,
            stat::S_IFLNK => Self::Symlink,
            stat::S_IFSOCK => Self::Socket,
            _ => return None,
        })
    }

    /// d_type of a directory entry (DT_).
    pub const fn directory_type(self) -> u8 {
        (self.mode_bits() >> 12) as u8
    }
}

/// The attributes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// st_dev, as `makedev` packs it.
    pub device: u64,
    /// st_ino.
    pub inode: u64,
    /// What it is.
    pub kind: FileKind,
    /// Permission bits, with set-id and sticky bits.
    pub permissions: u32,
    /// Hard links.
    pub links: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// st_rdev, as `makedev` packs it.
    pub special_device: u64,
    /// Bytes.
    pub size: u64,
    /// Preferred size of input and output, bytes.
    pub block_size: u32,
    /// Blocks of 512 bytes that it takes.
    pub blocks: u64,
    /// Last access.
    pub accessed: Timestamp,
    /// Last change of the contents.
    pub modified: Timestamp,
    /// Last change of the attributes.
    pub changed: Timestamp,
    /// Creation.
    pub created: Timestamp,
}

impl Stat {
    /// An object without contents, owner root, at time 0.
    pub const fn new(kind: FileKind, permissions: u32, inode: u64) -> Self {
        let epoch = Timestamp {
            seconds: 0,
            nanoseconds: 0,
        };
        Self {
            device: 0,
            inode,
            kind,
            permissions,
            links: 1,
            uid: 0,
            gid: 0,
            special_device: 0,
            size: 0,
            block_size: 4096,
            blocks: 0,
            accessed: epoch,
            modified: epoch,
            changed: epoch,
            created: epoch,
        }
    }

    /// st_mode.
    pub const fn mode(&self) -> u32 {
        self.kind.mode_bits() | self.permissions
    }
}
