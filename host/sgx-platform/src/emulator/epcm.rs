//! The Enclave Page Cache Map: what the processor knows of each page (SDM 36.5), as a table over all of ELRANGE.
//!
//! An entry is SECINFO's flags in 16 bits with a bit for "valid". It lies in plain memory at a fixed address, because
//! the fast path of EACCEPT and EMODPE (`crossing.rs`) changes it from assembly; every change is one atomic operation.
//!
//! The table can only be read at first, and is zeros. The part for a gibibyte of ELRANGE can be written from the first page on that
//! is added there; so a kernel that does not overcommit counts only what is used. Only entries that are not zero may be written to
//! without looking.

use std::io;
use std::ptr;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};

use enclave_layout::{ELRANGE_SIZE, PAGE_SIZE, PageRange};
use sgx_arch::{ErrorCode, PageType, SecInfo};

use super::address_space;
use crate::EnclaveError;

/// The entry belongs to a page of the enclave. SECINFO's flags leave bit 7 free.
pub(super) const VALID: u16 = 1 << 7;

const PENDING: u16 = SecInfo::PENDING as u16;
const MODIFIED: u16 = SecInfo::MODIFIED as u16;
const RESTRICTED: u16 = SecInfo::PR as u16;
const STATE: u16 = PENDING | MODIFIED | RESTRICTED;
const PERMISSIONS: u16 = SecInfo::RWX as u16;
const TYPE: u16 = 0xff00;
const REGULAR: u16 = (PageType::Reg as u16) << 8;
const TRIM: u16 = (PageType::Trim as u16) << 8;

/// Bytes of ELRANGE whose entries become writable at once.
const PART: u64 = 1 << 30;
const PARTS: u64 = ELRANGE_SIZE / PART;

/// A bit for each part whose entries can be written to.
static WRITABLE: [AtomicU64; (PARTS / 64) as usize] = [const { AtomicU64::new(0) }; (PARTS / 64) as usize];

/// The word of [`WRITABLE`] for the part that an address of ELRANGE lies in, and its bit there.
fn writable_bit(address: u64) -> (&'static AtomicU64, u64) {
    let part = address / PART;
    (&WRITABLE[(part / 64) as usize], 1 << (part % 64))
}

/// Why an ENCLU leaf raises an exception instead of returning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LeafFault {
    /// #GP: an operand is malformed.
    Protection,
    /// #PF at this address: the page is not one that the leaf can work on.
    Page(u64),
}

/// The table. It exists while the emulator's address space does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Epcm(());

impl Epcm {
    /// The table at its fixed address.
    ///
    /// # Safety
    /// The address space is reserved for as long as the value is used.
    pub(super) unsafe fn new() -> Self {
        Self(())
    }

    /// Forgets which parts were writable, in a table that is new.
    pub(super) fn begin(&self) {
        for word in &WRITABLE {
            word.store(0, Ordering::Relaxed);
        }
    }

    /// Lets the entries of a range of ELRANGE be written to.
    fn make_writable(&self, range: PageRange) -> io::Result<()> {
        let first = range.start() / PART * PART;
        for part in (first..range.end().min(ELRANGE_SIZE)).step_by(PART as usize) {
            let (word, bit) = writable_bit(part);
            if word.load(Ordering::Acquire) & bit != 0 {
                continue;
            }
            let at = ptr::without_provenance_mut((address_space::EPCM + part / PAGE_SIZE * 2) as usize);
            let len = (PART / PAGE_SIZE * 2) as usize;
            // SAFETY: a part of the table. It gains permissions only.
            if unsafe { libc::mprotect(at, len, libc::PROT_READ | libc::PROT_WRITE) } != 0 {
                return Err(io::Error::last_os_error());
            }
            word.fetch_or(bit, Ordering::Release);
        }
        Ok(())
    }

