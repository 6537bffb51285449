//! The EROFS reader: the superblock, inodes and the bytes of files.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::{Deref, Range};

use rootfs_format::erofs::{BLOCK_SIZE_BITS, ExtendedInode, MAGIC, Nid, SUPERBLOCK_OFFSET, Superblock};
use rootfs_format::{BLOCK_SIZE, Block};
use zerocopy::{FromBytes, FromZeros, IntoBytes};

use crate::cache::{BlockCache, CacheSet, Lock};
use crate::{Error, Inode, Kind, VerifiedBlocks};

/// An EROFS file system on verified blocks.
pub struct Erofs<B, L> {
    cache: BlockCache<B, L>,
    meta_block: u32,
    blocks: u64,
    root: Nid,
}

impl<B: VerifiedBlocks, L: Lock<CacheSet>> Erofs<B, L> {
    /// Opens the file system in `blocks`; `cache` bounds the blocks of it that stay in memory. Reads one block.
    pub fn open(blocks: B, cache: usize) -> Result<Self, Error> {
        let cache = BlockCache::new(blocks, cache);
        let page = cache.page(0)?;
        let superblock = page
            .get(SUPERBLOCK_OFFSET..)
            .and_then(|rest| Superblock::ref_from_prefix(rest).ok());
        // The block is long enough, so this cannot happen. The checksum is not compared: the hash tree is stronger.
        let (superblock, _) = superblock.ok_or(Error::Corrupt("the superblock"))?;
        if superblock.magic.get() != MAGIC {
            return Err(Error::Corrupt("there is no EROFS superblock"));
        }
        if superblock.block_size_bits != BLOCK_SIZE_BITS || superblock.directory_block_bits != 0 {
            return Err(Error::Unsupported("blocks that do not have 4096 bytes"));
        }
        if superblock.feature_incompat.get() != 0 || superblock.extra_devices.get() != 0 {
            return Err(Error::Unsupported(
                "EROFS features that old readers must not ignore",
            ));
        }
        let blocks = u64::from(superblock.blocks.get());
        if blocks > cache.blocks() {
            return Err(Error::Corrupt("the file system is longer than the verified data"));
        }
        let root = Nid(u64::from(superblock.root_nid.get()));
        let meta_block = superblock.meta_block.get();
        Ok(Self {
            cache,
            meta_block,
            blocks,
            root,
        })
    }

    /// The inode of the root directory.
    pub fn root(&self) -> Nid {
        self.root
    }

    /// How many blocks the file system has, for `statfs`.
    pub fn blocks(&self) -> u64 {
        self.blocks
    }

    /// The inode of this number. A number that no directory names gives an error or nonsense, but harms nothing.
    pub fn inode(&self, nid: Nid) -> Result<Inode, Error> {
        let offset = Inode::offset(self.meta_block, nid).ok_or(Error::Corrupt("the number of an inode"))?;
        let mut raw = ExtendedInode::new_zeroed();
        self.read_system(offset, raw.as_mut_bytes())?;
        Inode::parse(nid, offset, &raw, self.blocks)
    }

    /// Reads a file's contents from byte `offset` into `out`, through the cache; returns how many bytes there were: fewer
    /// than `out` has room for at the end of the file only.
    pub fn read(&self, file: &Inode, offset: u64, out: &mut [u8]) -> Result<usize, Error> {
        file_only(file)?;
        self.read_contents(file, offset, out)
    }

