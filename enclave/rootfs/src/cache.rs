//! Verified blocks in memory: a bounded, set-associative cache.
//!
//! A block may lie in one set only, in one of [`WAYS`] places. So a look-up compares eight numbers under a lock that
//! nobody else is likely to want, and needs no tree, no list and no resizing. Within a set the oldest block that was not
//! asked for lately goes first (the clock algorithm). Rejected: one map with a list of uses, whose lock every reader of
//! every file would take.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU8, Ordering};

use rootfs_format::{BLOCK_SIZE, Block};

use crate::{Error, VerifiedBlocks};

/// Places in a set.
const WAYS: usize = 8;

/// A lock of the caller's: this crate cannot make threads wait. Held for a few instructions at a time.
pub trait Lock<T> {
    /// An open lock around `value`.
    fn new(value: T) -> Self;

    /// Runs `f` on the value while nobody else does.
    fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R;
}

/// What one lock of a cache protects.
pub struct CacheSet {
    /// Which block is in each place; it means nothing where `pages` is `None`.
    tags: [u64; WAYS],
    pages: [Option<Arc<Block>>; WAYS],
    /// A bit for each place: asked for since the hand last passed.
    used: u8,
    /// The place where the search for one to give up begins.
    hand: usize,
}
const _: () = assert!(WAYS == u8::BITS as usize);

impl CacheSet {
    const fn new() -> Self {
        Self {
            tags: [0; WAYS],
            pages: [const { None }; WAYS],
            used: 0,
            hand: 0,
        }
    }

    fn lookup(&mut self, index: u64) -> Option<Arc<Block>> {
        let way = self.place(index)?;
        self.used |= 1 << way;
        self.pages.get(way)?.clone()
    }

    fn place(&self, index: u64) -> Option<usize> {
        let mut places = self.tags.iter().zip(&self.pages);
        places.position(|(tag, page)| *tag == index && page.is_some())
    }

    /// Takes `page` in; gives back what had to leave for it, to be freed outside the lock.
    fn insert(&mut self, index: u64, page: Arc<Block>) -> Option<Arc<Block>> {
        // Another reader may have been faster; two places for one block would waste one.
        let way = self.place(index).unwrap_or_else(|| self.victim());
        if let (Some(tag), Some(slot)) = (self.tags.get_mut(way), self.pages.get_mut(way)) {
            *tag = index;
            return slot.replace(page);
        }
        Some(page)
    }

    /// The next place that was not asked for since the hand passed it; the hand makes two rounds at most.
    fn victim(&mut self) -> usize {
        while self.used & (1 << self.hand) != 0 {
            self.used &= !(1 << self.hand);
            self.hand = (self.hand + 1) % WAYS;
        }
        let way = self.hand;
        self.hand = (self.hand + 1) % WAYS;
        way
    }
}

/// Blocks by number.
pub(crate) struct PageCache<L> {
    sets: Box<[L]>,
}

impl<L: Lock<CacheSet>> PageCache<L> {
    /// A cache of about `pages` blocks, which take memory when they come; 0 means that nothing is kept.
    pub(crate) fn new(pages: usize) -> Self {
        let sets = (0..pages.div_ceil(WAYS))
            .map(|_| L::new(CacheSet::new()))
            .collect();
        Self { sets }
    }

    /// Neighbouring blocks go to neighbouring sets, so that a range as long as the cache fits it exactly.
    fn set(&self, index: u64) -> Option<&L> {
        let set = index.checked_rem(self.sets.len() as u64)?;
        self.sets.get(usize::try_from(set).ok()?)
    }

    pub(crate) fn lookup(&self, index: u64) -> Option<Arc<Block>> {
        self.set(index)?.with(|set| set.lookup(index))
    }

    /// Whether the block is there; this does not count as a use.
    pub(crate) fn has(&self, index: u64) -> bool {
        self.set(index)
            .is_some_and(|set| set.with(|set| set.place(index).is_some()))
    }

    pub(crate) fn insert(&self, index: u64, page: Arc<Block>) {
        if let Some(set) = self.set(index) {
            let evicted = set.with(|set| set.insert(index, page));
            drop(evicted);
        }
    }
}

/// A block of zeros on the heap. Not inlined, so that callers do not carry a block on their stack.
#[inline(never)]
pub(crate) fn new_page() -> Arc<Block> {
    Arc::new([0; BLOCK_SIZE])
}

