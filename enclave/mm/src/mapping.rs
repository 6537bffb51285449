//! One mapping: a range of addresses with the same backing and protection.

use alloc::sync::Arc;
use alloc::vec::Vec;

use host_abi::{PageRange, Protection};
use kobject::Mapping;

use crate::call_sites::Patches;

bitflags::bitflags! {
    /// How a mapping is made: Linux's MAP_ bits, as far as they matter.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct MapFlags: u32 {
        /// Changes are seen by all who map the same.
        const SHARED = 0x1;
        /// Exactly there, in place of what is there.
        const FIXED = 0x10;
        /// Below 2 GiB.
        const LOW = 0x40;
        /// Grows down when touched below.
        const GROWS_DOWN = 0x100;
        /// Populated at once.
        const POPULATE = 0x8000;
        /// Exactly there; EEXIST if something is there.
        const FIXED_NOREPLACE = 0x10_0000;
        /// A program's stack, for /proc.
        const STACK = 0x2_0000;
    }
}

/// What a mapping shows.
#[derive(Clone)]
pub enum Backing {
    /// Zeros at first.
    Anonymous,
    /// A file's bytes from this offset on (a multiple of 4096).
    File(Arc<dyn Mapping>, u64),
}

impl Backing {
    /// The backing of a part that begins `distance` bytes further on.
    pub(crate) fn advanced(&self, distance: u64) -> Self {
        match self {
            Self::Anonymous => Self::Anonymous,
            Self::File(file, offset) => Self::File(file.clone(), offset + distance),
        }
    }

    fn follows(&self, before: &Self, distance: u64) -> bool {
        match (before, self) {
            (Self::Anonymous, Self::Anonymous) => true,
            (Self::File(a, at), Self::File(b, then)) => Arc::ptr_eq(a, b) && at + distance == *then,
            _ => false,
        }
    }
}

/// `madvise`, as far as it does anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// The contents are not needed: anonymous memory reads as zeros again, a private file mapping as the file.
    DontNeed,
    /// As `DontNeed`, at leisure (private anonymous memory only).
    Free,
    /// Will be needed soon.
    WillNeed,
    /// A hint that changes nothing here.
    Hint,
}

/// A mapping of an address space; the key it is kept under is its start.
#[derive(Clone)]
pub(crate) struct MappingEntry {
    pub(crate) range: PageRange,
    pub(crate) protection: Protection,
    pub(crate) flags: MapFlags,
    pub(crate) backing: Backing,
    pub(crate) patches: Option<Arc<Patches>>,
    /// For /proc: `[heap]`, `[stack]` and the like.
    pub(crate) name: &'static [u8],
}

impl MappingEntry {
    /// The part that lies in `range`, which it must meet.
    pub(crate) fn part(&self, range: PageRange) -> Option<Self> {
        let start = self.range.start().max(range.start());
        let end = self.range.end().min(range.end());
        let part = PageRange::new(start, end.checked_sub(start)?)?;
        let backing = self.backing.advanced(start - self.range.start());
        Some(Self {
            range: part,
            backing,
            ..self.clone()
        })
    }

    /// What is left of it before and behind `range`.
    pub(crate) fn without(&self, range: PageRange) -> Vec<Self> {
        let before = range.start().checked_sub(self.range.start()).and_then(|len| {
            let kept = PageRange::new(self.range.start(), len)?;
            self.part(kept)
        });
        let behind = self.range.end().checked_sub(range.end()).and_then(|len| {
            let kept = PageRange::new(range.end(), len)?;
            self.part(kept)
        });
        before.into_iter().chain(behind).collect()
    }

    /// Whether `next` continues it, so that both can be one.
    pub(crate) fn continues_as(&self, next: &Self) -> bool {
        let same_patches = match (&self.patches, &next.patches) {
            (None, None) => true,
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            _ => false,
        };
        self.range.end() == next.range.start()
            && self.protection == next.protection
            && self.flags == next.flags
            && self.name == next.name
            && same_patches
            && next.backing.follows(&self.backing, self.range.len())
    }
}
