//! Applies the image's call-site map to what is mapped (D2): stubs near the mapping, and jumps to them in its pages.
//!
//! An executable private mapping of a file of the image gets an area of stubs within 2 GiB, which no mapping covers and /proc does
//! not show; each of its pages is patched when it is read, before anybody can execute it. What becomes executable by `mprotect`
//! is left as it is: its system calls trap.
//!
//! The program knows its instructions by their own addresses. So the address of one that has moved into a stub is translated where
//! the program sees it (signal frames), and back where it takes effect.

use alloc::sync::Arc;
use alloc::vec::Vec;

use callsite_map::{FileMap, JUMP_LEN, Placement, STUB_SIZE};
use enclave_layout::PAGE_SIZE;
use enclave_rt::memory::PageBuffer;
use host_abi::{PageRange, Protection};
use kobject::{Errno, Mapping, Once, Result};

use crate::arena::{Account, Arena};

/// Where the maps of the image's files come from.
pub trait CallSites: Send + Sync {
    /// The encoded map of the file that the image knows by this number.
    fn map_of(&self, key: u64) -> Option<Vec<u8>>;
}

static SOURCE: Once<Arc<dyn CallSites>> = Once::new();

/// Names the source of maps, once.
pub fn install(source: Arc<dyn CallSites>) {
    SOURCE.get_or_make(|| source);
}

/// Furthest distance between one end of a mapping and the other end of its stubs: what a 32-bit displacement reaches, less what
/// instructions that move into a stub may refer to beyond the mapping's ends.
const REACH: u64 = (1 << 31) - (256 << 20);

/// Length of a `syscall` instruction.
const SYSCALL_LEN: u64 = 2;

/// The patches of one mapping, and of what is left of it. Its stubs live as long.
pub(crate) struct Patches {
    arena: &'static Arena,
    map: FileMap<Vec<u8>>,
    placement: Placement,
    stubs: PageRange,
}

impl Patches {
    /// Makes the stubs for a part of a file that is mapped at `range`. `None` if there is nothing to patch, or no room near.
    pub(crate) fn of_file(
        arena: &'static Arena,
        file: &dyn Mapping,
        offset: u64,
        range: PageRange,
    ) -> Option<Arc<Self>> {
        let bytes = SOURCE.get()?.map_of(file.call_site_key()?)?;
        // The maps are measured with the image. One that cannot be read is no reason not to run: the sites trap.
        let map = FileMap::parse(bytes).ok()?;
        Self::new(arena, map, offset, range)
    }

    pub(crate) fn new(
        arena: &'static Arena,
        map: FileMap<Vec<u8>>,
        offset: u64,
        range: PageRange,
    ) -> Option<Arc<Self>> {
        let (first, last) = {
            let sites = map.for_range(offset..offset.checked_add(range.len())?);
            let mut indexes = sites.map(|(index, _)| index);
            let first = indexes.next()?;
            (first, indexes.last().unwrap_or(first))
        };
        let len = ((last - first + 1) * STUB_SIZE) as u64;
        let len = len.checked_next_multiple_of(PAGE_SIZE)?;
        let stubs = arena.ranges.lock().take_near(range, len, REACH)?;
        // From here on, dropping the value gives the addresses back.
        let patches = Self {
            arena,
            placement: Placement {
                file: range.start().wrapping_sub(offset),
                // Stubs are numbered from the file's first patch on; only this part's exist.
                stubs: stubs.start().wrapping_sub((first * STUB_SIZE) as u64),
            },
            map,
            stubs,
        };
        patches.emit(first).ok()?;
        Some(Arc::new(patches))
    }

    fn emit(&self, first: usize) -> Result<()> {
        let mut stubs = PageBuffer::new(self.stubs.len());
        let (each, _) = stubs.as_chunks_mut::<STUB_SIZE>();
        self.map.emit_stubs(self.placement, first, each);
        let account = &mut Account::unlimited();
        self.arena
            .commit_filled(self.stubs, &stubs, Protection::READ_EXECUTE, account)
    }

