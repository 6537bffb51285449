//! The programs' part of the enclave: who has which addresses, and what each page is at the moment.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use enclave_layout::{PAGE_SIZE, USER_END};
use enclave_rt::memory::PageBuffer;
use enclave_rt::user::Access;
use host_abi::{PageRange, Protection};
use kobject::{Errno, Mutex, Once, Result};

use crate::kept::KeptParts;
use crate::memory::{Enclave, PageMemory};
use crate::ranges::Ranges;
use crate::space::Known;
use crate::stash::Stash;

/// How much memory that was unmapped stays committed for reuse, in bytes.
pub const MAX_WARM: u64 = 8 << 20;

/// What was unmapped in smaller pieces, in bytes, is gone at once: programs that touch what they have unmapped, on purpose, do
/// so with a page or a few.
pub const WARM_MIN: u64 = 64 << 10;

/// A page's state: 0 when it is not committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PageState(u8);

impl PageState {
    const COMMITTED: u8 = 0x80;
    const OLD: u8 = 0x40;
    pub(crate) const ABSENT: Self = Self(0);
    /// Committed, can be written, belongs to no mapping, and holds old bytes.
    pub(crate) const WARM: Self = Self(Self::COMMITTED | Self::OLD | Protection::READ_WRITE.bits());

    /// Committed, belongs to no mapping, and holds a file's bytes, which nobody can write to (see [`crate::kept`]).
    const fn kept(protection: Protection) -> Self {
        Self(Self::COMMITTED | Self::OLD | protection.bits())
    }

    /// What a page that is kept allows.
    fn kept_protection(self) -> Option<Protection> {
        let is_kept = self.0 & Self::COMMITTED != 0 && self.0 & Self::OLD != 0 && self != Self::WARM;
        is_kept.then(|| Protection::from_bits(u64::from(self.0 & 7)).unwrap_or(Protection::NONE))
    }

    const fn in_use(protection: Protection) -> Self {
        Self(Self::COMMITTED | protection.bits())
    }

    /// Whether the enclave has the page and it allows this, in use or not.
    fn allows(self, wanted: Protection) -> bool {
        self.0 & Self::COMMITTED != 0 && self.0 & wanted.bits() == wanted.bits()
    }

    /// What it allows, if it is in use.
    pub(crate) fn protection(self) -> Option<Protection> {
        let in_use = self.0 & (Self::COMMITTED | Self::OLD) == Self::COMMITTED;
        // Three bits, each of which is one of a protection's.
        in_use.then(|| Protection::from_bits(u64::from(self.0 & 7)).unwrap_or(Protection::NONE))
    }
}

/// How much memory someone uses, and may use, in bytes.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    used: u64,
    limit: u64,
}

impl Account {
    pub(crate) const fn new(limit: u64) -> Self {
        Self { used: 0, limit }
    }

    /// For what no program's limit is meant for.
    pub(crate) const fn unlimited() -> Self {
        Self::new(u64::MAX)
    }

    pub(crate) fn used(&self) -> u64 {
        self.used
    }

    /// What may still be used.
    pub(crate) fn room(&self) -> u64 {
        self.limit.saturating_sub(self.used)
    }

    fn take(&mut self, len: u64) -> Result<()> {
        if len > self.room() {
            return Err(Errno::ENOMEM);
        }
        self.used += len;
        Ok(())
    }

    /// Counts what cannot be refused any more.
    pub(crate) fn take_anyway(&mut self, len: u64) {
        self.used += len;
    }

    pub(crate) fn give_back(&mut self, len: u64) {
        self.used = self.used.saturating_sub(len);
    }
}

const LEAF_PAGES: u64 = 4096;
const LEAF_LEN: u64 = LEAF_PAGES * PAGE_SIZE;
const BRANCH_LEAVES: u64 = 2048;
const BRANCH_LEN: u64 = BRANCH_LEAVES * LEAF_LEN;
const BRANCHES: usize = USER_END.div_ceil(BRANCH_LEN) as usize;

type Leaf = Box<[AtomicU8]>;
type Branch = Box<[Once<Leaf>]>;

/// The addresses and pages that all address spaces share out among themselves.
///
/// A page's state changes under the lock of the address space that has its address, or, if it is a page of a shared file, under the
/// lock of that; so no two threads change the same one.
pub(crate) struct Arena {
    pub(crate) memory: &'static dyn PageMemory,
    pub(crate) ranges: Mutex<Ranges>,
    pub(crate) stash: Mutex<Stash>,
    pub(crate) kept: Mutex<KeptParts>,
    /// All address spaces. Locked before any of them.
    pub(crate) spaces: Mutex<Vec<Known>>,
    /// States by page, as a tree: a branch and a leaf of it are made when the first of their pages is committed.
    states: [Once<Branch>; BRANCHES],
    /// Bytes of pages that are warm.
    warm: AtomicU64,
}

/// The arena of the enclave that this runs in.
pub(crate) static PROGRAMS: Arena = Arena::new(&Enclave);

