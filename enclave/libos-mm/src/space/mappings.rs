//! The mappings of a space: finding places for them, and changing, joining and removing them.

use alloc::vec::Vec;

use enclave_layout::{PAGE_SIZE, USER_END, USER_START};
use host_abi::{PageRange, Protection};
use kobject::{Errno, Result};
use linux_abi::MapFlags;

use super::family::{AddressLimits, Spaces, gaps, one};
use crate::arena::{Account, WARM_MIN};
use crate::call_sites::Patches;
use crate::kept::View;
use crate::mapping::{Advice, Backing, Content, MappingEntry, Traits};
use crate::populate;
use crate::ranges::round_up;

/// Anonymous mappings and changes of at most this size are committed at once: one exit now for a fault later.
const EAGER: u64 = 1024 * 1024;
/// Private file mappings of at most this size are read at once.
const EAGER_FILE: u64 = 64 * 1024;
/// Memory that is given up in smaller pieces than this is zeroed where it is: the program will touch it again.
const ZEROED: u64 = 64 * 1024;
/// Mappings of at least this size begin at a boundary of huge pages, which an emulated enclave's host can use then.
const LARGE: u64 = 8 << 20;
const HUGE_PAGE: u64 = 2 << 20;

impl Spaces {
    pub(super) fn find(&self, address: u64) -> Option<&MappingEntry> {
        self.own.find(address)
    }

    pub(crate) fn within(&self, range: PageRange) -> Vec<MappingEntry> {
        self.own.within(range)
    }

    /// How many bytes of a range are mapped.
    pub(super) fn mapped_len(&self, range: PageRange) -> u64 {
        self.within(range).iter().map(|part| part.range.len()).sum()
    }

    /// ENOMEM for what obviously cannot be had. Linux decides in the same way whether to overcommit: programs map more than they touch.
    pub(super) fn check_room(&self, len: u64, protection: Protection, traits: Traits) -> Result<()> {
        let counts = protection.contains(Protection::READ_WRITE)
            && !traits.intersects(Traits::NO_RESERVE | Traits::SHARED_FILE);
        if counts && len > self.own.account.room() {
            return Err(Errno::ENOMEM);
        }
        Ok(())
    }

    /// ENOMEM if mappings of `len` bytes more, in place of what is in `replaced`, are beyond the limits of addresses.
    pub(super) fn check_limits(
        &self,
        len: u64,
        protection: Protection,
        traits: Traits,
        replaced: Option<PageRange>,
    ) -> Result<()> {
        let AddressLimits { all, data } = self.own.limits;
        let exceeds = |limit: u64, counts: fn(&MappingEntry) -> bool| {
            if limit == u64::MAX {
                return false;
            }
            let len_of = |mapping: &MappingEntry| if counts(mapping) { mapping.range.len() } else { 0 };
            let mapped: u64 = self.own.mappings.values().map(len_of).sum();
            let replaced = replaced.map_or(Vec::new(), |range| self.within(range));
            let replaced: u64 = replaced.iter().map(len_of).sum();
            // An increase of nothing is allowed beyond the limit, too.
            len > replaced && (mapped - replaced).saturating_add(len) > limit
        };
        let is_new_data = is_data(protection, traits);
        if exceeds(all, |_| true)
            || (is_new_data && exceeds(data, |mapping| is_data(mapping.protection, mapping.traits)))
        {
            return Err(Errno::ENOMEM);
        }
        Ok(())
    }

    /// Finds and takes addresses for a new mapping; what is there makes way if it must.
    pub(super) fn place(
        &mut self,
        hint: u64,
        len: u64,
        flags: MapFlags,
        view: Option<View<'_>>,
    ) -> Result<PageRange> {
        if flags.intersects(MapFlags::MAP_FIXED | MapFlags::MAP_FIXED_NOREPLACE) {
            return self.place_fixed(hint, len, flags, view);
        }
        // Only dynamic linkers say this, which map over the code at once. Whoever reads a file has to see it without our patches.
        if let Some(view) = view.filter(|view| view.is_unwritten())
            && hint == 0
            && flags.contains(MapFlags::MAP_DENYWRITE)
            && !flags.contains(MapFlags::MAP_32BIT)
            && let Some(range) = self.place_kept(view, len)
        {
            return Ok(range);
        }
        let hinted = round_up(hint)
            .and_then(|hint| PageRange::new(hint, len))
            .filter(|range| hint != 0 && range.start() >= USER_START && range.end() <= USER_END);
        if let Some(range) = hinted {
            self.arena.evict_kept(range);
        }
        let mut ranges = self.arena.ranges.lock();
        if let Some(range) = hinted
            && ranges.is_free(range)
        {
            ranges.take(range);
            return Ok(range);
        }
        if flags.contains(MapFlags::MAP_32BIT) {
            return ranges.take_low(len).ok_or(Errno::ENOMEM);
        }
        let align = if len >= LARGE { HUGE_PAGE } else { PAGE_SIZE };
        ranges.take_any(len, align).ok_or(Errno::ENOMEM)
    }