/// Verified blocks with a cache in front.
pub(crate) struct BlockCache<B, L> {
    blocks: B,
    cache: PageCache<L>,
    /// A bit for each block: read past the cache before.
    passed: Box<[AtomicU8]>,
}

impl<B: VerifiedBlocks, L: Lock<CacheSet>> BlockCache<B, L> {
    pub(crate) fn new(blocks: B, pages: usize) -> Self {
        let bytes = usize::try_from(blocks.blocks().div_ceil(8)).unwrap_or(0);
        Self {
            passed: (0..bytes).map(|_| AtomicU8::new(0)).collect(),
            blocks,
            cache: PageCache::new(pages),
        }
    }

    pub(crate) fn blocks(&self) -> u64 {
        self.blocks.blocks()
    }

    /// The block of this number, which stays in the cache.
    pub(crate) fn page(&self, index: u64) -> Result<Arc<Block>, Error> {
        if let Some(page) = self.cache.lookup(index) {
            return Ok(page);
        }
        let mut page = new_page();
        // Nobody else has this page yet, so this is the page itself and no copy.
        self.blocks.read_block(index, Arc::make_mut(&mut page))?;
        self.cache.insert(index, page.clone());
        Ok(page)
    }

    /// The block of this number, if it is in the cache.
    pub(crate) fn cached(&self, index: u64) -> Option<Arc<Block>> {
        self.cache.lookup(index)
    }

    /// As [`Self::page`], for a block that `following` more of the same file follow. If its predecessor is in the cache, as in a
    /// sequential read, the next one is verified along with it, which takes less time than each alone.
    pub(crate) fn page_of_run(&self, index: u64, following: u64) -> Result<Arc<Block>, Error> {
        if let Some(page) = self.cache.lookup(index) {
            return Ok(page);
        }
        let is_sequential = index.checked_sub(1).is_some_and(|before| self.cache.has(before));
        let next = index.saturating_add(1);
        if following == 0 || !is_sequential || self.cache.has(next) {
            return self.page(index);
        }
        let [mut page, mut ahead] = [new_page(), new_page()];
        let pair = [Arc::make_mut(&mut page), Arc::make_mut(&mut ahead)];
        if self.blocks.read_pair(index, pair).is_err() {
            // It may be the next one that is bad, and nobody has asked for that.
            return self.page(index);
        }
        self.cache.insert(index, page.clone());
        self.cache.insert(next, ahead);
        Ok(page)
    }

    /// As [`Self::read_past`], for two blocks that follow each other.
    pub(crate) fn read_pair_past(&self, index: u64, [first, second]: [&mut Block; 2]) -> Result<(), Error> {
        let next = index.saturating_add(1);
        if self.cache.has(index) || self.cache.has(next) {
            self.read_past(index, first)?;
            return self.read_past(next, second);
        }
        self.blocks.read_pair(index, [first, second])?;
        self.keep_if_passed(index, first);
        self.keep_if_passed(next, second);
        Ok(())
    }

    /// Reads the block into `out`, from the cache if it is there, else past it: `out` is where it is verified. What is read like this
    /// a second time enters the cache: a library that each new process maps is verified twice, and what streams by once displaces
    /// nothing.
    pub(crate) fn read_past(&self, index: u64, out: &mut Block) -> Result<(), Error> {
        if let Some(page) = self.cache.lookup(index) {
            out.copy_from_slice(page.as_slice());
            return Ok(());
        }
        self.blocks.read_block(index, out)?;
        self.keep_if_passed(index, out);
        Ok(())
    }

    /// Puts a block into the cache if it was read past it before, and notes that it has been now.
    fn keep_if_passed(&self, index: u64, block: &Block) {
        if self.has_passed(index) {
            let mut page = new_page();
            Arc::make_mut(&mut page).copy_from_slice(block);
            self.cache.insert(index, page);
        }
        self.note_passed(index);
    }

    /// Whether the block was read past the cache before.
    fn has_passed(&self, index: u64) -> bool {
        let byte = self.passed_byte(index);
        byte.is_some_and(|(byte, bit)| byte.load(Ordering::Relaxed) & bit != 0)
    }

