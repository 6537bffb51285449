//! CPU time: how long threads ran, as far as the enclave can know it.
//!
//! A thread's time runs while it has its place in memory, and stops while it waits: in the host, for another thread, or for its
//! process's turn. What the host takes from it by running something else cannot be known inside, so it counts. All of it is user time.

use core::sync::atomic::{AtomicU64, Ordering};

use kobject::{SpinLock, clock};

/// How long a thread ran.
pub(crate) struct Meter(SpinLock<State>);

#[derive(Clone, Copy)]
struct State {
    /// Nanoseconds up to the last stop.
    spent: u64,
    /// Since when it runs, on CLOCK_MONOTONIC.
    since: Option<u64>,
}

impl Meter {
    /// Of a thread that has not begun.
    pub(crate) const fn new() -> Self {
        let (spent, since) = (0, None);
        Self(SpinLock::new(State { spent, since }))
    }

    /// The thread runs.
    pub(crate) fn start(&self) {
        let now = clock::monotonic();
        self.0.lock().since.get_or_insert(now);
    }

    /// The thread waits.
    pub(crate) fn stop(&self) {
        let now = clock::monotonic();
        let mut state = self.0.lock();
        if let Some(since) = state.since.take() {
            state.spent += now.saturating_sub(since);
        }
    }

    /// Nanoseconds.
    pub(crate) fn total(&self) -> u64 {
        self.at(clock::monotonic())
    }

    /// What it shows goes over to somebody else: it begins at 0 again.
    pub(crate) fn take(&self, now: u64) -> u64 {
        let mut state = self.0.lock();
        let total = state.at(now);
        state.spent = 0;
        state.since = state.since.map(|_| now);
        total
    }

    /// Nanoseconds at this time on CLOCK_MONOTONIC.
    pub(crate) fn at(&self, now: u64) -> u64 {
        self.0.lock().at(now)
    }
}

impl State {
    fn at(&self, now: u64) -> u64 {
        let State { spent, since } = *self;
        spent + since.map_or(0, |since| now.saturating_sub(since))
    }
}

/// What a process keeps of the time of those that are gone, in nanoseconds.
#[derive(Default)]
pub(crate) struct Gone {
    threads: AtomicU64,
    children: AtomicU64,
}

impl Gone {
    /// Of threads that have ended.
    pub(crate) fn threads(&self) -> u64 {
        self.threads.load(Ordering::Relaxed)
    }

    /// A thread has ended.
    pub(crate) fn add_thread(&self, time: u64) {
        self.threads.fetch_add(time, Ordering::Relaxed);
    }

    /// Of children that were waited for, and of theirs.
    pub(crate) fn children(&self) -> u64 {
        self.children.load(Ordering::Relaxed)
    }

    /// A child was waited for.
    pub(crate) fn add_child(&self, time: u64) {
        self.children.fetch_add(time, Ordering::Relaxed);
    }
}