    /// Finds addresses at which relatives map the same part of a file shared, and `own` nothing: the pages that are there can stay.
    pub(super) fn place_as_relatives(
        &mut self,
        content: &Content,
        len: u64,
        flags: MapFlags,
    ) -> Result<Option<PageRange>> {
        let anywhere =
            !flags.intersects(MapFlags::MAP_FIXED | MapFlags::MAP_FIXED_NOREPLACE | MapFlags::MAP_32BIT);
        let (true, Content::Shared { file, offset }) = (anywhere, content) else {
            return Ok(None);
        };
        let mut mappings = self
            .relatives
            .iter()
            .flat_map(|relative| relative.mappings.values());
        let found = mappings.find_map(|mapping| {
            let place = mapping.place_of(file, *offset, len)?;
            self.within(place).is_empty().then_some(place)
        });
        let Some(range) = found else { return Ok(None) };
        let arena = self.arena;
        for page in arena.used_pages(range) {
            if !file.lies_at(offset + (page - range.start()), page) {
                self.displace(page, None)?;
                arena.discard(one(page)?, &mut Account::unlimited());
            }
        }
        Ok(Some(range))
    }

    fn place_fixed(
        &mut self,
        start: u64,
        len: u64,
        flags: MapFlags,
        view: Option<View<'_>>,
    ) -> Result<PageRange> {
        if !start.is_multiple_of(PAGE_SIZE) {
            return Err(Errno::EINVAL);
        }
        let range = PageRange::new(start, len).ok_or(Errno::ENOMEM)?;
        if range.start() < USER_START {
            // vm.mmap_min_addr
            return Err(Errno::EPERM);
        }
        if range.end() > USER_END {
            return Err(Errno::ENOMEM);
        }
        let parts = self.within(range);
        if flags.contains(MapFlags::MAP_FIXED_NOREPLACE) && !parts.is_empty() {
            return Err(Errno::EEXIST);
        }
        self.check_unsealed(range)?;
        self.arena.evict_kept(range);
        // Strangers' addresses, or stubs, cannot be had.
        let parts: Vec<PageRange> = parts.iter().map(|part| part.range).collect();
        let gaps = gaps(range, &parts);
        if !gaps.iter().all(|&gap| self.is_claimable(gap)) {
            return Err(match flags.contains(MapFlags::MAP_FIXED_NOREPLACE) {
                true => Errno::EEXIST,
                false => Errno::ENOMEM,
            });
        }
        // The addresses stay taken all the while: other families look for some at the same time.
        for (at, &gap) in gaps.iter().enumerate() {
            if !self.claim(gap)? {
                gaps.iter().take(at).for_each(|&gap| self.give_back(gap));
                return Err(Errno::ENOMEM);
            }
        }
        let heir = view.filter(|&view| self.inherits(view, range));
        for part in self.detach(range) {
            match heir {
                Some(heir) => self.release_others(part.range, heir.protection),
                None => self.release_pages(&part),
            }
        }
        for part in self.of_relatives(range) {
            self.make_way(part)?;
        }
        Ok(range)
    }

    /// Adds a mapping on addresses that are taken for it, joined with its neighbours, and brings what is to be there at once.
    pub(super) fn add(&mut self, mapping: MappingEntry, flags: MapFlags) -> Result<u64> {
        let range = mapping.range;
        let eager = match &mapping.content {
            Content::Zeros => {
                range.len() <= EAGER && !flags.intersects(MapFlags::MAP_STACK | MapFlags::MAP_NORESERVE)
            }
            Content::Private { .. } => range.len() <= EAGER_FILE,
            Content::Shared { .. } => false,
        };
        // What is brought lazily must trap first.
        let populated =
            if mapping.protection != Protection::NONE && (eager || flags.contains(MapFlags::MAP_POPULATE)) {
                self.populate(&mapping, range, None)
            } else {
                Ok(())
            };
        self.arena.cool(range);
        // Files are tried again when they are touched, and what was only asked for by POPULATE.
        if eager && populated.is_err() && matches!(mapping.content, Content::Zeros) {
            self.release(mapping);
            return populated.map(|()| 0);
        }
        self.insert_joined(mapping)?;
        Ok(range.start())
    }

