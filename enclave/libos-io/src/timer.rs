//! Timers: what is to happen at a time.
//!
//! One queue, served by one thread of the enclave that starts with the first timer and then waits in the host
//! until the next one is due. The host decides how late it lets that thread run, but can make nothing happen
//! early: the queue goes by [`kobject::clock`].

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use enclave_rt::thread::{self, ThreadNumber};
use kobject::{Mutex, Result, Wait, clock, remaining};

/// What is called when a timer expires.
type Expiry = Box<dyn FnOnce() + Send>;

/// The queue.
pub struct Timers {
    state: Mutex<State>,
    /// Called on the service thread when something is pending for it: the host has chosen it to hand over
    /// signals.
    on_pending: fn(),
}

struct State {
    /// By deadline, then by order of arming.
    due: BTreeMap<(u64, u64), Expiry>,
    next_number: u64,
    service: Service,
}

enum Service {
    None,
    Starting,
    Running(ThreadNumber),
}

/// A timer that was armed. Dropping it cancels it, unless it is happening already.
#[must_use = "a timer is cancelled when it is dropped"]
pub struct Timer {
    timers: Arc<Timers>,
    key: (u64, u64),
}

impl Timers {
    /// An empty queue, without a thread.
    pub fn new(on_pending: fn()) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                due: BTreeMap::new(),
                next_number: 0,
                service: Service::None,
            }),
            on_pending,
        })
    }

    /// Has `expired` called, on the service thread, once [`clock::monotonic`] reaches `deadline`. It must be
    /// brief, and may arm and drop timers. EAGAIN if the service thread cannot be started.
    pub fn arm(self: &Arc<Self>, deadline: u64, expired: impl FnOnce() + Send + 'static) -> Result<Timer> {
        let mut state = self.state.lock();
        if matches!(state.service, Service::None) {
            let timers = self.clone();
            thread::spawn(Box::new(move || timers.serve()))?;
            state.service = Service::Starting;
        }
        let key = (deadline, state.next_number);
        state.next_number += 1;
        state.due.insert(key, Box::new(expired));
        let is_first = state
            .due
            .first_key_value()
            .is_some_and(|(&first, _)| first == key);
        let service = match state.service {
            Service::Running(service) if is_first => Some(service),
            _ => None,
        };
        drop(state);
        if let Some(service) = service {
            thread::wake(service);
        }
        let timers = self.clone();
        Ok(Timer { timers, key })
    }

    fn serve(&self) {
        self.state.lock().service = Service::Running(ThreadNumber::current());
        loop {
            let (expired, next) = self.take_expired(clock::monotonic());
            if !expired.is_empty() {
                expired.into_iter().for_each(|expiry| expiry());
                continue;
            }
            let wait = match next {
                None => Ok(Wait::FOREVER),
                deadline => remaining(deadline),
            };
            if let Ok(wait) = wait {
                thread::park(wait);
            }
            if thread::is_pending() {
                (self.on_pending)();
                thread::clear_pending();
            }
        }
    }

    /// Takes out what is due, and says when the next is.
    fn take_expired(&self, now: u64) -> (Vec<Expiry>, Option<u64>) {
        let mut state = self.state.lock();
        let mut expired = Vec::new();
        while let Some(entry) = state.due.first_entry() {
            let deadline = entry.key().0;
            if deadline > now {
                return (expired, Some(deadline));
            }
            expired.push(entry.remove());
        }
        (expired, None)
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        let expiry = self.timers.state.lock().due.remove(&self.key);
        // Dropped here, when the lock is free again: it may own what holds another timer.
        drop(expiry);
    }
}

/// When something happens: once, or again and again. Times are nanoseconds on one clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// When next; `None` if it is disarmed.
    pub next: Option<u64>,
    /// How long from one time to the next; 0 for once only.
    pub interval: u64,
}

impl Schedule {
    /// How often it has happened until `now`, since it was asked last.
    pub fn advance(&mut self, now: u64) -> u64 {
        let Some(next) = self.next.filter(|&next| next <= now) else {
            return 0;
        };
        if self.interval == 0 {
            self.next = None;
            return 1;
        }
        let count = (now - next) / self.interval + 1;
        // Beyond the year 2554: never.
        self.next = self
            .interval
            .checked_mul(count)
            .and_then(|passed| next.checked_add(passed));
        count
    }

    /// Nanoseconds until the next time, at least 1 while it is armed; 0 when it is not.
    pub fn left(&self, now: u64) -> u64 {
        self.next.map_or(0, |next| next.saturating_sub(now).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_counts_what_was_missed() {
        let mut schedule = Schedule {
            next: Some(100),
            interval: 10,
        };
        assert_eq!(schedule.advance(99), 0);
        assert_eq!(schedule.left(99), 1);
        assert_eq!(schedule.advance(100), 1);
        assert_eq!(schedule.next, Some(110));
        assert_eq!(schedule.advance(135), 3);
        assert_eq!(schedule.next, Some(140));
        let mut once = Schedule {
            next: Some(5),
            interval: 0,
        };
        assert_eq!((once.advance(7), once.advance(8), once.left(8)), (1, 0, 0));
    }

    #[test]
    fn timers_are_due_in_order_and_can_be_cancelled() {
        let timers = Timers::new(|| ());
        // As if the thread had been asked for: there is no host to ask here.
        timers.state.lock().service = Service::Starting;
        let order = Arc::new(Mutex::new(Vec::new()));
        let arm = |deadline, name: u32| {
            let order = order.clone();
            timers.arm(deadline, move || order.lock().push(name)).unwrap()
        };
        let (_late, _early, cancelled, _same) = (arm(30, 3), arm(10, 1), arm(20, 9), arm(10, 2));
        drop(cancelled);
        let (expired, next) = timers.take_expired(29);
        assert_eq!(next, Some(30));
        expired.into_iter().for_each(|expiry| expiry());
        assert_eq!(*order.lock(), [1, 2]);
        let (expired, next) = timers.take_expired(30);
        assert_eq!((expired.len(), next), (1, None));
    }
}
