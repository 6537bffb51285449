//! The map of a sparse file: which parts of it are stored.
//!
//! Four formats exist (GNU tar manual, "Storing Sparse Files"): old GNU, and PAX 0.0, 0.1 and 1.0.

use super::header::count;
use super::pax::decimal;
use super::{BLOCK, BadField};

/// A stored part of a sparse file, in bytes of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) offset: u64,
    pub(crate) len: u64,
}

/// More parts than any real file has: a bound on memory.
const MAX_EXTENTS: usize = 1 << 20;

const BAD: BadField = BadField("map of a sparse file");

/// Checks that the parts are in order, within the file, and add up to what is stored.
pub(super) fn check(extents: Vec<Extent>, file_len: u64, stored: u64) -> Result<Vec<Extent>, BadField> {
    let mut end = 0;
    let mut sum = 0u64;
    for extent in &extents {
        if extent.offset < end {
            return Err(BAD);
        }
        end = extent.offset.checked_add(extent.len).ok_or(BAD)?;
        sum = sum.checked_add(extent.len).ok_or(BAD)?;
    }
    if end > file_len || sum != stored {
        return Err(BAD);
    }
    Ok(extents)
}

/// Adds one old-GNU table, in the header or in a block after it. An empty offset ends it.
pub(super) fn push_gnu(extents: &mut Vec<Extent>, table: &[[[u8; 12]; 2]]) -> Result<(), BadField> {
    for [offset, len] in table {
        if offset.first() == Some(&0) {
            break;
        }
        let extent = Extent {
            offset: count(offset).map_err(|()| BAD)?,
            len: count(len).map_err(|()| BAD)?,
        };
        push(extents, extent)?;
    }
    Ok(())
}

/// Splits an old-GNU extension block into its table and whether another block follows.
pub(super) fn gnu_block(block: [u8; BLOCK]) -> ([[[u8; 12]; 2]; 21], bool) {
    #[derive(zerocopy::FromBytes, zerocopy::Immutable)]
    #[repr(C)]
    struct Extension {
        table: [[[u8; 12]; 2]; 21],
        is_extended: u8,
        unused: [u8; 7],
    }
    let Extension {
        table,
        is_extended,
        unused: _,
    } = zerocopy::transmute!(block);
    (table, is_extended != 0)
}

/// The map of PAX 0.0 and 0.1: offset, length, offset, length, …
pub(super) fn from_pairs(numbers: &[u64]) -> Result<Vec<Extent>, BadField> {
    let (pairs, rest) = numbers.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(BAD);
    }
    Ok(pairs
        .iter()
        .map(|&[offset, len]| Extent { offset, len })
        .collect())
}

/// Reads the map of PAX 1.0 block by block: decimal lines with the number of parts, then two for each part.
#[derive(Default)]
pub(super) struct TextMap {
    line: Vec<u8>,
    expected: Option<usize>,
    offset: Option<u64>,
    extents: Vec<Extent>,
}

impl TextMap {
    /// Takes a block; true when the map is complete (the rest of its last block is padding).
    pub(super) fn push(&mut self, block: &[u8; BLOCK]) -> Result<bool, BadField> {
        for &byte in block {
            if byte != b'\n' {
                if self.line.len() >= 20 {
                    return Err(BAD);
                }
                self.line.push(byte);
                continue;
            }
            let number = decimal(&self.line).ok_or(BAD)?;
            self.line.clear();
            match (self.expected, self.offset.take()) {
                (None, _) => {
                    self.expected = Some(
                        usize::try_from(number)
                            .ok()
                            .filter(|&n| n <= MAX_EXTENTS)
                            .ok_or(BAD)?,
                    );
                }
                (Some(_), None) => self.offset = Some(number),
                (Some(_), Some(offset)) => push(&mut self.extents, Extent { offset, len: number })?,
            }
            if self.expected == Some(self.extents.len()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn into_extents(self) -> Vec<Extent> {
        self.extents
    }
}

fn push(extents: &mut Vec<Extent>, extent: Extent) -> Result<(), BadField> {
    if extents.len() >= MAX_EXTENTS {
        return Err(BAD);
    }
    extents.push(extent);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_checked() {
        let extents = |pairs: &[(u64, u64)]| {
            pairs
                .iter()
                .map(|&(offset, len)| Extent { offset, len })
                .collect()
        };
        assert!(check(extents(&[(0, 5), (10, 5), (20, 0)]), 20, 10).is_ok());
        for (bad, file_len, stored) in [
            (extents(&[(10, 5), (0, 5)]), 20, 10),
            (extents(&[(0, 5), (4, 5)]), 20, 10),
            (extents(&[(0, 5)]), 4, 5),
            (extents(&[(0, 5)]), 20, 6),
            (extents(&[(u64::MAX, 5)]), u64::MAX, 5),
        ] {
            assert_eq!(check(bad, file_len, stored), Err(BAD));
        }
    }

    #[test]
    fn text_map_over_two_blocks() {
        let mut text = b"100\n".to_vec();
        for part in 0..100 {
            text.extend(format!("{}\n{}\n", part * 10, 5).bytes());
        }
        text.resize(text.len().next_multiple_of(BLOCK), 0);
        let mut map = TextMap::default();
        let (blocks, _) = text.as_chunks::<BLOCK>();
        let done: Vec<bool> = blocks.iter().map(|block| map.push(block).unwrap()).collect();
        assert_eq!(done, [false, true]);
        assert_eq!(map.into_extents()[99], Extent { offset: 990, len: 5 });
        assert!(TextMap::default().push(&[b'1'; BLOCK]).is_err());
        assert!(TextMap::default().push(&[0; BLOCK]).is_err());
    }
}