    /// What can hold pages of a range: the parts of it where any were added.
    pub(super) fn parts(&self, range: std::ops::Range<u64>) -> impl Iterator<Item = std::ops::Range<u64>> {
        let first = range.start / PART * PART;
        let parts = (first..range.end.min(ELRANGE_SIZE)).step_by(PART as usize);
        let used = parts.filter(|&part| {
            let (word, bit) = writable_bit(part);
            word.load(Ordering::Acquire) & bit != 0
        });
        used.map(move |part| part.max(range.start)..(part + PART).min(range.end))
    }

    fn entry(&self, address: u64) -> Option<&AtomicU16> {
        if address >= ELRANGE_SIZE {
            return None;
        }
        let at = address_space::EPCM + address / PAGE_SIZE * 2;
        let entry = std::ptr::with_exposed_provenance::<AtomicU16>(at as usize);
        // SAFETY: within the table, aligned, zero at first, and only ever changed atomically, which whoever does so knows that it may.
        Some(unsafe { &*entry })
    }

    /// What a page allows that software can touch: regular and settled.
    pub(super) fn permissions(&self, address: u64) -> Option<u64> {
        let entry = self.entry(address)?.load(Ordering::Relaxed);
        let is_settled = entry & (TYPE | VALID | STATE) == REGULAR | VALID;
        is_settled.then_some(u64::from(entry & PERMISSIONS))
    }

    /// The entries of the pages that lie in ELRANGE.
    fn entries(&self, range: PageRange) -> impl Iterator<Item = (u64, &AtomicU16)> {
        range.pages().filter_map(|page| Some((page, self.entry(page)?)))
    }

    /// Whether all of the range lies in ELRANGE and each page is ready.
    fn require(&self, range: PageRange, is_ready: impl Fn(u16) -> bool) -> Result<(), EnclaveError> {
        let page_is_ready = |page| {
            self.entry(page)
                .is_some_and(|entry| is_ready(entry.load(Ordering::Relaxed)))
        };
        let not_ready = range.pages().find(|&page| !page_is_ready(page));
        not_ready.map_or(Ok(()), |page| Err(EnclaveError::PageState(page)))
    }

    fn update(&self, range: PageRange, change: impl Fn(u16) -> u16) {
        for (_, entry) in self.entries(range) {
            let mut old = entry.load(Ordering::Relaxed);
            while let Err(now) =
                entry.compare_exchange_weak(old, change(old), Ordering::AcqRel, Ordering::Relaxed)
            {
                old = now;
            }
        }
    }

    /// EADD: whether the page was free.
    pub(super) fn add(&self, page: u64, sec_info: SecInfo) -> io::Result<bool> {
        let new = sec_info.flags() as u16 | VALID;
        let (Some(range), Some(entry)) = (PageRange::new(page, PAGE_SIZE), self.entry(page)) else {
            return Ok(false);
        };
        self.make_writable(range)?;
        let added = entry.compare_exchange(0, new, Ordering::AcqRel, Ordering::Relaxed);
        Ok(added.is_ok())
    }

    /// Whether a page could be added everywhere.
    pub(super) fn require_free(&self, range: PageRange) -> Result<(), EnclaveError> {
        self.require(range, |entry| entry == 0)
    }

    /// EAUG of free pages.
    pub(super) fn augment(&self, range: PageRange) -> Result<(), EnclaveError> {
        self.make_writable(range).map_err(|_| EnclaveError::Memory)?;
        let permissions = (SecInfo::R | SecInfo::W) as u16;
        self.update(range, |_| VALID | REGULAR | PENDING | permissions);
        Ok(())
    }

    /// Whether EMODPR and EMODT can work everywhere.
    pub(super) fn require_modifiable(&self, range: PageRange) -> Result<(), EnclaveError> {
        self.require(range, is_settled)
    }

    /// EMODPR.
    pub(super) fn restrict(&self, range: PageRange, permissions: u64) {
        let denied = PERMISSIONS & !(permissions as u16);
        self.update(range, |entry| entry & !denied | RESTRICTED);
    }

    /// EMODT to TRIM, which leaves no permissions.
    pub(super) fn trim(&self, range: PageRange) {
        self.update(range, |_| VALID | TRIM | MODIFIED);
    }

