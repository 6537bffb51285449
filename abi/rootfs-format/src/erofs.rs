//! The structures of EROFS, little-endian, as Linux has them.
//!
//! Source: `Documentation/filesystems/erofs.rst` and `fs/erofs/erofs_fs.h` of Linux.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Byte offset of the EROFS superblock.
pub const SUPERBLOCK_OFFSET: usize = 1024;
/// [`Superblock::magic`].
pub const MAGIC: u32 = 0xE0F5_E1E2;
/// [`Superblock::feature_compat`]: [`Superblock::checksum`] is filled.
pub const COMPAT_CHECKSUM: u32 = 1;
/// [`Superblock::feature_compat`]: inodes have modification times (all of ours do).
pub const COMPAT_MTIME: u32 = 2;
/// [`Superblock::block_size_bits`] for blocks of 4096 bytes.
pub const BLOCK_SIZE_BITS: u8 = 12;
/// Bytes of an inode slot: a nid counts them.
pub const SLOT_SIZE: u64 = 32;

/// The EROFS superblock.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
#[expect(missing_docs, reason = "named and explained in erofs_fs.h")]
pub struct Superblock {
    pub magic: U32,
    /// CRC-32C, without the final inversion, from here to the end of the block, this field as zero.
    pub checksum: U32,
    pub feature_compat: U32,
    pub block_size_bits: u8,
    pub extension_slots: u8,
    pub root_nid: U16,
    pub inodes: U64,
    pub build_time: U64,
    pub build_time_nanos: U32,
    pub blocks: U32,
    pub meta_block: U32,
    pub xattr_block: U32,
    pub uuid: [u8; 16],
    pub volume_name: [u8; 16],
    pub feature_incompat: U32,
    pub compression: U16,
    pub extra_devices: U16,
    pub device_table_slot: U16,
    pub directory_block_bits: u8,
    pub xattr_prefix_count: u8,
    pub xattr_prefix_start: U32,
    pub packed_nid: U64,
    pub xattr_filter: u8,
    pub reserved: [u8; 23],
}
const _: () = assert!(size_of::<Superblock>() == 128);

/// [`ExtendedInode::format`]: the inode has 64 bytes.
pub const FORMAT_EXTENDED: u16 = 1;
/// [`ExtendedInode::format`] with [`FORMAT_EXTENDED`]: all contents in blocks from [`ExtendedInode::location`].
pub const FORMAT_PLAIN: u16 = FORMAT_EXTENDED;
/// [`ExtendedInode::format`] with [`FORMAT_EXTENDED`]: the last, partial block follows the inode and its attributes.
pub const FORMAT_INLINE: u16 = FORMAT_EXTENDED | (2 << 1);

/// An inode with a 64-bit size and its own modification time.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
#[expect(missing_docs, reason = "named and explained in erofs_fs.h")]
pub struct ExtendedInode {
    pub format: U16,
    /// 0, or 1 and the number of words that follow the attributes' header.
    pub xattr_count: U16,
    pub mode: U16,
    pub reserved: U16,
    pub size: U64,
    /// First block of the contents, or the device's number.
    pub location: U32,
    pub number: U32,
    pub uid: U32,
    pub gid: U32,
    pub mtime: U64,
    pub mtime_nanos: U32,
    pub nlink: U32,
    pub reserved2: [u8; 16],
}
const _: () = assert!(size_of::<ExtendedInode>() == 64);

/// [`ExtendedInode::mode`]: the mask of the kind, as in `stat(2)`, and the kinds.
pub const S_IFMT: u16 = 0o170000;
/// Socket.
pub const S_IFSOCK: u16 = 0o140000;
/// Symbolic link.
pub const S_IFLNK: u16 = 0o120000;
/// Regular file.
pub const S_IFREG: u16 = 0o100000;
/// Block device.
pub const S_IFBLK: u16 = 0o060000;
/// Directory.
pub const S_IFDIR: u16 = 0o040000;
/// Character device.
pub const S_IFCHR: u16 = 0o020000;
/// Named pipe.
pub const S_IFIFO: u16 = 0o010000;

/// The number of an inode: its place in the image, which is also what `stat` should show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nid(pub u64);

/// Number of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// The driver.
    pub major: u32,
    /// The device among the driver's.
    pub minor: u32,
}

impl Device {
    /// From the kernel's 32-bit encoding (`new_decode_dev`).
    pub const fn decode(number: u32) -> Self {
        Self {
            major: (number & 0x000f_ff00) >> 8,
            minor: (number & 0xff) | ((number >> 12) & 0x000f_ff00),
        }
    }

