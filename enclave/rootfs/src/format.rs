//! The structures on disk, little-endian, as Linux has them.
//!
//! EROFS: `Documentation/filesystems/erofs.rst` and `fs/erofs/erofs_fs.h` of Linux. dm-verity: the superblock of
//! cryptsetup, `lib/verity/verity.c`; the hash tree has no structure but its digests.
//!
//! What Nacre writes:
//!
//! ```text
//! block 0              1024 bytes of zeros, EROFS superblock, zeros
//! block 1 …            inodes in slots of 32 bytes (nid n is at byte 32 n), each followed by its extended attributes
//!                      and, where small, by its contents; the root is the first
//! …                    contents of files, directories and symbolic links, each from a block boundary
//! …                    an opaque blob (the call-site maps), zeros up to the block boundary
//! hash_offset          verity superblock, zeros up to the block boundary
//! …                    hash tree: the top level first, the digests of the data blocks last
//! ```

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

/// A directory block begins with these, sorted by name; the names follow. The first one's `name_offset` tells how
/// many there are.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
#[expect(missing_docs, reason = "named and explained in erofs_fs.h")]
pub struct DirectoryEntry {
    pub nid: U64,
    pub name_offset: U16,
    pub file_type: u8,
    pub reserved: u8,
}
/// Bytes of a [`DirectoryEntry`].
pub const DIRECTORY_ENTRY_SIZE: usize = size_of::<DirectoryEntry>();
const _: () = assert!(DIRECTORY_ENTRY_SIZE == 12);
/// Most bytes of a name in a directory, and of an attribute's name.
pub const NAME_MAX: usize = 255;
/// Most bytes of a symbolic link's target.
pub const SYMLINK_MAX: usize = 4095;

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

/// The superblock of dm-verity as `veritysetup` writes it.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
#[expect(
    missing_docs,
    reason = "named and explained in cryptsetup's lib/verity/verity.c"
)]
pub struct VeritySuperblock {
    pub signature: [u8; 8],
    pub version: U32,
    pub hash_type: U32,
    pub uuid: [u8; 16],
    pub algorithm: [u8; 32],
    pub data_block_size: U32,
    pub hash_block_size: U32,
    pub data_blocks: U64,
    pub salt_size: U16,
    pub padding: [u8; 6],
    pub salt: [u8; VERITY_SALT_MAX],
    pub padding2: [u8; 168],
}
const _: () = assert!(size_of::<VeritySuperblock>() == 512);
/// [`VeritySuperblock::signature`].
pub const VERITY_SIGNATURE: [u8; 8] = *b"verity\0\0";
/// Most bytes of a salt.
pub const VERITY_SALT_MAX: usize = 256;
/// Bytes of a digest in the hash tree.
pub const DIGEST_SIZE: usize = 32;
/// Digests in a block of the hash tree.
pub const DIGESTS_PER_BLOCK: u64 = 128;