/// Whether the page at this address is committed and allows the access. Takes no lock.
pub fn is_present(address: u64, access: Access) -> bool {
    PROGRAMS.state(address).allows(wanted(access))
}

/// What an access needs of a page.
pub(crate) fn wanted(access: Access) -> Protection {
    match access {
        Access::Read => Protection::READ,
        Access::Write => Protection::READ_WRITE,
        Access::Execute => Protection::READ_EXECUTE,
    }
}

impl Arena {
    pub(crate) const fn new(memory: &'static dyn PageMemory) -> Self {
        Self {
            memory,
            ranges: Mutex::new(Ranges::new()),
            stash: Mutex::new(Stash::new()),
            kept: Mutex::new(KeptParts::new()),
            spaces: Mutex::new(Vec::new()),
            states: [const { Once::new() }; BRANCHES],
            warm: AtomicU64::new(0),
        }
    }

    fn branch(&self, address: u64) -> Option<&Branch> {
        self.states.get((address / BRANCH_LEN) as usize)?.get()
    }

    fn leaf(&self, address: u64) -> Option<&Leaf> {
        self.branch(address)?.get(index_in_branch(address))?.get()
    }

    fn leaf_or_make(&self, address: u64) -> Option<&Leaf> {
        let slot = self.states.get((address / BRANCH_LEN) as usize)?;
        let branch = slot.get_or_make(|| repeated(BRANCH_LEAVES, Once::new));
        let slot = branch.get(index_in_branch(address))?;
        Some(slot.get_or_make(|| repeated(LEAF_PAGES, || AtomicU8::new(0))))
    }

    /// The state of the page at this address.
    pub(crate) fn state(&self, address: u64) -> PageState {
        let cell = |leaf: &Leaf| {
            leaf.get((address / PAGE_SIZE % LEAF_PAGES) as usize)
                .map(|cell| cell.load(Ordering::Relaxed))
        };
        PageState(self.leaf(address).and_then(cell).unwrap_or(0))
    }

    fn set(&self, range: PageRange, state: PageState) {
        let mut at = range.start();
        while at < range.end() {
            let end = end_of(LEAF_LEN, at).min(range.end());
            let first = (at / PAGE_SIZE % LEAF_PAGES) as usize;
            let count = ((end - at) / PAGE_SIZE) as usize;
            let leaf = self.leaf_or_make(at);
            for cell in leaf.into_iter().flatten().skip(first).take(count) {
                cell.store(state.0, Ordering::Relaxed);
            }
            at = end;
        }
    }

