//! A file without a name: what memory that is shared without a file is to Linux, too (mm/shmem.c).
//!
//! Its bytes are zeros at first. They lie in the mappings' pages ([`crate::shared`]); what has left those lies here.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};

use enclave_layout::PAGE_SIZE;
use kobject::{Errno, Mapping, Mutex, Result, SharedPagesSlot};

/// The device of such files in /proc/PID/maps: the first without a disk, where Linux mounts its own tmpfs.
const DEVICE: u64 = 1;

type Page = [u8; PAGE_SIZE as usize];

/// A file of zeros that nobody can open.
pub struct NamelessFile {
    /// Bytes, which never change.
    len: u64,
    inode: u64,
    pages: Mutex<BTreeMap<u64, Box<Page>>>,
    shared: SharedPagesSlot,
}

impl NamelessFile {
    /// One of `len` bytes, all zeros.
    pub fn new(len: u64) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self {
            len,
            inode: NEXT.fetch_add(1, Ordering::Relaxed),
            pages: Mutex::new(BTreeMap::new()),
            shared: Mutex::new(None),
        }
    }
}

impl Mapping for NamelessFile {
    fn read_pages(&self, offset: u64, out: &mut [u8]) -> Result<usize> {
        out.fill(0);
        let pages = self.pages.lock();
        for (&at, page) in pages.range(offset..offset.saturating_add(out.len() as u64)) {
            let rest = out.get_mut((at - offset) as usize..).ok_or(Errno::EIO)?;
            rest.iter_mut()
                .zip(page.iter())
                .for_each(|(to, &from)| *to = from);
        }
        Ok(self.len.saturating_sub(offset).min(out.len() as u64) as usize)
    }

    fn write_pages(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        for (number, part) in bytes.chunks(PAGE_SIZE as usize).enumerate() {
            let mut page = Box::new([0; PAGE_SIZE as usize]);
            page.get_mut(..part.len())
                .ok_or(Errno::EIO)?
                .copy_from_slice(part);
            let at = offset + number as u64 * PAGE_SIZE;
            if at < self.len {
                self.pages.lock().insert(at, page);
            }
        }
        Ok(())
    }

    fn len(&self) -> u64 {
        self.len
    }

    fn identity(&self) -> (u64, u64) {
        (DEVICE, self.inode)
    }

    fn path(&self) -> Vec<u8> {
        b"/dev/zero (deleted)".to_vec()
    }

    fn shared_pages(&self) -> Option<&SharedPagesSlot> {
        Some(&self.shared)
    }

    fn is_zeros(&self, offset: u64, len: u64) -> bool {
        let pages = self.pages.lock();
        pages.range(offset..offset.saturating_add(len)).next().is_none()
    }

    fn outlives_mappings(&self) -> bool {
        false
    }
}