    pub(super) fn grow_heap(&mut self, start: u64, len: u64) -> Result<()> {
        let range = PageRange::new(start, len).ok_or(Errno::ENOMEM)?;
        self.check_room(len, Protection::READ_WRITE, Traits::empty())?;
        self.check_limits(len, Protection::READ_WRITE, Traits::empty(), None)?;
        self.arena.evict_kept(range);
        if !self.claim(range)? {
            return Err(Errno::ENOMEM);
        }
        let heap = MappingEntry {
            range,
            protection: Protection::READ_WRITE,
            traits: Traits::empty(),
            content: Content::Zeros,
            name: b"[heap]",
        };
        self.add(heap, MapFlags::empty()).map(drop)
    }

    /// Takes away what is mapped in a range, pages and addresses.
    pub(super) fn remove(&mut self, range: PageRange) {
        for part in self.detach(range) {
            self.release(part);
        }
    }

    /// Gives up the pages and addresses of what is not in the map any more.
    pub(super) fn release(&mut self, mapping: MappingEntry) {
        if self.keep(&mapping) {
            return;
        }
        self.release_pages(&mapping);
        self.give_back(mapping.range);
    }

    /// Gives up the pages of what is not in the map any more; the addresses stay taken.
    fn release_pages(&mut self, mapping: &MappingEntry) {
        if let Some((file, _)) = mapping.content.file() {
            file.unmapped();
        }
        let contested = self.of_relatives(mapping.range);
        for part in contested.iter().filter_map(|&part| mapping.part(part)) {
            self.leave_to_relatives(&part);
        }
        for part in gaps(mapping.range, &contested) {
            match &mapping.content {
                Content::Shared { file, .. } => file.release(part, mapping.offset_of(part.start())),
                _ => {
                    // A program that has ended touches nothing that it had.
                    let warm_min = if self.is_clearing { PAGE_SIZE } else { WARM_MIN };
                    self.arena.release(part, &mut self.own.account, warm_min);
                }
            }
        }
    }

    /// Gives up the pages of a range that allow something else than `protection`.
    fn release_others(&mut self, range: PageRange, protection: Protection) {
        let arena = self.arena;
        for (run, state) in arena.runs(range) {
            if state.protection().is_some_and(|allowed| allowed != protection) {
                arena.discard(run, &mut self.own.account);
            }
        }
    }

    /// What a private mapping shows.
    pub(super) fn private_content(
        &self,
        backing: Backing,
        range: PageRange,
        protection: Protection,
    ) -> Content {
        let (file, offset) = match backing {
            Backing::Anonymous | Backing::ReadOnlyZeros => return Content::Zeros,
            Backing::File(file, offset) | Backing::ReadOnlyFile(file, offset) => (file, offset),
        };
        let is_code = protection.contains(Protection::READ_EXECUTE);
        let adopted = match is_code && file.call_site_key().is_some() {
            true => self.adopted(range, offset),
            false => None,
        };
        let patches = match adopted {
            Some(patches) => patches,
            None if is_code => Patches::of_file(self.arena, file.as_ref(), offset, range),
            None => None,
        };
        Content::Private {
            file,
            offset,
            patches,
        }
    }

    /// Brings what is not there of a part of a mapping; see [`populate::populate`].
    pub(super) fn populate(
        &mut self,
        mapping: &MappingEntry,
        range: PageRange,
        wanted: Option<u64>,
    ) -> Result<()> {
        self.before_bringing(mapping, range)?;
        populate::populate(self.arena, &mut self.own.account, mapping, range, wanted)
    }

    /// Takes the mappings in a range out of the map and gives them; pages and addresses stay as they are.
    pub(super) fn detach(&mut self, range: PageRange) -> Vec<MappingEntry> {
        let parts = self.within(range);
        for part in &parts {
            let start = self.find(part.range.start()).map(|mapping| mapping.range.start());
            if let Some(whole) = start.and_then(|start| self.own.mappings.remove(&start)) {
                for rest in whole.without(part.range) {
                    self.own.mappings.insert(rest.range.start(), rest);
                }
            }
        }
        parts
    }

    pub(super) fn protect(&mut self, range: PageRange, protection: Protection) -> Result<()> {
        let mut end = range.start();
        for part in self.within(range) {
            if part.range.start() != end {
                return Err(Errno::ENOMEM);
            }
            if part.traits.contains(Traits::SHARED | Traits::READ_ONLY)
                && protection.contains(Protection::READ_WRITE)
            {
                return Err(Errno::EACCES);
            }
            if part.traits.contains(Traits::SEALED) {
                return Err(Errno::EPERM);
            }
            end = part.range.end();
            if part.protection != protection {
                self.protect_part(part, protection)?;
            }
        }
        if end == range.end() {
            Ok(())
        } else {
            Err(Errno::ENOMEM)
        }
    }