    fn note_passed(&self, index: u64) {
        if let Some((byte, bit)) = self.passed_byte(index) {
            byte.fetch_or(bit, Ordering::Relaxed);
        }
    }

    /// The byte of [`Self::passed`] that has the block's bit, and the bit.
    fn passed_byte(&self, index: u64) -> Option<(&AtomicU8, u8)> {
        let byte = self.passed.get(usize::try_from(index / 8).ok()?)?;
        Some((byte, 1 << (index % 8)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    impl<T> Lock<T> for Mutex<T> {
        fn new(value: T) -> Self {
            Mutex::new(value)
        }

        fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
            f(&mut self.lock().unwrap())
        }
    }

    fn page(byte: u8) -> Arc<Block> {
        Arc::new([byte; BLOCK_SIZE])
    }

    #[test]
    fn a_range_as_long_as_the_cache_stays() {
        let cache = PageCache::<Mutex<CacheSet>>::new(64);
        (1000..1064).for_each(|index| cache.insert(index, page(index as u8)));
        for index in 1000..1064 {
            assert_eq!(cache.lookup(index).unwrap()[0], index as u8);
        }
        assert!(cache.lookup(999).is_none());
    }

    #[test]
    fn what_is_asked_for_outlives_what_streams_past() {
        let cache = PageCache::<Mutex<CacheSet>>::new(WAYS);
        cache.insert(7, page(7));
        for index in 100..1000 {
            assert!(cache.lookup(7).is_some());
            cache.insert(index, page(0));
        }
        assert!(cache.lookup(100).is_none());
    }

    #[test]
    fn a_block_that_two_readers_bring_takes_one_place() {
        let cache = PageCache::<Mutex<CacheSet>>::new(WAYS);
        (0..WAYS as u64).for_each(|index| cache.insert(index, page(0)));
        cache.insert(3, page(1));
        assert_eq!(cache.lookup(3).unwrap()[0], 1);
        assert!((0..WAYS as u64).all(|index| cache.lookup(index).is_some()));
    }

    /// Blocks that count how often each is verified.
    struct Counted(Mutex<Vec<u64>>);

    impl VerifiedBlocks for Counted {
        fn read_block(&self, index: u64, out: &mut Block) -> Result<(), Error> {
            self.0.lock().unwrap().push(index);
            out.fill(index as u8);
            Ok(())
        }

        fn blocks(&self) -> u64 {
            100
        }
    }

    #[test]
    fn what_passes_twice_stays() {
        let cache = BlockCache::<_, Mutex<CacheSet>>::new(Counted(Mutex::default()), 64);
        let mut block = [0; BLOCK_SIZE];
        for _ in 0..4 {
            cache.read_past(5, &mut block).unwrap();
            assert_eq!(block, [5; BLOCK_SIZE]);
        }
        cache.read_past(99, &mut block).unwrap();
        assert_eq!(
            *cache.blocks.0.lock().unwrap(),
            [5, 5, 99],
            "verified twice, then cached"
        );
    }

    #[test]
    fn a_sequential_read_verifies_the_next_block_along() {
        let cache = BlockCache::<_, Mutex<CacheSet>>::new(Counted(Mutex::default()), 64);
        for index in 10..15 {
            assert_eq!(cache.page_of_run(index, 14 - index).unwrap()[0], index as u8);
        }
        cache.page_of_run(40, 9).unwrap();
        let read = std::mem::take(&mut *cache.blocks.0.lock().unwrap());
        assert_eq!(
            read,
            [10, 11, 12, 13, 14, 40],
            "each once, and none behind the end"
        );
    }

    #[test]
    fn two_blocks_that_pass_twice_stay() {
        let cache = BlockCache::<_, Mutex<CacheSet>>::new(Counted(Mutex::default()), 64);
        let [mut first, mut second] = [[0; BLOCK_SIZE]; 2];
        for _ in 0..4 {
            cache.read_pair_past(6, [&mut first, &mut second]).unwrap();
            assert_eq!((first[0], second[0]), (6, 7));
        }
        assert_eq!(*cache.blocks.0.lock().unwrap(), [6, 7, 6, 7]);
    }

    #[test]
    fn no_places_no_cache() {
        let cache = PageCache::<Mutex<CacheSet>>::new(0);
        cache.insert(1, page(1));
        assert!(cache.lookup(1).is_none());
    }
}
