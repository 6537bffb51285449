//! Files that are mapped shared: one set of pages for all who map or read them.
//!
//! An enclave's page has one address. So each page of such a file lies at the address of one mapping at a time, or in the file
//! system; a mapping that touches a page which another one has takes it over. *While a page lies in a mapping, it is the file's
//! contents*: reading and writing the file go to it (through [`SharedPages`], which the file system asks), and it is written back when it
//! leaves. Threads that touch the same page by different addresses at the same time wait for each other, which is slow and right.
//! Relatives that map the same part of a file do so at one address if they do not ask for another
//! ([`crate::space`]'s `place_as_relatives`).
//!
//! Lock order: an address space's lock, then a shared file's, then what `Mapping::read_pages` and `write_pages` take.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use core::ops::Range;

use enclave_layout::PAGE_SIZE;
use enclave_rt::memory::PageBuffer;
use host_abi::{PageRange, Protection};
use kobject::{Errno, Mapping, Mutex, Result, SharedPages};

use crate::arena::{Account, Arena, WARM_MIN};

/// A page of the file that lies in a mapping.
#[derive(Clone, Copy)]
struct Held {
    address: u64,
    /// It was writable at some time, so the file system's copy may be old.
    is_dirty: bool,
}

/// By offset in the file.
type Pages = BTreeMap<u64, Held>;

/// The shared pages of one file. It lives as long as a shared mapping of the file.
pub(crate) struct SharedFile {
    arena: &'static Arena,
    file: Arc<dyn Mapping>,
    held: Mutex<Pages>,
}

impl SharedFile {
    /// The one of this file, made if there is none. `None` if the file keeps none: it never changes.
    pub(crate) fn of(arena: &'static Arena, file: &Arc<dyn Mapping>) -> Option<Arc<Self>> {
        if let Some(existing) = Self::existing(file.as_ref()) {
            return Some(existing);
        }
        let mut slot = file.shared_pages()?.lock();
        let made = Arc::new(Self {
            arena,
            file: file.clone(),
            held: Mutex::new(BTreeMap::new()),
        });
        let shared: Arc<dyn SharedPages> = made.clone();
        *slot = Some(Arc::downgrade(&shared));
        Some(made)
    }

    /// The one of this file, if it is mapped shared.
    pub(crate) fn existing(file: &dyn Mapping) -> Option<Arc<Self>> {
        let shared: Arc<dyn Any + Send + Sync> = file.shared_pages()?.lock().as_ref()?.upgrade()?;
        shared.downcast().ok()
    }

    pub(crate) fn file(&self) -> &dyn Mapping {
        self.file.as_ref()
    }

    /// Brings the pages of `range`, which maps the file at `offset`. Of those that lie in other mappings only the one at `wanted` is
    /// taken over: the others are likelier to be touched where they are.
    pub(crate) fn bring(
        &self,
        range: PageRange,
        offset: u64,
        protection: Protection,
        wanted: Option<u64>,
    ) -> Result<()> {
        let mut held = self.held.lock();
        let offset_of = |address: u64| offset + (address - range.start());
        for (run, state) in self.arena.runs(range) {
            if state.protection().is_some() {
                continue;
            }
            let mut start = run.start();
            for page in run.pages().chain([run.end()]) {
                let elsewhere = held.get(&offset_of(page)).copied();
                if page < run.end() && elsewhere.is_none() {
                    continue;
                }
                if let Some(fresh) = PageRange::new(start, page - start) {
                    self.bring_from_file(&mut held, fresh, offset_of(start), protection)?;
                }
                if let Some(elsewhere) = elsewhere
                    && wanted == Some(page)
                {
                    self.take_over(&mut held, elsewhere, page, offset_of(page), protection)?;
                }
                start = page + PAGE_SIZE;
            }
        }
        Ok(())
    }

    fn bring_from_file(
        &self,
        held: &mut Pages,
        run: PageRange,
        offset: u64,
        protection: Protection,
    ) -> Result<()> {
        if self.file.is_zeros(offset, run.len()) {
            self.arena.commit_zeroed(run, &mut Account::unlimited())?;
            self.arena.protect(run, protection)?;
        } else {
            let mut bytes = PageBuffer::new(run.len());
            self.file.read_pages(offset, &mut bytes)?;
            self.fill(run, &bytes, protection)?;
        }
        let is_dirty = protection.contains(Protection::READ_WRITE);
        for address in run.pages() {
            let offset = offset + (address - run.start());
            held.insert(offset, Held { address, is_dirty });
        }
        Ok(())
    }

    /// Takes a page over from the mapping that has it.
    fn take_over(
        &self,
        held: &mut Pages,
        old: Held,
        address: u64,
        offset: u64,
        protection: Protection,
    ) -> Result<()> {
        let from = page_at(old.address)?;
        let mut bytes = PageBuffer::new(PAGE_SIZE);
        // Nobody may write to it while it is copied.
        self.arena.protect(from, Protection::READ)?;
        self.arena.memory.read(old.address, &mut bytes)?;
        self.arena.discard(from, &mut Account::unlimited());
        held.remove(&offset);
        let is_dirty = old.is_dirty || protection.contains(Protection::READ_WRITE);
        if let Err(error) = self.fill(page_at(address)?, &bytes, protection) {
            self.file.write_pages(offset, &bytes)?;
            return Err(error);
        }
        held.insert(offset, Held { address, is_dirty });
        Ok(())
    }

