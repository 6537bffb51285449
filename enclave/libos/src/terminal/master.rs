//! The master's side of a pseudo-terminal: what `/dev/ptmx` gives.

use alloc::sync::{Arc, Weak};
use core::any::Any;

use kobject::{Errno, File, How, Observer, Result, Sink, Source, Stat, Subscription, WaitQueue, Waiter};
use linux_abi::{Ioctl, PollEvents};

use super::{PseudoTerminal, ioctl};
use crate::process::CURRENT;

/// An open master, of which there is one.
pub(crate) struct Master {
    terminal: Arc<PseudoTerminal>,
    inode: Arc<dyn File>,
}

/// Bytes that are copied at once.
const CHUNK: usize = 4096;

impl Master {
    /// Of a new terminal.
    pub(super) fn new(terminal: Arc<PseudoTerminal>, inode: Arc<dyn File>) -> Self {
        Self { terminal, inode }
    }

    /// The terminal.
    pub(crate) fn terminal(&self) -> &Arc<PseudoTerminal> {
        &self.terminal
    }
}

/// Tries until it works, as [`kobject::wait_until`] does; but what interrupts it and is no signal for the calling thread does not count.
pub(super) fn wait_until<T>(
    queue: &Arc<WaitQueue>,
    events: PollEvents,
    how: How,
    mut attempt: impl FnMut() -> Result<T>,
) -> Result<T> {
    match attempt() {
        Err(Errno::EAGAIN) if !how.nonblocking => {}
        done => return done,
    }
    let waiter = Waiter::new();
    let _subscription = queue.subscribe(events, waiter.observer());
    loop {
        waiter.reset();
        match attempt() {
            Err(Errno::EAGAIN) => {}
            done => return done,
        }
        match waiter.sleep(None) {
            Err(Errno::EINTR) if !CURRENT.with(|thread| thread.is_interrupted()) => {}
            slept => slept?,
        }
    }
}

/// Writes all that `from` has by `attempt`, which gives how much it took and EAGAIN for nothing.
pub(super) fn write_all(
    queue: &Arc<WaitQueue>,
    from: &mut dyn Source,
    how: How,
    mut attempt: impl FnMut(&[u8]) -> Result<usize>,
) -> Result<usize> {
    let mut done = 0;
    while from.left() > 0 {
        let mut chunk = alloc::vec![0; from.left().min(CHUNK)];
        let taken = match from.take(&mut chunk) {
            Ok(()) => {
                let mut rest = &*chunk;
                loop {
                    match wait_until(queue, PollEvents::WRITABLE, how, || attempt(rest)) {
                        Ok(count) => {
                            done += count;
                            rest = rest.get(count..).unwrap_or_default();
                        }
                        Err(error) => break Err(error),
                    }
                    if rest.is_empty() {
                        break Ok(());
                    }
                }
            }
            Err(error) => Err(error),
        };
        match taken {
            Err(error) if done == 0 => return Err(error),
            Err(_) => break,
            Ok(()) => {}
        }
    }
    Ok(done)
}

/// EAGAIN for nothing.
pub(super) fn some(count: usize) -> Result<usize> {
    if count == 0 { Err(Errno::EAGAIN) } else { Ok(count) }
}

impl File for Master {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn stat(&self) -> Result<Stat> {
        self.inode.stat()
    }

    fn named(&self) -> Option<&Arc<dyn File>> {
        Some(&self.inode)
    }

    /// EIO once the slave was closed and its output has been read.
    fn read(&self, _: u64, to: &mut dyn Sink, how: How) -> Result<usize> {
        let most = to.room();
        if most == 0 {
            return Ok(0);
        }
        let bytes = wait_until(&self.terminal.masters, PollEvents::READABLE, how, || {
            // Asked first: what was written before the end is read before it.
            let is_closed = self.terminal.slave_is_closed();
            if !self.terminal.look(|pair| pair.master_is_readable()) {
                return Err(if is_closed { Errno::EIO } else { Errno::EAGAIN });
            }
            let bytes = self.terminal.with(|pair| pair.read_master(most));
            if bytes.is_empty() {
                Err(Errno::EAGAIN)
            } else {
                Ok(bytes)
            }
        })?;
        to.put(&bytes)?;
        Ok(bytes.len())
    }

    fn write(&self, _: u64, from: &mut dyn Source, how: How) -> Result<(usize, u64)> {
        let count = write_all(&self.terminal.masters, from, how, |bytes| {
            some(self.terminal.with(|pair| pair.write_master(bytes)))
        })?;
        Ok((count, 0))
    }

    fn poll(&self, interest: PollEvents) -> PollEvents {
        let mut events = PollEvents::empty();
        if self.terminal.slave_is_closed() || self.terminal.is_hung_up() {
            events |= PollEvents::POLLHUP;
        }
        let (is_readable, has_status, room) = self
            .terminal
            .look(|pair| (pair.master_is_readable(), pair.has_status(), pair.master_room()));
        events.set(PollEvents::READABLE, is_readable);
        events.set(PollEvents::POLLPRI, has_status);
        events.set(PollEvents::WRITABLE, room > 0);
        events & (interest | PollEvents::UNASKED)
    }

    fn subscribe(&self, interest: PollEvents, observer: Weak<dyn Observer>) -> Option<Subscription> {
        Some(self.terminal.masters.subscribe(interest, observer))
    }

    fn ioctl(&self, request: Ioctl, argument: u64) -> Result<u64> {
        ioctl::master(&self.terminal, request, argument)
    }

    fn close(&self) {
        self.terminal.hang_up();
    }
}
