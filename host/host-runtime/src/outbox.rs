//! What the enclave's threads have posted ([`host_abi::Posted`]), and the thread that watches it.
//!
//! A thread's own host thread sends it at each call. While streams are busy, the *watcher* looks as well, for threads that compute for
//! long after they posted something. It begins when two small pieces are sent by calls of their own within its period, and ends when
//! nothing has been posted for a while.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use host_abi::{HostFd, OUTBOX_SIZE, Posted, WATCH_NANOSECONDS};

use crate::backlog::Backlog;
use crate::kernel;

/// After so many looks without anything posted, the watcher ends.
const IDLE_LOOKS: u32 = 100;
/// Bytes of the watcher's stack.
const STACK_SIZE: usize = 64 * 1024;

/// A thread's outbox: memory that the enclave writes.
#[derive(Debug)]
pub(crate) struct Outbox {
    address: u64,
    sent: Mutex<Sent>,
    /// How many pieces were ever sent.
    total: AtomicU64,
}

/// What of an outbox has been sent since the thread's last call.
#[derive(Debug, Default)]
struct Sent {
    count: usize,
    /// Where the next piece begins.
    at: usize,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panic leaves behind is a piece that is sent once more.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Outbox {
    /// # Safety
    /// `address` is that of [`OUTBOX_SIZE`] bytes, mapped for as long as the process lives.
    pub(crate) unsafe fn new(address: u64) -> Self {
        Self {
            address,
            sent: Mutex::default(),
            total: AtomicU64::new(0),
        }
    }

    fn at(&self, offset: usize) -> *mut u8 {
        let base = std::ptr::with_exposed_provenance_mut::<u8>(self.address as usize);
        // SAFETY: offsets are those of `Posted`, within the outbox.
        unsafe { base.add(offset.min(OUTBOX_SIZE)) }
    }

    /// How many pieces there are. What is in them was written before.
    fn count(&self) -> usize {
        let word = self.at(Posted::COUNT_OFFSET).cast::<AtomicU64>();
        // SAFETY: an aligned word of the outbox, which the enclave writes at any time.
        let count = unsafe { &*word }.load(Ordering::Acquire);
        (count as usize).min(Posted::MAX_COUNT)
    }

    fn set_word(&self, offset: usize, value: u64) {
        let word = self.at(offset).cast::<AtomicU64>();
        // SAFETY: as above.
        unsafe { &*word }.store(value, Ordering::SeqCst);
    }

    fn word(&self, offset: usize) -> u64 {
        let word = self.at(offset).cast::<AtomicU64>();
        // SAFETY: as above.
        unsafe { &*word }.load(Ordering::SeqCst)
    }

    /// Sends what there is, and empties the outbox. For the host thread of its own thread, at a call, when that thread posts nothing.
    pub(crate) fn empty(&self, watcher: &Watcher, send: &dyn Fn(HostFd, u64, usize) -> i64) {
        watcher.show(self);
        if self.count() == 0 {
            return;
        }
        let mut sent = lock(&self.sent);
        self.send_pieces(&mut sent, send);
        *sent = Sent::default();
        self.set_word(Posted::COUNT_OFFSET, 0);
    }

    /// Sends what there is. For any thread, at any time.
    pub(crate) fn send(&self, send: &dyn Fn(HostFd, u64, usize) -> i64) {
        if self.count() > 0 {
            self.send_pieces(&mut lock(&self.sent), send);
        }
    }

    fn send_pieces(&self, sent: &mut Sent, send: &dyn Fn(HostFd, u64, usize) -> i64) {
        while sent.count < self.count() {
            let entry = self.at(Posted::ENTRIES_OFFSET + sent.count * Posted::SIZE);
            // SAFETY: an entry of the outbox; the enclave may write it, and what is read is checked.
            let posted = Posted::from_bytes(unsafe { entry.cast::<[u8; Posted::SIZE]>().read_volatile() });
            let room = Posted::ROOM - sent.at;
            let (result, len) = match posted {
                Some(Posted { fd, len, .. }) if len as usize <= room => {
                    let data = self.at(Posted::DATA_OFFSET + sent.at) as u64;
                    (send(fd, data, len as usize), len as usize)
                }
                // No piece of our enclave's.
                _ => (kernel::error(libc::EINVAL), 0),
            };
            // SAFETY: the last word of the entry, aligned.
            let place = unsafe { entry.add(Posted::RESULT_OFFSET) };
            // SAFETY: as above.
            unsafe { place.cast::<i64>().write_volatile(result) };
            sent.count += 1;
            sent.at = (sent.at + len)
                .next_multiple_of(Posted::ALIGNMENT)
                .min(Posted::ROOM);
            self.total.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Whether the outboxes are watched.
#[derive(Debug, Default)]
pub(crate) struct Watcher {
    watches: AtomicBool,
    /// When a small piece was last sent by a call of its own: CLOCK_MONOTONIC in nanoseconds.
    last_sent: AtomicU64,
    started: Mutex<bool>,
    wanted: Condvar,
}

impl Watcher {
    /// Says in an outbox whether it is watched; the enclave sees it when it is back.
    fn show(&self, outbox: &Outbox) {
        let watches = self.watches.load(Ordering::SeqCst);
        if outbox.word(Posted::WATCHED_OFFSET) == u64::from(watches) {
            return;
        }
        outbox.set_word(Posted::WATCHED_OFFSET, watches.into());
        // The watcher may have ended in between, and said so in this outbox before.
        if !self.watches.load(Ordering::SeqCst) {
            outbox.set_word(Posted::WATCHED_OFFSET, 0);
        }
    }

    /// A small piece is sent by a call of its own: where that happens often, pieces are better posted.
    pub(crate) fn note_send(&self, start: impl FnOnce() -> std::io::Result<()>) {
        if self.watches.load(Ordering::Relaxed) {
            return;
        }
        let now = kernel::monotonic();
        let last = self.last_sent.swap(now, Ordering::Relaxed);
        if now.saturating_sub(last) > WATCH_NANOSECONDS {
            return;
        }
        let mut started = lock(&self.started);
        if !*started {
            // Without a watcher, all is sent by calls.
            *started = start().is_ok();
        }
        if *started {
            self.watches.store(true, Ordering::SeqCst);
            self.wanted.notify_one();
        }
    }

    /// Starts the watcher's thread.
    pub(crate) fn spawn(body: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
        let builder = std::thread::Builder::new().name("outboxes".to_owned());
        builder.stack_size(STACK_SIZE).spawn(body).map(drop)
    }

    /// Watches, whenever that is wanted, the outboxes that `outboxes` gives.
    pub(crate) fn watch<'a, I: Iterator<Item = &'a Outbox>>(
        &self,
        backlog: &Backlog,
        outboxes: impl Fn() -> I,
        send: &dyn Fn(HostFd, u64, usize) -> i64,
    ) {
        loop {
            let mut started = lock(&self.started);
            while !self.watches.load(Ordering::SeqCst) {
                started = self.wanted.wait(started).unwrap_or_else(PoisonError::into_inner);
            }
            drop(started);
            let mut before: Vec<(usize, u64)> = Vec::new();
            let mut idle = 0;
            while idle < IDLE_LOOKS || !backlog.is_empty() {
                backlog.wait(Duration::from_nanos(WATCH_NANOSECONDS));
                let state = |outbox: &Outbox| (outbox.count(), outbox.total.load(Ordering::Relaxed));
                let now: Vec<_> = outboxes().map(state).collect();
                idle = if now == before { idle + 1 } else { 0 };
                for (outbox, (state, old)) in outboxes().zip(now.iter().zip(&before)) {
                    // It has lain here for a period: its thread makes no calls.
                    if state.0 > 0 && state == old {
                        outbox.send(send);
                    }
                }
                before = now;
            }
            self.watches.store(false, Ordering::SeqCst);
            for outbox in outboxes() {
                outbox.set_word(Posted::WATCHED_OFFSET, 0);
            }
            // What was posted before its thread could see that.
            outboxes().for_each(|outbox| outbox.send(send));
        }
    }
}
