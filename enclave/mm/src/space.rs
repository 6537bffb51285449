//! An address space: the mappings of one process (or of several that share them).

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write;

use enclave_layout::{PAGE_SIZE, USER_END, USER_START};
use enclave_rt::user::Access;
use host_abi::{PageRange, Protection};
use kobject::{Errno, Mutex, Result};

use crate::call_sites::Patches;
use crate::mapping::{Advice, Backing, MapFlags, MappingEntry};
use crate::pages;
use crate::populate;
use crate::ranges::{Ranges, round_up};

/// Anonymous mappings and changes of at most this size are committed at once: one exit now for a fault later.
const EAGER: u64 = 1024 * 1024;
/// Private file mappings of at most this size are read at once.
const EAGER_FILE: u64 = 256 * 1024;

pub(crate) static RANGES: Mutex<Ranges> = Mutex::new(Ranges::new());

/// What came of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultOutcome {
    /// The page is there now: try again.
    Handled,
    /// SIGSEGV, SEGV_MAPERR: nothing is mapped there.
    NotMapped,
    /// SIGSEGV, SEGV_ACCERR: the mapping does not allow it.
    NotAllowed,
    /// SIGBUS: beyond the end of the mapped file, or the file cannot be read.
    Bus,
}

/// The mappings of a process.
pub struct AddressSpace {
    inner: Mutex<Inner>,
    /// Most bytes of mappings that can be written.
    limit: u64,
}

struct Inner {
    mappings: BTreeMap<u64, MappingEntry>,
    /// Where the heap begins and ends (`brk`).
    heap: (u64, u64),
    /// Bytes of private writable and of shared anonymous mappings.
    charged: u64,
}

fn charge(mapping: &MappingEntry) -> u64 {
    if mapping.protection.contains(Protection::READ_WRITE) {
        mapping.range.len()
    } else {
        0
    }
}

impl AddressSpace {
    /// An empty one, of at most `limit` writable bytes.
    pub fn new(limit: u64) -> Arc<Self> {
        let inner = Inner {
            mappings: BTreeMap::new(),
            heap: (0, 0),
            charged: 0,
        };
        Arc::new(Self {
            inner: Mutex::new(inner),
            limit,
        })
    }

    /// `mmap`: gives the address. `len` is rounded up to pages; `hint` must be a multiple of them if it is to be obeyed.
    pub fn map(
        &self,
        hint: u64,
        len: u64,
        protection: Protection,
        flags: MapFlags,
        backing: Backing,
        name: &'static [u8],
    ) -> Result<u64> {
        let len = round_up(len)
            .filter(|&len| len <= USER_END)
            .ok_or(Errno::ENOMEM)?;
        if len == 0 {
            return Err(Errno::EINVAL);
        }
        let mut inner = self.inner.lock();
        let range = inner.place(hint, len, flags)?;
        let mut mapping = MappingEntry {
            range,
            protection,
            flags,
            backing,
            patches: None,
            name,
        };
        if inner.charged + charge(&mapping) > self.limit {
            RANGES.lock().give_back(range);
            return Err(Errno::ENOMEM);
        }
        if let Backing::File(file, offset) = &mapping.backing
            && protection.contains(Protection::READ_EXECUTE)
            && !flags.contains(MapFlags::SHARED)
        {
            mapping.patches = Patches::new(file.as_ref(), *offset, range);
        }
        inner.add(mapping)
    }

    /// `munmap`.
    pub fn unmap(&self, address: u64, len: u64) -> Result<()> {
        let range = page_range(address, len)?;
        let mut inner = self.inner.lock();
        inner.remove(range, Release::Warm);
        Ok(())
    }

    /// `mprotect`: ENOMEM if part of it is not mapped.
    pub fn protect(&self, address: u64, len: u64, protection: Protection) -> Result<()> {
        if len == 0 && address.is_multiple_of(PAGE_SIZE) {
            return Ok(());
        }
        let range = page_range(address, len).map_err(|error| match error {
            Errno::EINVAL if address.is_multiple_of(PAGE_SIZE) => Errno::ENOMEM,
            error => error,
        })?;
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
        if end < start {
            return old;
        }
        let (old_top, new_top) = (old.next_multiple_of(PAGE_SIZE), end.next_multiple_of(PAGE_SIZE));
        if let Some(range) = new_top
            .checked_sub(old_top)
            .and_then(|len| PageRange::new(old_top, len))
        {
            let free = end < USER_END && RANGES.lock().is_free(range);
            if !free || inner.charged + range.len() > self.limit {
                return old;
            }
            RANGES.lock().take(range);
            let mapping = MappingEntry {
                range,
                protection: Protection::READ_WRITE,
                flags: MapFlags::empty(),
                backing: Backing::Anonymous,
                patches: None,
                name: b"[heap]",
            };
            if inner.add(mapping).is_err() {
                return old;
            }
        } else if let Some(range) = PageRange::new(new_top, old_top.saturating_sub(new_top)) {
            inner.remove(range, Release::Warm);
        }
        inner.heap.1 = end;
        end
    }

