//! The call-site map of one ELF file: its reader and its writer.
//!
//! ```text
//! offset  size
//!      0     4  magic and version, "NCM1"
//!      4     4  n: number of patches
//!      8   8 n  per patch, in ascending order of file offset:
//!                 u32 file offset of the first overwritten byte
//!                 u32 offset of its body behind this table; bodies follow each other in the same order
//!  8+8 n        bodies:
//!                 u8            number of steps s
//!                 u8 × s        per step: kind in the upper four bits, length in bytes in the lower four
//!                 u8 × Σ length the original instructions
//! ```
//! Integers are little-endian. Nothing is optional, so that one set of patches has one encoding.

use alloc::vec::Vec;
use core::ops::Range;

use crate::{JUMP_LEN, MapError, Patch, STUB_SIZE, Step};

const MAGIC: [u8; 4] = *b"NCM1";
const HEADER_LEN: usize = 8;
const ENTRY_LEN: usize = 8;

/// Where a file is mapped: what makes a map's offsets addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The address that file offset 0 has in this mapping (it need not be mapped, and may wrap around).
    pub file: u64,
    /// The address of the first stub; the others follow, [`STUB_SIZE`] bytes each.
    pub stubs: u64,
}

impl Placement {
    fn site(self, patch: &Patch<'_>) -> u64 {
        self.file.wrapping_add(patch.offset())
    }

    fn stub(self, index: usize) -> u64 {
        self.stubs
            .wrapping_add((index as u64).wrapping_mul(STUB_SIZE as u64))
    }
}

/// The map of one file, checked. `B` is whatever holds its bytes.
#[derive(Clone, Debug)]
pub struct FileMap<B> {
    bytes: B,
    len: usize,
}

impl<B: AsRef<[u8]>> FileMap<B> {
    /// Checks the map's bytes, all of them; what succeeds here does not fail later.
    ///
    /// # Errors
    /// The bytes are not those that [`encode_file`] writes.
    pub fn parse(bytes: B) -> Result<Self, MapError> {
        let all = bytes.as_ref();
        let (header, rest) = all.split_first_chunk::<HEADER_LEN>().ok_or(MapError::Magic)?;
        let [m0, m1, m2, m3, count @ ..] = *header;
        if [m0, m1, m2, m3] != MAGIC {
            return Err(MapError::Magic);
        }
        let len = usize::try_from(u32::from_le_bytes(count)).map_err(|_| MapError::Length)?;
        let table_len = len.checked_mul(ENTRY_LEN).ok_or(MapError::Length)?;
        let (table, bodies) = rest.split_at_checked(table_len).ok_or(MapError::Length)?;
        let mut next_body = 0;
        let mut end_of_previous = 0;
        for entry in table.as_chunks::<ENTRY_LEN>().0 {
            let (offset, body) = split_entry(*entry);
            if body != next_body {
                return Err(MapError::NotCanonical);
            }
            let (patch, patch_len) = read_patch(offset, bodies, body)?;
            if patch.offset() < end_of_previous {
                return Err(MapError::Order);
            }
            end_of_previous = patch.offset() + patch.original().len() as u64;
            next_body += patch_len;
        }
        if next_body != bodies.len() {
            return Err(MapError::Length);
        }
        Ok(Self { bytes, len })
    }

    /// Number of patches.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing to patch.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that the stubs of this file take.
    pub fn stubs_len(&self) -> u64 {
        self.len as u64 * STUB_SIZE as u64
    }

