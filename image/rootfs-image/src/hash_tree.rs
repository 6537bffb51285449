//! The dm-verity hash tree over the blocks that are written.

use rootfs_format::verity::{DIGEST_SIZE, Digest};
use rootfs_format::{BLOCK_SIZE, Block};
use verity_digest::BlockHasher;

use crate::Error;

/// Takes in data blocks in order, and gives the tree over them.
pub(crate) struct HashTree {
    hasher: BlockHasher,
    /// The digest of a block of zeros: sparse files have many.
    zeros: Digest,
    /// The digests of the data blocks, 32 bytes each.
    leaves: Vec<u8>,
}

static ZEROS: [u8; BLOCK_SIZE] = [0; BLOCK_SIZE];

impl HashTree {
    pub(crate) fn new(salt: &[u8]) -> Result<Self, Error> {
        let hasher = BlockHasher::new(salt).map_err(|_| Error::Salt)?;
        Ok(Self {
            zeros: hasher.digest(&ZEROS),
            hasher,
            leaves: Vec::new(),
        })
    }

    /// Takes in blocks: `bytes` are whole blocks.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        let mut leaves = std::mem::take(&mut self.leaves);
        self.digest_all(bytes, &mut leaves);
        self.leaves = leaves;
    }

    /// How many blocks were taken in.
    pub(crate) fn data_blocks(&self) -> u64 {
        (self.leaves.len() / DIGEST_SIZE) as u64
    }

    /// The root hash, and the levels in the order of the image: the topmost first, each of whole blocks.
    pub(crate) fn finish(mut self) -> (Digest, Vec<Vec<u8>>) {
        let mut levels = Vec::new();
        let mut level = std::mem::take(&mut self.leaves);
        while level.len() > DIGEST_SIZE {
            level.resize(level.len().next_multiple_of(BLOCK_SIZE), 0);
            let mut above = Vec::new();
            self.digest_all(&level, &mut above);
            levels.push(std::mem::replace(&mut level, above));
        }
        levels.reverse();
        let root = level
            .first_chunk()
            .copied()
            .expect("there is at least one data block");
        (root, levels)
    }

    /// Puts the digests of blocks behind `digests`.
    fn digest_all(&self, blocks: &[u8], digests: &mut Vec<u8>) {
        let (blocks, rest) = blocks.as_chunks::<BLOCK_SIZE>();
        debug_assert!(rest.is_empty());
        let (pairs, last) = blocks.as_chunks::<2>();
        for [first, second] in pairs {
            match [first, second].map(|block| *block == ZEROS) {
                [false, false] => digests.extend(self.hasher.digest_pair([first, second]).as_flattened()),
                _ => [first, second]
                    .iter()
                    .for_each(|block| digests.extend(self.digest(block))),
            }
        }
        last.iter().for_each(|block| digests.extend(self.digest(block)));
    }

    fn digest(&self, block: &Block) -> Digest {
        match *block == ZEROS {
            true => self.zeros,
            false => self.hasher.digest(block),
        }
    }
}
