//! Says whether an image is the one that was written: all of its data, and the hash tree behind them.

use std::io::{self, Read};

use rootfs_format::BLOCK_SIZE;

use crate::Error;
use crate::hash_tree::HashTree;
use crate::layout::Written;

/// Blocks that are hashed at once.
const CHUNK: usize = 256;

/// Reads all of an image. `None` if it is whole, or else which part of it is not.
///
/// # Errors
/// When it cannot be read, ends too early, or cannot be such an image.
pub fn damage(mut image: impl Read, written: &Written, salt: &[u8]) -> Result<Option<&'static str>, Error> {
    let mut tree = HashTree::new(salt)?;
    let mut chunk = vec![0; CHUNK * BLOCK_SIZE];
    let mut left = written
        .data_blocks
        .checked_mul(BLOCK_SIZE as u64)
        .filter(|len| *len > 0 && *len <= written.hash_offset)
        .ok_or(Error::Malformed)?;
    let mut skip = written.hash_offset - left;
    while left > 0 {
        let len = left.min(chunk.len() as u64) as usize;
        let part = &mut chunk[..len];
        image.read_exact(part).map_err(Error::ReadImage)?;
        tree.take(part);
        left -= len as u64;
    }
    let (root_hash, levels) = tree.finish();
    if root_hash != written.root_hash {
        return Ok(Some("its data differ from what was measured"));
    }
    // What no tree covers: the place before the tree, and its superblock. The enclave reads neither.
    skip += BLOCK_SIZE as u64;
    let skipped = io::copy(&mut image.by_ref().take(skip), &mut io::sink()).map_err(Error::ReadImage)?;
    if skipped < skip {
        return Err(Error::ReadImage(io::ErrorKind::UnexpectedEof.into()));
    }
    for level in levels {
        let mut found = vec![0; level.len()];
        image.read_exact(&mut found).map_err(Error::ReadImage)?;
        if found != level {
            return Ok(Some("its hash tree differs from what was measured"));
        }
    }
    Ok(None)
}