    pub(super) fn protect_part(&mut self, part: MappingEntry, protection: Protection) -> Result<()> {
        let range = part.range;
        self.shared_differ |= part.is_shared() && self.is_contested(range);
        match &part.content {
            Content::Shared { file, offset } => file.protect(range, *offset, protection)?,
            _ => {
                self.part_from_relatives(range)?;
                self.arena.protect(range, protection)?;
            }
        }
        self.detach(range);
        let mut changed = MappingEntry {
            content: self.patched(&part, protection),
            protection,
            ..part
        };
        if protection.contains(Protection::READ_WRITE) {
            changed.traits.remove(Traits::UNWRITTEN);
        }
        let is_zeros = matches!(changed.content, Content::Zeros);
        if range.len() <= EAGER && protection == Protection::READ_WRITE && is_zeros {
            // Best effort: what cannot be had now is asked for again when it is touched.
            let _ = self.populate(&changed, range, None);
        }
        self.insert_joined(changed)
    }

    /// The content of a mapping that becomes executable before any of its pages was read: it is patched as if it had been mapped so.
    pub(super) fn patched(&self, part: &MappingEntry, protection: Protection) -> Content {
        let becomes_code = protection.contains(Protection::READ_EXECUTE)
            && !part.protection.contains(Protection::READ_EXECUTE);
        if let Content::Private {
            file,
            offset,
            patches: None,
        } = &part.content
            && becomes_code
            && self.arena.in_use(part.range) == 0
        {
            return Content::Private {
                file: file.clone(),
                offset: *offset,
                patches: Patches::of_file(self.arena, file.as_ref(), *offset, part.range),
            };
        }
        part.content.clone()
    }

    pub(super) fn insert_joined(&mut self, mut mapping: MappingEntry) -> Result<()> {
        if let Some((&start, before)) = self.own.mappings.range(..mapping.range.start()).next_back()
            && before.continues_as(&mapping)
        {
            let joined = PageRange::new(start, mapping.range.end() - start).ok_or(Errno::ENOMEM)?;
            mapping = MappingEntry {
                range: joined,
                ..before.clone()
            };
        }
        if let Some(behind) = self.own.mappings.get(&mapping.range.end())
            && mapping.continues_as(behind)
        {
            let (start, end) = (mapping.range.start(), behind.range.end());
            self.own.mappings.remove(&mapping.range.end());
            mapping.range = PageRange::new(start, end - start).ok_or(Errno::ENOMEM)?;
        }
        self.own.mappings.insert(mapping.range.start(), mapping);
        Ok(())
    }

    pub(super) fn advise(&mut self, part: &MappingEntry, advice: Advice) -> Result<()> {
        let is_private = !part.is_shared();
        let is_zeros = matches!(part.content, Content::Zeros);
        let discards = matches!(advice, Advice::DontNeed | Advice::Free);
        let is_writable = part.protection.contains(Protection::READ_WRITE);
        if part.traits.contains(Traits::SEALED) && discards && is_private && !is_writable {
            return Err(Errno::EPERM);
        }
        match advice {
            Advice::Free if !(is_private && is_zeros) => Err(Errno::EINVAL),
            // A shared mapping would show the same bytes again.
            Advice::DontNeed | Advice::Free if is_private => self.forget(part),
            Advice::DontNeed | Advice::Free | Advice::Hint => Ok(()),
            Advice::NotForked(on) => self.mark(part.range, Traits::NOT_FORKED, on),
            Advice::Wiped(true) if !(is_private && is_zeros) => Err(Errno::EINVAL),
            Advice::Wiped(on) => self.mark(part.range, Traits::WIPED, on),
            Advice::WillNeed => {
                let readable = part.protection != Protection::NONE && !is_zeros;
                if readable && part.range.len() <= EAGER_FILE {
                    // A hint: what fails is tried again when it is touched.
                    let _ = self.populate(part, part.range, None);
                }
                Ok(())
            }
        }
    }

    /// Lets a private mapping show again what it showed at first.
    pub(super) fn forget(&mut self, part: &MappingEntry) -> Result<()> {
        let is_zeros = matches!(part.content, Content::Zeros);
        let is_small = part.range.len() < ZEROED;
        self.part_from_relatives(part.range)?;
        for (run, state) in self.arena.runs(part.range) {
            if is_zeros && is_small && state.protection() == Some(Protection::READ_WRITE) {
                self.arena.memory.zero(run.start(), run.len() as usize)?;
            } else {
                self.arena.discard(run, &mut self.own.account);
            }
        }
        Ok(())
    }
}

/// Whether RLIMIT_DATA counts such a mapping.
fn is_data(protection: Protection, traits: Traits) -> bool {
    protection.contains(Protection::READ_WRITE) && !traits.intersects(Traits::SHARED | Traits::STACK)
}
