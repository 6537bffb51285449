//! `mremap`, `remap_file_pages`.

use enclave_layout::{PAGE_SIZE, USER_END};
use host_abi::{PageRange, Protection};
use kobject::{Errno, Result};
use linux_abi::MapFlags;

use super::{AddressSpace, Spaces, page_range};
use crate::arena::WARM_MIN;
use crate::mapping::{Content, MappingEntry, Traits};
use crate::ranges::round_up;

/// What becomes of a mapping whose pages have moved.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Old {
    Goes,
    Stays,
}

impl AddressSpace {
    /// `mremap` without MREMAP_FIXED (`target` none) or with it; gives the new address.
    ///
    /// # Errors
    /// As mremap(2).
    pub fn remap(
        &self,
        address: u64,
        old_len: u64,
        new_len: u64,
        may_move: bool,
        target: Option<u64>,
    ) -> Result<u64> {
        let new_len = round_up(new_len)
            .filter(|&len| len != 0 && len <= USER_END)
            .ok_or(Errno::EINVAL)?;
        if old_len == 0 {
            return self.map_again(address, new_len, may_move, target);
        }
        let mut old = page_range(address, old_len)?;
        let mut inner = self.lock();
        let mapping = inner.find(address).cloned().ok_or(Errno::EFAULT)?;
        if mapping.traits.contains(Traits::SEALED) {
            return Err(Errno::EPERM);
        }
        if let Some(target) = target {
            let new = page_range(target, new_len)?;
            if new.start() < old.end() && old.start() < new.end() {
                return Err(Errno::EINVAL);
            }
            inner.check_unsealed(new)?;
        }
        if let Some(tail) = old
            .len()
            .checked_sub(new_len)
            .and_then(|len| PageRange::new(address + new_len, len))
        {
            inner.check_unsealed(tail)?;
            // Shrinking may span several mappings; what is moved then may not.
            inner.remove(tail);
            old = PageRange::new(address, new_len).ok_or(Errno::EINVAL)?;
        }
        if target.is_none() && old.len() == new_len {
            return Ok(address);
        }
        if mapping.range.end() < old.end() {
            return Err(Errno::EFAULT);
        }
        inner.check_room(new_len - old.len(), mapping.protection, mapping.traits)?;
        inner.check_limits(new_len - old.len(), mapping.protection, mapping.traits, None)?;
        if target.is_none() {
            match inner.grow(&mapping, old, new_len) {
                Err(Errno::ENOMEM) if may_move => {}
                grown => return grown.map(|()| address),
            }
        }
        let flags = match target {
            Some(_) => MapFlags::MAP_FIXED,
            None => MapFlags::empty(),
        };
        let whole = mapping.part(old).ok_or(Errno::EFAULT)?;
        let range = inner.place(target.unwrap_or(0), new_len, flags, None)?;
        inner.move_to(whole, range, Old::Goes)
    }

    /// `mremap` with MREMAP_DONTUNMAP: the pages of a mapping move, and the mapping stays and shows again what it showed at first.
    ///
    /// # Errors
    /// As mremap(2).
    pub fn remap_and_keep(&self, address: u64, len: u64, target: Option<u64>) -> Result<u64> {
        let old = page_range(address, len)?;
        let mut inner = self.lock();
        let mapping = inner.find(address).cloned().ok_or(Errno::EFAULT)?;
        if mapping.traits.contains(Traits::SEALED) {
            return Err(Errno::EPERM);
        }
        if let Some(target) = target {
            let new = page_range(target, len)?;
            if new.start() < old.end() && old.start() < new.end() {
                return Err(Errno::EINVAL);
            }
            inner.check_unsealed(new)?;
        }
        let whole = mapping.part(old).filter(|whole| whole.range == old);
        let whole = whole.ok_or(Errno::EFAULT)?;
        inner.check_room(old.len(), mapping.protection, mapping.traits)?;
        inner.check_limits(old.len(), mapping.protection, mapping.traits, None)?;
        let flags = match target {
            Some(_) => MapFlags::MAP_FIXED,
            None => MapFlags::empty(),
        };
        let range = inner.place(target.unwrap_or(0), old.len(), flags, None)?;
        inner.move_to(whole, range, Old::Stays)
    }

    /// `remap_file_pages`: a part of a shared mapping shows the file from another offset on, in bytes.
    ///
    /// # Errors
    /// EINVAL unless all of the range is mapped shared, shows one file and may be accessed in one way.
    pub fn remap_file(&self, range: PageRange, offset: u64) -> Result<()> {
        let mut inner = self.lock();
        inner.check_unsealed(range)?;
        let parts = inner.within(range);
        let mapping = parts.first().cloned().ok_or(Errno::EINVAL)?;
        let shows = |part: &MappingEntry| part.content.file().map(|(file, _)| file.identity());
        let is_alike = |part: &MappingEntry| {
            part.is_shared()
                && shows(part) == shows(&mapping)
                && (part.protection, part.traits) == (mapping.protection, mapping.traits)
        };
        let covered: u64 = parts.iter().map(|part| part.range.len()).sum();
        if covered != range.len() || !parts.iter().all(is_alike) {
            return Err(Errno::EINVAL);
        }
        let content = match mapping.content {
            Content::Shared { file, .. } => Content::Shared { file, offset },
            Content::Private { file, .. } => Content::Private {
                file,
                offset,
                patches: None,
            },
            Content::Zeros => return Err(Errno::EINVAL),
        };
        let range = inner.place(range.start(), range.len(), MapFlags::MAP_FIXED, None)?;
        let shown = MappingEntry {
            range,
            content,
            traits: mapping.traits,
            protection: mapping.protection,
            name: mapping.name,
        };
        inner.add(shown, MapFlags::empty()).map(drop)
    }

