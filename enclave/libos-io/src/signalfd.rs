//! `signalfd4`: pending signals as a file. Which signals are pending is the LibOS's knowledge, behind
//! [`SignalSource`].

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::{Arc, Weak};
use core::any::Any;
use core::sync::atomic::{AtomicU64, Ordering};

use kobject::{
    Errno, File, FileKind, How, Observer, Result, Sink, Stat, Subscription, WaitQueue, wait_until,
};
use linux_abi::PollEvents;

use crate::anonymous;

/// Bytes of `struct signalfd_siginfo`.
pub const SIGNAL_INFO_SIZE: usize = 128;

/// The signals of whoever calls: the thread's and its process's.
pub trait SignalSource: Send + Sync {
    /// Whether a signal of the set (bit `n - 1` for signal `n`) is pending.
    fn is_pending(&self, set: u64) -> bool;

    /// Takes one of them.
    fn dequeue(&self, set: u64) -> Option<[u8; SIGNAL_INFO_SIZE]>;

    /// Told of IN when a signal becomes pending.
    fn queue(&self) -> Arc<WaitQueue>;
}

/// Gives signals to whoever reads.
pub struct SignalFd {
    source: Box<dyn SignalSource>,
    set: AtomicU64,
}

impl SignalFd {
    /// Gives signals of this set.
    pub fn new(source: Box<dyn SignalSource>, set: u64) -> Arc<Self> {
        let set = AtomicU64::new(set);
        Arc::new(Self { source, set })
    }

    /// Changes the set (`signalfd4` on an existing descriptor).
    pub fn set_signals(&self, set: u64) {
        self.set.store(set, Ordering::Relaxed);
        self.source.queue().wake(PollEvents::READABLE);
    }

    /// The set, for /proc.
    pub fn signals(&self) -> u64 {
        self.set.load(Ordering::Relaxed)
    }
}

impl File for SignalFd {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn stat(&self) -> Result<Stat> {
        anonymous::stat(FileKind::Anonymous, 0o600, 0)
    }

    fn info(&self) -> String {
        format!("sigmask:\t{:016x}\n", self.signals())
    }

    fn read(&self, _: u64, to: &mut dyn Sink, how: How) -> Result<usize> {
        if to.room() < SIGNAL_INFO_SIZE {
            return Err(Errno::EINVAL);
        }
        let first = || self.source.dequeue(self.signals()).ok_or(Errno::EAGAIN);
        let first = if how.nonblocking {
            first()?
        } else {
            wait_until(&self.source.queue(), PollEvents::READABLE, None, first)?
        };
        to.put(&first)?;
        let mut done = SIGNAL_INFO_SIZE;
        while to.room() >= SIGNAL_INFO_SIZE {
            let Some(next) = self.source.dequeue(self.signals()) else {
                break;
            };
            to.put(&next)?;
            done += SIGNAL_INFO_SIZE;
        }
        Ok(done)
    }

    fn poll(&self, interest: PollEvents) -> PollEvents {
        let mut events = PollEvents::empty();
        events.set(PollEvents::POLLIN, self.source.is_pending(self.signals()));
        events & interest
    }

    fn subscribe(&self, interest: PollEvents, observer: Weak<dyn Observer>) -> Option<Subscription> {
        Some(self.source.queue().subscribe(interest, observer))
    }
}
