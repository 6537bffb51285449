//! Code of programs that have ended, kept for the next time that the same program or library is mapped.
//!
//! A program that is executed maps files of the image that mostly were mapped before: itself, its interpreter, its libraries. When a
//! program ends, what it had of such files and never could write to stays where it is, as long as there is room. Whoever loads the same
//! file next, at no address of his own choice, gets the same addresses with the pages in place: nothing is read, verified, patched or
//! accepted again. The loader of programs asks for that, and dynamic linkers do by MAP_DENYWRITE. Other mappings are for reading, and
//! show the file as it is, without our patches.
//!
//! A part that is kept belongs to nobody: its addresses are taken, and whoever wants them (`MAP_FIXED`) has it evicted. Its pages hold
//! what the measured image has there, with the call sites patched: only files count that nobody has changed
//! ([`kobject::Mapping::call_site_key`]), and only pages that were in no mapping that could be written to
//! ([`Traits::UNWRITTEN`]).
//!
//! Lock order: an address space's lock, then this one, then that of the ranges.

use alloc::collections::VecDeque;
use alloc::sync::Arc;

use host_abi::{PageRange, Protection};
use kobject::{Errno, Mapping, Result};

use crate::arena::{Account, Arena};
use crate::call_sites::Patches;
use crate::mapping::{Content, MappingEntry, Traits};
use crate::space::family::Spaces;

/// How much is kept at most, in bytes.
pub(crate) const MAX_KEPT: u64 = 8 << 20;

/// A mapping's part that nobody has any more.
struct Kept {
    /// The file, as the image's call-site map knows it.
    key: u64,
    /// Of the first page in the file.
    offset: u64,
    range: PageRange,
    patches: Option<Arc<Patches>>,
    /// How much of it is there.
    present: u64,
}

impl Kept {
    /// Where the file would begin.
    fn base(&self) -> u64 {
        self.range.start().wrapping_sub(self.offset)
    }
}

/// What a new private mapping shows of a file.
#[derive(Clone, Copy)]
pub(crate) struct View<'f> {
    pub(crate) file: &'f dyn Mapping,
    pub(crate) offset: u64,
    pub(crate) protection: Protection,
}

impl View<'_> {
    /// Whether its pages are the image's for as long as they allow no writing.
    pub(crate) fn is_unwritten(self) -> bool {
        self.file.call_site_key().is_some() && !self.protection.contains(Protection::READ_WRITE)
    }
}

/// All parts that are kept, the oldest first.
pub(crate) struct KeptParts {
    parts: VecDeque<Kept>,
    present: u64,
}

impl KeptParts {
    pub(crate) const fn new() -> Self {
        Self {
            parts: VecDeque::new(),
            present: 0,
        }
    }

    /// Takes the first part out that this is true of.
    fn take(&mut self, is_it: impl Fn(&Kept) -> bool) -> Option<Kept> {
        let at = self.parts.iter().position(is_it)?;
        let part = self.parts.remove(at)?;
        self.present -= part.present;
        Some(part)
    }
}

/// A part that a space has got with pages in place: what it may map there in the same way again.
#[derive(Clone)]
pub(crate) struct Adopted {
    range: PageRange,
    offset: u64,
    patches: Option<Arc<Patches>>,
}

impl Arena {
    /// Makes the addresses of a range free of what is kept there.
    pub(crate) fn evict_kept(&self, range: PageRange) {
        let mut kept = self.kept.lock();
        while let Some(part) = kept.take(|part| meets(part.range, range)) {
            self.evict(part);
        }
    }

    /// Adds pages; if there is no memory, once more without what is kept.
    pub(crate) fn making_room(&self, add: impl Fn() -> Result<()>) -> Result<()> {
        match add() {
            Err(Errno::ENOMEM) if self.evict_all_kept() => add(),
            done => done,
        }
    }

    /// Whether there was anything.
    fn evict_all_kept(&self) -> bool {
        let mut kept = self.kept.lock();
        let mut any = false;
        while let Some(part) = kept.take(|_| true) {
            self.evict(part);
            any = true;
        }
        any
    }

    /// Gives up the pages and the addresses of a part.
    fn evict(&self, part: Kept) {
        self.discard_kept(part.range);
        self.ranges.lock().give_back(part.range);
    }
}

