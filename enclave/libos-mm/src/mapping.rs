//! One mapping: a range of addresses with the same contents and protection.

use alloc::sync::Arc;
use alloc::vec::Vec;

use host_abi::{PageRange, Protection};
use kobject::Mapping;
use linux_abi::MapFlags;

use crate::call_sites::Patches;
use crate::shared::SharedFile;

bitflags::bitflags! {
    /// What a mapping is, beyond the moment when it is made.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Traits: u16 {
        /// Changes are seen by all who map the same.
        const SHARED = 1 << 0;
        /// Grows down when touched below.
        const GROWS_DOWN = 1 << 1;
        /// Not counted against the limit before it is touched.
        const NO_RESERVE = 1 << 2;
        /// The file was not opened for writing, so a shared mapping of it never becomes writable.
        const READ_ONLY = 1 << 3;
        /// Its pages are a file's, and count as that.
        const SHARED_FILE = 1 << 4;
        /// A file of the image, which the mapping could never write to: its pages are the file's.
        const UNWRITTEN = 1 << 6;
        /// A program's first stack.
        const STACK = 1 << 5;
        /// It stays as it is until the program ends (mseal(2)).
        const SEALED = 1 << 7;
        /// Counted as locked (mlock(2)).
        const LOCKED = 1 << 8;
        /// Children do not have it (MADV_DONTFORK).
        const NOT_FORKED = 1 << 9;
        /// Children find zeros in it (MADV_WIPEONFORK).
        const WIPED = 1 << 10;
    }
}

impl Traits {
    /// Those of a mapping that is made like this.
    pub(crate) fn of(flags: MapFlags, backing: &Backing) -> Self {
        let shared = flags.contains(MapFlags::MAP_SHARED);
        let mut traits = Self::empty();
        traits.set(Self::SHARED, shared);
        traits.set(Self::GROWS_DOWN, flags.contains(MapFlags::MAP_GROWSDOWN));
        traits.set(Self::NO_RESERVE, flags.contains(MapFlags::MAP_NORESERVE));
        traits.set(Self::READ_ONLY, shared && backing.is_read_only());
        let is_file = matches!(backing, Backing::File(..) | Backing::ReadOnlyFile(..));
        traits.set(Self::SHARED_FILE, shared && is_file);
        traits
    }
}

/// What a new mapping shows.
#[derive(Clone)]
pub enum Backing {
    /// Zeros at first.
    Anonymous,
    /// A file's bytes from this offset on (a multiple of 4096).
    File(Arc<dyn Mapping>, u64),
    /// As `File`, of a file that was not opened for writing, or is sealed against it: a shared mapping never becomes writable.
    ReadOnlyFile(Arc<dyn Mapping>, u64),
    /// As `Anonymous`, by way of a /dev/zero that was not opened for writing.
    ReadOnlyZeros,
}

impl Backing {
    fn is_read_only(&self) -> bool {
        matches!(self, Self::ReadOnlyFile(..) | Self::ReadOnlyZeros)
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
    /// Children do not have it (MADV_DONTFORK), or have it again (MADV_DOFORK).
    NotForked(bool),
    /// Children find zeros in it (MADV_WIPEONFORK), or what their parent has (MADV_KEEPONFORK). Private memory without a file only.
    Wiped(bool),
    /// A hint that changes nothing here.
    Hint,
}

/// Where the pages of a mapping come from.
#[derive(Clone)]
pub(crate) enum Content {
    /// Nowhere: they are zeros at first, and the mapping's own.
    Zeros,
    /// A file, of which the mapping has its own copy.
    Private {
        file: Arc<dyn Mapping>,
        offset: u64,
        patches: Option<Arc<Patches>>,
    },
    /// A file's shared pages.
    Shared { file: Arc<SharedFile>, offset: u64 },
}

impl Content {
    /// The content of a part that begins `distance` bytes further on.
    pub(crate) fn advanced(mut self, distance: u64) -> Self {
        match &mut self {
            Self::Zeros => {}
            Self::Private { offset, .. } | Self::Shared { offset, .. } => *offset += distance,
        }
        self
    }

    /// The file and the offset in it.
    pub(crate) fn file(&self) -> Option<(&dyn Mapping, u64)> {
        match self {
            Self::Zeros => None,
            Self::Private { file, offset, .. } => Some((file.as_ref(), *offset)),
            Self::Shared { file, offset } => Some((file.file(), *offset)),
        }
    }

    pub(crate) fn patches(&self) -> Option<&Arc<Patches>> {
        match self {
            Self::Private { patches, .. } => patches.as_ref(),
            _ => None,
        }
    }

