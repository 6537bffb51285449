//! The slave's side of a pseudo-terminal: what programs take for their terminal.

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::any::Any;

use kobject::{Errno, File, How, Observer, Result, Sink, Source, Stat, Subscription, Waiter, clock};
use libos_tty::{Need, Pair};
use linux_abi::{Ioctl, LocalModes, OpenFlags, PollEvents, Signal};

use super::master::{some, write_all};
use super::{PseudoTerminal, ioctl, job_control};
use crate::process::CURRENT;

/// An open slave.
pub(crate) struct Slave {
    terminal: Arc<PseudoTerminal>,
    inode: Arc<dyn File>,
}

/// Nanoseconds of the unit of VTIME.
const TENTH: u64 = 100_000_000;

impl Slave {
    /// One more. EIO after the terminal's end.
    pub(super) fn open(terminal: &Arc<PseudoTerminal>, inode: Arc<dyn File>) -> Result<Arc<Self>> {
        let mut control = terminal.control.lock();
        if control.is_hung_up {
            return Err(Errno::EIO);
        }
        control.slaves += 1;
        control.slave_is_closed = false;
        drop(control);
        Ok(Arc::new(Self {
            terminal: terminal.clone(),
            inode,
        }))
    }

    /// The terminal.
    pub(crate) fn terminal(&self) -> &Arc<PseudoTerminal> {
        &self.terminal
    }
}

/// How long a read outside of canonical mode waits.
#[derive(Default)]
struct Timing {
    /// When it has waited for long enough.
    deadline: Option<u64>,
    /// Bytes that were there when it was set.
    seen: usize,
}

impl Timing {
    /// What the read gives now; EAGAIN while it waits.
    fn attempt(&mut self, pair: &mut Pair, most: usize, how: How) -> Result<Vec<u8>> {
        let available = pair.slave_unread();
        let Need::Bytes { minimum, time } = pair.need() else {
            self.deadline = None;
            return match pair.slave_is_readable() {
                true => Ok(pair.read_slave(most)),
                false => Err(Errno::EAGAIN),
            };
        };
        let is_late = self
            .deadline
            .is_some_and(|deadline| clock::monotonic() >= deadline);
        let is_enough = available >= minimum.clamp(1, most) || (minimum, time) == (0, 0) || is_late;
        if is_enough || (how.nonblocking && available > 0) {
            return Ok(pair.read_slave(most));
        }
        // With a minimum the time counts from each byte on, without one from the beginning.
        let begins = match minimum {
            0 => self.deadline.is_none(),
            _ => available > self.seen,
        };
        if time > 0 && begins {
            self.deadline = Some(clock::monotonic().saturating_add(u64::from(time) * TENTH));
            self.seen = available;
        }
        Err(Errno::EAGAIN)
    }
}

impl File for Slave {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn stat(&self) -> Result<Stat> {
        self.inode.stat()
    }

    fn named(&self) -> Option<&Arc<dyn File>> {
        Some(&self.inode)
    }

    fn reopen(self: Arc<Self>, _: OpenFlags) -> Result<Arc<dyn File>> {
        Ok(Self::open(&self.terminal, self.inode.clone())?)
    }

    fn read(&self, _: u64, to: &mut dyn Sink, how: How) -> Result<usize> {
        let most = to.room();
        if most == 0 || self.terminal.is_hung_up() {
            return Ok(0);
        }
        job_control::check(&self.terminal, Signal::SIGTTIN)?;
        let bytes = self.read_bytes(most, how)?;
        to.put(&bytes)?;
        Ok(bytes.len())
    }

    fn write(&self, _: u64, from: &mut dyn Source, how: How) -> Result<(usize, u64)> {
        if self.terminal.is_hung_up() {
            return Err(Errno::EIO);
        }
        if self.terminal.look(|pair| pair.settings().has(LocalModes::TOSTOP)) {
            job_control::check(&self.terminal, Signal::SIGTTOU)?;
        }
        let count = write_all(&self.terminal.slaves, from, how, |bytes| {
            if self.terminal.is_hung_up() {
                return Err(Errno::EIO);
            }
            some(self.terminal.with(|pair| pair.write_slave(bytes)))
        })?;
        Ok((count, 0))
    }

    fn poll(&self, interest: PollEvents) -> PollEvents {
        let mut events = PollEvents::empty();
        if self.terminal.is_hung_up() {
            events |= PollEvents::READABLE | PollEvents::WRITABLE | PollEvents::POLLERR | PollEvents::POLLHUP;
        }
        let (is_readable, room) = self
            .terminal
            .look(|pair| (pair.slave_polls_readable(), pair.slave_room()));
        if is_readable {
            events |= PollEvents::READABLE;
        }
        if room > 0 {
            events |= PollEvents::WRITABLE;
        }
        events & (interest | PollEvents::UNASKED)
    }

    fn subscribe(&self, interest: PollEvents, observer: Weak<dyn Observer>) -> Option<Subscription> {
        Some(self.terminal.slaves.subscribe(interest, observer))
    }

    fn ioctl(&self, request: Ioctl, argument: u64) -> Result<u64> {
        ioctl::slave(&self.terminal, request, argument)
    }

    fn close(&self) {
        let is_last = {
            let mut control = self.terminal.control.lock();
            control.slaves = control.slaves.saturating_sub(1);
            control.slave_is_closed = control.slaves == 0;
            control.slave_is_closed
        };
        if is_last {
            self.terminal
                .masters
                .wake(PollEvents::READABLE | PollEvents::POLLHUP);
        }
    }
}

impl Slave {
    /// Waits for what a read gives, as long as the terminal's settings say. Nothing is the end of the file.
    fn read_bytes(&self, most: usize, how: How) -> Result<Vec<u8>> {
        let mut timing = Timing::default();
        let waiter = Waiter::new();
        let _subscription = self
            .terminal
            .slaves
            .subscribe(PollEvents::READABLE, waiter.observer());
        loop {
            waiter.reset();
            match self.terminal.with_if(|pair| timing.attempt(pair, most, how)) {
                Err(Errno::EAGAIN) => {}
                done => return done,
            }
            if self.terminal.is_hung_up() {
                return Ok(Vec::new());
            }
            if how.nonblocking {
                return Err(Errno::EAGAIN);
            }
            match waiter.sleep(timing.deadline) {
                Ok(()) | Err(Errno::ETIMEDOUT) => {}
                Err(Errno::EINTR) if !CURRENT.with(|thread| thread.is_interrupted()) => {}
                // What has come counts more than the signal.
                Err(error) => {
                    return self.terminal.with_if(|pair| match pair.slave_is_readable() {
                        true => Ok(pair.read_slave(most)),
                        false => Err(error),
                    });
                }
            }
        }
    }
}