    /// EREMOVE of trimmed and accepted pages.
    pub(super) fn remove(&self, range: PageRange) -> Result<(), EnclaveError> {
        self.require(range, |entry| entry == VALID | TRIM)?;
        self.update(range, |_| 0);
        Ok(())
    }

    /// Whether the enclave may access the page in this way (some of [`SecInfo::RWX`]).
    pub(super) fn allows(&self, address: u64, permissions: u64) -> bool {
        let wanted = permissions as u16;
        self.entry(address).is_some_and(|entry| {
            let entry = entry.load(Ordering::Relaxed);
            is_settled(entry) && entry & wanted == wanted
        })
    }

    /// EACCEPT (SDM 40.4): `Ok(Err)` is an error code for the enclave.
    pub(super) fn accept(&self, page: u64, expected: SecInfo) -> Result<Result<(), ErrorCode>, LeafFault> {
        let state = expected.state();
        let legal = match expected.page_type() {
            PageType::Reg => state & (SecInfo::PENDING | SecInfo::PR) != 0 && state & SecInfo::MODIFIED == 0,
            // A new TCS (PT_TCS) would have to be checked like EADD checks it; no host call makes one.
            PageType::Trim => state == SecInfo::MODIFIED,
            _ => false,
        };
        if !legal || !page.is_multiple_of(PAGE_SIZE) {
            return Err(LeafFault::Protection);
        }
        let entry = self.entry(page).ok_or(LeafFault::Protection)?;
        let old = expected.flags() as u16 | VALID;
        let found = change(entry, old, old & !STATE);
        match found {
            Ok(_) => Ok(Ok(())),
            Err(found) if found & VALID == 0 => Err(LeafFault::Page(page)),
            Err(_) => Ok(Err(ErrorCode::PageAttributesMismatch)),
        }
    }

    /// EMODPE (SDM 40.4).
    pub(super) fn extend(&self, page: u64, wanted: SecInfo) -> Result<(), LeafFault> {
        if !page.is_multiple_of(PAGE_SIZE) {
            return Err(LeafFault::Protection);
        }
        let entry = self.entry(page).ok_or(LeafFault::Protection)?;
        let extended = entry.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |entry| {
            is_settled(entry).then_some(entry | wanted.permissions() as u16)
        });
        extended.map_or(Err(LeafFault::Page(page)), |_| Ok(()))
    }

    /// EACCEPTCOPY's end: the page was pending and has got its content and permissions.
    pub(super) fn complete_copy(
        &self,
        page: u64,
        wanted: SecInfo,
    ) -> Result<Result<(), ErrorCode>, LeafFault> {
        let entry = self.entry(page).ok_or(LeafFault::Protection)?;
        let old = VALID | REGULAR | PENDING | (SecInfo::R | SecInfo::W) as u16;
        let new = VALID | REGULAR | wanted.permissions() as u16;
        let copied = change(entry, old, new);
        Ok(copied.map(|_| ()).map_err(|_| ErrorCode::PageAttributesMismatch))
    }

    /// Whether the page is pending: EACCEPTCOPY may fill it.
    pub(super) fn is_pending(&self, page: u64) -> bool {
        self.entry(page).is_some_and(|entry| {
            let entry = entry.load(Ordering::Relaxed);
            entry & (VALID | STATE | TYPE) == VALID | REGULAR | PENDING
        })
    }
}

/// Changes an entry from `old`, which is not 0, to `new`; or gives what else it holds.
fn change(entry: &AtomicU16, old: u16, new: u16) -> Result<u16, u16> {
    match entry.load(Ordering::Relaxed) {
        // Perhaps it cannot be written to.
        0 => Err(0),
        _ => entry.compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed),
    }
}

/// A regular page that is neither pending nor modified.
fn is_settled(entry: u16) -> bool {
    entry & (VALID | TYPE | PENDING | MODIFIED) == VALID | REGULAR
}
