//! The dm-verity reader: a block is what was measured, or it is refused.
//!
//! The digest of each data block stands in a block of level 0, the digest of each of those in a block of level 1, and so
//! on up to the one block whose digest is the root hash. Each block of the tree is verified once, by its path upwards to
//! the first one in the cache, and then is a copy in memory of the enclave: the host cannot change it any more.
//! Format: version 1 of <https://docs.kernel.org/admin-guide/device-mapper/verity.html>, SHA-256, 4096-byte blocks. The
//! superblock is not read: what it says is measured.

use alloc::sync::Arc;
use alloc::vec::Vec;

use rootfs_format::verity::{DIGEST_SIZE, DIGESTS_PER_BLOCK, Digest, hash_levels};
use rootfs_format::{BLOCK_SIZE, Block};
use verity_digest::BlockHasher;

use crate::cache::{CacheSet, Lock, PageCache, new_page};
use crate::{BlockSource, Error, VerifiedBlocks};

/// What the measured configuration says of the hash tree.
#[derive(Clone, Debug)]
pub struct VerityParams {
    /// Digest of the topmost block.
    pub root_hash: Digest,
    /// Data blocks, from the beginning of the image.
    pub data_blocks: u64,
    /// Byte offset of the verity superblock in the image; the tree begins in the next block.
    pub hash_offset: u64,
    /// What is hashed before each block, at most 256 bytes.
    pub salt: Vec<u8>,
}

/// Data blocks below a hash tree, from an untrusted source.
pub struct Verity<S, L> {
    source: S,
    hasher: BlockHasher,
    root_hash: Digest,
    data_blocks: u64,
    /// The first block of each level, the level of the data blocks' digests first.
    levels: Vec<u64>,
    verified: PageCache<L>,
}

impl<S: BlockSource, L: Lock<CacheSet>> Verity<S, L> {
    /// The tree with these parameters in this source. `cache` bounds the blocks of the tree that stay in memory; each
    /// covers 512 KiB of data. Nothing is read yet.
    pub fn new(source: S, params: &VerityParams, cache: usize) -> Result<Self, Error> {
        if params.data_blocks == 0 {
            return Err(Error::Parameters("there are no data blocks"));
        }
        let hasher = BlockHasher::new(&params.salt)
            .map_err(|_| Error::Parameters("the salt is longer than 256 bytes"))?;
        let superblock = params.hash_offset / BLOCK_SIZE as u64;
        if !params.hash_offset.is_multiple_of(BLOCK_SIZE as u64) || superblock < params.data_blocks {
            return Err(Error::Parameters(
                "the tree does not begin at a block behind the data",
            ));
        }
        // Counts of blocks are below 2^52 from here on, as a byte offset bounds them: no sum can overflow.
        let mut end = superblock + 1;
        let mut levels: Vec<u64> = Vec::new();
        for blocks in hash_levels(params.data_blocks).into_iter().rev() {
            levels.push(end);
            end += blocks;
        }
        levels.reverse();
        let offered = source.blocks();
        if offered < end {
            return Err(Error::Truncated { needed: end, offered });
        }
        Ok(Self {
            source,
            hasher,
            root_hash: params.root_hash,
            data_blocks: params.data_blocks,
            levels,
            verified: PageCache::new(cache),
        })
    }

    /// Copies the image's block `index` into `out` and compares it, there, with its digest.
    fn read_matching(&self, index: u64, expected: &Digest, out: &mut Block) -> Result<(), Error> {
        self.copy(index, out)?;
        compare(index, &self.hasher.digest(out), expected)
    }

    /// As [`Self::read_matching`], for this block and the next one.
    fn read_matching_pair(
        &self,
        index: u64,
        expected: &[Digest; 2],
        [first, second]: [&mut Block; 2],
    ) -> Result<(), Error> {
        let next = index.checked_add(1).ok_or(Error::OutOfRange)?;
        self.copy(index, first)?;
        self.copy(next, second)?;
        let digests = self.hasher.digest_pair([first, second]);
        compare(index, &digests[0], &expected[0])?;
        compare(next, &digests[1], &expected[1])
    }

    /// The host's bytes: not verified yet.
    fn copy(&self, index: u64, out: &mut Block) -> Result<(), Error> {
        let copied = self.source.read_block(index, out);
        copied.map_err(|_| Error::Source { block: index })
    }

    /// The digest that data block `index` must have.
    fn digest_of(&self, index: u64) -> Result<Digest, Error> {
        match index < self.data_blocks {
            true => self.expected(0, index),
            false => Err(Error::OutOfRange),
        }
    }

    /// The digest that block number `index` below `level` must have.
    fn expected(&self, level: usize, index: u64) -> Result<Digest, Error> {
        let Some(start) = self.levels.get(level) else {
            return Ok(self.root_hash);
        };
        let page = self.tree_block(level, *start, index / DIGESTS_PER_BLOCK)?;
        let (digests, _) = page.as_chunks::<DIGEST_SIZE>();
        let digest = usize::try_from(index % DIGESTS_PER_BLOCK)
            .ok()
            .and_then(|place| digests.get(place));
        digest.copied().ok_or(Error::OutOfRange)
    }

    /// A verified block of the tree. It and [`Self::expected`] call each other once for each level, of which there
    /// are at most eight.
    fn tree_block(&self, level: usize, start: u64, index: u64) -> Result<Arc<Block>, Error> {
        let block = start.checked_add(index).ok_or(Error::OutOfRange)?;
        if let Some(page) = self.verified.lookup(block) {
            return Ok(page);
        }
        let expected = self.expected(level + 1, index)?;
        let mut page = new_page();
        // After an error nobody sees the page.
        self.read_matching(block, &expected, Arc::make_mut(&mut page))?;
        self.verified.insert(block, page.clone());
        Ok(page)
    }
}

impl<S: BlockSource, L: Lock<CacheSet>> VerifiedBlocks for Verity<S, L> {
    fn read_block(&self, index: u64, out: &mut Block) -> Result<(), Error> {
        let result = self
            .digest_of(index)
            .and_then(|expected| self.read_matching(index, &expected, out));
        if result.is_err() {
            out.fill(0);
        }
        result
    }

    fn read_pair(&self, index: u64, [first, second]: [&mut Block; 2]) -> Result<(), Error> {
        let digests = || {
            let next = index.checked_add(1).ok_or(Error::OutOfRange)?;
            Ok([self.digest_of(index)?, self.digest_of(next)?])
        };
        let result =
            digests().and_then(|expected| self.read_matching_pair(index, &expected, [first, second]));
        if result.is_err() {
            first.fill(0);
            second.fill(0);
        }
        result
    }

    fn blocks(&self) -> u64 {
        self.data_blocks
    }
}

fn compare(block: u64, digest: &Digest, expected: &Digest) -> Result<(), Error> {
    match digest == expected {
        true => Ok(()),
        false => Err(Error::Tampered { block }),
    }
}
