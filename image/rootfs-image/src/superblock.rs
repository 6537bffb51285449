//! The superblocks of EROFS and of dm-verity.

use rootfs_format::erofs::{
    BLOCK_SIZE_BITS, COMPAT_CHECKSUM, COMPAT_MTIME, MAGIC, Nid, SUPERBLOCK_OFFSET, Superblock,
};
use rootfs_format::verity::{MAX_VERITY_SALT, VERITY_SIGNATURE, VeritySuperblock};
use rootfs_format::{BLOCK_SIZE, Block};
use zerocopy::{FromZeros, IntoBytes};

use crate::Error;

/// What an EROFS superblock says.
pub(crate) struct Summary {
    pub(crate) root: Nid,
    pub(crate) inodes: u64,
    pub(crate) blocks: u32,
    pub(crate) uuid: [u8; 16],
    /// Seconds since the epoch.
    pub(crate) build_time: u64,
}

/// The first block of the file system.
pub(crate) fn first_block(summary: &Summary) -> Block {
    let mut superblock = Superblock::new_zeroed();
    superblock.magic = MAGIC.into();
    superblock.feature_compat = (COMPAT_CHECKSUM | COMPAT_MTIME).into();
    superblock.block_size_bits = BLOCK_SIZE_BITS;
    superblock.root_nid = u16::try_from(summary.root.0)
        .expect("the root is the first inode")
        .into();
    superblock.inodes = summary.inodes.into();
    superblock.build_time = summary.build_time.into();
    superblock.blocks = summary.blocks.into();
    superblock.uuid = summary.uuid;

    let mut block = [0; BLOCK_SIZE];
    let rest = &mut block[SUPERBLOCK_OFFSET..];
    rest[..size_of::<Superblock>()].copy_from_slice(superblock.as_bytes());
    superblock.checksum = crc32c(rest).into();
    rest[..size_of::<Superblock>()].copy_from_slice(superblock.as_bytes());
    block
}

/// The superblock of the hash tree, as `veritysetup format` writes it.
pub(crate) fn verity(uuid: [u8; 16], data_blocks: u64, salt: &[u8]) -> Result<VeritySuperblock, Error> {
    let mut superblock = VeritySuperblock::new_zeroed();
    superblock.signature = VERITY_SIGNATURE;
    superblock.version = 1.into();
    superblock.hash_type = 1.into();
    superblock.uuid = uuid;
    superblock.algorithm[..6].copy_from_slice(b"sha256");
    superblock.data_block_size = (BLOCK_SIZE as u32).into();
    superblock.hash_block_size = (BLOCK_SIZE as u32).into();
    superblock.data_blocks = data_blocks.into();
    let salt_size = u16::try_from(salt.len())
        .ok()
        .filter(|size| usize::from(*size) <= MAX_VERITY_SALT);
    superblock.salt_size = salt_size.ok_or(Error::Salt)?.into();
    superblock.salt[..salt.len()].copy_from_slice(salt);
    Ok(superblock)
}

/// CRC-32C (RFC 3720, appendix B.4) without the final inversion, as the kernel's `crc32c(~0, …)`. Three kilobytes for each
/// image: a table would be longer than the loop.
fn crc32c(bytes: &[u8]) -> u32 {
    bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0x82F6_3B78 & (crc & 1).wrapping_neg())
        })
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn crc_has_the_check_value_of_its_definition() {
        assert_eq!(!super::crc32c(b"123456789"), 0xE306_9283);
    }
}
