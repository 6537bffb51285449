//! `eventfd2`.

use alloc::format;
use alloc::string::String;
use alloc::sync::{Arc, Weak};
use core::any::Any;

use kobject::{
    Errno, File, FileKind, How, Observer, Result, Sink, Source, SpinLock, Stat, Subscription, WaitQueue,
    wait_until,
};
use linux_abi::PollEvents;

use crate::anonymous;

/// The largest value that a write may leave.
const LARGEST: u64 = u64::MAX - 1;

/// A counter that is read and added to.
pub struct EventFd {
    count: SpinLock<u64>,
    /// EFD_SEMAPHORE: a read takes one, not all.
    semaphore: bool,
    queue: Arc<WaitQueue>,
}

/// What a read takes of the counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventMode {
    /// All of it.
    Counter,
    /// One (EFD_SEMAPHORE).
    Semaphore,
}

impl EventFd {
    /// A counter that starts at `initial`.
    pub fn new(initial: u32, mode: EventMode) -> Arc<Self> {
        Arc::new(Self {
            count: SpinLock::new(initial.into()),
            semaphore: mode == EventMode::Semaphore,
            queue: WaitQueue::new(),
        })
    }

    fn try_take(&self) -> Result<u64> {
        let mut count = self.count.lock();
        let taken = if self.semaphore { (*count).min(1) } else { *count };
        *count -= taken;
        if taken == 0 { Err(Errno::EAGAIN) } else { Ok(taken) }
    }

    fn try_add(&self, value: u64) -> Result<()> {
        let mut count = self.count.lock();
        let sum = count.checked_add(value).filter(|&sum| sum <= LARGEST);
        *count = sum.ok_or(Errno::EAGAIN)?;
        Ok(())
    }
}

impl EventFd {
    /// Adds one, as the kernel does for what it tells of: never waits, and a counter may get fuller than by a write, which is an error.
    pub fn signal(&self) {
        {
            let mut count = self.count.lock();
            *count = count.saturating_add(1);
        }
        self.queue.wake(PollEvents::READABLE | PollEvents::POLLERR);
    }
}

impl File for EventFd {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn stat(&self) -> Result<Stat> {
        anonymous::stat(FileKind::Anonymous, 0o600, 0)
    }

    fn info(&self) -> String {
        let (count, semaphore) = (*self.count.lock(), u8::from(self.semaphore));
        format!("eventfd-count: {count:16x}\neventfd-semaphore: {semaphore}\n")
    }

    fn read(&self, _: u64, to: &mut dyn Sink, how: How) -> Result<usize> {
        if to.room() < 8 {
            return Err(Errno::EINVAL);
        }
        let taken = if how.nonblocking {
            self.try_take()?
        } else {
            wait_until(&self.queue, PollEvents::READABLE, None, || self.try_take())?
        };
        self.queue.wake(PollEvents::WRITABLE);
        // As on Linux, a count that cannot be delivered is lost.
        to.put(&taken.to_ne_bytes())?;
        Ok(8)
    }

    fn write(&self, _: u64, from: &mut dyn Source, how: How) -> Result<(usize, u64)> {
        if from.left() < 8 {
            return Err(Errno::EINVAL);
        }
        let mut bytes = [0; 8];
        from.take(&mut bytes)?;
        let value = u64::from_ne_bytes(bytes);
        if value == u64::MAX {
            return Err(Errno::EINVAL);
        }
        if how.nonblocking {
            self.try_add(value)?;
        } else {
            wait_until(&self.queue, PollEvents::WRITABLE, None, || self.try_add(value))?;
        }
        self.queue.wake(PollEvents::READABLE);
        Ok((8, 0))
    }

    fn poll(&self, interest: PollEvents) -> PollEvents {
        let count = *self.count.lock();
        let mut events = PollEvents::empty();
        events.set(PollEvents::POLLIN, count > 0);
        events.set(PollEvents::POLLOUT, count < LARGEST);
        events.set(PollEvents::POLLERR, count == u64::MAX);
        events & (interest | PollEvents::POLLERR)
    }

    fn subscribe(&self, interest: PollEvents, observer: Weak<dyn Observer>) -> Option<Subscription> {
        Some(self.queue.subscribe(interest, observer))
    }
}

#[cfg(test)]
mod tests {
    use kobject::{KernelSink, KernelSource};

    use super::*;

    const NONBLOCKING: How = How {
        nonblocking: true,
        append: false,
    };

    fn read(event: &EventFd) -> Result<u64> {
        let mut sink = KernelSink::new(8);
        event.read(0, &mut sink, NONBLOCKING)?;
        Ok(u64::from_ne_bytes(sink.into_bytes().try_into().unwrap()))
    }

    fn write(event: &EventFd, value: u64) -> Result<()> {
        event.write(0, &mut KernelSource(&value.to_ne_bytes()), NONBLOCKING)?;
        Ok(())
    }

    #[test]
    fn a_counter_is_taken_whole() {
        let event = EventFd::new(2, EventMode::Counter);
        write(&event, 3).unwrap();
        assert_eq!(
            event.poll(PollEvents::POLLIN | PollEvents::POLLOUT),
            PollEvents::POLLIN | PollEvents::POLLOUT
        );
        assert_eq!(read(&event), Ok(5));
        assert_eq!(read(&event), Err(Errno::EAGAIN));
        assert_eq!(
            event.poll(PollEvents::POLLIN | PollEvents::POLLOUT),
            PollEvents::POLLOUT
        );
    }

    #[test]
    fn a_semaphore_is_taken_by_ones() {
        let event = EventFd::new(2, EventMode::Semaphore);
        assert_eq!(
            [read(&event), read(&event), read(&event)],
            [Ok(1), Ok(1), Err(Errno::EAGAIN)]
        );
    }

    #[test]
    fn it_does_not_overflow() {
        let event = EventFd::new(1, EventMode::Counter);
        assert_eq!(write(&event, u64::MAX), Err(Errno::EINVAL));
        assert_eq!(write(&event, u64::MAX - 1), Err(Errno::EAGAIN));
        assert_eq!(write(&event, u64::MAX - 2), Ok(()));
        assert_eq!(event.poll(PollEvents::POLLOUT), PollEvents::empty());
        assert_eq!(
            event.read(0, &mut KernelSink::new(7), NONBLOCKING),
            Err(Errno::EINVAL)
        );
    }
}
