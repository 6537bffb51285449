//! The layer between the hash tree and the file system: it decrypts what is encrypted.

use rootfs_format::Block;
use sector_cipher::SectorCipher;

use crate::{Error, VerifiedBlocks};

/// Verified blocks as the file system has them.
pub struct Sectors<B> {
    below: B,
    cipher: Option<SectorCipher>,
}

impl<B: VerifiedBlocks> Sectors<B> {
    /// What `below` has, decrypted if there is a cipher. The tree is over the encrypted blocks, so nothing is decrypted that was
    /// not verified.
    pub fn new(below: B, cipher: Option<SectorCipher>) -> Self {
        Self { below, cipher }
    }
}

impl<B: VerifiedBlocks> VerifiedBlocks for Sectors<B> {
    fn read_block(&self, index: u64, out: &mut Block) -> Result<(), Error> {
        self.below.read_block(index, out)?;
        if let Some(cipher) = &self.cipher {
            cipher.decrypt(index, out);
        }
        Ok(())
    }

    fn read_pair(&self, index: u64, [first, second]: [&mut Block; 2]) -> Result<(), Error> {
        let next = index.checked_add(1).ok_or(Error::OutOfRange)?;
        self.below.read_pair(index, [first, second])?;
        if let Some(cipher) = &self.cipher {
            cipher.decrypt(index, first);
            cipher.decrypt(next, second);
        }
        Ok(())
    }

    fn blocks(&self) -> u64 {
        self.below.blocks()
    }
}