    /// `mremap` with an old length of 0: a second mapping of what is shared there.
    fn map_again(&self, address: u64, len: u64, may_move: bool, target: Option<u64>) -> Result<u64> {
        if !address.is_multiple_of(PAGE_SIZE) {
            return Err(Errno::EINVAL);
        }
        let mut inner = self.lock();
        let mapping = inner.find(address).cloned().ok_or(Errno::EFAULT)?;
        if mapping.traits.contains(Traits::SEALED) {
            return Err(Errno::EPERM);
        }
        if !mapping.is_shared() {
            return Err(Errno::EINVAL);
        }
        if !may_move {
            return Err(Errno::ENOMEM);
        }
        let flags = match target {
            Some(_) => MapFlags::MAP_FIXED,
            None => MapFlags::empty(),
        };
        let range = inner.place(target.unwrap_or(0), len, flags, None)?;
        let content = mapping.content.clone().advanced(address - mapping.range.start());
        let again = MappingEntry {
            range,
            content,
            ..mapping
        };
        inner.add(again, MapFlags::empty())
    }
}

impl Spaces {
    /// Lets the part `old` of a mapping grow where it is. ENOMEM if something is behind it.
    fn grow(&mut self, mapping: &MappingEntry, old: PageRange, new_len: u64) -> Result<()> {
        let growth = PageRange::new(old.end(), new_len - old.len()).ok_or(Errno::ENOMEM)?;
        if mapping.range.end() != old.end() || growth.end() > USER_END {
            return Err(Errno::ENOMEM);
        }
        self.arena.evict_kept(growth);
        {
            let mut ranges = self.arena.ranges.lock();
            if !ranges.is_free(growth) {
                return Err(Errno::ENOMEM);
            }
            ranges.take(growth);
        }
        let content = mapping
            .content
            .clone()
            .advanced(growth.start() - mapping.range.start());
        let grown = MappingEntry {
            range: growth,
            content,
            ..mapping.clone()
        };
        self.add(grown, MapFlags::empty()).map(drop)
    }

    /// Moves a mapping to other addresses, which are taken for it already. An enclave's page has one address, so it is copied.
    fn move_to(&mut self, whole: MappingEntry, range: PageRange, fate: Old) -> Result<u64> {
        let old = whole.range;
        // Warm pages would look like the mapping's own.
        self.arena.cool(range);
        let content = match &whole.content {
            // Stubs are near the old place.
            Content::Private { file, offset, .. } => Content::Private {
                file: file.clone(),
                offset: *offset,
                patches: None,
            },
            other => other.clone(),
        };
        let moved = MappingEntry {
            range,
            content,
            traits: whole.traits - Traits::UNWRITTEN,
            ..whole.clone()
        };
        // Pages of shared files move by themselves when they are touched.
        if !matches!(whole.content, Content::Shared { .. })
            && let Err(error) = self.copy_pages(&whole, &moved)
        {
            self.arena.release(range, &mut self.own.account, WARM_MIN);
            self.give_back(range);
            self.arena.protect(old, whole.protection)?;
            return Err(error);
        }
        match fate {
            Old::Goes => self.remove(old),
            Old::Stays => {
                if !whole.is_shared() {
                    self.arena.discard(old, &mut self.own.account);
                }
                self.detach(old);
                self.insert_joined(MappingEntry {
                    traits: whole.traits - Traits::LOCKED,
                    ..whole
                })?;
            }
        }
        self.insert_joined(moved)?;
        Ok(range.start())
    }

    fn copy_pages(&mut self, whole: &MappingEntry, moved: &MappingEntry) -> Result<()> {
        let (old, range) = (whole.range, moved.range);
        self.before_bringing(moved, range)?;
        self.part_from_relatives(old)?;
        // Whoever writes to them from here on finds the mapping gone.
        self.arena.protect(old, Protection::READ)?;
        for (run, state) in self.arena.runs(old) {
            if state.protection().is_none() {
                continue;
            }
            let to = range.start() + (run.start() - old.start());
            let copied = PageRange::new(to, run.len()).ok_or(Errno::EFAULT)?;
            self.arena.commit_zeroed(copied, &mut self.own.account)?;
            self.arena.memory.copy(to, run.start(), run.len() as usize)?;
        }
        if let Some(patches) = whole.content.patches() {
            patches.undo(old, range.start());
        }
        if whole.protection != Protection::READ_WRITE {
            self.arena.protect(range, whole.protection)?;
        }
        debug_assert_eq!(range.start() % PAGE_SIZE, 0);
        Ok(())
    }
}