    /// Patches what was read of the file at `offset`. Bytes that are not those of the map (the file was written since) are an error, and
    /// must be read once more.
    pub(crate) fn apply(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        let applied = self.map.apply(self.placement, offset, bytes);
        applied.map(drop).map_err(|_| Errno::EIO)
    }

    /// Whether the address lies among the stubs.
    pub(crate) fn has_stub_at(&self, address: u64) -> bool {
        (self.stubs.start()..self.stubs.end()).contains(&address)
    }

    fn canonical(&self, address: u64) -> Option<u64> {
        self.map.canonical(self.placement, address)
    }

    /// Where an instruction of the mapping is executed that has moved, if its site holds the jump.
    fn actual(&self, address: u64) -> Option<u64> {
        let actual = self
            .map
            .resume(self.placement, address)
            .filter(|&actual| self.has_stub_at(actual))?;
        let stub = actual - (actual - self.placement.stubs) % STUB_SIZE as u64;
        let patch = self
            .map
            .patch(((stub - self.placement.stubs) / STUB_SIZE as u64) as usize)?;
        let site = self.placement.file.wrapping_add(patch.offset());
        self.has_jump(site, patch.replacement(site, stub).ok()?)
            .then_some(actual)
    }

    /// Whether the pages at a site are there and hold this jump.
    fn has_jump(&self, site: u64, jump: [u8; JUMP_LEN]) -> bool {
        let last = site.wrapping_add(JUMP_LEN as u64 - 1);
        let is_readable = |address| {
            let protection = self.arena.state(address).protection();
            protection.is_some_and(|protection| protection.contains(Protection::READ))
        };
        let mut found = [0; JUMP_LEN];
        is_readable(site)
            && is_readable(last)
            && self.arena.memory.read(site, &mut found).is_ok()
            && found == jump
    }

    /// Puts the original instructions back in pages of the mapping, the part `from`, that were copied to `to`: the jumps in them are
    /// relative to where they were. Their sites trap there.
    pub(crate) fn undo(&self, from: PageRange, to: u64) {
        let start = from.start().wrapping_sub(self.placement.file);
        for (index, patch) in self.map.for_range(start..start + from.len()) {
            let stub = self.placement.stubs.wrapping_add((index * STUB_SIZE) as u64);
            let site = self.placement.file.wrapping_add(patch.offset());
            let copied = to.wrapping_add(site.wrapping_sub(from.start()));
            if let Ok(jump) = patch.replacement(site, stub)
                && self.has_jump(copied, jump)
                && let Some(original) = patch.original().first_chunk::<JUMP_LEN>()
            {
                // The pages are there and can be written, or there is no jump to undo.
                let _ = self.arena.memory.write(copied, original);
            }
        }
    }
}

impl Drop for Patches {
    fn drop(&mut self) {
        self.arena.discard(self.stubs, &mut Account::unlimited());
        self.arena.ranges.lock().give_back(self.stubs);
    }
}

impl crate::AddressSpace {
    /// The address that the program knows an instruction by: for one in a stub the original one.
    pub fn canonical_address(&self, rip: u64) -> u64 {
        let patches = self.patches_of_stub(rip);
        patches.and_then(|patches| patches.canonical(rip)).unwrap_or(rip)
    }

    /// Where the instruction that the program knows by this address is executed: the reverse.
    pub fn actual_address(&self, rip: u64) -> u64 {
        let patches = self.patches_of_mapping(rip);
        patches.and_then(|patches| patches.actual(rip)).unwrap_or(rip)
    }

    /// The address at which a system call is made once more that went on at `continuation`.
    pub fn call_address(&self, continuation: u64) -> u64 {
        // Behind the way into the LibOS in a stub, or behind the instruction.
        let within_entry = continuation.wrapping_sub(1);
        let syscall = match self.patches_of_stub(within_entry) {
            Some(patches) => patches.canonical(within_entry).unwrap_or(continuation),
            None => continuation.wrapping_sub(SYSCALL_LEN),
        };
        self.actual_address(syscall)
    }
}
