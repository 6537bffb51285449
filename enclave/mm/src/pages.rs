//! What each page of the programs' part is at the moment, and the ways to change it.

use alloc::boxed::Box;
use core::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use enclave_layout::{PAGE_SIZE, USER_END};
use enclave_rt::{memory, user};
use host_abi::{PageRange, Protection};
use kobject::{Errno, Once, Result};

/// How many pages of unmapped memory stay committed for reuse: 8 MiB.
pub const WARM_PAGES: usize = 2048;

/// A page's state: 0 when it is not committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PageState(u8);

impl PageState {
    const COMMITTED: u8 = 0x80;
    /// Committed, belongs to no mapping, and holds old bytes.
    const WARM: u8 = 0x40;
    pub(crate) const ABSENT: Self = Self(0);

    const fn committed(protection: Protection) -> Self {
        Self(Self::COMMITTED | protection.bits())
    }

    /// What it allows, if it is committed and in use.
    pub(crate) fn protection(self) -> Option<Protection> {
        let used = self.0 & (Self::COMMITTED | Self::WARM) == Self::COMMITTED;
        used.then(|| Protection::from_bits(u64::from(self.0 & 7)).expect("three bits"))
    }
}

const LEAF_PAGES: usize = 4096;
const LEAVES: usize = (USER_END / PAGE_SIZE) as usize / LEAF_PAGES;

type Leaf = Box<[AtomicU8]>;

static TABLE: [Once<Leaf>; LEAVES] = [const { Once::new() }; LEAVES];
static WARM: AtomicUsize = AtomicUsize::new(0);

fn cell(page: u64) -> Option<&'static AtomicU8> {
    let index = (page / PAGE_SIZE) as usize;
    TABLE.get(index / LEAF_PAGES)?.get()?.get(index % LEAF_PAGES)
}

fn cell_or_make(page: u64) -> &'static AtomicU8 {
    let index = (page / PAGE_SIZE) as usize;
    let leaf = TABLE[index / LEAF_PAGES].get_or_make(|| {
        core::iter::repeat_with(|| AtomicU8::new(0))
            .take(LEAF_PAGES)
            .collect()
    });
    &leaf[index % LEAF_PAGES]
}

/// The state of the page at this address.
pub(crate) fn state(page: u64) -> PageState {
    cell(page).map_or(PageState::ABSENT, |cell| PageState(cell.load(Ordering::Relaxed)))
}

fn set(range: PageRange, state: PageState) {
    for page in range.pages() {
        cell_or_make(page).store(state.0, Ordering::Relaxed);
    }
}

/// Calls `each` for the longest runs of pages in the same state.
fn runs(range: PageRange, mut each: impl FnMut(PageRange, PageState) -> Result<()>) -> Result<()> {
    let mut start = range.start();
    let mut current = state(start);
    for page in range.pages() {
        let next = state(page);
        if next != current {
            each(PageRange::new(start, page - start).ok_or(Errno::EINVAL)?, current)?;
            (start, current) = (page, next);
        }
    }
    each(
        PageRange::new(start, range.end() - start).ok_or(Errno::EINVAL)?,
        current,
    )
}

/// Makes all pages of a range that no mapping uses present as zeros, readable and writable.
pub(crate) fn commit_zeroed(range: PageRange) -> Result<()> {
    let writable = PageState::committed(Protection::READ_WRITE);
    runs(range, |run, found| {
        if found == PageState::ABSENT {
            memory::commit(run)?;
        } else if found.0 & PageState::WARM != 0 {
            user::zero(run.start(), run.len() as usize)?;
            WARM.fetch_sub((run.len() / PAGE_SIZE) as usize, Ordering::Relaxed);
        } else {
            return Ok(());
        }
        set(run, writable);
        Ok(())
    })
}

/// Makes warm pages of a range absent, so that touching them traps.
pub(crate) fn cool(range: PageRange) {
    let done = runs(range, |run, found| {
        if found.0 & PageState::WARM != 0 {
            WARM.fetch_sub((run.len() / PAGE_SIZE) as usize, Ordering::Relaxed);
            memory::decommit(run);
            set(run, PageState::ABSENT);
        }
        Ok(())
    });
    debug_assert!(done.is_ok());
}

/// Sets what the committed pages of a range allow.
pub(crate) fn protect(range: PageRange, protection: Protection) -> Result<()> {
    runs(range, |run, found| {
        if found.protection().is_some_and(|current| current != protection) {
            memory::protect(run, protection)?;
            set(run, PageState::committed(protection));
        }
        Ok(())
    })
}

/// Takes the pages of a range out of use. Writable ones may stay warm.
pub(crate) fn release(range: PageRange) {
    let warm = PageState(PageState::COMMITTED | PageState::WARM | Protection::READ_WRITE.bits());
    let done = runs(range, |run, found| {
        let Some(protection) = found.protection() else {
            return Ok(());
        };
        let count = (run.len() / PAGE_SIZE) as usize;
        if protection == Protection::READ_WRITE && WARM.load(Ordering::Relaxed) + count <= WARM_PAGES {
            WARM.fetch_add(count, Ordering::Relaxed);
            set(run, warm);
        } else {
            memory::decommit(run);
            set(run, PageState::ABSENT);
        }
        Ok(())
    });
    debug_assert!(done.is_ok());
}

/// Takes the pages of a range out of use for good: the next touch finds zeros.
pub(crate) fn discard(range: PageRange) {
    let done = runs(range, |run, found| {
        if found.protection().is_some() {
            memory::decommit(run);
            set(run, PageState::ABSENT);
        }
        Ok(())
    });
    debug_assert!(done.is_ok());
}
