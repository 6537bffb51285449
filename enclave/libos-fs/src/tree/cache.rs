//! Which names of the image are in memory only because somebody looked them up, and may be forgotten.
//!
//! A clock over all of them: the oldest goes unless it was looked up since the hand last passed. What was changed stays (see
//! [`super::Tree::forget`]), but leaves the clock.

use alloc::collections::VecDeque;
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicUsize, Ordering};

use kobject::Mutex;

use crate::dentry::Dentry;

/// Most names that may be forgotten but are not; each takes about half a kilobyte with its inode.
const MAX_CACHED: usize = 8192;

/// How many the hand passes at once when there are too many.
const STEP: usize = 64;

pub(super) struct Cache {
    clock: Mutex<VecDeque<Weak<Dentry>>>,
    len: AtomicUsize,
}

/// What became of a name that was to be forgotten.
pub(super) enum Fate {
    /// Out of the table, or never to be forgotten.
    Gone,
    /// In use.
    Kept,
}

impl Cache {
    pub(super) const fn new() -> Self {
        Self {
            clock: Mutex::new(VecDeque::new()),
            len: AtomicUsize::new(0),
        }
    }

    /// Takes in a name that was looked up in the image.
    pub(super) fn add(&self, dentry: &Arc<Dentry>) {
        let mut clock = self.clock.lock();
        clock.push_back(Arc::downgrade(dentry));
        self.len.store(clock.len(), Ordering::Relaxed);
    }

    /// Brings the number down, if it is too high. `forget` takes a name out of its directory's table.
    pub(super) fn shrink(&self, forget: impl Fn(&Arc<Dentry>) -> Fate) {
        if self.len.load(Ordering::Relaxed) <= MAX_CACHED {
            return;
        }
        let mut kept = VecDeque::new();
        for _ in 0..STEP {
            let oldest = self.clock.lock().pop_front();
            let Some(oldest) = oldest else { break };
            let Some(dentry) = oldest.upgrade() else { continue };
            if dentry.take_used() {
                kept.push_back(oldest);
            } else if let Fate::Kept = forget(&dentry) {
                kept.push_back(oldest);
            }
        }
        let mut clock = self.clock.lock();
        clock.append(&mut kept);
        self.len.store(clock.len(), Ordering::Relaxed);
    }
}
