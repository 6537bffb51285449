//! Who has which addresses of the programs' part of the enclave.

use alloc::collections::BTreeMap;
use core::ops::Range;

use enclave_layout::{PAGE_SIZE, USER_END, USER_START};
use host_abi::PageRange;

/// Where pages of parked processes lie.
const FRAMES: Range<u64> = USER_END - (1 << 40)..USER_END;
/// New mappings are placed below this address, from the top down.
const SEARCH_END: u64 = FRAMES.start;
/// New mappings are placed above this address: below lie programs that are linked at fixed addresses, and heaps.
const SEARCH_START: u64 = 0x1_0000_0000;

/// Where Linux places MAP_32BIT.
const LOW: Range<u64> = 0x4000_0000..0x8000_0000;

/// The free addresses: start to end, merged.
pub(crate) struct Ranges {
    free: BTreeMap<u64, u64>,
}

impl Ranges {
    pub(crate) const fn new() -> Self {
        Self {
            free: BTreeMap::new(),
        }
    }

    fn free(&mut self) -> &mut BTreeMap<u64, u64> {
        if self.free.is_empty() {
            self.free.insert(USER_START, USER_END);
        }
        &mut self.free
    }

    /// Takes `len` bytes at the highest free address; `align` is a power of two.
    pub(crate) fn take_any(&mut self, len: u64, align: u64) -> Option<PageRange> {
        self.take_within(SEARCH_START..SEARCH_END, len, align)
    }

    /// Takes `len` bytes where no program asks for addresses: pages of parked processes keep nobody from mapping anything.
    pub(crate) fn take_for_frames(&mut self, len: u64) -> Option<PageRange> {
        self.take_within(FRAMES, len, PAGE_SIZE)
    }

    /// Takes `len` bytes at the highest free address that a sign-extended 32-bit number can be (MAP_32BIT).
    pub(crate) fn take_low(&mut self, len: u64) -> Option<PageRange> {
        self.take_within(LOW, len, PAGE_SIZE)
    }

    fn take_within(&mut self, within: Range<u64>, len: u64, align: u64) -> Option<PageRange> {
        let found = self.free().range(..within.end).rev().find_map(|(&start, &end)| {
            let top = end.min(within.end);
            let at = top.checked_sub(len)? & !(align - 1);
            (at >= start.max(within.start)).then_some(at)
        })?;
        let range = PageRange::new(found, len)?;
        self.take(range);
        Some(range)
    }

    /// Takes `len` bytes as near as possible below `near`, at most `distance` away, or else above it.
    pub(crate) fn take_near(&mut self, near: PageRange, len: u64, distance: u64) -> Option<PageRange> {
        let below = self
            .free()
            .range(..near.start())
            .rev()
            .find_map(|(&start, &end)| {
                let at = end.min(near.start()).checked_sub(len)?;
                (at >= start && near.end() - at < distance).then_some(at)
            });
        let above = || {
            self.free.range(near.end()..).find_map(|(&start, &end)| {
                (end - start >= len && start + len - near.start() < distance).then_some(start)
            })
        };
        let at = below.or_else(above)?;
        let range = PageRange::new(at, len)?;
        self.take(range);
        Some(range)
    }

    /// Whether all of it is free.
    pub(crate) fn is_free(&mut self, range: PageRange) -> bool {
        self.free_len(range) == range.len()
    }

    /// How many bytes of it are free.
    pub(crate) fn free_len(&mut self, range: PageRange) -> u64 {
        let first = self.free().range(..=range.start()).next_back();
        let from = first.map_or(range.start(), |(&start, _)| start);
        let parts = self.free.range(from..range.end());
        parts
            .map(|(&start, &end)| end.min(range.end()).saturating_sub(start.max(range.start())))
            .sum()
    }

    /// Takes what is free of a range.
    pub(crate) fn take(&mut self, range: PageRange) {
        let first = self
            .free()
            .range(..=range.start())
            .next_back()
            .map(|(&start, _)| start);
        let from = first.unwrap_or(range.start());
        let touched: alloc::vec::Vec<(u64, u64)> = self
            .free
            .range(from..range.end())
            .map(|(&start, &end)| (start, end))
            .filter(|&(_, end)| end > range.start())
            .collect();
        for (start, end) in touched {
            self.free.remove(&start);
            if start < range.start() {
                self.free.insert(start, range.start());
            }
            if end > range.end() {
                self.free.insert(range.end(), end);
            }
        }
    }

    /// Gives a range back.
    pub(crate) fn give_back(&mut self, range: PageRange) {
        self.take(range);
        let (mut start, mut end) = (range.start(), range.end());
        if let Some((&before, &before_end)) = self.free().range(..start).next_back()
            && before_end == start
        {
            self.free.remove(&before);
            start = before;
        }
        if let Some(&after_end) = self.free.get(&end) {
            self.free.remove(&end);
            end = after_end;
        }
        self.free.insert(start, end);
    }
}

/// Rounds up to whole pages; `None` if that is beyond what addresses can be.
pub(crate) fn round_up(len: u64) -> Option<u64> {
    len.checked_next_multiple_of(PAGE_SIZE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: u64, len: u64) -> PageRange {
        PageRange::new(start, len).unwrap()
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let mut ranges = Ranges::new();
        let first = ranges.take_any(0x10000, PAGE_SIZE).unwrap();
        let second = ranges.take_any(0x10000, PAGE_SIZE).unwrap();
        assert_eq!(second.end(), first.start());
        assert!(!ranges.is_free(first));
        ranges.give_back(first);
        ranges.give_back(second);
        assert!(ranges.is_free(range(second.start(), 0x20000)));
        assert_eq!(ranges.free.len(), 1);
    }

    #[test]
    fn a_part_can_be_taken_from_the_middle() {
        let mut ranges = Ranges::new();
        ranges.take(range(0x40_0000, 0x1000));
        ranges.take(range(0x3f_f000, 0x3000));
        assert!(!ranges.is_free(range(0x40_1000, 0x1000)));
        assert!(ranges.is_free(range(0x40_2000, 0x1000)));
        assert!(ranges.is_free(range(USER_START, 0x3f_f000 - USER_START)));
    }

    #[test]
    fn stubs_are_near() {
        let mut ranges = Ranges::new();
        let program = range(0x40_0000, 0x10_0000);
        ranges.take(program);
        let stubs = ranges.take_near(program, 0x2000, 1 << 30).unwrap();
        assert_eq!(stubs.end(), program.start());
    }
}
