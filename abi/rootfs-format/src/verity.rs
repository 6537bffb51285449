//! The superblock of dm-verity, and the shape of its hash tree.
//!
//! Source: `lib/verity/verity.c` of cryptsetup for the superblock, and
//! <https://docs.kernel.org/admin-guide/device-mapper/verity.html> (version 1, SHA-256) for the tree, which has
//! no structure but its digests.

use alloc::vec::Vec;

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// SHA-256.
pub type Digest = [u8; DIGEST_SIZE];

/// Bytes of a digest in the hash tree.
pub const DIGEST_SIZE: usize = 32;
/// Digests in a block of the hash tree.
pub const DIGESTS_PER_BLOCK: u64 = 128;
/// Most bytes of a salt.
pub const MAX_VERITY_SALT: usize = 256;
/// [`VeritySuperblock::signature`].
pub const VERITY_SIGNATURE: [u8; 8] = *b"verity\0\0";

const _: () = assert!(DIGESTS_PER_BLOCK as usize * DIGEST_SIZE == crate::BLOCK_SIZE);

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
    pub salt: [u8; MAX_VERITY_SALT],
    pub padding2: [u8; 168],
}
const _: () = assert!(size_of::<VeritySuperblock>() == 512);

/// How many blocks each level of a hash tree has, the level of the data blocks' digests first, the root's last.
pub fn hash_levels(data_blocks: u64) -> Vec<u64> {
    let smaller = |blocks: &u64| (*blocks > 1).then(|| blocks.div_ceil(DIGESTS_PER_BLOCK));
    core::iter::successors(smaller(&data_blocks), smaller).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_those_of_the_kernel() {
        assert_eq!(hash_levels(1), []);
        assert_eq!(hash_levels(2), [1]);
        assert_eq!(hash_levels(128), [1]);
        assert_eq!(hash_levels(129), [2, 1]);
        assert_eq!(hash_levels(128 * 128 + 1), [129, 2, 1]);
        assert_eq!(hash_levels(1 << 52).len(), 8);
    }
}
