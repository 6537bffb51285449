//! The dm-verity hash tree over the blocks that are written.

use rootfs_format::BLOCK_SIZE;
use rootfs_format::verity::{DIGEST_SIZE, Digest, MAX_VERITY_SALT};
use sha2::{Digest as _, Sha256};

use crate::Error;

/// Takes in data blocks in order, and gives the tree over them.
pub(crate) struct HashTree {
    /// SHA-256 that has taken in the salt.
    salted: Sha256,
    /// The digest of a block of zeros: sparse files have many.
    zeros: Digest,
    /// The digests of the data blocks, 32 bytes each.
    leaves: Vec<u8>,
}

static ZEROS: [u8; BLOCK_SIZE] = [0; BLOCK_SIZE];

impl HashTree {
    pub(crate) fn new(salt: &[u8]) -> Result<Self, Error> {
        if salt.len() > MAX_VERITY_SALT {
            return Err(Error::Salt);
        }
        let salted = Sha256::new_with_prefix(salt);
        Ok(Self {
            zeros: salted.clone().chain_update(ZEROS).finalize().into(),
            salted,
            leaves: Vec::new(),
        })
    }

    /// Takes in blocks: `bytes` are whole blocks.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        let digests = digests(&self.salted, &self.zeros, bytes);
        self.leaves.extend(digests.flatten());
    }

    /// How many blocks were taken in.
    pub(crate) fn data_blocks(&self) -> u64 {
        (self.leaves.len() / DIGEST_SIZE) as u64
    }

    /// The root hash, and the levels in the order of the image: the topmost first, each of whole blocks.
    pub(crate) fn finish(self) -> (Digest, Vec<Vec<u8>>) {
        let mut levels = Vec::new();
        let mut level = self.leaves;
        while level.len() > DIGEST_SIZE {
            level.resize(level.len().next_multiple_of(BLOCK_SIZE), 0);
            let above = digests(&self.salted, &self.zeros, &level).flatten().collect();
            levels.push(std::mem::replace(&mut level, above));
        }
        levels.reverse();
        let root = level
            .first_chunk()
            .copied()
            .expect("there is at least one data block");
        (root, levels)
    }
}

fn digests(salted: &Sha256, zeros: &Digest, blocks: &[u8]) -> impl Iterator<Item = Digest> {
    let (blocks, rest) = blocks.as_chunks::<BLOCK_SIZE>();
    debug_assert!(rest.is_empty());
    blocks.iter().map(|block| match block {
        block if *block == ZEROS => *zeros,
        block => salted.clone().chain_update(block).finalize().into(),
    })
}
