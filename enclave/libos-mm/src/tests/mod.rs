//! The memory manager outside an enclave: over a model of the enclave's pages that fails on each misuse.

mod call_sites;
mod family;
mod fixed;
mod kept;
mod model;
mod shared;
mod single;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex as StdMutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use enclave_layout::PAGE_SIZE;
use enclave_rt::memory::PageBuffer;
use enclave_rt::user::Access;
use host_abi::{PageRange, Protection};
use kobject::{Errno, Mapping, Result, SharedPages, SharedPagesSlot};
use linux_abi::MapFlags;

use crate::arena::Arena;
use crate::memory::PageMemory;
use crate::{AddressSpace, Backing, FaultOutcome};

pub(super) const PAGE: u64 = PAGE_SIZE;
pub(super) const NONE: Protection = Protection::NONE;
pub(super) const READ: Protection = Protection::READ;
pub(super) const WRITE: Protection = Protection::READ_WRITE;

struct Page {
    bytes: Vec<u8>,
    protection: Protection,
}

/// The enclave's pages. Panics where the processor or the host would refuse, and where the LibOS would fault.
#[derive(Default)]
pub(super) struct FakeMemory {
    pages: StdMutex<HashMap<u64, Page>>,
    /// How often the enclave was left.
    exits: AtomicUsize,
    /// Bytes of pages that the host has at most; 0 for any number.
    capacity: AtomicUsize,
}

impl FakeMemory {
    fn add(&self, range: PageRange, content: &[u8], protection: Protection) -> Result<()> {
        let mut pages = self.pages.lock().unwrap();
        self.exits.fetch_add(1, Ordering::Relaxed);
        let capacity = self.capacity.load(Ordering::Relaxed);
        if capacity != 0 && pages.len() * PAGE as usize + range.len() as usize > capacity {
            return Err(Errno::ENOMEM);
        }
        for (page, bytes) in range.pages().zip(content.chunks(PAGE as usize)) {
            let bytes = bytes.to_vec();
            let old = pages.insert(page, Page { bytes, protection });
            assert!(old.is_none(), "page {page:#x} is committed twice");
        }
        Ok(())
    }

    /// Runs `touch` for each part of a range that lies in one page.
    fn each(&self, at: u64, len: usize, wanted: Protection, mut touch: impl FnMut(&mut [u8])) {
        let mut pages = self.pages.lock().unwrap();
        let end = at + len as u64;
        let mut at = at;
        while at < end {
            let start = at & !(PAGE - 1);
            let stop = end.min(start + PAGE);
            let page = pages.get_mut(&start);
            let page = page.unwrap_or_else(|| panic!("{at:#x} is touched and not there"));
            assert!(page.protection.contains(wanted), "{at:#x} does not allow it");
            touch(&mut page.bytes[(at - start) as usize..(stop - start) as usize]);
            at = stop;
        }
    }

    /// How often the enclave was left since the last time.
    pub(super) fn take_exits(&self) -> usize {
        self.exits.swap(0, Ordering::Relaxed)
    }
}

impl PageMemory for FakeMemory {
    fn commit(&self, range: PageRange) -> Result<()> {
        self.add(range, &vec![0; range.len() as usize], WRITE)
    }

    fn commit_copy(&self, range: PageRange, content: &PageBuffer, protection: Protection) -> Result<()> {
        self.add(range, &content[..range.len() as usize], protection)
    }

    fn protect(&self, range: PageRange, protection: Protection) -> Result<()> {
        let mut pages = self.pages.lock().unwrap();
        self.exits.fetch_add(1, Ordering::Relaxed);
        for page in range.pages() {
            pages.get_mut(&page).expect("a page that is there").protection = protection;
        }
        Ok(())
    }

    fn decommit(&self, range: PageRange) {
        let mut pages = self.pages.lock().unwrap();
        self.exits.fetch_add(2, Ordering::Relaxed);
        for page in range.pages() {
            assert!(pages.remove(&page).is_some(), "page {page:#x} is not there");
        }
    }

    fn read(&self, from: u64, out: &mut [u8]) -> Result<()> {
        let mut done = 0;
        self.each(from, out.len(), READ, |bytes| {
            out[done..][..bytes.len()].copy_from_slice(bytes);
            done += bytes.len();
        });
        Ok(())
    }

    fn write(&self, to: u64, bytes: &[u8]) -> Result<()> {
        let mut done = 0;
        self.each(to, bytes.len(), WRITE, |place| {
            place.copy_from_slice(&bytes[done..][..place.len()]);
            done += place.len();
        });
        Ok(())
    }

    fn zero(&self, to: u64, len: usize) -> Result<()> {
        self.each(to, len, WRITE, |bytes| bytes.fill(0));
        Ok(())
    }

    fn copy(&self, to: u64, from: u64, len: usize) -> Result<()> {
        let mut bytes = vec![0; len];
        self.read(from, &mut bytes)?;
        self.write(to, &bytes)
    }
}

