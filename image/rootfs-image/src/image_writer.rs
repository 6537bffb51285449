//! The writer of blocks: it collects bytes into blocks, hashes them and writes them in one pass.

use std::io::{self, Write};

use rootfs_format::BLOCK_SIZE;
use rootfs_format::verity::Digest;
use sector_cipher::SectorCipher;
use zerocopy::IntoBytes;

use crate::hash_tree::HashTree;
use crate::{Error, Options, superblock};

/// Bytes that are hashed and written at a time.
const BUFFER: usize = 64 * BLOCK_SIZE;

/// Writes an image from front to back.
pub(crate) struct ImageWriter<'a, W> {
    out: W,
    /// What encrypts the blocks, if they are to be encrypted.
    cipher: Option<&'a SectorCipher>,
    tree: HashTree,
    buffer: Vec<u8>,
    filled: usize,
    /// Bytes of the image before the buffer.
    written: u64,
}

/// The end of an image.
pub(crate) struct Tail {
    pub(crate) data_blocks: u64,
    pub(crate) hash_offset: u64,
    pub(crate) root_hash: Digest,
    pub(crate) image_len: u64,
}

impl<'a, W: Write> ImageWriter<'a, W> {
    pub(crate) fn new(out: W, options: &Options<'a>) -> Result<Self, Error> {
        let salt = options.salt;
        Ok(Self {
            out,
            cipher: options.cipher,
            tree: HashTree::new(salt)?,
            buffer: vec![0; BUFFER],
            filled: 0,
            written: 0,
        })
    }

    /// Bytes of the image so far.
    pub(crate) fn position(&self) -> u64 {
        self.written + self.filled as u64
    }

    /// Writes `bytes`.
    pub(crate) fn put(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        let len = bytes.len() as u64;
        self.fill(len, |_, room| {
            let (now, rest) = bytes.split_at(room.len());
            room.copy_from_slice(now);
            bytes = rest;
            Ok(())
        })
    }

    /// Writes zeros up to byte `position` of the image.
    pub(crate) fn pad_to(&mut self, position: u64) -> Result<(), Error> {
        let len = position
            .checked_sub(self.position())
            .expect("places are given in ascending order");
        self.fill(len, |_, room| {
            room.fill(0);
            Ok(())
        })
    }

    /// Writes `len` bytes that `fill` supplies, piece by piece, from their offset on: straight into the buffer.
    pub(crate) fn fill(
        &mut self,
        len: u64,
        mut fill: impl FnMut(u64, &mut [u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut done = 0;
        while done < len {
            let room = &mut self.buffer[self.filled..];
            let now = usize::try_from(len - done).map_or(room.len(), |left| left.min(room.len()));
            fill(done, &mut room[..now])?;
            done += now as u64;
            self.filled += now;
            if self.filled == BUFFER {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Encrypts, hashes and writes what is in the buffer, which is whole blocks. So the hash tree is over what the host sees.
    fn flush(&mut self) -> Result<(), Error> {
        let bytes = &mut self.buffer[..self.filled];
        if let Some(cipher) = self.cipher {
            let first = self.written / BLOCK_SIZE as u64;
            let (blocks, _) = bytes.as_chunks_mut();
            for (number, block) in (first..).zip(blocks) {
                cipher.encrypt(number, block);
            }
        }
        self.tree.take(bytes);
        self.out.write_all(bytes).map_err(Error::Write)?;
        self.written += self.filled as u64;
        self.filled = 0;
        Ok(())
    }

    /// Writes the hash tree behind the data, which are padded to whole blocks.
    pub(crate) fn finish(mut self, uuid: [u8; 16], salt: &[u8]) -> Result<Tail, Error> {
        let hash_offset = self.position().next_multiple_of(BLOCK_SIZE as u64);
        self.pad_to(hash_offset)?;
        self.flush()?;
        let data_blocks = self.tree.data_blocks();
        let mut first = [0; BLOCK_SIZE];
        // It is made of the names in the file system, which an encrypted image does not show.
        let uuid = self.cipher.map_or(uuid, |_| [0; 16]);
        let superblock = superblock::verity(uuid, data_blocks, salt)?;
        first[..size_of_val(&superblock)].copy_from_slice(superblock.as_bytes());
        let (root_hash, levels) = self.tree.finish();
        let mut image_len = hash_offset;
        for part in std::iter::once(first.as_slice()).chain(levels.iter().map(Vec::as_slice)) {
            self.out.write_all(part).map_err(Error::Write)?;
            image_len += part.len() as u64;
        }
        self.out.flush().map_err(Error::Write)?;
        Ok(Tail {
            data_blocks,
            hash_offset,
            root_hash,
            image_len,
        })
    }
}

/// A failure to read inode `id`.
pub(crate) fn read_error(inode: usize) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Read { inode, source }
}
