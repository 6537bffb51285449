//! Directories: blocks of sorted names.

use core::cmp::Ordering;
use core::ops::ControlFlow;

use rootfs_format::BLOCK_SIZE;
use rootfs_format::erofs::{DIRECTORY_ENTRY_SIZE, DirectoryEntry, FileType, NAME_MAX, Nid};
use zerocopy::FromBytes;

use crate::cache::{CacheSet, Lock};
use crate::erofs::{Chunk, Erofs};
use crate::{Error, Inode, Kind, VerifiedBlocks};

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The inode.
    pub nid: Nid,
    /// What the inode is, as `d_type` of `getdents64(2)` tells it.
    pub d_type: u8,
}

/// An entry as a directory lists it.
#[derive(Clone, Copy, Debug)]
pub struct DirEntry<'a> {
    /// The name, 1 to 255 bytes without `/` and NUL.
    pub name: &'a [u8],
    /// What it stands for.
    pub entry: Entry,
    /// Where to go on after this entry: `d_off`.
    pub next: u64,
}

impl<B: VerifiedBlocks, L: Lock<CacheSet>> Erofs<B, L> {
    /// What `name` stands for in this directory. `.` and `..` are entries like others.
    pub fn lookup(&self, directory: &Inode, name: &[u8]) -> Result<Option<Entry>, Error> {
        directory_only(directory)?;
        // The last block whose first name is not above `name` has it, if any has.
        let mut candidate = None;
        let (mut low, mut high) = (0, blocks(directory));
        while low < high {
            let middle = low.midpoint(high);
            let block = self.directory_block(directory, middle)?;
            if block.name(0)? <= name {
                candidate = Some(block);
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let Some(block) = candidate else { return Ok(None) };
        let (mut low, mut high) = (0, block.count);
        while low < high {
            let middle = low.midpoint(high);
            match block.name(middle)?.cmp(name) {
                Ordering::Equal => return block.entry(middle).map(Some),
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
            }
        }
        Ok(None)
    }

    /// Shows the entries from `cookie` on (0: from the first; else a [`DirEntry::next`]) until `visit` breaks or there
    /// are no more. Returns where to go on: at the entry with which `visit` broke, which counts as not taken.
    ///
    /// A cookie that no entry gave leads to some entry or to the end.
    pub fn readdir(
        &self,
        directory: &Inode,
        cookie: u64,
        mut visit: impl FnMut(DirEntry<'_>) -> ControlFlow<()>,
    ) -> Result<u64, Error> {
        directory_only(directory)?;
        let mut cookie = Cookie::decode(cookie);
        while cookie.block < blocks(directory) {
            let block = self.directory_block(directory, cookie.block)?;
            while cookie.place < block.count {
                let next = Cookie {
                    place: cookie.place + 1,
                    ..cookie
                };
                let (name, entry) = (block.name(cookie.place)?, block.entry(cookie.place)?);
                let next = next.encode();
                if visit(DirEntry { name, entry, next }).is_break() {
                    return Ok(cookie.encode());
                }
                cookie.place += 1;
            }
            cookie = Cookie {
                block: cookie.block + 1,
                place: 0,
            };
        }
        Ok(cookie.encode())
    }

    fn directory_block(&self, directory: &Inode, index: u64) -> Result<DirectoryBlock, Error> {
        let offset = index.checked_mul(BLOCK_SIZE as u64).ok_or(Error::OutOfRange)?;
        let chunk = self.contents(directory, offset)?.ok_or(Error::OutOfRange)?;
        DirectoryBlock::new(chunk)
    }
}

/// A place in a directory: a block and an entry of it. A block has far fewer entries than bytes.
#[derive(Clone, Copy)]
struct Cookie {
    block: u64,
    place: usize,
}

impl Cookie {
    fn decode(cookie: u64) -> Self {
        Self {
            block: cookie / BLOCK_SIZE as u64,
            place: (cookie % BLOCK_SIZE as u64) as usize,
        }
    }

    /// Blocks of a directory are fewer than 2^32, so this does not overflow for a place in one; a cookie that the caller
    /// made up comes back as it was.
    fn encode(self) -> u64 {
        self.block
            .saturating_mul(BLOCK_SIZE as u64)
            .saturating_add(self.place as u64)
    }
}

/// A block of a directory, whose number of entries is known to fit.
struct DirectoryBlock {
    chunk: Chunk,
    count: usize,
}

impl DirectoryBlock {
    fn new(chunk: Chunk) -> Result<Self, Error> {
        let (first, _) = DirectoryEntry::read_from_prefix(&chunk)
            .map_err(|_| Error::Corrupt("a directory block without an entry"))?;
        let names = usize::from(first.name_offset.get());
        let count = names / DIRECTORY_ENTRY_SIZE;
        if count == 0 || !names.is_multiple_of(DIRECTORY_ENTRY_SIZE) || names > chunk.len() {
            return Err(Error::Corrupt("the number of entries of a directory block"));
        }
        Ok(Self { chunk, count })
    }

    fn raw(&self, place: usize) -> Option<DirectoryEntry> {
        let at = place.checked_mul(DIRECTORY_ENTRY_SIZE)?;
        Some(DirectoryEntry::read_from_prefix(self.chunk.get(at..)?).ok()?.0)
    }

    /// Entry number `place`, which is below `count`.
    fn entry(&self, place: usize) -> Result<Entry, Error> {
        let raw = self.raw(place).ok_or(Error::OutOfRange)?;
        let file_type =
            FileType::from_raw(raw.file_type).ok_or(Error::Corrupt("the file type of a directory entry"))?;
        // readdir has the file types of `dirent.h`.
        let d_type = match file_type {
            FileType::Regular => 8,
            FileType::Directory => 4,
            FileType::CharDevice => 2,
            FileType::BlockDevice => 6,
            FileType::Fifo => 1,
            FileType::Socket => 12,
            FileType::Symlink => 10,
        };
        let nid = Nid(raw.nid.get());
        Ok(Entry { nid, d_type })
    }

    /// The name of entry number `place`, which is below `count`.
    fn name(&self, place: usize) -> Result<&[u8], Error> {
        let corrupt = Error::Corrupt("a name in a directory");
        let start = usize::from(self.raw(place).ok_or(Error::OutOfRange)?.name_offset.get());
        let name = if place + 1 < self.count {
            let end = usize::from(self.raw(place + 1).ok_or(Error::OutOfRange)?.name_offset.get());
            self.chunk.get(start..end).ok_or(corrupt)?
        } else {
            // The last name ends with the block or before a NUL.
            let rest = self.chunk.get(start..).ok_or(corrupt)?;
            rest.split(|byte| *byte == 0).next().unwrap_or_default()
        };
        let in_names = start >= self.count.saturating_mul(DIRECTORY_ENTRY_SIZE);
        let valid = (1..=NAME_MAX).contains(&name.len()) && !name.iter().any(|byte| matches!(byte, 0 | b'/'));
        if in_names && valid { Ok(name) } else { Err(corrupt) }
    }
}

/// How many blocks a directory has.
fn blocks(directory: &Inode) -> u64 {
    directory.size.div_ceil(BLOCK_SIZE as u64)
}

fn directory_only(inode: &Inode) -> Result<(), Error> {
    if inode.kind == Kind::Directory {
        Ok(())
    } else {
        Err(Error::WrongKind("not a directory"))
    }
}