    /// Whether it is what `before` would show `distance` bytes further on.
    fn follows(&self, before: &Self, distance: u64) -> bool {
        match (before, self) {
            (Self::Zeros, Self::Zeros) => true,
            (
                Self::Private {
                    file: a,
                    offset: at,
                    patches: p,
                },
                Self::Private {
                    file: b,
                    offset: then,
                    patches: q,
                },
            ) => {
                let same_patches = match (p, q) {
                    (None, None) => true,
                    (Some(p), Some(q)) => Arc::ptr_eq(p, q),
                    _ => false,
                };
                Arc::ptr_eq(a, b) && at + distance == *then && same_patches
            }
            (
                Self::Shared { file: a, offset: at },
                Self::Shared {
                    file: b,
                    offset: then,
                },
            ) => Arc::ptr_eq(a, b) && at + distance == *then,
            _ => false,
        }
    }
}

/// A mapping of an address space; the key it is kept under is its start.
#[derive(Clone)]
pub(crate) struct MappingEntry {
    pub(crate) range: PageRange,
    pub(crate) protection: Protection,
    pub(crate) traits: Traits,
    pub(crate) content: Content,
    /// For /proc: `[heap]`, `[stack]` and the like.
    pub(crate) name: &'static [u8],
}

impl MappingEntry {
    pub(crate) fn is_shared(&self) -> bool {
        self.traits.contains(Traits::SHARED)
    }

    /// The part that lies in `range`; `None` if it does not meet it.
    pub(crate) fn part(&self, range: PageRange) -> Option<Self> {
        let start = self.range.start().max(range.start());
        let end = self.range.end().min(range.end());
        let part = PageRange::new(start, end.checked_sub(start)?)?;
        Some(Self {
            range: part,
            content: self.content.clone().advanced(start - self.range.start()),
            ..*self
        })
    }

    /// What is left of it before and behind `range`, which lies in it.
    pub(crate) fn without(&self, range: PageRange) -> Vec<Self> {
        let before = PageRange::new(self.range.start(), range.start() - self.range.start());
        let behind = PageRange::new(range.end(), self.range.end() - range.end());
        let parts = before.into_iter().chain(behind);
        parts.filter_map(|part| self.part(part)).collect()
    }

    /// Whether it and another space's mapping of the same page can show the same page: a shared one, or one that nobody may write to.
    pub(crate) fn shows_as(&self, other: &Self) -> bool {
        if self.is_shared() != other.is_shared() {
            return false;
        }
        let is_read_only =
            self.protection == other.protection && !self.protection.contains(Protection::READ_WRITE);
        let same_content = other.content.follows(&self.content, 0);
        same_content && (self.is_shared() || (is_read_only && self.content.file().is_some()))
    }

    /// The addresses at which it shows these bytes of a shared file, if it shows all of them.
    pub(crate) fn place_of(&self, file: &Arc<SharedFile>, offset: u64, len: u64) -> Option<PageRange> {
        let Content::Shared {
            file: own,
            offset: first,
        } = &self.content
        else {
            return None;
        };
        let distance = offset.checked_sub(*first).filter(|_| Arc::ptr_eq(own, file))?;
        let place = PageRange::new(self.range.start().checked_add(distance)?, len)?;
        (place.end() <= self.range.end()).then_some(place)
    }

    /// Whether `next` continues it, so that both can be one.
    pub(crate) fn continues_as(&self, next: &Self) -> bool {
        self.range.end() == next.range.start()
            && self.protection == next.protection
            && self.traits == next.traits
            && self.name == next.name
            && next.content.follows(&self.content, self.range.len())
    }

    /// Where in the file the page at `address` comes from.
    pub(crate) fn offset_of(&self, address: u64) -> u64 {
        let offset = self.content.file().map_or(0, |(_, offset)| offset);
        offset + (address - self.range.start())
    }

    /// The part of `range`, which lies in it, that is not wholly behind the end of the file.
    pub(crate) fn within_file(&self, range: PageRange) -> Option<PageRange> {
        let Some((file, offset)) = self.content.file() else {
            return Some(range);
        };
        let len = file.len().saturating_sub(offset);
        let end = len
            .checked_next_multiple_of(enclave_layout::PAGE_SIZE)
            .and_then(|len| self.range.start().checked_add(len))
            .map_or(range.end(), |end| end.min(range.end()));
        PageRange::new(range.start(), end.checked_sub(range.start())?)
    }
}
