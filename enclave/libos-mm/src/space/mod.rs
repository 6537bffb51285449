//! An address space: the mappings of one process (or of several that share them).

mod fault;
mod remap;
mod report;

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use enclave_layout::{PAGE_SIZE, USER_END, USER_START};
use host_abi::{PageRange, Protection};
use kobject::{Errno, Mutex, Result};
use linux_abi::MapFlags;

pub use self::fault::FaultOutcome;
use crate::arena::{Account, Arena, PROGRAMS};
use crate::call_sites::Patches;
use crate::mapping::{Advice, Backing, Content, MappingEntry, Traits};
use crate::populate;
use crate::ranges::round_up;
use crate::shared::SharedFile;

/// Anonymous mappings and changes of at most this size are committed at once: one exit now for a fault later.
const EAGER: u64 = 1024 * 1024;
/// Private file mappings of at most this size are read at once.
const EAGER_FILE: u64 = 64 * 1024;
/// Memory that is given up in smaller pieces than this is zeroed where it is: the program will touch it again.
const ZEROED: u64 = 64 * 1024;
/// Linux's end of a program's addresses. What lies between [`USER_END`] and here is just not mapped.
const ADDRESSES_END: u64 = (1 << 47) - PAGE_SIZE;
/// Mappings of at least this size begin at a boundary of huge pages, which an emulated enclave's host can use then.
const LARGE: u64 = 8 << 20;
const HUGE_PAGE: u64 = 2 << 20;

/// The mappings of a process.
pub struct AddressSpace {
    arena: &'static Arena,
    inner: Mutex<Inner>,
}

struct Inner {
    arena: &'static Arena,
    mappings: BTreeMap<u64, MappingEntry>,
    /// Where the heap begins and ends (`brk`).
    heap: (u64, u64),
    /// What private pages and shared anonymous ones take.
    account: Account,
}

impl AddressSpace {
    /// An empty one, of at most `limit` bytes of memory.
    pub fn new(limit: u64) -> Arc<Self> {
        Self::in_arena(&PROGRAMS, limit)
    }

    pub(crate) fn in_arena(arena: &'static Arena, limit: u64) -> Arc<Self> {
        let inner = Inner {
            arena,
            mappings: BTreeMap::new(),
            heap: (0, 0),
            account: Account::new(limit),
        };
        Arc::new(Self {
            arena,
            inner: Mutex::new(inner),
        })
    }

    /// `mmap`: gives the address. `len` is rounded up to pages; `hint` must be a multiple of them if it is to be obeyed.
    ///
    /// # Errors
    /// As mmap(2): EINVAL, ENOMEM, EEXIST, EPERM, EOVERFLOW. A FIXED mapping that fails for want of memory may have removed what was
    /// there, as on Linux.
    pub fn map(
        &self,
        hint: u64,
        len: u64,
        protection: Protection,
        flags: MapFlags,
        backing: Backing,
        name: &'static [u8],
    ) -> Result<u64> {
        if len == 0 {
            return Err(Errno::EINVAL);
        }
        let len = round_up(len)
            .filter(|&len| len <= USER_END)
            .ok_or(Errno::ENOMEM)?;
        if let Backing::File(_, offset) | Backing::ReadOnlyFile(_, offset) = &backing {
            offset.checked_add(len).ok_or(Errno::EOVERFLOW)?;
        }
        let traits = Traits::of(flags, &backing);
        let mut inner = self.inner.lock();
        inner.check_room(len, protection, traits)?;
        let range = inner.place(hint, len, flags)?;
        let mapping = MappingEntry {
            range,
            protection,
            traits,
            content: self.content(backing, range, protection, traits),
            name,
        };
        inner.add(mapping, flags)
    }