    /// The longest runs of pages in the same state.
    pub(crate) fn runs(&self, range: PageRange) -> impl Iterator<Item = (PageRange, PageState)> + '_ {
        let mut next = range.start();
        core::iter::from_fn(move || {
            let start = next;
            let run = PageRange::new(start, range.end().checked_sub(start)?)?;
            let state = self.state(start);
            next = self.end_of_run(run, state);
            Some((PageRange::new(start, next - start)?, state))
        })
    }

    /// Where the pages of a range cease to be in this state.
    fn end_of_run(&self, range: PageRange, state: PageState) -> u64 {
        let mut at = range.start();
        while at < range.end() {
            let Some(leaf) = self.leaf(at) else {
                if state != PageState::ABSENT {
                    return at;
                }
                // Where nothing was ever committed, whole branches are skipped.
                at = end_of(
                    if self.branch(at).is_some() {
                        LEAF_LEN
                    } else {
                        BRANCH_LEN
                    },
                    at,
                );
                continue;
            };
            let end = end_of(LEAF_LEN, at).min(range.end());
            let first = (at / PAGE_SIZE % LEAF_PAGES) as usize;
            let count = ((end - at) / PAGE_SIZE) as usize;
            let mut cells = leaf.iter().skip(first).take(count);
            if let Some(distance) = cells.position(|cell| cell.load(Ordering::Relaxed) != state.0) {
                return at + distance as u64 * PAGE_SIZE;
            }
            at = end;
        }
        range.end()
    }

    /// The pages of a range that are in use.
    pub(crate) fn used_pages(&self, range: PageRange) -> impl Iterator<Item = u64> + '_ {
        let in_use = self.runs(range).filter(|(_, state)| state.protection().is_some());
        in_use.flat_map(|(run, _)| run.pages())
    }

    /// Makes all pages of a range that are not in use zeros, readable and writable.
    pub(crate) fn commit_zeroed(&self, range: PageRange, account: &mut Account) -> Result<()> {
        for (run, state) in self.runs(range) {
            if state.protection().is_some() {
                continue;
            }
            account.take(run.len())?;
            let done = if state == PageState::WARM {
                self.warm.fetch_sub(run.len(), Ordering::Relaxed);
                self.memory.zero(run.start(), run.len() as usize)
            } else {
                self.making_room(|| self.memory.commit(run))
            };
            if let Err(error) = done {
                account.give_back(run.len());
                return Err(error);
            }
            self.set(run, PageState::in_use(Protection::READ_WRITE));
        }
        Ok(())
    }

    /// Fills the pages of a range, none of which is in use, with the first bytes of `content`. Nobody sees a page before it is filled.
    pub(crate) fn commit_filled(
        &self,
        range: PageRange,
        content: &PageBuffer,
        protection: Protection,
        account: &mut Account,
    ) -> Result<()> {
        account.take(range.len())?;
        let is_warm = self.runs(range).all(|(_, state)| state == PageState::WARM);
        if is_warm && protection == Protection::READ_WRITE {
            // Nothing is brought lazily where pages are warm: the mapping is not there yet.
            self.warm.fetch_sub(range.len(), Ordering::Relaxed);
            self.set(range, PageState::in_use(protection));
            let bytes = content.get(..range.len() as usize).ok_or(Errno::EFAULT)?;
            return self.memory.write(range.start(), bytes);
        }
        // Warm pages can be seen: they are old memory to whoever looks now, which is not promised anything.
        self.cool(range);
        if let Err(error) = self.making_room(|| self.memory.commit_copy(range, content, protection)) {
            account.give_back(range.len());
            return Err(error);
        }
        self.set(range, PageState::in_use(protection));
        Ok(())
    }

    /// Makes warm pages of a range absent, so that touching them traps.
    pub(crate) fn cool(&self, range: PageRange) {
        for (run, state) in self.runs(range) {
            if state == PageState::WARM {
                self.warm.fetch_sub(run.len(), Ordering::Relaxed);
                self.memory.decommit(run);
                self.set(run, PageState::ABSENT);
            }
        }
    }

    /// Sets what the pages of a range that are in use allow.
    pub(crate) fn protect(&self, range: PageRange, protection: Protection) -> Result<()> {
        for (run, state) in self.runs(range) {
            if state.protection().is_some_and(|current| current != protection) {
                self.memory.protect(run, protection)?;
                self.set(run, PageState::in_use(protection));
            }
        }
        Ok(())
    }

    /// Takes the pages of a range out of use, because nobody has the addresses any more. Runs of at least `warm_min` bytes may stay warm.
    pub(crate) fn release(&self, range: PageRange, account: &mut Account, warm_min: u64) {
        for (run, state) in self.runs(range) {
            let Some(protection) = state.protection() else {
                continue;
            };
            account.give_back(run.len());
            let is_fit = run.len() >= warm_min
                && self.warm.load(Ordering::Relaxed) + run.len() <= MAX_WARM
                && match protection {
                    Protection::READ_WRITE => true,
                    // Data that a program has protected (RELRO): cheaper to open than to take away and to add again.
                    Protection::READ => self.memory.protect(run, Protection::READ_WRITE).is_ok(),
                    _ => false,
                };
            if is_fit {
                self.warm.fetch_add(run.len(), Ordering::Relaxed);
                self.set(run, PageState::WARM);
            } else {
                self.memory.decommit(run);
                self.set(run, PageState::ABSENT);
            }
        }
    }

    /// Pages that are in use are kept from now on.
    pub(crate) fn set_kept(&self, range: PageRange, protection: Protection) {
        self.set(range, PageState::kept(protection));
    }

    /// Pages of a range that are kept are in use from now on.
    pub(crate) fn adopt_pages(&self, range: PageRange, account: &mut Account) {
        for (run, state) in self.runs(range) {
            if let Some(protection) = state.kept_protection() {
                account.take_anyway(run.len());
                self.set(run, PageState::in_use(protection));
            }
        }
    }

    /// Gives up the pages of a range that are kept.
    pub(crate) fn discard_kept(&self, range: PageRange) {
        for (run, state) in self.runs(range) {
            if state.kept_protection().is_some() {
                self.memory.decommit(run);
                self.set(run, PageState::ABSENT);
            }
        }
    }

    /// Takes the pages of a range out of use so that touching them traps.
    pub(crate) fn discard(&self, range: PageRange, account: &mut Account) {
        for (run, state) in self.runs(range) {
            if state.protection().is_some() {
                account.give_back(run.len());
                self.memory.decommit(run);
                self.set(run, PageState::ABSENT);
            }
        }
    }

    /// Bytes of a range that are in use.
    pub(crate) fn in_use(&self, range: PageRange) -> u64 {
        let in_use = self.runs(range).filter(|(_, state)| state.protection().is_some());
        in_use.map(|(run, _)| run.len()).sum()
    }
}

fn index_in_branch(address: u64) -> usize {
    (address / LEAF_LEN % BRANCH_LEAVES) as usize
}

/// Where the part of `len` bytes ends that includes this address.
fn end_of(len: u64, address: u64) -> u64 {
    (address / len + 1) * len
}

fn repeated<T>(count: u64, make: impl FnMut() -> T) -> Box<[T]> {
    core::iter::repeat_with(make).take(count as usize).collect()
}