    /// The patch with this index, which is also the index of its stub.
    pub fn patch(&self, index: usize) -> Option<Patch<'_>> {
        let (table, bodies) = self.parts();
        let entry = table.get(index)?;
        let (offset, body) = split_entry(*entry);
        read_patch(offset, bodies, body).ok().map(|(patch, _)| patch)
    }

    /// All patches with their indexes.
    pub fn patches(&self) -> impl Iterator<Item = (usize, Patch<'_>)> {
        (0..self.len).filter_map(|index| Some((index, self.patch(index)?)))
    }

    /// The patches that overwrite a byte in this range of file offsets, with their indexes.
    pub fn for_range(&self, range: Range<u64>) -> impl Iterator<Item = (usize, Patch<'_>)> {
        let first = self.first_ending_behind(range.start);
        (first..self.len)
            .filter_map(|index| Some((index, self.patch(index)?)))
            .take_while(move |(_, patch)| patch.offset() < range.end)
    }

    /// Rewrites the part of the file that `bytes` holds, which begins at `file_offset`: each site in it becomes a
    /// jump to its stub, also where only some bytes of the jump lie in this part. A site whose stub cannot reach
    /// what it needs ([`OutOfReach`](crate::OutOfReach)) is left alone. Returns how many were left alone.
    ///
    /// # Errors
    /// [`MapError::Mismatch`]: these are not the bytes that the map was made from. Some may have been rewritten.
    pub fn apply(&self, placement: Placement, file_offset: u64, bytes: &mut [u8]) -> Result<usize, MapError> {
        let end = file_offset
            .checked_add(bytes.len() as u64)
            .ok_or(MapError::TooLarge)?;
        let mut left_alone = 0;
        for (index, patch) in self.for_range(file_offset..end) {
            let expected = patch.original().iter().zip(patch.offset()..);
            for (expected, at) in expected {
                if at >= file_offset && byte_at(bytes, file_offset, at).is_some_and(|byte| *byte != *expected)
                {
                    return Err(MapError::Mismatch(at));
                }
            }
            let (site, stub) = (placement.site(&patch), placement.stub(index));
            let fits = patch.emit_stub(stub, site, &mut [0; STUB_SIZE]);
            let Ok(jump) = fits.and_then(|()| patch.replacement(site, stub)) else {
                left_alone += 1;
                continue;
            };
            for (new, at) in jump.into_iter().zip(patch.offset()..) {
                if let Some(byte) = byte_at(bytes, file_offset, at) {
                    *byte = new;
                }
            }
        }
        Ok(left_alone)
    }

    /// Writes the stubs from index `first` on, as many as `out` holds; what is behind the last one, and stubs that
    /// could not reach what they need, become `int3`.
    pub fn emit_stubs(&self, placement: Placement, first: usize, out: &mut [[u8; STUB_SIZE]]) {
        for (index, stub) in (first..).zip(out) {
            let emitted = self.patch(index).is_some_and(|patch| {
                patch
                    .emit_stub(placement.stub(index), placement.site(&patch), stub)
                    .is_ok()
            });
            if !emitted {
                stub.fill(0xcc);
            }
        }
    }

    /// The original address that an address among the stubs stands for; `None` for any other address.
    pub fn canonical(&self, placement: Placement, addr: u64) -> Option<u64> {
        let in_stubs = addr.wrapping_sub(placement.stubs);
        if in_stubs >= self.stubs_len() {
            return None;
        }
        let in_stubs = usize::try_from(in_stubs).ok()?;
        let patch = self.patch(in_stubs / STUB_SIZE)?;
        let original = patch.canonical(in_stubs % STUB_SIZE)?;
        Some(placement.site(&patch).wrapping_add(original as u64))
    }

    /// Where a thread goes on that shall continue at the original address `addr`: the place in a stub if that
    /// instruction has moved, `None` if the address may be used as it is.
    ///
    /// The caller has checked that `addr` lies in this mapping and that the site was patched.
    pub fn resume(&self, placement: Placement, addr: u64) -> Option<u64> {
        let offset = addr.wrapping_sub(placement.file);
        // The run that begins below `offset` and might reach it.
        let behind = self.entries_below(offset);
        let index = behind.checked_sub(1)?;
        let patch = self.patch(index)?;
        let original = usize::try_from(offset.checked_sub(patch.offset())?).ok()?;
        Some(placement.stub(index).wrapping_add(patch.resume(original)? as u64))
    }

    fn parts(&self) -> (&[[u8; ENTRY_LEN]], &[u8]) {
        let rest = self.bytes.as_ref().get(HEADER_LEN..).unwrap_or_default();
        let (table, bodies) = rest.split_at_checked(self.len * ENTRY_LEN).unwrap_or_default();
        (table.as_chunks::<ENTRY_LEN>().0, bodies)
    }

    /// How many patches begin below this file offset.
    fn entries_below(&self, offset: u64) -> usize {
        self.parts()
            .0
            .partition_point(|entry| u64::from(split_entry(*entry).0) < offset)
    }

    /// The first patch whose jump ends behind this file offset.
    fn first_ending_behind(&self, offset: u64) -> usize {
        let jump_len = JUMP_LEN as u64;
        self.parts()
            .0
            .partition_point(|entry| u64::from(split_entry(*entry).0) + jump_len <= offset)
    }
}