    fn content(&self, backing: Backing, range: PageRange, protection: Protection, traits: Traits) -> Content {
        let (file, offset) = match backing {
            Backing::Anonymous | Backing::ReadOnlyZeros => return Content::Zeros,
            Backing::File(file, offset) | Backing::ReadOnlyFile(file, offset) => (file, offset),
        };
        if traits.contains(Traits::SHARED)
            && let Some(file) = SharedFile::of(self.arena, &file)
        {
            return Content::Shared { file, offset };
        }
        let patches = match protection.contains(Protection::READ_EXECUTE) {
            true => Patches::of_file(self.arena, file.as_ref(), offset, range),
            false => None,
        };
        Content::Private {
            file,
            offset,
            patches,
        }
    }

    /// `munmap`.
    pub fn unmap(&self, address: u64, len: u64) -> Result<()> {
        let range = page_range(address, len)?;
        self.inner.lock().remove(range);
        Ok(())
    }

    /// `mprotect`: ENOMEM if part of it is not mapped; what precedes that part has changed then.
    pub fn protect(&self, address: u64, len: u64, protection: Protection) -> Result<()> {
        if !address.is_multiple_of(PAGE_SIZE) {
            return Err(Errno::EINVAL);
        }
        if len == 0 {
            return Ok(());
        }
        let range = page_range(address, len).map_err(|_| Errno::ENOMEM)?;
        self.inner.lock().protect(range, protection)
    }

    /// Sets where the heap begins, once, before the program runs.
    pub fn set_heap(&self, start: u64) {
        let start = start.next_multiple_of(PAGE_SIZE);
        self.inner.lock().heap = (start, start);
    }

    /// `brk`: gives where the heap ends now.
    pub fn set_break(&self, end: u64) -> u64 {
        let mut inner = self.inner.lock();
        let (start, old) = inner.heap;
        if end < start || end > USER_END {
            return old;
        }
        let (old_top, new_top) = (old.next_multiple_of(PAGE_SIZE), end.next_multiple_of(PAGE_SIZE));
        if new_top > old_top {
            if inner.grow_heap(old_top, new_top - old_top).is_err() {
                return old;
            }
        } else if let Some(range) = PageRange::new(new_top, old_top - new_top) {
            inner.remove(range);
        }
        inner.heap.1 = end;
        end
    }

    /// `madvise`. ENOMEM if part of it is not mapped; the rest is advised all the same.
    pub fn advise(&self, address: u64, len: u64, advice: Advice) -> Result<()> {
        if !address.is_multiple_of(PAGE_SIZE) {
            return Err(Errno::EINVAL);
        }
        if len == 0 {
            return Ok(());
        }
        let range = page_range(address, len)?;
        let mut inner = self.inner.lock();
        let parts = inner.within(range);
        let covered: u64 = parts.iter().map(|part| part.range.len()).sum();
        for part in parts {
            inner.advise(&part, advice)?;
        }
        if covered == range.len() {
            Ok(())
        } else {
            Err(Errno::ENOMEM)
        }
    }

    /// Takes everything away, before another program's image or at the end.
    pub fn clear(&self) {
        let mut inner = self.inner.lock();
        let everything: Vec<PageRange> = inner.mappings.values().map(|mapping| mapping.range).collect();
        for range in everything {
            inner.remove(range);
        }
        inner.heap = (0, 0);
    }

    /// The patches whose stubs include this address.
    pub(crate) fn patches_of_stub(&self, address: u64) -> Option<Arc<Patches>> {
        let inner = self.inner.lock();
        if inner.find(address).is_some() {
            return None;
        }
        let mut patches = inner
            .mappings
            .values()
            .filter_map(|mapping| mapping.content.patches());
        patches.find(|patches| patches.has_stub_at(address)).cloned()
    }

    /// The patches of the mapping that includes this address.
    pub(crate) fn patches_of_mapping(&self, address: u64) -> Option<Arc<Patches>> {
        self.inner.lock().find(address)?.content.patches().cloned()
    }
}

