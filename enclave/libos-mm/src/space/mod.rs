//! An address space: the mappings of one process (or of several that share them).

mod family;
mod fault;
mod remap;
mod report;

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

use enclave_layout::{PAGE_SIZE, USER_END, USER_START};
use host_abi::{PageRange, Protection};
use kobject::{Errno, Mutex, MutexGuard, Result};
use linux_abi::MapFlags;

pub(crate) use self::family::Family;
use self::family::{Space, Spaces, gaps};
pub use self::fault::FaultOutcome;
pub use self::report::Word;
use crate::arena::{Arena, PROGRAMS, WARM_MIN};
use crate::call_sites::Patches;
use crate::mapping::{Advice, Backing, Content, MappingEntry, Traits};
use crate::populate;
use crate::ranges::round_up;
use crate::shared::SharedFile;
use crate::turns::{Pin, Turns};

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

/// The mappings of a process, or of several that share its memory.
///
/// Several spaces may have the same addresses: those of a [`Family`]. All operations but [`Self::size`], [`Self::maps`] and dropping it
/// are for the space that is resident.
pub struct AddressSpace {
    arena: &'static Arena,
    id: SpaceId,
    family: Arc<Family>,
}

/// A space's number: never used again, never 0.
pub type SpaceId = u64;

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

fn next_id() -> SpaceId {
    NEXT_ID.fetch_add(1, Ordering::Relaxed)
}

impl AddressSpace {
    /// An empty one, of at most `limit` bytes of memory.
    pub fn new(limit: u64) -> Arc<Self> {
        Self::in_arena(&PROGRAMS, limit)
    }

    pub(crate) fn in_arena(arena: &'static Arena, limit: u64) -> Arc<Self> {
        let space = Self::in_new_family(arena, limit);
        space.make_known();
        space
    }

    /// Lets [`Self::at`] find it.
    fn make_known(self: &Arc<Self>) {
        let mut known = self.arena.spaces.lock();
        known.retain(|space| space.strong_count() != 0);
        known.push(Arc::downgrade(self));
    }

    fn in_new_family(arena: &'static Arena, limit: u64) -> Arc<Self> {
        let id = next_id();
        let spaces = Spaces {
            arena,
            own: Space::new(id, limit),
            relatives: Vec::new(),
            shared_differ: false,
            is_clearing: false,
        };
        let family = Arc::new(Family {
            spaces: Mutex::new(spaces),
            turns: Turns::new(id),
        });
        Arc::new(Self { arena, id, family })
    }

    /// An empty one for a program that is linked at fixed addresses, which it has then. If another space has some of them, the new one
    /// takes turns with it; it is not resident at first.
    ///
    /// # Errors
    /// ENOMEM if several spaces that do not take turns with each other have some of the addresses, or they are not programs'.
    pub fn at(limit: u64, fixed: PageRange) -> Result<Arc<Self>> {
        Self::at_in_arena(&PROGRAMS, limit, fixed)
    }

    pub(crate) fn at_in_arena(arena: &'static Arena, limit: u64, fixed: PageRange) -> Result<Arc<Self>> {
        let mut known = arena.spaces.lock();
        known.retain(|space| space.strong_count() != 0);
        let others: Vec<Arc<Self>> = known.iter().filter_map(Weak::upgrade).collect();
        let rival = others.iter().find(|other| !other.lock().within(fixed).is_empty());
        let space = match rival {
            None => {
                let space = Self::in_new_family(arena, limit);
                let flags = MapFlags::MAP_FIXED_NOREPLACE;
                let reserved = space.map(
                    fixed.start(),
                    fixed.len(),
                    Protection::NONE,
                    flags,
                    Backing::Anonymous,
                    b"",
                );
                reserved.map_err(|_| Errno::ENOMEM)?;
                space
            }
            Some(rival) => {
                let id = next_id();
                rival.lock().relatives.push(Space::new(id, limit));
                Arc::new(Self {
                    arena,
                    id,
                    family: rival.family.clone(),
                })
            }
        };
        known.push(Arc::downgrade(&space));
        drop(known);
        // Perhaps the last reference of one that has ended meanwhile.
        drop(others);
        Ok(space)
    }

    /// Its number.
    pub fn id(&self) -> SpaceId {
        self.id
    }

    /// Makes a space with the same mappings and bytes, as fork(2) does. The caller is the only one that is pinned to this space; then
    /// the child is resident, `pin` is pinned to it, and the caller waits for its space's turn before it touches the memory again.
    ///
    /// # Errors
    /// ENOMEM, and nothing has changed.
    pub fn fork(self: &Arc<Self>, caller: &Pin, pin: &Arc<Pin>) -> Result<Arc<Self>> {
        self.family.turns.stop(self, caller)?;
        let forked = self.lock().fork();
        let id = match forked {
            Ok(id) => id,
            Err(error) => {
                self.family.turns.reopen(self.id);
                return Err(error);
            }
        };
        let child = Arc::new(Self {
            arena: self.arena,
            id,
            family: self.family.clone(),
        });
        child.make_known();
        caller.unpin();
        self.family.turns.adopt(id, pin);
        Ok(child)
    }

    /// Makes it resident, where `resident` was, another space of its family or none.
    pub(crate) fn bring_in(&self, resident: SpaceId) -> Result<()> {
        self.lock().bring_in(resident)
    }

    pub(crate) fn turns(&self) -> &Turns {
        &self.family.turns
    }

