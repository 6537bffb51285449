//! Touches of memory that is not there.

use enclave_layout::PAGE_SIZE;
use enclave_rt::user::Access;
use host_abi::{PageRange, Protection};
use kobject::{Errno, Result};

use super::{AddressSpace, Spaces};
use crate::arena;
use crate::mapping::{Content, MappingEntry, Traits};
use crate::populate;

/// How far a mapping that grows down stays away from what is mapped below (Linux's stack_guard_gap).
const GUARD_GAP: u64 = 256 * PAGE_SIZE;
/// How long a mapping that grows down becomes at most (Linux's usual RLIMIT_STACK).
const MAX_GROWTH: u64 = 8 << 20;

/// What came of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultOutcome {
    /// The page is there now: try again.
    Handled,
    /// SIGSEGV, SEGV_MAPERR: nothing is mapped there.
    NotMapped,
    /// SIGSEGV, SEGV_ACCERR: the mapping does not allow it.
    NotAllowed,
    /// SIGBUS: beyond the end of the mapped file, or the file cannot be read, or there is no memory.
    Bus,
}

impl AddressSpace {
    /// A program, or the LibOS on its behalf, touched `address`.
    pub fn handle_fault(&self, address: u64, access: Access) -> FaultOutcome {
        let wanted = arena::wanted(access);
        let mut inner = self.lock();
        if inner.find(address).is_none() && inner.grow_down(address).is_err() {
            return FaultOutcome::NotMapped;
        }
        let Some(mapping) = inner.find(address).cloned() else {
            return FaultOutcome::NotMapped;
        };
        if !mapping.protection.contains(wanted) {
            return FaultOutcome::NotAllowed;
        }
        match inner.bring(&mapping, address & !(PAGE_SIZE - 1), wanted) {
            Ok(()) => FaultOutcome::Handled,
            Err(_) => FaultOutcome::Bus,
        }
    }
}

impl Spaces {
    /// Brings the page at `address`, and what else of the mapping is worth it.
    fn bring(&mut self, mapping: &MappingEntry, address: u64, wanted: Protection) -> Result<()> {
        let page = PageRange::new(address, PAGE_SIZE).ok_or(Errno::EFAULT)?;
        if let Some(allowed) = self.arena.state(address).protection() {
            // Another thread was here first, or relatives have the page, too.
            return match allowed.contains(wanted) {
                true => Ok(()),
                false => self.make_writable(mapping, page),
            };
        }
        if mapping.within_file(page).is_none() {
            return Err(Errno::EFAULT);
        }
        let window = populate::window(mapping, address, self.own.last_window).unwrap_or(page);
        // Relatives pay a frame for each page, unless they see the same one.
        let window = match !mapping.is_shared() && self.is_contested(window) {
            true => page,
            false => window,
        };
        self.own.last_window = Some(window);
        let brought = self.populate(mapping, window, Some(address));
        if self.arena.state(address).protection().is_some() {
            return Ok(());
        }
        brought?;
        // Memory is short: just the page itself.
        self.populate(mapping, page, Some(address))
    }

    /// Lets the mapping above `address` grow down to it, if it is one that does.
    fn grow_down(&mut self, address: u64) -> Result<()> {
        let start = address & !(PAGE_SIZE - 1);
        let (_, above) = self.own.mappings.range(start..).next().ok_or(Errno::EFAULT)?;
        let growth = above.range.start() - start;
        if !above.traits.contains(Traits::GROWS_DOWN) || above.range.len() + growth > MAX_GROWTH {
            return Err(Errno::EFAULT);
        }
        let below = self.own.mappings.range(..start).next_back();
        if below.is_some_and(|(_, below)| start - below.range.end() < GUARD_GAP) {
            return Err(Errno::EFAULT);
        }
        let grown = MappingEntry {
            range: PageRange::new(start, growth).ok_or(Errno::EFAULT)?,
            content: Content::Zeros,
            ..above.clone()
        };
        self.arena.evict_kept(grown.range);
        if !self.claim(grown.range)? {
            return Err(Errno::EFAULT);
        }
        self.arena.cool(grown.range);
        self.insert_joined(grown)
    }
}
