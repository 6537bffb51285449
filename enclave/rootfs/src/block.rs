//! Blocks: the unit of reading, verifying and caching.

use rootfs_format::Block;

use crate::Error;

/// The image as the host offers it: nothing that comes from here is believed.
pub trait BlockSource {
    /// Copies block `index` of the image into `out`, which is memory of the enclave.
    fn read_block(&self, index: u64, out: &mut Block) -> Result<(), SourceError>;

    /// How many whole blocks the host offers.
    fn blocks(&self) -> u64;
}

/// The host did not supply a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceError;

/// Blocks that are what was measured: [`crate::Verity`], and any layer on top of it that translates blocks.
pub trait VerifiedBlocks {
    /// Reads block `index` into `out`, and verifies it there. Until it returns, `out` holds the host's bytes, so nobody
    /// else may see them; after an error it holds zeros.
    fn read_block(&self, index: u64, out: &mut Block) -> Result<(), Error>;

    /// Reads blocks `index` and `index + 1`, as [`Self::read_block`] does: after an error both hold zeros. It may take less
    /// time than one after the other.
    fn read_pair(&self, index: u64, [first, second]: [&mut Block; 2]) -> Result<(), Error> {
        let next = index.checked_add(1).ok_or(Error::OutOfRange)?;
        let result = self
            .read_block(index, first)
            .and_then(|()| self.read_block(next, second));
        if result.is_err() {
            first.fill(0);
            second.fill(0);
        }
        result
    }

    /// How many blocks there are.
    fn blocks(&self) -> u64;
}