    /// `mremap` without MREMAP_FIXED (`target` none) or with it.
    pub fn remap(
        &self,
        address: u64,
        old_len: u64,
        new_len: u64,
        may_move: bool,
        target: Option<u64>,
    ) -> Result<u64> {
        let old = page_range(address, old_len)?;
        let new_len = round_up(new_len).filter(|&len| len != 0).ok_or(Errno::EINVAL)?;
        let mut inner = self.inner.lock();
        let mapping = inner.find(address).cloned().ok_or(Errno::EFAULT)?;
        if mapping.range.end() < old.end() {
            return Err(Errno::EFAULT);
        }
        if target.is_none() && new_len <= old.len() {
            if let Some(tail) = PageRange::new(address + new_len, old.len() - new_len) {
                inner.remove(tail, Release::Warm);
            }
            return Ok(address);
        }
        if inner.charged + new_len.saturating_sub(old.len()) > self.limit {
            return Err(Errno::ENOMEM);
        }
        let whole = mapping.part(old).ok_or(Errno::EFAULT)?;
        if target.is_none() {
            let growth = PageRange::new(old.end(), new_len - old.len()).ok_or(Errno::ENOMEM)?;
            if growth.end() <= USER_END && RANGES.lock().is_free(growth) {
                RANGES.lock().take(growth);
                let backing = whole.backing.advanced(old.len());
                inner.add(MappingEntry {
                    range: growth,
                    backing,
                    ..whole
                })?;
                return Ok(address);
            }
            if !may_move {
                return Err(Errno::ENOMEM);
            }
        }
        let flags = if target.is_some() {
            MapFlags::FIXED
        } else {
            MapFlags::empty()
        };
        let hint = target.unwrap_or(0);
        if target.is_some_and(|to| to < old.end() && old.start() < to.saturating_add(new_len)) {
            return Err(Errno::EINVAL);
        }
        let range = inner.place(hint, new_len, flags)?;
        inner.move_to(whole, old, range)
    }

    /// `madvise`.
    pub fn advise(&self, address: u64, len: u64, advice: Advice) -> Result<()> {
        if len == 0 {
            return Ok(());
        }
        let range = page_range(address, len)?;
        let inner = self.inner.lock();
        let covered = inner.is_covered(range);
        if matches!(advice, Advice::DontNeed | Advice::Free) {
            for mapping in inner.within(range) {
                if !mapping.flags.contains(MapFlags::SHARED) {
                    pages::discard(mapping.range);
                }
            }
        }
        if covered { Ok(()) } else { Err(Errno::ENOMEM) }
    }

    /// `msync`, `mlock` and the like check only this: ENOMEM unless all is mapped.
    pub fn check_mapped(&self, address: u64, len: u64) -> Result<()> {
        if len == 0 {
            return Ok(());
        }
        let range = page_range(address & !(PAGE_SIZE - 1), len + address % PAGE_SIZE)?;
        if self.inner.lock().is_covered(range) {
            Ok(())
        } else {
            Err(Errno::ENOMEM)
        }
    }

    /// `mincore`: for each page, whether it is there.
    pub fn residency(&self, address: u64, len: u64) -> Result<Vec<u8>> {
        let range = page_range(address, len)?;
        if !self.inner.lock().is_covered(range) {
            return Err(Errno::ENOMEM);
        }
        let resident = |page| u8::from(pages::state(page).protection().is_some());
        Ok(range.pages().map(resident).collect())
    }

    /// A program, or the LibOS on its behalf, touched `address`.
    pub fn handle_fault(&self, address: u64, access: Access) -> FaultOutcome {
        let wanted = match access {
            Access::Read => Protection::READ,
            Access::Write => Protection::READ_WRITE,
            Access::Execute => Protection::READ_EXECUTE,
        };
        let inner = self.inner.lock();
        let Some(mapping) = inner.find(address) else {
            return FaultOutcome::NotMapped;
        };
        if !mapping.protection.contains(wanted) {
            return FaultOutcome::NotAllowed;
        }
        if populate::is_present(address, wanted) {
            return FaultOutcome::Handled;
        }
        if populate::is_beyond_file(mapping, address) {
            return FaultOutcome::Bus;
        }
        match populate::window(mapping, address).ok_or(Errno::EFAULT) {
            Ok(window) => match populate::populate(mapping, window) {
                Ok(()) => FaultOutcome::Handled,
                Err(_) => FaultOutcome::Bus,
            },
            Err(_) => FaultOutcome::Bus,
        }
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
            .filter_map(|mapping| mapping.patches.as_ref());
        patches.find(|patches| patches.has_stub_at(address)).cloned()
    }

