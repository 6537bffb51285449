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

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// An outbox, and the enclave's side of it.
    struct Enclave {
        outbox: Outbox,
        count: usize,
        at: usize,
    }

    impl Enclave {
        fn new() -> Self {
            let memory: &'static mut [u64] = vec![0; OUTBOX_SIZE / 8].leak();
            Self {
                // SAFETY: as many bytes, for ever.
                outbox: unsafe { Outbox::new(memory.as_mut_ptr().expose_provenance() as u64) },
                count: 0,
                at: 0,
            }
        }

        /// Posts a piece whose first byte is a number.
        fn post(&mut self, number: u8, len: usize) {
            let posted = Posted {
                fd: HostFd::STDIN,
                len: len as u32,
                result: 0,
            };
            let entry = self.outbox.at(Posted::ENTRIES_OFFSET + self.count * Posted::SIZE);
            // SAFETY: within the outbox.
            unsafe { entry.cast::<[u8; Posted::SIZE]>().write(posted.to_bytes()) };
            if self.at < Posted::ROOM {
                // SAFETY: as above.
                unsafe { self.outbox.at(Posted::DATA_OFFSET + self.at).write(number) };
            }
            self.at = (self.at + len).next_multiple_of(Posted::ALIGNMENT);
            self.count += 1;
            self.outbox.set_word(Posted::COUNT_OFFSET, self.count as u64);
        }

        fn is_watched(&self) -> bool {
            self.outbox.word(Posted::WATCHED_OFFSET) == 1
        }
    }

    /// Takes note of what is sent.
    #[derive(Default)]
    struct Network(Mutex<Vec<u8>>);

    impl Network {
        fn send(&self, address: u64, len: usize) -> i64 {
            if len > 0 {
                // SAFETY: a piece in an outbox.
                let number = unsafe { std::ptr::with_exposed_provenance::<u8>(address as usize).read() };
                self.0.lock().unwrap().push(number);
            }
            len as i64
        }

        fn sent(&self) -> Vec<u8> {
            self.0.lock().unwrap().clone()
        }
    }

    fn until(condition: impl Fn() -> bool) {
        let begin = Instant::now();
        while !condition() {
            assert!(begin.elapsed() < Duration::from_secs(30));
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn each_piece_is_sent_once_by_whoever_comes_first() {
        let (mut enclave, network, watcher) = (Enclave::new(), Network::default(), Watcher::default());
        let send = |_: HostFd, at, len| network.send(at, len);
        enclave.post(1, 10);
        enclave.post(2, 5000);
        enclave.outbox.send(&send);
        assert_eq!(network.sent(), [1, 2]);
        enclave.post(3, 1);
        enclave.outbox.send(&send);
        enclave.post(4, 16);
        enclave.outbox.empty(&watcher, &send);
        assert_eq!(network.sent(), [1, 2, 3, 4]);
        assert_eq!(enclave.outbox.count(), 0);
        enclave.outbox.send(&send);
        enclave.outbox.empty(&watcher, &send);
        assert_eq!(network.sent(), [1, 2, 3, 4]);
    }

    #[test]
    fn what_no_enclave_of_ours_posts_is_not_sent() {
        let (mut enclave, network, watcher) = (Enclave::new(), Network::default(), Watcher::default());
        let send = |_: HostFd, at, len| network.send(at, len);
        // There is room for four.
        for number in 0..5 {
            enclave.post(number, Posted::MAX_LEN);
        }
        enclave.outbox.set_word(Posted::COUNT_OFFSET, u64::MAX);
        enclave.outbox.empty(&watcher, &send);
        assert_eq!(network.sent(), [0, 1, 2, 3]);
        assert_eq!(enclave.outbox.count(), 0);
    }

    #[test]
    fn a_thread_that_computes_is_watched_while_streams_are_busy() {
        let mut enclave = Enclave::new();
        let network: &'static Network = Box::leak(Box::default());
        let watcher: &'static Watcher = Box::leak(Box::default());
        let backlog: &'static Backlog = Box::leak(Box::default());
        let address = enclave.outbox.address;
        let start = move || {
            Watcher::spawn(move || {
                // SAFETY: the memory of the outbox above.
                let same = unsafe { Outbox::new(address) };
                let send = |_: HostFd, at, len| network.send(at, len);
                watcher.watch(backlog, || std::iter::once(&same), &send);
            })
        };
        watcher.note_send(start);
        enclave.outbox.empty(watcher, &|_, at, len| network.send(at, len));
        assert!(!enclave.is_watched(), "one piece is no crowd");
        // On a busy machine two notes may be further apart than they should.
        until(|| {
            watcher.note_send(start);
            watcher.watches.load(Ordering::SeqCst)
        });
        watcher.show(&enclave.outbox);
        assert!(enclave.is_watched());
        enclave.post(7, 10);
        until(|| network.sent() == [7]);
        // Nobody posts anything any more.
        until(|| !enclave.is_watched());
        assert_eq!(network.sent(), [7]);
    }
}