/// The byte with file offset `at`, in a part of the file that begins at `start`.
fn byte_at(bytes: &mut [u8], start: u64, at: u64) -> Option<&mut u8> {
    bytes.get_mut(usize::try_from(at.checked_sub(start)?).ok()?)
}

/// File offset and body offset of a table entry.
fn split_entry(entry: [u8; ENTRY_LEN]) -> (u32, usize) {
    let [a, b, c, d, body @ ..] = entry;
    // A u32 fits a usize wherever an enclave runs; what did not would be out of bounds below.
    let body = usize::try_from(u32::from_le_bytes(body)).unwrap_or(usize::MAX);
    (u32::from_le_bytes([a, b, c, d]), body)
}

/// The patch at `file_offset` whose body is at `at`, and its body's length.
fn read_patch(file_offset: u32, bodies: &[u8], at: usize) -> Result<(Patch<'_>, usize), MapError> {
    let body = bodies.get(at..).ok_or(MapError::Length)?;
    let (steps, rest) = body.split_first().ok_or(MapError::Length)?;
    let (tags, rest) = rest
        .split_at_checked(usize::from(*steps))
        .ok_or(MapError::Length)?;
    let code_len = tags.iter().map(|tag| usize::from(tag & 15)).sum();
    let code = rest.get(..code_len).ok_or(MapError::Length)?;
    let patch = Patch::new(u64::from(file_offset), tags, code)?;
    Ok((patch, 1 + tags.len() + code_len))
}

/// The patches of one file, as the scanner collects them.
#[derive(Clone, Debug, Default)]
pub struct Sites {
    table: Vec<(u32, usize)>,
    bodies: Vec<u8>,
}

impl Sites {
    /// No patches.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of patches.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Adds a patch behind those that there are. `offset` is the file offset of the first step.
    ///
    /// # Errors
    /// The steps cannot become a stub, or overlap the previous patch, or lie beyond 4 GiB; nothing was added.
    pub fn push(&mut self, offset: u64, steps: &[Step<'_>]) -> Result<(), MapError> {
        let tags: Vec<u8> = steps.iter().map(|step| step.tag()).collect();
        let code: Vec<u8> = steps.iter().flat_map(|step| step.bytes).copied().collect();
        let patch = Patch::new(offset, &tags, &code)?;
        debug_assert!(patch.steps().eq(steps.iter().copied()));
        if let Some((previous, body)) = self.table.last() {
            let (previous, _) = read_patch(*previous, &self.bodies, *body)?;
            if patch.offset() < previous.offset() + previous.original().len() as u64 {
                return Err(MapError::Order);
            }
        }
        let offset = u32::try_from(offset).map_err(|_| MapError::TooLarge)?;
        let count = u8::try_from(patch.tags().len()).map_err(|_| MapError::TooLarge)?;
        self.table.push((offset, self.bodies.len()));
        self.bodies.push(count);
        self.bodies.extend_from_slice(patch.tags());
        self.bodies.extend_from_slice(patch.original());
        Ok(())
    }
}

/// The bytes of a map with these patches.
///
/// # Errors
/// [`MapError::TooLarge`]: the map would be 4 GiB or longer.
pub fn encode_file(sites: &Sites) -> Result<Vec<u8>, MapError> {
    let count = u32::try_from(sites.table.len()).map_err(|_| MapError::TooLarge)?;
    let mut out = Vec::with_capacity(HEADER_LEN + sites.table.len() * ENTRY_LEN + sites.bodies.len());
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&count.to_le_bytes());
    for (offset, body) in &sites.table {
        let body = u32::try_from(*body).map_err(|_| MapError::TooLarge)?;
        out.extend_from_slice(&offset.to_le_bytes());
        out.extend_from_slice(&body.to_le_bytes());
    }
    out.extend_from_slice(&sites.bodies);
    Ok(out)
}