    /// The kernel's 32-bit encoding (`new_encode_dev`); `None` for a number that does not fit: 12 bits of driver, 20
    /// of device.
    pub fn encode(self) -> Option<u32> {
        let Self { major, minor } = self;
        (major < 1 << 12 && minor < 1 << 20)
            .then_some((minor & 0xff) | (major << 8) | ((minor & !0xff) << 12))
    }
}

/// A time since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp {
    /// Seconds; negative before 1970.
    pub seconds: i64,
    /// Nanoseconds, below 10^9.
    pub nanos: u32,
}

/// A directory block begins with these, sorted by name; the names follow. The first one's `name_offset` tells how
/// many there are.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
#[expect(missing_docs, reason = "named and explained in erofs_fs.h")]
pub struct DirectoryEntry {
    pub nid: U64,
    pub name_offset: U16,
    /// A [`FileType`].
    pub file_type: u8,
    pub reserved: u8,
}
/// [`DirectoryEntry::file_type`]: the kernel's file types, `include/linux/fs_types.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "the kinds of files of stat(2)")]
pub enum FileType {
    Regular = 1,
    Directory = 2,
    CharDevice = 3,
    BlockDevice = 4,
    Fifo = 5,
    Socket = 6,
    Symlink = 7,
}

impl FileType {
    /// The type with this number.
    pub const fn from_raw(raw: u8) -> Option<Self> {
        Some(match raw {
            1 => Self::Regular,
            2 => Self::Directory,
            3 => Self::CharDevice,
            4 => Self::BlockDevice,
            5 => Self::Fifo,
            6 => Self::Socket,
            7 => Self::Symlink,
            _ => return None,
        })
    }
}

/// Bytes of a [`DirectoryEntry`].
pub const DIRECTORY_ENTRY_SIZE: usize = size_of::<DirectoryEntry>();
const _: () = assert!(DIRECTORY_ENTRY_SIZE == 12);
/// Most bytes of a name in a directory, and of an attribute's name.
pub const NAME_MAX: usize = 255;
/// Most bytes of a symbolic link's target.
pub const MAX_SYMLINK: usize = 4095;

/// What comes before an inode's extended attributes.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
#[expect(missing_docs, reason = "named and explained in erofs_fs.h")]
pub struct XattrHeader {
    pub name_filter: U32,
    pub shared_count: u8,
    pub reserved: [u8; 7],
}
/// Bytes of an [`XattrHeader`].
pub const XATTR_HEADER_SIZE: usize = size_of::<XattrHeader>();
const _: () = assert!(XATTR_HEADER_SIZE == 12);
/// Attributes begin at multiples of this.
pub const XATTR_ALIGN: usize = 4;

/// One extended attribute; the name without its prefix and the value follow.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
#[expect(missing_docs, reason = "named and explained in erofs_fs.h")]
pub struct XattrEntry {
    pub name_len: u8,
    pub name_index: u8,
    pub value_len: U16,
}
/// Bytes of an [`XattrEntry`].
pub const XATTR_ENTRY_SIZE: usize = size_of::<XattrEntry>();
const _: () = assert!(XATTR_ENTRY_SIZE == 4);

/// [`XattrEntry::name_index`] and the prefix for which it stands. The two without a final dot are whole names.
pub const XATTR_PREFIXES: [(u8, &[u8]); 5] = [
    (1, b"user."),
    (2, b"system.posix_acl_access"),
    (3, b"system.posix_acl_default"),
    (4, b"trusted."),
    (6, b"security."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_read_as_it_was_written() {
        for (major, minor) in [(0, 0), (8, 1), (0xfff, 0xf_ffff), (1, 0x100), (259, 0xabcde)] {
            let device = Device { major, minor };
            assert_eq!(device.encode().map(Device::decode), Some(device));
        }
        let too_large = [(1 << 12, 0), (0, 1 << 20)];
        assert!(
            too_large
                .iter()
                .all(|&(major, minor)| Device { major, minor }.encode().is_none())
        );
    }

    #[test]
    fn file_types_are_found_by_their_numbers() {
        for raw in 0..=u8::MAX {
            assert_eq!(
                FileType::from_raw(raw).map_or(0, |file_type| file_type as u8),
                if raw <= 7 { raw } else { 0 }
            );
        }
    }
}