    fn fill(&self, range: PageRange, bytes: &PageBuffer, protection: Protection) -> Result<()> {
        // The pages count as the file's, not as the mapping process's.
        self.arena
            .commit_filled(range, bytes, protection, &mut Account::unlimited())
    }

    /// Sets what the pages allow that `range`, which maps the file at `offset`, has.
    pub(crate) fn protect(&self, range: PageRange, offset: u64, protection: Protection) -> Result<()> {
        let mut held = self.held.lock();
        if protection.contains(Protection::READ_WRITE) {
            for page in held.range_mut(offset..offset + range.len()) {
                page.1.is_dirty |= (range.start()..range.end()).contains(&page.1.address);
            }
        }
        self.arena.protect(range, protection)
    }

    /// A mapping ends, of which the caller has the last trace: takes the pages that `range`, which maps the file at `offset`, has out of
    /// use, and writes them back if anybody can see them.
    pub(crate) fn release(self: &Arc<Self>, range: PageRange, offset: u64) {
        let is_last = Arc::strong_count(self) == 1 && Arc::strong_count(&self.file) == 1;
        if is_last && !self.file.outlives_mappings() {
            self.held.lock().clear();
            self.arena.release(range, &mut Account::unlimited(), WARM_MIN);
        } else {
            self.displace(range, offset);
        }
    }

    /// Whether the page of the file at `offset` lies at `address`.
    pub(crate) fn lies_at(&self, offset: u64, address: u64) -> bool {
        self.held
            .lock()
            .get(&offset)
            .is_some_and(|held| held.address == address)
    }

    /// Writes the pages back that `range`, which maps the file at `offset`, has, and takes them out of use.
    pub(crate) fn displace(&self, range: PageRange, offset: u64) {
        let mut held = self.held.lock();
        let offsets = offset..offset + range.len();
        let ours: Vec<(u64, Held)> = held
            .range(offsets)
            .map(|(&offset, &held)| (offset, held))
            .filter(|(_, held)| (range.start()..range.end()).contains(&held.address))
            .collect();
        for (offset, page) in ours {
            held.remove(&offset);
            if page.is_dirty {
                self.write_back(offset, page);
            }
        }
        self.arena.release(range, &mut Account::unlimited(), WARM_MIN);
    }

    /// Writes a page back to the file, before it leaves its mapping.
    fn write_back(&self, offset: u64, page: Held) {
        let mut bytes = PageBuffer::new(PAGE_SIZE);
        // ENOSPC: such bytes are lost on Linux too, where at best an msync tells of it.
        let _ = self
            .allowing(page, Protection::READ, || {
                self.arena.memory.read(page.address, &mut bytes)
            })
            .and_then(|()| self.file.write_pages(offset, &bytes));
    }

    /// Does something to a page in a mapping, which allows it for so long if it did not.
    fn allowing(&self, page: Held, wanted: Protection, act: impl FnOnce() -> Result<()>) -> Result<()> {
        let range = page_at(page.address)?;
        let state = self.arena.state(page.address);
        let protection = state.protection().ok_or(Errno::EFAULT)?;
        if protection.contains(wanted) {
            return act();
        }
        self.arena.protect(range, wanted)?;
        let done = act();
        self.arena.protect(range, protection)?;
        done
    }

    /// Replaces what a read of the file gave by what lies in mappings.
    pub(crate) fn show(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        let held = self.held.lock();
        for (&at, &page) in held.range(offset..offset + bytes.len() as u64) {
            let start = (at - offset) as usize;
            let end = bytes.len().min(start + PAGE_SIZE as usize);
            if let Some(part) = bytes.get_mut(start..end) {
                self.allowing(page, Protection::READ, || {
                    self.arena.memory.read(page.address, part)
                })?;
            }
        }
        Ok(())
    }
}

impl SharedPages for SharedFile {
    fn read(&self, offset: u64, out: &mut [u8]) -> Result<bool> {
        let held = self.held.lock();
        let within = offset % PAGE_SIZE;
        let Some(&page) = held.get(&(offset - within)) else {
            return Ok(false);
        };
        self.allowing(page, Protection::READ, || {
            self.arena.memory.read(page.address + within, out)
        })?;
        Ok(true)
    }

    fn write(&self, offset: u64, bytes: &[u8], file: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        let held = self.held.lock();
        file()?;
        let within = offset % PAGE_SIZE;
        let Some(&page) = held.get(&(offset - within)) else {
            return Ok(());
        };
        self.allowing(page, Protection::READ_WRITE, || {
            self.arena.memory.write(page.address + within, bytes)
        })
    }

    fn zero(&self, range: Range<u64>, file: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        let mut held = self.held.lock();
        file()?;
        let first = range.start - range.start % PAGE_SIZE;
        let touched: Vec<(u64, Held)> = held
            .range(first..range.end)
            .map(|(&offset, &held)| (offset, held))
            .collect();
        for (offset, page) in touched {
            let start = range.start.max(offset);
            let end = range.end.min(offset + PAGE_SIZE);
            if end - start == PAGE_SIZE {
                held.remove(&offset);
                self.arena
                    .discard(page_at(page.address)?, &mut Account::unlimited());
                continue;
            }
            self.allowing(page, Protection::READ_WRITE, || {
                let to = page.address + (start - offset);
                self.arena.memory.zero(to, (end - start) as usize)
            })?;
        }
        Ok(())
    }
}

fn page_at(address: u64) -> Result<PageRange> {
    PageRange::new(address, PAGE_SIZE).ok_or(Errno::EFAULT)
}