    /// The patches of the mapping that includes this address.
    pub(crate) fn patches_of_mapping(&self, address: u64) -> Option<Arc<Patches>> {
        self.inner.lock().find(address)?.patches.clone()
    }

    /// The text of /proc/self/maps.
    pub fn maps(&self) -> Vec<u8> {
        let inner = self.inner.lock();
        let mut text = alloc::string::String::new();
        let mut out = Vec::new();
        for mapping in inner.mappings.values() {
            let bits = mapping.protection.bits();
            let flag = |bit, name| if bits & bit != 0 { name } else { '-' };
            let shared = if mapping.flags.contains(MapFlags::SHARED) {
                's'
            } else {
                'p'
            };
            let (offset, device, inode, path) = match &mapping.backing {
                Backing::Anonymous => (0, 0, 0, mapping.name.to_vec()),
                Backing::File(file, offset) => {
                    let (device, inode) = file.identity();
                    (*offset, device, inode, file.path())
                }
            };
            text.clear();
            let (major, minor) = ((device >> 8) & 0xfff, (device & 0xff) | ((device >> 12) & !0xff));
            let _ = write!(
                text,
                "{:08x}-{:08x} {}{}{}{} {:08x} {:02x}:{:02x} {} ",
                mapping.range.start(),
                mapping.range.end(),
                flag(1, 'r'),
                flag(2, 'w'),
                flag(4, 'x'),
                shared,
                offset,
                major,
                minor,
                inode
            );
            if !path.is_empty() {
                while text.len() < 73 {
                    text.push(' ');
                }
            }
            out.extend_from_slice(text.as_bytes());
            out.extend_from_slice(&path);
            out.push(b'\n');
        }
        out
    }

    /// Bytes of all mappings, and of those that are there.
    pub fn size(&self) -> (u64, u64) {
        let inner = self.inner.lock();
        let size = inner.mappings.values().map(|mapping| mapping.range.len()).sum();
        let present = |mapping: &MappingEntry| {
            mapping
                .range
                .pages()
                .filter(|&page| pages::state(page).protection().is_some())
                .count()
        };
        let resident = inner
            .mappings
            .values()
            .map(|mapping| present(mapping) as u64 * PAGE_SIZE)
            .sum();
        (size, resident)
    }

    /// Takes everything away, before another program's image or at the end.
    pub fn clear(&self) {
        let mut inner = self.inner.lock();
        let everything: Vec<PageRange> = inner.mappings.values().map(|mapping| mapping.range).collect();
        for range in everything {
            inner.remove(range, Release::Warm);
        }
        inner.heap = (0, 0);
    }
}

/// Whether pages that go may stay committed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Release {
    Warm,
}

impl Inner {
    fn find(&self, address: u64) -> Option<&MappingEntry> {
        let (_, mapping) = self.mappings.range(..=address).next_back()?;
        (address < mapping.range.end()).then_some(mapping)
    }

    /// The parts of mappings that lie in a range.
    fn within(&self, range: PageRange) -> Vec<MappingEntry> {
        let first = self
            .find(range.start())
            .map_or(range.start(), |mapping| mapping.range.start());
        self.mappings
            .range(first..range.end())
            .filter_map(|(_, mapping)| mapping.part(range))
            .collect()
    }

    fn is_covered(&self, range: PageRange) -> bool {
        self.within(range)
            .iter()
            .map(|mapping| mapping.range.len())
            .sum::<u64>()
            == range.len()
    }

    /// Finds and takes addresses for a new mapping; what is there makes way if it must.
    fn place(&mut self, hint: u64, len: u64, flags: MapFlags) -> Result<PageRange> {
        if flags.intersects(MapFlags::FIXED | MapFlags::FIXED_NOREPLACE) {
            if !hint.is_multiple_of(PAGE_SIZE) {
                return Err(Errno::EINVAL);
            }
            let range = PageRange::new(hint, len).ok_or(Errno::ENOMEM)?;
            if range.start() < USER_START {
                return Err(Errno::EPERM);
            }
            if range.end() > USER_END {
                return Err(Errno::ENOMEM);
            }
            if flags.contains(MapFlags::FIXED_NOREPLACE) && !RANGES.lock().is_free(range) {
                return Err(Errno::EEXIST);
            }
            self.remove(range, Release::Warm);
            let mut ranges = RANGES.lock();
            // Another process's addresses cannot be had.
            if !ranges.is_free(range) {
                return Err(Errno::ENOMEM);
            }
            ranges.take(range);
            return Ok(range);
        }
        let mut ranges = RANGES.lock();
        let hinted = PageRange::new(hint & !(PAGE_SIZE - 1), len)
            .filter(|range| range.start() >= USER_START && range.end() <= USER_END);
        if let Some(range) = hinted
            && ranges.is_free(range)
        {
            ranges.take(range);
            return Ok(range);
        }
        // Large mappings at huge-page boundaries: an emulated enclave's host can then back them with such.
        let align = if len >= 8 << 20 { 2 << 20 } else { PAGE_SIZE };
        ranges.take_any(len, align).ok_or(Errno::ENOMEM)
    }

