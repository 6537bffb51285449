//! The messages: a salt, a block, and SHA-256's padding, in chunks of 64 bytes.

use core::{array, iter};

use rootfs_format::Block;
use rootfs_format::verity::{Digest, MAX_VERITY_SALT};
use sha2::Digest as _;

use crate::dispatch::{compress, is_accelerated};
use crate::{CHUNK_SIZE, Chunk, State};

/// The state before any chunk: the fractional parts of the square roots of the first eight primes (FIPS 180-4, section
/// 5.3.3).
const INITIAL: State = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// Bytes at the end of the last chunk that hold the message's length.
const LENGTH_SIZE: usize = size_of::<u64>();
/// Bits of a byte, as a power of two.
const BYTE_BITS: u32 = 3;

/// Digests blocks behind one salt.
#[derive(Clone)]
pub struct BlockHasher {
    /// The state after those chunks that the salt fills.
    salted: State,
    /// The rest of the salt: less than a chunk.
    salt_rest: Chunk,
    salt_rest_len: usize,
    /// What stands at the end of each message, in bits.
    message_len: u64,
    /// For single blocks, where it is the faster one, and for processors without SHA extensions: it has taken in the salt.
    single: sha2::Sha256,
}

/// A salt is longer than dm-verity's superblock has room for: 256 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaltTooLong;

impl BlockHasher {
    /// For digests behind this salt.
    ///
    /// # Errors
    /// It is longer than 256 bytes.
    pub fn new(salt: &[u8]) -> Result<Self, SaltTooLong> {
        if salt.len() > MAX_VERITY_SALT {
            return Err(SaltTooLong);
        }
        let (chunks, rest) = salt.as_chunks::<CHUNK_SIZE>();
        let mut states = [INITIAL];
        if is_accelerated() {
            compress(&mut states, chunks.iter().map(|chunk| [chunk]));
        }
        let [salted] = states;
        Ok(Self {
            salted,
            salt_rest: chunk_of(&[rest]),
            salt_rest_len: rest.len(),
            message_len: ((salt.len() + size_of::<Block>()) as u64) << BYTE_BITS,
            single: sha2::Sha256::new_with_prefix(salt),
        })
    }

    /// The digest of a block.
    pub fn digest(&self, block: &Block) -> Digest {
        self.single.clone().chain_update(block).finalize().into()
    }

    /// The digests of two blocks, in less time than one after the other.
    pub fn digest_pair(&self, blocks: [&Block; 2]) -> [Digest; 2] {
        match is_accelerated() {
            true => self.in_step(blocks),
            false => blocks.map(|block| self.digest(block)),
        }
    }

    fn in_step<const N: usize>(&self, blocks: [&Block; N]) -> [Digest; N] {
        let mut states = [self.salted; N];
        let salt = self.salt_rest.get(..self.salt_rest_len).unwrap_or_default();
        // If the salt does not end where a chunk does, the first chunk is completed from the block, and every other one
        // is a range of the block from there on.
        let (heads, bodies) = split_each(blocks, (CHUNK_SIZE - salt.len()) % CHUNK_SIZE);
        if !salt.is_empty() {
            let firsts = heads.map(|head| chunk_of(&[salt, head]));
            compress(&mut states, iter::once(firsts.each_ref()));
        }
        let bodies = bodies.map(|body| body.as_chunks::<CHUNK_SIZE>());
        let mut wholes = bodies.map(|(chunks, _)| chunks.iter());
        compress(&mut states, iter::from_fn(|| next_of_each(&mut wholes)));
        let ends = bodies.map(|(_, rest)| self.end(rest));
        compress(&mut states, iter::once(ends.each_ref().map(|(last, _)| last)));
        if !fits_with_length(salt.len()) {
            compress(&mut states, iter::once(ends.each_ref().map(|(_, last)| last)));
        }
        states.map(digest_of)
    }

    /// What follows the whole chunks: the rest of the block, a bit, zeros, and the length. It takes the second chunk where
    /// there is no room for the length in the first.
    fn end(&self, rest: &[u8]) -> (Chunk, Chunk) {
        let with_bit = chunk_of(&[rest, &[0x80]]);
        let with_length = |mut chunk: Chunk| {
            if let Some(length) = chunk.last_chunk_mut::<LENGTH_SIZE>() {
                *length = self.message_len.to_be_bytes();
            }
            chunk
        };
        match fits_with_length(rest.len()) {
            true => (with_length(with_bit), [0; CHUNK_SIZE]),
            false => (with_bit, with_length([0; CHUNK_SIZE])),
        }
    }
}

/// Whether a chunk has room for so many bytes, the bit behind them, and the length.
fn fits_with_length(len: usize) -> bool {
    len < CHUNK_SIZE - LENGTH_SIZE
}

/// A chunk that begins with these bytes, as many as fit, and goes on with zeros.
fn chunk_of(parts: &[&[u8]]) -> Chunk {
    let mut chunk = [0; CHUNK_SIZE];
    let bytes = parts.iter().flat_map(|part| part.iter());
    for (to, from) in chunk.iter_mut().zip(bytes) {
        *to = *from;
    }
    chunk
}

fn split_each<const N: usize>(blocks: [&Block; N], at: usize) -> ([&[u8]; N], [&[u8]; N]) {
    let halves = blocks.map(|block| block.split_at_checked(at).unwrap_or_default());
    (halves.map(|(head, _)| head), halves.map(|(_, body)| body))
}

/// The next chunk of each message; they have the same number.
fn next_of_each<'a, const N: usize>(
    messages: &mut [impl Iterator<Item = &'a Chunk>; N],
) -> Option<[&'a Chunk; N]> {
    let chunks = messages.each_mut().map(Iterator::next);
    chunks
        .iter()
        .all(Option::is_some)
        .then(|| chunks.map(|chunk| chunk.unwrap_or(&[0; CHUNK_SIZE])))
}

fn digest_of(state: State) -> Digest {
    let bytes = state.map(u32::to_be_bytes);
    array::from_fn(|at| bytes.as_flattened().get(at).copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(seed: u8) -> Block {
        array::from_fn(|at| (at as u8).wrapping_mul(31).wrapping_add(seed))
    }

    /// `sha2` is another implementation; every length of the salt is another way through the chunks.
    #[test]
    fn digests_are_those_of_sha256_whatever_the_salt() {
        let blocks = [block(1), block(2)];
        for len in 0..=MAX_VERITY_SALT {
            let salt: Vec<u8> = (0..len).map(|at| at as u8 ^ 0x5a).collect();
            let hasher = BlockHasher::new(&salt).unwrap();
            let expected = [0, 1].map(|at| {
                let digest = sha2::Sha256::new_with_prefix(&salt).chain_update(blocks[at]);
                Digest::from(digest.finalize())
            });
            assert_eq!(hasher.digest_pair([&blocks[0], &blocks[1]]), expected, "{len}");
            assert_eq!(blocks.map(|block| hasher.digest(&block)), expected, "{len}");
        }
    }

    #[test]
    fn a_salt_that_no_superblock_holds_is_refused() {
        assert_eq!(
            BlockHasher::new(&[0; MAX_VERITY_SALT + 1]).err(),
            Some(SaltTooLong)
        );
    }
}
