//! Leases of files (F_SETLEASE of fcntl(2)): whoever opens a leased file in a way that the lease forbids waits until its holder, who is
//! told, gives it up.

use alloc::sync::Arc;
use alloc::vec::Vec;

use kobject::{Errno, Mutex, Observer, Once, Result, WaitQueue, clock, wait_until};
use linux_abi::PollEvents;

/// How long a holder may take, in nanoseconds (`/proc/sys/fs/lease-break-time`).
const BREAK_TIME: u64 = 45 * 1_000_000_000;

/// What a holder is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lease {
    /// Nothing (F_UNLCK).
    None,
    /// Who opens the file to write (F_RDLCK).
    Read,
    /// Who opens it at all (F_WRLCK).
    Write,
}

/// A lease of an open file.
struct Held {
    /// The number of the open file.
    holder: u64,
    lease: Lease,
    /// Tells the holder.
    told: Arc<dyn Observer>,
    /// What it is to become, and when it becomes that by itself, on [`clock::monotonic`].
    breaking: Option<(Lease, u64)>,
}

impl Held {
    /// The most that somebody who wants to open the file can leave it.
    fn target(&self, rest: Lease) -> Option<Lease> {
        (self.lease > rest).then_some(rest)
    }
}

/// The leases of one inode.
#[derive(Default)]
pub(crate) struct Leases {
    held: Mutex<Vec<Held>>,
    queue: Once<Arc<WaitQueue>>,
}

impl Leases {
    fn queue(&self) -> &Arc<WaitQueue> {
        self.queue.get_or_make(WaitQueue::new)
    }

    /// Gives a lease to an open file, changes it or takes it away. EAGAIN if others' leases are in the way, and for an open file that has
    /// none to give up.
    pub(crate) fn set(&self, holder: u64, lease: Lease, told: Arc<dyn Observer>) -> Result<()> {
        let mut held = self.held.lock();
        let own = held.iter().position(|known| known.holder == holder);
        let others = held.iter().filter(|known| known.holder != holder);
        let is_against = |other: &Held| lease == Lease::Write || other.breaking.is_some();
        match (lease, own) {
            (Lease::None, None) => return Err(Errno::EAGAIN),
            (Lease::None, Some(own)) => drop(held.swap_remove(own)),
            _ if others.into_iter().any(is_against) => return Err(Errno::EAGAIN),
            (_, own) => {
                if let Some(own) = own {
                    held.swap_remove(own);
                }
                let breaking = None;
                held.push(Held {
                    holder,
                    lease,
                    told,
                    breaking,
                });
            }
        }
        drop(held);
        self.queue().wake(PollEvents::POLLOUT);
        Ok(())
    }

    /// The lease of an open file; what it is to become, where it is being broken.
    pub(crate) fn of(&self, holder: u64) -> Lease {
        let held = self.held.lock();
        let own = held.iter().find(|known| known.holder == holder);
        own.map_or(Lease::None, |own| {
            own.breaking.map_or(own.lease, |(target, _)| target)
        })
    }

    /// An open file is closed.
    pub(crate) fn close(&self, holder: u64) {
        let mut held = self.held.lock();
        let before = held.len();
        held.retain(|known| known.holder != holder);
        let released = held.len() != before;
        drop(held);
        if released {
            self.queue().wake(PollEvents::POLLOUT);
        }
    }

    /// Waits until nobody has more than `rest`; EAGAIN instead of waiting, EINTR.
    pub(crate) fn break_to(&self, rest: Lease, nonblocking: bool) -> Result<()> {
        loop {
            let Some(deadline) = self.demand(rest) else {
                return Ok(());
            };
            if nonblocking {
                return Err(Errno::EAGAIN);
            }
            let given_up = || match self.demand(rest) {
                None => Ok(()),
                Some(_) => Err(Errno::EAGAIN),
            };
            match wait_until(self.queue(), PollEvents::POLLOUT, Some(deadline), given_up) {
                Err(Errno::ETIMEDOUT) => {}
                done => return done,
            }
        }
    }

    /// Tells holders of more than `rest`, and takes it from those who were told long enough ago; gives until when it is to be waited.
    fn demand(&self, rest: Lease) -> Option<u64> {
        let now = clock::monotonic();
        let mut told = Vec::new();
        let mut held = self.held.lock();
        for known in held.iter_mut() {
            let Some(target) = known.target(rest) else {
                continue;
            };
            match known.breaking {
                Some((known_target, deadline)) if deadline <= now => {
                    known.lease = known_target;
                    known.breaking = None;
                }
                Some((known_target, deadline)) => known.breaking = Some((known_target.min(target), deadline)),
                None => {
                    known.breaking = Some((target, now.saturating_add(BREAK_TIME)));
                    told.push(known.told.clone());
                }
            }
        }
        held.retain(|known| known.lease != Lease::None);
        let waits = held.iter().filter(|known| known.target(rest).is_some());
        let deadline = waits
            .filter_map(|known| known.breaking)
            .map(|(_, deadline)| deadline)
            .min();
        drop(held);
        // Not under the lock, which a holder needs to give it up.
        for observer in told {
            observer.notify(PollEvents::READABLE);
        }
        deadline
    }
}