    /// Adds a mapping on addresses that are taken for it, joined with its neighbours, and brings what is to be there at once.
    fn add(&mut self, mapping: MappingEntry) -> Result<u64> {
        let range = mapping.range;
        let is_file = matches!(mapping.backing, Backing::File(..));
        let eager = match is_file {
            true => range.len() <= EAGER_FILE,
            false => range.len() <= EAGER && !mapping.flags.contains(MapFlags::STACK),
        } || mapping.flags.contains(MapFlags::POPULATE);
        let accessible = mapping.protection != Protection::NONE;
        if eager && accessible && !populate::is_beyond_file(&mapping, range.start()) {
            let end = match &mapping.backing {
                Backing::Anonymous => range.end(),
                Backing::File(file, offset) => {
                    let within = file.len().saturating_sub(*offset).next_multiple_of(PAGE_SIZE);
                    range.end().min(range.start() + within)
                }
            };
            let brought = PageRange::new(range.start(), end - range.start()).ok_or(Errno::ENOMEM);
            if let Err(error) = brought.and_then(|brought| populate::populate(&mapping, brought)) {
                pages::release(range);
                RANGES.lock().give_back(range);
                return Err(error);
            }
        }
        // What is not brought must trap.
        pages::cool(range);
        self.charged += charge(&mapping);
        self.insert_joined(mapping)?;
        Ok(range.start())
    }

    /// Takes away what is mapped in a range, pages and addresses.
    fn remove(&mut self, range: PageRange, release: Release) {
        let Release::Warm = release;
        for part in self.detach(range) {
            pages::release(part.range);
            RANGES.lock().give_back(part.range);
        }
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
            self.charged -= charge(part);
        }
        parts
    }

    fn protect(&mut self, range: PageRange, protection: Protection) -> Result<()> {
        let covered = self.is_covered(range);
        for part in self.detach(range) {
            let changed = MappingEntry { protection, ..part };
            pages::protect(changed.range, protection)?;
            let eager = changed.range.len() <= EAGER
                && protection == Protection::READ_WRITE
                && matches!(changed.backing, Backing::Anonymous);
            self.charged += charge(&changed);
            if eager {
                populate::populate(&changed, changed.range)?;
            }
            self.insert_joined(changed)?;
        }
        if covered { Ok(()) } else { Err(Errno::ENOMEM) }
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

    /// Moves a mapping's pages to other addresses, which are taken for it already.
    fn move_to(&mut self, whole: MappingEntry, old: PageRange, range: PageRange) -> Result<u64> {
        let moved = MappingEntry {
            range,
            protection: Protection::READ_WRITE,
            ..whole.clone()
        };
        let shared_len = old.len().min(range.len());
        let mut at = 0;
        while at < shared_len {
            let from = old.start() + at;
            if pages::state(from).protection().is_some() {
                let from_page = PageRange::new(from, PAGE_SIZE).ok_or(Errno::EFAULT)?;
                let to_page = PageRange::new(range.start() + at, PAGE_SIZE).ok_or(Errno::EFAULT)?;
                pages::commit_zeroed(to_page)?;
                if whole.protection.contains(Protection::READ) {
                    enclave_rt::user::copy(to_page.start(), from_page.start(), PAGE_SIZE as usize)?;
                } else {
                    pages::protect(from_page, Protection::READ)?;
                    enclave_rt::user::copy(to_page.start(), from_page.start(), PAGE_SIZE as usize)?;
                }
            }
            at += PAGE_SIZE;
        }
        let moved = MappingEntry {
            protection: whole.protection,
            ..moved
        };
        pages::protect(range, whole.protection)?;
        self.charged += charge(&moved);
        self.remove(old, Release::Warm);
        self.insert_joined(moved)?;
        Ok(range.start())
    }
}

/// A range that a program named: page-aligned start, length rounded up, within the programs' part.
fn page_range(address: u64, len: u64) -> Result<PageRange> {
    if !address.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL);
    }
    let len = round_up(len).filter(|&len| len != 0).ok_or(Errno::EINVAL)?;
    PageRange::new(address, len)
        .filter(|range| range.end() <= USER_END)
        .ok_or(Errno::EINVAL)
}