impl Spaces {
    /// Keeps what a program has that ends: whether it did. The mapping is in the map no more.
    pub(crate) fn keep(&mut self, mapping: &MappingEntry) -> bool {
        let Content::Private {
            file,
            offset,
            patches,
        } = &mapping.content
        else {
            return false;
        };
        let range = mapping.range;
        let is_code = mapping.protection == Protection::READ_EXECUTE;
        let is_data = mapping.protection == Protection::READ && patches.is_none();
        let is_fit = self.is_clearing && mapping.traits.contains(Traits::UNWRITTEN) && (is_code || is_data);
        let Some(key) = file.call_site_key().filter(|_| is_fit) else {
            return false;
        };
        if self.is_contested(range) || self.has_versions(range) {
            return false;
        }
        let present = self
            .arena
            .keep_pages(range, mapping.protection, &mut self.own.account);
        if present == 0 || present > MAX_KEPT {
            self.arena.discard_kept(range);
            return false;
        }
        let mut kept = self.arena.kept.lock();
        kept.parts.push_back(Kept {
            key,
            offset: *offset,
            range,
            patches: patches.clone(),
            present,
        });
        kept.present += present;
        while kept.present > MAX_KEPT
            && let Some(oldest) = kept.take(|_| true)
        {
            self.arena.evict(oldest);
        }
        true
    }

    /// Finds addresses for a private mapping of a file at which parts of it are kept, takes them, and adopts those parts.
    pub(crate) fn place_kept(&mut self, view: View<'_>, len: u64) -> Option<PageRange> {
        let key = view.file.call_site_key()?;
        let offset = view.offset;
        let arena = self.arena;
        let mut kept = arena.kept.lock();
        let fits = |part: &Kept| part.key == key && part.offset >= offset;
        let base = kept.parts.iter().rev().find(|part| fits(part))?.base();
        let range = PageRange::new(base.checked_add(offset)?, len)?;
        let is_ours = |part: &Kept| part.key == key && part.base() == base && lies_in(part.range, range);
        let is_foreign = |part: &Kept| meets(part.range, range) && !is_ours(part);
        if kept.parts.iter().any(is_foreign) {
            return None;
        }
        {
            let mut ranges = arena.ranges.lock();
            let ours = kept.parts.iter().filter(|part| is_ours(part));
            let ours: u64 = ours.map(|part| part.range.len()).sum();
            if ranges.free_len(range) + ours != len {
                return None;
            }
            ranges.take(range);
        }
        while let Some(part) = kept.take(is_ours) {
            arena.adopt_pages(part.range, &mut self.own.account);
            self.own.adopted.push(Adopted {
                range: part.range,
                offset: part.offset,
                patches: part.patches,
            });
        }
        Some(range)
    }

    /// The patches of a part that was adopted, if it is exactly this one; the inner one is `None` if it needs none.
    pub(crate) fn adopted(&self, range: PageRange, offset: u64) -> Option<Option<Arc<Patches>>> {
        let is_it = |adopted: &&Adopted| adopted.range == range && adopted.offset == offset;
        Some(self.own.adopted.iter().find(is_it)?.patches.clone())
    }

    /// Whether a mapping in the place of others can have their pages, as far as they allow what it does: they show the same part of the
    /// same file, which nobody could write to.
    pub(crate) fn inherits(&self, view: View<'_>, range: PageRange) -> bool {
        let View {
            file,
            offset,
            protection,
        } = view;
        let Some(key) = file.call_site_key() else {
            return false;
        };
        let shows_the_same = |part: &MappingEntry| match &part.content {
            Content::Private { file, offset: at, .. } => {
                file.call_site_key() == Some(key)
                    && part.traits.contains(Traits::UNWRITTEN)
                    && part.range.start().wrapping_sub(*at) == range.start().wrapping_sub(offset)
            }
            _ => false,
        };
        let is_fit = match protection {
            Protection::READ => true,
            // The pages' call sites lead to the stubs of the part that was adopted.
            Protection::READ_EXECUTE => self.adopted(range, offset).is_some(),
            _ => false,
        };
        is_fit && !self.is_contested(range) && self.within(range).iter().all(shows_the_same)
    }
}

impl Arena {
    /// Takes the pages of a range, which allow what `protection` says, out of use and keeps them; gives how many bytes. Others go.
    fn keep_pages(&self, range: PageRange, protection: Protection, account: &mut Account) -> u64 {
        let mut present = 0;
        for (run, state) in self.runs(range) {
            match state.protection() {
                Some(allowed) if allowed == protection => {
                    account.give_back(run.len());
                    self.set_kept(run, protection);
                    present += run.len();
                }
                Some(_) => self.discard(run, account),
                None => {}
            }
        }
        present
    }
}

fn meets(one: PageRange, other: PageRange) -> bool {
    one.start() < other.end() && other.start() < one.end()
}

fn lies_in(inner: PageRange, outer: PageRange) -> bool {
    inner.start() >= outer.start() && inner.end() <= outer.end()
}