    /// [`Self::fork`] without threads: the child is resident.
    #[cfg(test)]
    pub(crate) fn fork_quietly(&self) -> Arc<Self> {
        let id = self.lock().fork().unwrap();
        Arc::new(Self {
            arena: self.arena,
            id,
            family: self.family.clone(),
        })
    }

    /// Whether the page at this address is mapped.
    #[cfg(test)]
    pub(crate) fn maps_all(&self, address: u64) -> bool {
        self.lock().find(address).is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Spaces> {
        let mut spaces = self.family.spaces.lock();
        spaces.select(self.id);
        spaces
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
        let mut inner = self.lock();
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
        self.lock().remove(range);
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
        self.lock().protect(range, protection)
    }

    /// Sets where the heap begins, once, before the program runs.
    pub fn set_heap(&self, start: u64) {
        let start = start.next_multiple_of(PAGE_SIZE);
        self.lock().own.heap = (start, start);
    }

    /// `brk`: gives where the heap ends now.
    pub fn set_break(&self, end: u64) -> u64 {
        let mut inner = self.lock();
        let (start, old) = inner.own.heap;
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
        inner.own.heap.1 = end;
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
        let mut inner = self.lock();
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
        let mut inner = self.lock();
        inner.is_clearing = true;
        let everything: Vec<PageRange> = inner.own.mappings.values().map(|mapping| mapping.range).collect();
        for range in everything {
            inner.remove(range);
        }
        inner.own.heap = (0, 0);
        inner.is_clearing = false;
    }

    /// The patches whose stubs include this address.
    pub(crate) fn patches_of_stub(&self, address: u64) -> Option<Arc<Patches>> {
        let inner = self.lock();
        if inner.find(address).is_some() {
            return None;
        }
        let mut patches = inner
            .own
            .mappings
            .values()
            .filter_map(|mapping| mapping.content.patches());
        patches.find(|patches| patches.has_stub_at(address)).cloned()
    }

    /// The patches of the mapping that includes this address.
    pub(crate) fn patches_of_mapping(&self, address: u64) -> Option<Arc<Patches>> {
        self.lock().find(address)?.content.patches().cloned()
    }
}

impl Drop for AddressSpace {
    fn drop(&mut self) {
        self.clear();
        self.lock().leave();
        self.family.turns.leave(self.id);
    }
}

impl Spaces {
    fn find(&self, address: u64) -> Option<&MappingEntry> {
        self.own.find(address)
    }

    fn within(&self, range: PageRange) -> Vec<MappingEntry> {
        self.own.within(range)
    }

    /// How many bytes of a range are mapped.
    fn mapped_len(&self, range: PageRange) -> u64 {
        self.within(range).iter().map(|part| part.range.len()).sum()
    }

    /// ENOMEM for what obviously cannot be had. Linux decides in the same way whether to overcommit: programs map more than they touch.
    fn check_room(&self, len: u64, protection: Protection, traits: Traits) -> Result<()> {
        let counts = protection.contains(Protection::READ_WRITE) && !traits.contains(Traits::NO_RESERVE);
        if counts && len > self.own.account.room() {
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
        let parts = self.within(range);
        if flags.contains(MapFlags::MAP_FIXED_NOREPLACE) && !parts.is_empty() {
            return Err(Errno::EEXIST);
        }
        // Strangers' addresses, or stubs, cannot be had.
        let parts: Vec<PageRange> = parts.iter().map(|part| part.range).collect();
        let gaps = gaps(range, &parts);
        if !gaps.iter().all(|&gap| self.is_claimable(gap)) {
            return Err(match flags.contains(MapFlags::MAP_FIXED_NOREPLACE) {
                true => Errno::EEXIST,
                false => Errno::ENOMEM,
            });
        }
        self.remove(range);
        match self.claim(range)? {
            true => Ok(range),
            false => Err(Errno::ENOMEM),
        }
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

    fn grow_heap(&mut self, start: u64, len: u64) -> Result<()> {
        let range = PageRange::new(start, len).ok_or(Errno::ENOMEM)?;
        self.check_room(len, Protection::READ_WRITE, Traits::empty())?;
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
    fn remove(&mut self, range: PageRange) {
        for part in self.detach(range) {
            self.release(part);
        }
    }

    /// Gives up the pages and addresses of what is not in the map any more.
    fn release(&mut self, mapping: MappingEntry) {
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
            self.arena.ranges.lock().give_back(part);
        }
    }

    /// Brings what is not there of a part of a mapping; see [`populate::populate`].
    fn populate(&mut self, mapping: &MappingEntry, range: PageRange, wanted: Option<u64>) -> Result<()> {
        self.before_bringing(mapping, range)?;
        populate::populate(self.arena, &mut self.own.account, mapping, range, wanted)
    }

    /// Takes the mappings in a range out of the map and gives them; pages and addresses stay as they are.
    fn detach(&mut self, range: PageRange) -> Vec<MappingEntry> {
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
        self.shared_differ |= part.is_shared() && self.is_contested(range);
        match &part.content {
            Content::Shared { file, offset } => file.protect(range, *offset, protection)?,
            _ => {
                self.part_from_relatives(range)?;
                self.arena.protect(range, protection)?;
            }
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
            let _ = self.populate(&changed, range, None);
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
                    let _ = self.populate(part, part.range, None);
                }
                Ok(())
            }
        }
    }

    /// Lets a private mapping show again what it showed at first.
    fn forget(&mut self, part: &MappingEntry) -> Result<()> {
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