    /// As [`Self::read`], but whole blocks that are not in the cache are verified in `out` itself and do not enter the
    /// cache: for mapping and for streaming. `out` holds unverified bytes until this returns.
    pub fn read_past_cache(&self, file: &Inode, offset: u64, out: &mut [u8]) -> Result<usize, Error> {
        file_only(file)?;
        let mut done = 0;
        while let Some(rest) = out.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let Some(place) = locate(file, advance(offset, done)?)? else {
                break;
            };
            let is_whole = place.range == (0..BLOCK_SIZE);
            done += match rest.as_chunks_mut::<BLOCK_SIZE>().0 {
                [first, second, ..] if is_whole && place.following > 0 => {
                    self.cache.read_pair_past(place.block, [first, second])?;
                    2 * BLOCK_SIZE
                }
                [whole, ..] if is_whole => {
                    self.cache.read_past(place.block, whole)?;
                    BLOCK_SIZE
                }
                _ => copy(&self.chunk_at(place)?, rest),
            };
        }
        Ok(done)
    }

    /// The verified bytes of a file from byte `offset` to the end of their block, without a copy; `None` at the end of
    /// the file. For callers that copy to where no `&mut [u8]` can point.
    pub fn chunk(&self, file: &Inode, offset: u64) -> Result<Option<Chunk>, Error> {
        file_only(file)?;
        self.contents(file, offset)
    }

    /// As [`Self::chunk`], if the block is in the cache; `None` otherwise, and at the end of the file.
    pub fn cached_chunk(&self, file: &Inode, offset: u64) -> Result<Option<Chunk>, Error> {
        file_only(file)?;
        let Some(Place { block, range, .. }) = locate(file, offset)? else {
            return Ok(None);
        };
        Ok(self.cache.cached(block).map(|page| Chunk { page, range }))
    }

    /// The target of a symbolic link, 1 to 4095 bytes without NUL.
    pub fn readlink(&self, link: &Inode) -> Result<Vec<u8>, Error> {
        if link.kind != Kind::Symlink {
            return Err(Error::WrongKind("not a symbolic link"));
        }
        // A symbolic link has been found to be short when its inode was parsed.
        let size = usize::try_from(link.size).map_err(|_| Error::OutOfRange)?;
        let mut target = vec![0; size];
        if self.read_contents(link, 0, &mut target)? != size || target.contains(&0) {
            return Err(Error::Corrupt("the target of a symbolic link"));
        }
        Ok(target)
    }

    /// Fills `out` from byte `offset` of the verified data, inside or behind the file system: for the call-site maps.
    pub fn read_image(&self, offset: u64, out: &mut [u8]) -> Result<(), Error> {
        let mut done = 0;
        while let Some(rest) = out.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let offset = advance(offset, done)?;
            let place = Place {
                block: offset / BLOCK_SIZE as u64,
                range: within_block(offset)..BLOCK_SIZE,
                following: 0,
            };
            done += copy(&self.chunk_at(place)?, rest);
        }
        Ok(())
    }

    /// As [`Self::read_image`], within the file system.
    pub(crate) fn read_system(&self, offset: u64, out: &mut [u8]) -> Result<(), Error> {
        let last = advance(offset, out.len())?.div_ceil(BLOCK_SIZE as u64);
        if last > self.blocks {
            return Err(Error::Corrupt("a reference beyond the end of the file system"));
        }
        self.read_image(offset, out)
    }

    /// As [`Self::chunk`], for an inode of any kind.
    pub(crate) fn contents(&self, inode: &Inode, offset: u64) -> Result<Option<Chunk>, Error> {
        let Some(place) = locate(inode, offset)? else {
            return Ok(None);
        };
        self.chunk_at(place).map(Some)
    }

    fn read_contents(&self, inode: &Inode, offset: u64, out: &mut [u8]) -> Result<usize, Error> {
        let mut done = 0;
        while let Some(rest) = out.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let Some(chunk) = self.contents(inode, advance(offset, done)?)? else {
                break;
            };
            done += copy(&chunk, rest);
        }
        Ok(done)
    }

    fn chunk_at(&self, place: Place) -> Result<Chunk, Error> {
        let page = self.cache.page_of_run(place.block, place.following)?;
        Ok(Chunk {
            page,
            range: place.range,
        })
    }
}

/// Verified bytes: a part of one block, which stays in memory as long as this does.
pub struct Chunk {
    page: Arc<Block>,
    range: Range<usize>,
}

impl Deref for Chunk {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.page.get(self.range.clone()).unwrap_or_default()
    }
}

fn file_only(inode: &Inode) -> Result<(), Error> {
    if inode.kind == Kind::File {
        Ok(())
    } else {
        Err(Error::WrongKind("not a regular file"))
    }
}

/// Where a part of an inode's contents lies.
struct Place {
    block: u64,
    /// Which bytes of the block; never an empty range.
    range: Range<usize>,
    /// How many blocks behind this one are whole blocks of the same contents.
    following: u64,
}

/// Where the inode's contents lie from byte `offset` on. `None` at the end.
fn locate(inode: &Inode, offset: u64) -> Result<Option<Place>, Error> {
    let Some(left) = inode.size.checked_sub(offset).filter(|left| *left > 0) else {
        return Ok(None);
    };
    let contents = &inode.contents;
    let (block, start, following) = match offset.checked_sub(contents.in_blocks) {
        None => {
            let index = offset / BLOCK_SIZE as u64;
            let block = contents.first_block.checked_add(index).ok_or(Error::OutOfRange)?;
            let wholes = contents.in_blocks.min(inode.size) / BLOCK_SIZE as u64;
            let following = wholes.saturating_sub(index).saturating_sub(1);
            (block, within_block(offset), following)
        }
        Some(into_tail) => {
            let at = contents.tail.checked_add(into_tail).ok_or(Error::OutOfRange)?;
            (at / BLOCK_SIZE as u64, within_block(at), 0)
        }
    };
    let room = BLOCK_SIZE.saturating_sub(start);
    let len = usize::try_from(left).map_or(room, |left| left.min(room));
    Ok(Some(Place {
        block,
        range: start..start.saturating_add(len),
        following,
    }))
}

/// Copies as much as fits; returns how much.
fn copy(from: &[u8], to: &mut [u8]) -> usize {
    let len = from.len().min(to.len());
    if let (Some(from), Some(to)) = (from.get(..len), to.get_mut(..len)) {
        to.copy_from_slice(from);
    }
    len
}

fn within_block(offset: u64) -> usize {
    (offset % BLOCK_SIZE as u64) as usize
}

fn advance(offset: u64, by: usize) -> Result<u64, Error> {
    u64::try_from(by)
        .ok()
        .and_then(|by| offset.checked_add(by))
        .ok_or(Error::OutOfRange)
}
