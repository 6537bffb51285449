//! An address space: the mappings of one process (or of several that share them).

mod exchange;
pub(crate) mod family;
mod fault;
mod mappings;
mod remap;
mod report;
mod seal;

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

use enclave_layout::{PAGE_SIZE, USER_END};
use host_abi::{PageRange, Protection};
use kobject::{Errno, Mapping, Mutex, MutexGuard, Result};
use linux_abi::MapFlags;

pub use self::family::AddressLimits;
pub(crate) use self::family::Family;
use self::family::{Space, Spaces};
pub use self::fault::FaultOutcome;
pub use self::report::{MappingReport, Sizes, Word};
use crate::arena::{Arena, PROGRAMS};
use crate::call_sites::Patches;
use crate::kept::View;
use crate::mapping::{Advice, Backing, Content, MappingEntry, Traits};
use crate::nameless::NamelessFile;
use crate::ranges::round_up;
use crate::shared::SharedFile;
use crate::turns::{Pin, Turns};

/// Linux's end of a program's addresses. What lies between [`USER_END`] and here is just not mapped.
pub const ADDRESSES_END: u64 = (1 << 47) - PAGE_SIZE;

/// The mappings of a process, or of several that share its memory.
///
/// Several spaces may have the same addresses: those of a [`Family`]. All operations but [`Self::size`], [`Self::maps`] and dropping it
/// are for the space that is resident.
pub struct AddressSpace {
    arena: &'static Arena,
    id: SpaceId,
    family: Arc<Family>,
}

/// A space that [`AddressSpace::at`] can find, until it has given back its addresses.
pub(crate) struct Known {
    id: SpaceId,
    pub(crate) space: Weak<AddressSpace>,
    family: Weak<Family>,
}

/// What a program's first stack is called in /proc/PID/maps.
pub const STACK_NAME: &[u8] = b"[stack]";

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
        self.arena.spaces.lock().push(self.known());
    }

    fn known(self: &Arc<Self>) -> Known {
        Known {
            id: self.id,
            space: Arc::downgrade(self),
            family: Arc::downgrade(&self.family),
        }
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
        // One that another thread drops just now has its addresses until its family is without it.
        let families: Vec<Arc<Family>> = known.iter().filter_map(|known| known.family.upgrade()).collect();
        let id = next_id();
        let rival = families
            .into_iter()
            .find(|family| family.spaces.lock().join(id, limit, fixed));
        let (space, reserved) = match rival {
            Some(family) => (Arc::new(Self { arena, id, family }), Ok(0)),
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
                (space, reserved)
            }
        };
        known.push(space.known());
        drop(known);
        reserved.map(|_| space).map_err(|_| Errno::ENOMEM)
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

    /// Whether the two take turns.
    #[cfg(test)]
    pub(crate) fn is_related(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.family, &other.family)
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
        let mut traits = Traits::of(flags, &backing);
        traits.set(Traits::STACK, name == STACK_NAME);
        let shared = match traits.contains(Traits::SHARED) {
            true => self.shared_content(&backing, len),
            false => None,
        };
        let mut inner = self.lock();
        inner.check_room(len, protection, traits)?;
        let replaced = match flags.contains(MapFlags::MAP_FIXED) {
            true => PageRange::new(hint, len),
            false => None,
        };
        inner.check_limits(len, protection, traits, replaced)?;
        let file = match &backing {
            Backing::File(file, offset) | Backing::ReadOnlyFile(file, offset) => {
                Some((file.clone(), *offset))
            }
            _ => None,
        };
        let view = file
            .as_ref()
            .filter(|_| shared.is_none())
            .map(|(file, offset)| View {
                file: file.as_ref(),
                offset: *offset,
                protection,
            });
        traits.set(Traits::UNWRITTEN, view.is_some_and(View::is_unwritten));
        let beside = match &shared {
            Some(content) if hint == 0 => inner.place_as_relatives(content, len, flags)?,
            _ => None,
        };
        let range = match beside {
            Some(range) => range,
            None => inner.place(hint, len, flags, view)?,
        };
        let content = match shared {
            Some(content) => content,
            None => inner.private_content(backing, range, protection),
        };
        let mapping = MappingEntry {
            range,
            protection,
            traits,
            content,
            name,
        };
        inner.add(mapping, flags)
    }

    /// Maps a part of a file of the image as it was mapped by a program that has ended, whose pages are in place: to be read, and to be
    /// mapped over. `None` if nothing is left of it.
    pub fn map_kept(&self, file: &Arc<dyn Mapping>, offset: u64, len: u64) -> Option<u64> {
        let view = View {
            file: file.as_ref(),
            offset,
            protection: Protection::READ,
        };
        let mut inner = self.lock();
        let range = inner.place_kept(view, len)?;
        let mapping = MappingEntry {
            range,
            protection: Protection::READ,
            traits: Traits::UNWRITTEN,
            content: Content::Private {
                file: file.clone(),
                offset,
                patches: None,
            },
            name: b"",
        };
        inner.insert_joined(mapping).ok()?;
        Some(range.start())
    }

    /// What a shared mapping shows. `None` if the file never changes, so that it can be private as well.
    fn shared_content(&self, backing: &Backing, len: u64) -> Option<Content> {
        let (file, offset) = match backing {
            Backing::Anonymous | Backing::ReadOnlyZeros => {
                let file: Arc<dyn Mapping> = Arc::new(NamelessFile::new(len));
                (file, 0)
            }
            Backing::File(file, offset) | Backing::ReadOnlyFile(file, offset) => (file.clone(), *offset),
        };
        SharedFile::of(self.arena, &file).map(|file| Content::Shared { file, offset })
    }

    /// `munmap`.
    pub fn unmap(&self, address: u64, len: u64) -> Result<()> {
        let range = page_range(address, len)?;
        let mut inner = self.lock();
        inner.check_unsealed(range)?;
        inner.remove(range);
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

    /// Sets how many addresses it may have.
    pub fn set_limits(&self, limits: AddressLimits) {
        self.lock().own.limits = limits;
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
            if inner.check_unsealed(range).is_err() {
                return old;
            }
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
        inner.own.adopted.clear();
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
        self.arena.spaces.lock().retain(|known| known.id != self.id);
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