/// A process in an arena of its own.
pub(super) struct Machine {
    pub(super) memory: &'static FakeMemory,
    pub(super) arena: &'static Arena,
    pub(super) space: Arc<AddressSpace>,
}

impl Machine {
    pub(super) fn new(limit: u64) -> Self {
        let memory: &'static FakeMemory = Box::leak(Box::default());
        let arena: &'static Arena = Box::leak(Box::new(Arena::new(memory)));
        Self {
            memory,
            arena,
            space: AddressSpace::in_arena(arena, limit),
        }
    }

    pub(super) fn map(&self, len: u64, protection: Protection) -> u64 {
        let flags = MapFlags::empty();
        self.space
            .map(0, len, protection, flags, Backing::Anonymous, b"")
            .unwrap()
    }

    /// What the processor does: touches a page that is there, or raises #PF until it is. Memory that nobody has counts as absent.
    fn touch<R>(
        &self,
        address: u64,
        access: Access,
        wanted: Protection,
        touch: impl FnOnce() -> R,
    ) -> core::result::Result<R, FaultOutcome> {
        let is_there = || {
            let protection = self.arena.state(address).protection();
            protection.is_some_and(|protection| protection.contains(wanted))
        };
        if !is_there() {
            match self.space.handle_fault(address, access) {
                FaultOutcome::Handled => assert!(is_there(), "handled, and not there: {address:#x}"),
                outcome => return Err(outcome),
            }
        }
        Ok(touch())
    }

    pub(super) fn load(&self, address: u64) -> core::result::Result<u8, FaultOutcome> {
        self.touch(address, Access::Read, READ, || {
            let mut byte = [0];
            self.memory.read(address, &mut byte).unwrap();
            byte[0]
        })
    }

    pub(super) fn store(&self, address: u64, byte: u8) -> core::result::Result<(), FaultOutcome> {
        self.touch(address, Access::Write, WRITE, || {
            self.memory.write(address, &[byte]).unwrap();
        })
    }

    pub(super) fn maps(&self) -> String {
        String::from_utf8(self.space.maps()).unwrap()
    }
}

/// A file in memory, read and written as `fs` does it.
pub(super) struct TestFile {
    bytes: StdMutex<Vec<u8>>,
    pages: SharedPagesSlot,
    pub(super) key: Option<u64>,
}

impl TestFile {
    pub(super) fn new(bytes: Vec<u8>) -> Arc<Self> {
        Self::with_key(bytes, None)
    }

    pub(super) fn with_key(bytes: Vec<u8>, key: Option<u64>) -> Arc<Self> {
        Arc::new(Self {
            bytes: StdMutex::new(bytes),
            pages: SharedPagesSlot::new(None),
            key,
        })
    }

    fn shared(&self) -> Option<Arc<dyn SharedPages>> {
        self.pages.lock().as_ref()?.upgrade()
    }

    /// Reads one byte as `read` does.
    pub(super) fn load(&self, at: u64) -> u8 {
        let mut byte = [0];
        let in_memory = self
            .shared()
            .is_some_and(|shared| shared.read(at, &mut byte).unwrap());
        match in_memory {
            true => byte[0],
            false => self.bytes.lock().unwrap()[at as usize],
        }
    }

    /// Writes one byte as `write` does.
    pub(super) fn store(&self, at: u64, byte: u8) {
        let mut write = || {
            self.bytes.lock().unwrap()[at as usize] = byte;
            Ok(())
        };
        match self.shared() {
            Some(shared) => shared.write(at, &[byte], &mut write).unwrap(),
            None => write().unwrap(),
        }
    }

    /// Sets the length as `ftruncate` does.
    pub(super) fn truncate(&self, len: u64) {
        let mut cut = || {
            self.bytes.lock().unwrap().resize(len as usize, 0);
            Ok(())
        };
        match self.shared() {
            Some(shared) => shared.zero(len..u64::MAX, &mut cut).unwrap(),
            None => cut().unwrap(),
        }
    }

    /// What the file has without what lies in mappings.
    pub(super) fn own_byte(&self, at: u64) -> u8 {
        self.bytes.lock().unwrap()[at as usize]
    }
}

impl Mapping for TestFile {
    fn read_pages(&self, offset: u64, out: &mut [u8]) -> Result<usize> {
        let bytes = self.bytes.lock().unwrap();
        out.fill(0);
        let rest = bytes.get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(out.len());
        out[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_pages(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        let mut own = self.bytes.lock().unwrap();
        let place = own.get_mut(offset as usize..).unwrap_or_default();
        let count = place.len().min(bytes.len());
        place[..count].copy_from_slice(&bytes[..count]);
        Ok(())
    }

    fn len(&self) -> u64 {
        self.bytes.lock().unwrap().len() as u64
    }

    fn identity(&self) -> (u64, u64) {
        (0x801, 77)
    }

    fn call_site_key(&self) -> Option<u64> {
        self.key
    }

    fn path(&self) -> Vec<u8> {
        b"/lib/file".to_vec()
    }

    fn shared_pages(&self) -> Option<&SharedPagesSlot> {
        Some(&self.pages)
    }
}
