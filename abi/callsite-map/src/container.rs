//! The container of call-site maps: those of all files of an image, in one blob.
//!
//! ```text
//! offset  size
//!      0     8  magic and version, "NacreCM1"
//!      8     8  n: number of files
//!     16  16 n  per file, in ascending order of inode number:
//!                 u64 the file's inode number (EROFS nid)
//!                 u32 offset of its map from the beginning of the blob
//!                 u32 length of its map, in bytes
//! 16+16 n       the maps, in the same order, without gaps
//! ```
//! Integers are little-endian. The index alone is read to find a file's map, by binary search, so the size of the
//! image does not matter for the time that it takes to start a program.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use crate::MapError;

const MAGIC: [u8; 8] = *b"NacreCM1";
const HEADER_LEN: u64 = 16;
const ENTRY_LEN: u64 = 16;

/// Where a blob is read from: the verified root file system, or memory.
pub trait ReadAt {
    /// Why reading failed.
    type Error;

    /// Fills `out` from this offset of the blob, or fails.
    ///
    /// # Errors
    /// The bytes cannot be read, or the blob ends before them.
    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), Self::Error>;
}

impl ReadAt for [u8] {
    type Error = MapError;

    fn read_at(&self, offset: u64, out: &mut [u8]) -> Result<(), MapError> {
        let start = usize::try_from(offset).map_err(|_| MapError::Length)?;
        let rest = self.get(start..).ok_or(MapError::Length)?;
        out.copy_from_slice(rest.get(..out.len()).ok_or(MapError::Length)?);
        Ok(())
    }
}

/// Why a file's map was not found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindError<E> {
    /// The blob could not be read.
    Read(E),
    /// The blob is not what it should be.
    Map(MapError),
}

impl<E: fmt::Display> fmt::Display for FindError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => write!(f, "the call-site maps cannot be read: {error}"),
            Self::Map(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> core::error::Error for FindError<E> {}

/// The blob's header, checked: enough to look files up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Container {
    blob_len: u64,
    files: u64,
}

impl Container {
    /// Reads the header of a blob that is `blob_len` bytes long.
    ///
    /// # Errors
    /// The blob cannot be read, or is not one.
    pub fn open<R: ReadAt + ?Sized>(blob: &R, blob_len: u64) -> Result<Self, FindError<R::Error>> {
        if blob_len < HEADER_LEN {
            return Err(FindError::Map(MapError::Magic));
        }
        let mut magic = [0; 8];
        blob.read_at(0, &mut magic).map_err(FindError::Read)?;
        if magic != MAGIC {
            return Err(FindError::Map(MapError::Magic));
        }
        let mut files = [0; 8];
        blob.read_at(8, &mut files).map_err(FindError::Read)?;
        let files = u64::from_le_bytes(files);
        match files.checked_mul(ENTRY_LEN) {
            Some(index_len) if index_len <= blob_len - HEADER_LEN => Ok(Self { blob_len, files }),
            _ => Err(FindError::Map(MapError::Length)),
        }
    }

    /// Number of files that have a map.
    pub fn files(&self) -> u64 {
        self.files
    }

    /// Where in the blob the map of the file with this inode number is, if it has one: reads log2(files) entries.
    ///
    /// # Errors
    /// The blob cannot be read, or the entry points outside it.
    pub fn find<R: ReadAt + ?Sized>(
        &self,
        blob: &R,
        nid: u64,
    ) -> Result<Option<Range<u64>>, FindError<R::Error>> {
        let (mut low, mut high) = (0, self.files);
        while low < high {
            let middle = low + (high - low) / 2;
            let (at, range) = self.entry(blob, middle)?;
            match at.cmp(&nid) {
                core::cmp::Ordering::Less => low = middle + 1,
                core::cmp::Ordering::Greater => high = middle,
                core::cmp::Ordering::Equal => return Ok(Some(range)),
            }
        }
        Ok(None)
    }

    /// Reads the whole index and checks that it is canonical: what a converter does with what it has written.
    ///
    /// # Errors
    /// The blob cannot be read, or is not canonical.
    pub fn check<R: ReadAt + ?Sized>(&self, blob: &R) -> Result<(), FindError<R::Error>> {
        let mut previous = None;
        let mut next_map = HEADER_LEN + self.files * ENTRY_LEN;
        for index in 0..self.files {
            let (nid, range) = self.entry(blob, index)?;
            if previous.is_some_and(|previous| previous >= nid) {
                return Err(FindError::Map(MapError::Order));
            }
            if range.start != next_map {
                return Err(FindError::Map(MapError::NotCanonical));
            }
            (previous, next_map) = (Some(nid), range.end);
        }
        if next_map == self.blob_len {
            Ok(())
        } else {
            Err(FindError::Map(MapError::Length))
        }
    }

    fn entry<R: ReadAt + ?Sized>(
        &self,
        blob: &R,
        index: u64,
    ) -> Result<(u64, Range<u64>), FindError<R::Error>> {
        let mut words = [0; ENTRY_LEN as usize];
        // `open` has checked that the index lies in the blob.
        blob.read_at(HEADER_LEN + index * ENTRY_LEN, &mut words)
            .map_err(FindError::Read)?;
        let [n0, n1, n2, n3, n4, n5, n6, n7, o0, o1, o2, o3, l0, l1, l2, l3] = words;
        let nid = u64::from_le_bytes([n0, n1, n2, n3, n4, n5, n6, n7]);
        let start = u64::from(u32::from_le_bytes([o0, o1, o2, o3]));
        let end = start + u64::from(u32::from_le_bytes([l0, l1, l2, l3]));
        if start < HEADER_LEN + self.files * ENTRY_LEN || end > self.blob_len {
            return Err(FindError::Map(MapError::Length));
        }
        Ok((nid, start..end))
    }
}

/// The blob of these maps (see [`encode_file`](crate::encode_file)), by inode number.
///
/// # Errors
/// [`MapError::TooLarge`]: the blob would be 4 GiB or longer.
pub fn encode_container(maps: &BTreeMap<u64, Vec<u8>>) -> Result<Vec<u8>, MapError> {
    let files = maps.len() as u64;
    let mut out = Vec::new();
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&files.to_le_bytes());
    let mut offset = HEADER_LEN + files * ENTRY_LEN;
    for (nid, map) in maps {
        let len = map.len() as u64;
        out.extend_from_slice(&nid.to_le_bytes());
        out.extend_from_slice(
            &u32::try_from(offset)
                .map_err(|_| MapError::TooLarge)?
                .to_le_bytes(),
        );
        out.extend_from_slice(&u32::try_from(len).map_err(|_| MapError::TooLarge)?.to_le_bytes());
        offset += len;
    }
    for map in maps.values() {
        out.extend_from_slice(map);
    }
    Ok(out)
}
