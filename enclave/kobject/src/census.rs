//! How many wait, so that whoever would wake them need not look for them if there are none.
//!
//! A waiter enters, then looks whether it has to wait. A waker changes what they look at, then asks whether anybody is there. Both put a
//! full barrier between the two: without it both could read before either's write is seen, and the waiter would sleep for ever.
//! `tests/interleavings` runs every order of both sides.

#[cfg(not(loom))]
use core::sync::atomic::{AtomicU32, Ordering, fence};
#[cfg(loom)]
use loom::sync::atomic::{AtomicU32, Ordering, fence};

/// A count of those who wait.
pub struct Census(AtomicU32);

impl Default for Census {
    fn default() -> Self {
        Self::new()
    }
}

impl Census {
    /// Nobody waits.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// As above; loom's atomics are not constant.
    #[cfg(loom)]
    pub fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// One more waits, from before it looks whether it has to.
    pub fn enter(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// One less waits.
    pub fn leave(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether nobody waits for what the caller has changed before.
    pub fn is_empty(&self) -> bool {
        fence(Ordering::SeqCst);
        self.0.load(Ordering::Relaxed) == 0
    }
}
