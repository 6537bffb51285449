//! Where the pages of parked spaces are kept: frames, which are pages of the arena that no space maps.

use alloc::vec::Vec;

use enclave_layout::PAGE_SIZE;
use host_abi::PageRange;
use kobject::{Errno, Result};

use crate::arena::{Account, Arena};

/// The address of a page that keeps the bytes of another one.
pub(crate) type Frame = u64;

/// How many frames are made at once.
const CHUNK: u64 = 64;
/// How many free ones are kept: the next fork takes them.
const MAX_FREE: usize = 4096;

/// The frames that are free: committed, readable and writable, with old bytes.
pub(crate) struct Stash {
    free: Vec<Frame>,
}

impl Stash {
    pub(crate) const fn new() -> Self {
        Self { free: Vec::new() }
    }
}

impl Arena {
    /// Takes as many frames; their bytes are anything. ENOMEM, and then none is taken.
    pub(crate) fn take_frames(&self, count: usize) -> Result<Vec<Frame>> {
        let mut stash = self.stash.lock();
        while stash.free.len() < count {
            let missing = (count - stash.free.len()) as u64;
            let len = missing.next_multiple_of(CHUNK) * PAGE_SIZE;
            let chunk = self.ranges.lock().take_for_frames(len).ok_or(Errno::ENOMEM)?;
            if let Err(error) = self.commit_zeroed(chunk, &mut Account::unlimited()) {
                self.discard(chunk, &mut Account::unlimited());
                self.ranges.lock().give_back(chunk);
                return Err(error);
            }
            stash.free.extend(chunk.pages());
        }
        let rest = stash.free.len() - count;
        Ok(stash.free.split_off(rest))
    }

    /// Takes one frame.
    pub(crate) fn take_frame(&self) -> Result<Frame> {
        self.take_frames(1)?.pop().ok_or(Errno::ENOMEM)
    }

    /// Gives frames back. What is more than is worth keeping goes back to the host.
    pub(crate) fn give_frames(&self, frames: impl IntoIterator<Item = Frame>) {
        let mut stash = self.stash.lock();
        stash.free.extend(frames);
        if stash.free.len() <= MAX_FREE {
            return;
        }
        stash.free.sort_unstable();
        let excess = stash.free.split_off(MAX_FREE / 2);
        drop(stash);
        for run in runs(&excess) {
            self.discard(run, &mut Account::unlimited());
            self.ranges.lock().give_back(run);
        }
    }
}

/// Runs of neighbours among sorted addresses of pages.
pub(crate) fn runs(pages: &[u64]) -> impl Iterator<Item = PageRange> {
    let groups = pages.chunk_by(|before, next| before + PAGE_SIZE == *next);
    groups.filter_map(|group| PageRange::new(*group.first()?, group.len() as u64 * PAGE_SIZE))
}
