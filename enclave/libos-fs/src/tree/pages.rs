//! The pages of a file: what was written, over what the image has.
//!
//! A page that is being read is shared ([`Arc`]), so no lock is held while its bytes go to a program; whoever writes to a shared page
//! replaces it by a changed copy.

use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::sync::Arc;

use kobject::{Errno, Result};

use super::Budget;

/// Bytes of a page.
pub(super) const PAGE: u64 = enclave_layout::PAGE_SIZE;

pub(super) type Page = [u8; PAGE as usize];

/// A page of zeros. Not inlined, so that callers do not carry a page on their stacks.
#[inline(never)]
pub(super) fn zero_page() -> Arc<Page> {
    Arc::new([0; PAGE as usize])
}

/// What is at a place of a file.
pub(super) enum Piece {
    /// This page.
    Page(Arc<Page>),
    /// Zeros, up to this position at least.
    Hole(u64),
    /// What the image has, up to this position at least.
    Image(u64),
}

/// What is kept of a page.
enum Kept {
    Page(Arc<Page>),
    /// Zeros, for which memory has been promised (`fallocate`).
    Reserved,
    /// A hole where the image would show otherwise.
    Hole,
}

impl Kept {
    /// Whether memory is counted for it.
    fn counts(&self) -> bool {
        !matches!(self, Self::Hole)
    }
}

/// A file's pages.
#[derive(Default)]
pub(super) struct Pages {
    /// By number.
    pages: BTreeMap<u64, Kept>,
    /// How many are there or reserved.
    count: u64,
    /// Bytes of the image's file that still show where no page is.
    image: u64,
}

impl Pages {
    pub(super) fn of_image(len: u64) -> Self {
        Self {
            image: len,
            ..Self::default()
        }
    }

    /// How many there are or are reserved.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// As many, with those of the image that show.
    pub(super) fn shown(&self) -> u64 {
        let image = self.image.div_ceil(PAGE);
        // Only of a file of the image that was changed is anything counted here.
        self.count + image - self.pages.range(..image).count() as u64
    }

    /// Whether the page of this number is there.
    pub(super) fn has(&self, index: u64) -> bool {
        matches!(self.pages.get(&index), Some(Kept::Page(_)))
    }

    /// Bytes of the image's file that show.
    pub(super) fn image(&self) -> u64 {
        self.image
    }

    /// Whether the file is as in the image, as far as pages go.
    pub(super) fn is_untouched(&self) -> bool {
        self.pages.is_empty()
    }

    /// What is at `position`.
    pub(super) fn piece(&self, position: u64) -> Piece {
        let index = position / PAGE;
        match self.pages.get(&index) {
            Some(Kept::Page(page)) => return Piece::Page(page.clone()),
            Some(Kept::Reserved | Kept::Hole) => return Piece::Hole((index + 1) * PAGE),
            None => {}
        }
        let next = self.pages.range(index..).next();
        let next = next.map_or(u64::MAX, |(index, _)| index * PAGE);
        match position < self.image {
            true => Piece::Image(next.min(self.image)),
            false => Piece::Hole(next),
        }
    }

    /// Whether `position` is in data rather than a hole.
    pub(super) fn is_data(&self, position: u64) -> bool {
        !matches!(self.piece(position), Piece::Hole(_))
    }

    /// The page of this number, if it is there, to write to.
    pub(super) fn page_mut(&mut self, index: u64) -> Option<&mut Page> {
        match self.pages.get_mut(&index)? {
            Kept::Page(page) => Some(Arc::make_mut(page)),
            Kept::Reserved | Kept::Hole => None,
        }
    }

    /// Puts a page where none is; ENOSPC.
    pub(super) fn put(&mut self, index: u64, page: Arc<Page>, budget: &Budget) -> Result<()> {
        if !self.pages.get(&index).is_some_and(Kept::counts) {
            budget.take(PAGE)?;
            self.count += 1;
        }
        self.pages.insert(index, Kept::Page(page));
        Ok(())
    }

    /// Reserves memory for the pages of these numbers that are not there; ENOSPC, and then nothing has changed.
    pub(super) fn reserve(&mut self, range: core::ops::Range<u64>, budget: &Budget) -> Result<()> {
        let of_image = self.image.div_ceil(PAGE);
        // What the image shows is there already.
        let end_of_image = of_image.clamp(range.start, range.end);
        let kept_of_image = self.pages.range(range.start..end_of_image).count() as u64;
        let shown = end_of_image - range.start - kept_of_image;
        let kept = self.pages.range(range.clone());
        let counted = kept.filter(|(_, kept)| kept.counts()).count() as u64;
        let missing = range.end - range.start - shown - counted;
        budget.take(missing.checked_mul(PAGE).ok_or(Errno::ENOSPC)?)?;
        self.count += missing;
        for index in range {
            match self.pages.entry(index) {
                Entry::Vacant(place) if index >= of_image => drop(place.insert(Kept::Reserved)),
                Entry::Occupied(mut place) if !place.get().counts() => *place.get_mut() = Kept::Reserved,
                _ => {}
            }
        }
        Ok(())
    }

    /// Makes a whole page a hole.
    pub(super) fn punch(&mut self, index: u64, budget: &Budget) {
        let old = if index.saturating_mul(PAGE) < self.image {
            self.pages.insert(index, Kept::Hole)
        } else {
            self.pages.remove(&index)
        };
        if old.is_some_and(|old| old.counts()) {
            self.forget(1, budget);
        }
    }

    /// The numbers of the pages (and of the holes in the image) in a range.
    pub(super) fn numbers(&self, range: core::ops::Range<u64>) -> impl Iterator<Item = u64> {
        self.pages.range(range).map(|(index, _)| *index)
    }

    /// Drops all that lies behind `len`; the rest of its page becomes zeros.
    pub(super) fn truncate(&mut self, len: u64, budget: &Budget) {
        let behind = self.pages.split_off(&len.div_ceil(PAGE));
        let pages = behind.values().filter(|kept| kept.counts()).count() as u64;
        self.forget(pages, budget);
        self.image = self.image.min(len);
        let within = (len % PAGE) as usize;
        if within > 0
            && let Some(page) = self.page_mut(len / PAGE)
            && let Some(rest) = page.get_mut(within..)
        {
            rest.fill(0);
        }
    }

    fn forget(&mut self, pages: u64, budget: &Budget) {
        self.count -= pages;
        budget.give_back(pages * PAGE);
    }
}
