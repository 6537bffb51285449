//! Mappings of System V shared memory segments.

use alloc::sync::Arc;
use alloc::vec::Vec;

use enclave_layout::PAGE_SIZE;
use host_abi::PageRange;
use kobject::{Errno, Result};

use crate::AddressSpace;
use crate::arena::PROGRAMS;
use crate::mapping::MappingEntry;

impl AddressSpace {
    /// How many mappings of a segment there are, in all spaces.
    pub fn attachments(segment: i32) -> u64 {
        let spaces: Vec<Arc<Self>> = {
            let known = PROGRAMS.spaces.lock();
            known.iter().filter_map(|known| known.space.upgrade()).collect()
        };
        spaces
            .iter()
            .map(|space| space.count(|mapping| segment_of(mapping) == Some(segment)))
            .sum()
    }

    /// Whether nothing is mapped at any of these addresses.
    pub fn is_unmapped(&self, address: u64, len: u64) -> bool {
        let range = len
            .checked_next_multiple_of(PAGE_SIZE)
            .and_then(|len| PageRange::new(address, len));
        range.is_some_and(|range| self.within(range).is_empty())
    }

    /// `shmdt`: unmaps all of the segment whose first byte is mapped at `address`, as far as it lies where it would be in one piece.
    ///
    /// # Errors
    /// EINVAL if none is.
    pub fn detach(&self, address: u64) -> Result<()> {
        if !address.is_multiple_of(PAGE_SIZE) {
            return Err(Errno::EINVAL);
        }
        let whole = PageRange::new(address, self.room_above(address)).ok_or(Errno::EINVAL)?;
        let is_in_place = |mapping: &MappingEntry| {
            segment_of(mapping).is_some()
                && mapping.offset_of(mapping.range.start()) == mapping.range.start() - address
        };
        let mappings: Vec<MappingEntry> = self.within(whole);
        let first = mappings.iter().find(|mapping| is_in_place(mapping));
        let first = first.ok_or(Errno::EINVAL)?;
        let (segment, len) = (
            segment_of(first),
            first.content.file().map_or(0, |(file, _)| file.len()),
        );
        let end = address.saturating_add(len);
        for mapping in mappings.iter().filter(|mapping| is_in_place(mapping)) {
            if segment_of(mapping) == segment && mapping.range.start() < end {
                self.unmap(mapping.range.start(), mapping.range.len())?;
            }
        }
        Ok(())
    }
}

fn segment_of(mapping: &MappingEntry) -> Option<i32> {
    mapping.content.file()?.0.segment()
}
