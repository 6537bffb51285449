//! `mlock` and its kin, and what `madvise` says about children.
//!
//! The host could page an enclave out whatever a program asks for. So a lock only brings pages in, is counted, and is told.

use enclave_layout::PAGE_SIZE;
use host_abi::{PageRange, Protection};
use kobject::{Errno, Result};

use super::{AddressSpace, Spaces, page_range};
use crate::mapping::{MappingEntry, Traits};

/// Whether pages that are locked are brought in at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bring {
    /// At once.
    Now,
    /// When they are touched (MLOCK_ONFAULT, MCL_ONFAULT).
    WhenTouched,
}

impl AddressSpace {
    /// `mlock`: at most `limit` bytes are locked afterwards.
    ///
    /// # Errors
    /// ENOMEM beyond the limit, and if part of the range is not mapped; EINVAL if it wraps.
    pub fn lock_memory(&self, address: u64, len: u64, limit: u64, bring: Bring) -> Result<()> {
        let Some(range) = whole_pages(address, len)? else {
            return Ok(());
        };
        let mut inner = self.lock();
        let is_locked = |part: &MappingEntry| part.traits.contains(Traits::LOCKED);
        let again: u64 = inner
            .within(range)
            .iter()
            .filter(|part| is_locked(part))
            .map(|part| part.range.len())
            .sum();
        if (inner.locked_len() - again).saturating_add(range.len()) > limit {
            return Err(Errno::ENOMEM);
        }
        inner.mark(range, Traits::LOCKED, true)?;
        if bring == Bring::Now {
            inner.bring_all(range);
        }
        Ok(())
    }

    /// `munlock`: ENOMEM if part of the range is not mapped.
    pub fn unlock_memory(&self, address: u64, len: u64) -> Result<()> {
        match whole_pages(address, len)? {
            Some(range) => self.lock().mark(range, Traits::LOCKED, false),
            None => Ok(()),
        }
    }

    /// `mlockall`: what is mapped now, and what is mapped later. ENOMEM if what is mapped now exceeds `limit` bytes.
    pub fn lock_all_memory(&self, now: bool, later: bool, limit: u64, bring: Bring) -> Result<()> {
        let mut inner = self.lock();
        let ranges: alloc::vec::Vec<PageRange> =
            inner.own.mappings.values().map(|mapping| mapping.range).collect();
        let total: u64 = ranges.iter().map(|range| range.len()).sum();
        if now && total > limit {
            return Err(Errno::ENOMEM);
        }
        inner.own.locks_later = later;
        for range in ranges.into_iter().filter(|_| now) {
            inner.mark(range, Traits::LOCKED, true)?;
            if bring == Bring::Now {
                inner.bring_all(range);
            }
        }
        Ok(())
    }

    /// `munlockall`.
    pub fn unlock_all_memory(&self) -> Result<()> {
        let mut inner = self.lock();
        inner.own.locks_later = false;
        let ranges: alloc::vec::Vec<PageRange> =
            inner.own.mappings.values().map(|mapping| mapping.range).collect();
        ranges
            .into_iter()
            .try_for_each(|range| inner.mark(range, Traits::LOCKED, false))
    }

    /// Whether a new mapping of this length can be locked: EAGAIN beyond `limit` bytes.
    pub fn check_lock(&self, len: u64, limit: u64) -> Result<()> {
        match self.lock().locked_len().saturating_add(len) > limit {
            true => Err(Errno::EAGAIN),
            false => Ok(()),
        }
    }

    /// Whether new mappings are locked (MCL_FUTURE).
    pub fn locks_later(&self) -> bool {
        self.lock().own.locks_later
    }

    /// Whether something in the range is locked.
    pub fn is_locked(&self, address: u64, len: u64) -> bool {
        let Ok(Some(range)) = whole_pages(address, len) else {
            return false;
        };
        let parts = self.lock().within(range);
        parts.iter().any(|part| part.traits.contains(Traits::LOCKED))
    }

    /// The space of a child that was just forked leaves out what its parent wanted left out.
    pub(super) fn leave_out(&self) -> Result<()> {
        let mut inner = self.lock();
        let parts: alloc::vec::Vec<MappingEntry> = inner
            .own
            .mappings
            .values()
            .filter(|mapping| mapping.traits.intersects(Traits::NOT_FORKED | Traits::WIPED))
            .cloned()
            .collect();
        for part in parts {
            match part.traits.contains(Traits::NOT_FORKED) {
                true => inner.remove(part.range),
                false => inner.forget(&part)?,
            }
        }
        Ok(())
    }
}

impl Spaces {
    /// Bytes that are locked.
    pub(super) fn locked_len(&self) -> u64 {
        let mappings = self.own.mappings.values();
        let locked = mappings.filter(|mapping| mapping.traits.contains(Traits::LOCKED));
        locked.map(|mapping| mapping.range.len()).sum()
    }

    /// Gives all mappings in a range a trait, or takes it away. ENOMEM if part of the range is not mapped: what precedes that part has
    /// changed then.
    pub(super) fn mark(&mut self, range: PageRange, marked: Traits, on: bool) -> Result<()> {
        let mut end = range.start();
        for part in self.within(range) {
            if part.range.start() != end {
                break;
            }
            end = part.range.end();
        }
        if let Some(mapped) = PageRange::new(range.start(), end - range.start()) {
            for mut part in self.detach(mapped) {
                part.traits.set(marked, on);
                self.insert_joined(part)?;
            }
        }
        match end == range.end() {
            true => Ok(()),
            false => Err(Errno::ENOMEM),
        }
    }

    /// Brings the pages of a range in. What fails is tried again when it is touched.
    fn bring_all(&mut self, range: PageRange) {
        for part in self.within(range) {
            let can_be_touched = part.protection != Protection::NONE;
            if can_be_touched && !part.traits.contains(Traits::NO_RESERVE) {
                let _ = self.populate(&part, part.range, None);
            }
        }
    }
}

/// The pages that a range of bytes touches; `None` for no bytes. EINVAL if it wraps, ENOMEM beyond programs' addresses.
fn whole_pages(address: u64, len: u64) -> Result<Option<PageRange>> {
    let within = address % PAGE_SIZE;
    // As in the kernel, a length that wraps when it is rounded is none.
    let len = len.wrapping_add(within).checked_next_multiple_of(PAGE_SIZE);
    let (start, len) = (address - within, len.unwrap_or_default());
    if len == 0 {
        return Ok(None);
    }
    start.checked_add(len).ok_or(Errno::EINVAL)?;
    page_range(start, len).map(Some).map_err(|_| Errno::ENOMEM)
}