impl Drop for AddressSpace {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Inner {
    fn find(&self, address: u64) -> Option<&MappingEntry> {
        let (_, mapping) = self.mappings.range(..=address).next_back()?;
        (address < mapping.range.end()).then_some(mapping)
    }

    /// The parts of mappings that lie in a range.
    fn within(&self, range: PageRange) -> Vec<MappingEntry> {
        let first = self.find(range.start());
        let from = first.map_or(range.start(), |mapping| mapping.range.start());
        let mappings = self.mappings.range(from..range.end());
        mappings.filter_map(|(_, mapping)| mapping.part(range)).collect()
    }

    /// How many bytes of a range are mapped.
    fn mapped_len(&self, range: PageRange) -> u64 {
        self.within(range).iter().map(|part| part.range.len()).sum()
    }

    /// ENOMEM for what obviously cannot be had. Linux decides in the same way whether to overcommit: programs map more than they touch.
    fn check_room(&self, len: u64, protection: Protection, traits: Traits) -> Result<()> {
        let counts = protection.contains(Protection::READ_WRITE) && !traits.contains(Traits::NO_RESERVE);
        if counts && len > self.account.room() {
            return Err(Errno::ENOMEM);
        }
        Ok(())
    }

    /// Finds and takes addresses for a new mapping; what is there makes way if it must.
    fn place(&mut self, hint: u64, len: u64, flags: MapFlags) -> Result<PageRange> {
        if flags.intersects(MapFlags::MAP_FIXED | MapFlags::MAP_FIXED_NOREPLACE) {
            return self.place_fixed(hint, len, flags);
        }
        let mut ranges = self.arena.ranges.lock();
        let hinted = round_up(hint)
            .and_then(|hint| PageRange::new(hint, len))
            .filter(|range| hint != 0 && range.start() >= USER_START && range.end() <= USER_END);
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

    fn place_fixed(&mut self, start: u64, len: u64, flags: MapFlags) -> Result<PageRange> {
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
        let mapped = self.mapped_len(range);
        if flags.contains(MapFlags::MAP_FIXED_NOREPLACE) && mapped != 0 {
            return Err(Errno::EEXIST);
        }
        // Another process's addresses, or stubs, cannot be had.
        if self.arena.ranges.lock().free_len(range) + mapped != len {
            return Err(match flags.contains(MapFlags::MAP_FIXED_NOREPLACE) {
                true => Errno::EEXIST,
                false => Errno::ENOMEM,
            });
        }
        self.remove(range);
        self.arena.ranges.lock().take(range);
        Ok(range)
    }

    /// Adds a mapping on addresses that are taken for it, joined with its neighbours, and brings what is to be there at once.
    fn add(&mut self, mapping: MappingEntry, flags: MapFlags) -> Result<u64> {
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
                populate::populate(self.arena, &mut self.account, &mapping, range, None)
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

    fn grow_heap(&mut self, start: u64, len: u64) -> Result<()> {
        let range = PageRange::new(start, len).ok_or(Errno::ENOMEM)?;
        self.check_room(len, Protection::READ_WRITE, Traits::empty())?;
        {
            let mut ranges = self.arena.ranges.lock();
            if !ranges.is_free(range) {
                return Err(Errno::ENOMEM);
            }
            ranges.take(range);
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
    fn remove(&mut self, range: PageRange) {
        for part in self.detach(range) {
            self.release(part);
        }
    }

    /// Gives up the pages and addresses of what is not in the map any more.
    fn release(&mut self, mapping: MappingEntry) {
        match &mapping.content {
            Content::Shared { file, offset } => file.release(mapping.range, *offset),
            _ => self.arena.release(mapping.range, &mut self.account),
        }
        self.arena.ranges.lock().give_back(mapping.range);
    }

    /// Takes the mappings in a range out of the map and gives them; pages and addresses stay as they are.
    fn detach(&mut self, range: PageRange) -> Vec<MappingEntry> {
        let parts = self.within(range);
        for part in &parts {
            let start = self.find(part.range.start()).map(|mapping| mapping.range.start());
            if let Some(whole) = start.and_then(|start| self.mappings.remove(&start)) {
                for rest in whole.without(part.range) {
                    self.mappings.insert(rest.range.start(), rest);
                }
            }
        }
        parts
    }

    fn protect(&mut self, range: PageRange, protection: Protection) -> Result<()> {
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

    fn protect_part(&mut self, part: MappingEntry, protection: Protection) -> Result<()> {
        let range = part.range;
        match &part.content {
            Content::Shared { file, offset } => file.protect(range, *offset, protection)?,
            _ => self.arena.protect(range, protection)?,
        }
        self.detach(range);
        let changed = MappingEntry {
            content: self.patched(&part, protection),
            protection,
            ..part
        };
        let is_zeros = matches!(changed.content, Content::Zeros);
        if range.len() <= EAGER && protection == Protection::READ_WRITE && is_zeros {
            // Best effort: what cannot be had now is asked for again when it is touched.
            let _ = populate::populate(self.arena, &mut self.account, &changed, range, None);
        }
        self.insert_joined(changed)
    }

    /// The content of a mapping that becomes executable before any of its pages was read: it is patched as if it had been mapped so.
    fn patched(&self, part: &MappingEntry, protection: Protection) -> Content {
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

    fn insert_joined(&mut self, mut mapping: MappingEntry) -> Result<()> {
        if let Some((&start, before)) = self.mappings.range(..mapping.range.start()).next_back()
            && before.continues_as(&mapping)
        {
            let joined = PageRange::new(start, mapping.range.end() - start).ok_or(Errno::ENOMEM)?;
            mapping = MappingEntry {
                range: joined,
                ..before.clone()
            };
        }
        if let Some(behind) = self.mappings.get(&mapping.range.end())
            && mapping.continues_as(behind)
        {
            let (start, end) = (mapping.range.start(), behind.range.end());
            self.mappings.remove(&mapping.range.end());
            mapping.range = PageRange::new(start, end - start).ok_or(Errno::ENOMEM)?;
        }
        self.mappings.insert(mapping.range.start(), mapping);
        Ok(())
    }

    fn advise(&mut self, part: &MappingEntry, advice: Advice) -> Result<()> {
        let is_private = !part.is_shared();
        let is_zeros = matches!(part.content, Content::Zeros);
        match advice {
            Advice::Free if !(is_private && is_zeros) => Err(Errno::EINVAL),
            // A shared mapping would show the same bytes again.
            Advice::DontNeed | Advice::Free if is_private => self.forget(part),
            Advice::DontNeed | Advice::Free | Advice::Hint => Ok(()),
            Advice::WillNeed => {
                let readable = part.protection != Protection::NONE && !is_zeros;
                if readable && part.range.len() <= EAGER_FILE {
                    // A hint: what fails is tried again when it is touched.
                    let _ = populate::populate(self.arena, &mut self.account, part, part.range, None);
                }
                Ok(())
            }
        }
    }

    /// Lets a private mapping show again what it showed at first.
    fn forget(&mut self, part: &MappingEntry) -> Result<()> {
        let is_zeros = matches!(part.content, Content::Zeros);
        let is_small = part.range.len() < ZEROED;
        for (run, state) in self.arena.runs(part.range) {
            if is_zeros && is_small && state.protection() == Some(Protection::READ_WRITE) {
                self.arena.memory.zero(run.start(), run.len() as usize)?;
            } else {
                self.arena.discard(run, &mut self.account);
            }
        }
        Ok(())
    }
}

/// A range that a program named: page-aligned start, length rounded up.
fn page_range(address: u64, len: u64) -> Result<PageRange> {
    if !address.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL);
    }
    let len = round_up(len).ok_or(Errno::EINVAL)?;
    PageRange::new(address, len)
        .filter(|range| range.end() <= ADDRESSES_END)
        .ok_or(Errno::EINVAL)
}
