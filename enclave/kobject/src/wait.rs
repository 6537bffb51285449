//! Readiness, and waiting for it.
//!
//! An object that can become ready owns a [`WaitQueue`]. Whoever waits makes a [`Waiter`], subscribes it to each queue of
//! interest, looks at the objects' state, and sleeps; an object that changes wakes its queue *after* the change is visible.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering};

use enclave_rt::sync::SpinLock;
use enclave_rt::thread::{self, ThreadNumber};
use host_abi::{Errno, Wait};
use linux_abi::PollEvents;

use crate::{Census, Once, Result, clock};

/// What a thread does around a wait: it gives its place in memory away for so long.
pub trait Residence: Sync {
    /// The calling thread is going to wait: it does not touch its program's memory until [`Self::back`].
    fn away(&self);

    /// It has waited, and may touch it again. It holds no lock.
    fn back(&self);
}

static RESIDENCE: Once<&'static dyn Residence> = Once::new();

/// Names what threads do around waits, once.
pub fn install_residence(residence: &'static dyn Residence) {
    RESIDENCE.get_or_make(|| residence);
}

/// Runs what waits, in the host or for another thread. The caller holds no lock, and `wait` touches no program's memory.
pub fn away<R>(wait: impl FnOnce() -> R) -> R {
    let Some(residence) = RESIDENCE.get() else {
        return wait();
    };
    residence.away();
    let result = wait();
    residence.back();
    result
}

/// What is told of events: a sleeping thread ([`Waiter`]) or an epoll instance.
pub trait Observer: Send + Sync {
    /// Something of this may have happened. Called without the queue's lock, but under whatever the waking thread holds: must not
    /// lock what others hold while they wake, nor make a host call other than to wake a thread.
    fn notify(&self, events: PollEvents);

    /// As [`Self::notify`]; whether that was news to somebody.
    fn take(&self, events: PollEvents) -> bool {
        self.notify(events);
        true
    }

    /// Whether one of all those that say so is enough (EPOLLEXCLUSIVE): they are told in turn, until it is news to somebody.
    fn is_exclusive(&self) -> bool {
        false
    }
}

/// The observers of one object.
pub struct WaitQueue {
    observers: SpinLock<Vec<Entry>>,
    census: Census,
}

struct Entry {
    key: u64,
    interest: PollEvents,
    observer: Weak<dyn Observer>,
}

/// Ends when dropped.
#[must_use = "a subscription ends when it is dropped"]
pub struct Subscription {
    queue: Weak<WaitQueue>,
    key: u64,
}

static NEXT_KEY: core::sync::atomic::AtomicU64 = core::sync::atomic::AtomicU64::new(1);

impl WaitQueue {
    /// A queue without observers.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            observers: SpinLock::new(Vec::new()),
            census: Census::new(),
        })
    }

    /// Lets `observer` be told of these events (and of those that come unasked) until the subscription is dropped.
    pub fn subscribe(self: &Arc<Self>, interest: PollEvents, observer: Weak<dyn Observer>) -> Subscription {
        let key = NEXT_KEY.fetch_add(1, Ordering::Relaxed);
        let entry = Entry {
            key,
            interest: interest | PollEvents::UNASKED,
            observer,
        };
        self.observers.lock().push(entry);
        self.census.enter();
        Subscription {
            queue: Arc::downgrade(self),
            key,
        }
    }

    /// Tells observers of these events: all that are not exclusive, and one that is. The change must be visible already. Whether it was
    /// news to one of them.
    pub fn wake(&self, events: PollEvents) -> bool {
        if self.census.is_empty() {
            return false;
        }
        let mut told: Vec<Arc<dyn Observer>> = Vec::new();
        {
            let observers = self.observers.lock();
            let interested = observers.iter().filter(|entry| entry.interest.intersects(events));
            told.extend(interested.filter_map(|entry| entry.observer.upgrade()));
        }
        // Not under the lock: dropping an observer's last reference may end its subscriptions.
        let mut is_news = false;
        for observer in told.iter().filter(|observer| !observer.is_exclusive()) {
            is_news |= observer.take(events);
        }
        let mut exclusive = told.iter().filter(|observer| observer.is_exclusive());
        exclusive.any(|observer| observer.take(events)) || is_news
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(queue) = self.queue.upgrade() {
            queue.observers.lock().retain(|entry| entry.key != self.key);
            queue.census.leave();
        }
    }
}

/// A thread that waits for one of several objects.
pub struct Waiter {
    thread: ThreadNumber,
    happened: AtomicU32,
}

impl Observer for Waiter {
    fn notify(&self, events: PollEvents) {
        self.take(events);
    }

    fn take(&self, events: PollEvents) -> bool {
        let before = self.happened.fetch_or(events.bits(), Ordering::Release);
        thread::wake(self.thread);
        before == 0
    }
}

impl Waiter {
    /// For the calling thread.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            thread: ThreadNumber::current(),
            happened: AtomicU32::new(0),
        })
    }

    /// Itself, as queues want it.
    pub fn observer(self: &Arc<Self>) -> Weak<dyn Observer> {
        let this: Arc<dyn Observer> = self.clone();
        Arc::downgrade(&this)
    }

    /// Whether something has happened since the last [`Waiter::reset`].
    pub fn is_notified(&self) -> bool {
        self.happened.load(Ordering::Acquire) != 0
    }

    /// Forgets what has happened.
    pub fn reset(&self) {
        // Not a store, which could wait in the processor while the waiter looks, and then wipe out what it is told meanwhile.
        self.happened.swap(0, Ordering::SeqCst);
    }

    /// Sleeps until something happens, a signal is pending (EINTR), or the deadline on [`clock::monotonic`]
    /// has passed (ETIMEDOUT).
    pub fn sleep(&self, deadline: Option<u64>) -> Result<()> {
        loop {
            if self.is_notified() {
                return Ok(());
            }
            if thread::is_pending() {
                return Err(Errno::EINTR);
            }
            let left = remaining(deadline)?;
            away(|| thread::park(left));
        }
    }
}

/// How long it is until the deadline; ETIMEDOUT once it has passed.
pub fn remaining(deadline: Option<u64>) -> Result<Wait> {
    match deadline {
        None => Ok(Wait::FOREVER),
        Some(deadline) => match deadline.saturating_sub(clock::monotonic()) {
            0 => Err(Errno::ETIMEDOUT),
            left => Ok(Wait::nanoseconds(left)),
        },
    }
}

/// Tries until it works: `attempt` gives EAGAIN as long as it has to wait, and is tried again when `queue` tells of one of
/// the events. EINTR when a signal is pending, ETIMEDOUT after the deadline.
pub fn wait_until<T>(
    queue: &Arc<WaitQueue>,
    events: PollEvents,
    deadline: Option<u64>,
    mut attempt: impl FnMut() -> Result<T>,
) -> Result<T> {
    match attempt() {
        Err(Errno::EAGAIN) => {}
        done => return done,
    }
    let waiter = Waiter::new();
    let _subscription = queue.subscribe(events, waiter.observer());
    loop {
        waiter.reset();
        match attempt() {
            Err(Errno::EAGAIN) => waiter.sleep(deadline)?,
            done => return done,
        }
    }
}
