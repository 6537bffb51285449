//! A TCP connection inside the enclave, as one of its two ends sees it.
//!
//! There is no network between the ends: what one sends lies in the other's [`Inbox`] at once. What differs from a Unix stream is how
//! an end leaves (`tcp_close`, `tcp_reset` and `tcp_fin` of the kernel): in good order (FIN), or not (RST).

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use kobject::{Errno, KernelSource, Result, Sink, Source, SpinLock, WaitQueue};
use linux_abi::{MessageFlags, PollEvents};

use super::ports::Lease;
use super::sinks::{Limited, Nowhere, discard};
use crate::socket::inbox::{Attached, Inbox, Receiving};
use crate::socket::{Identity, Received, Shutdown, wait};

/// One end.
pub(super) struct Connection {
    incoming: Arc<Inbox>,
    outgoing: Arc<Inbox>,
    /// Own address and port.
    pub local: SocketAddr,
    /// The other end's.
    pub peer: SocketAddr,
    ends: Arc<[End; 2]>,
    /// Which of them it is.
    me: usize,
    /// Told of all that happens to this end.
    queue: Arc<WaitQueue>,
    _lease: Arc<Lease>,
}

/// The state of an end that both need to know.
struct End {
    /// It sends no more, in good order.
    has_finished: AtomicBool,
    /// The other end has reset the connection.
    was_reset: AtomicBool,
    /// SHUT_RD
    reads_no_more: AtomicBool,
    is_closed: AtomicBool,
    /// SO_RCVBUF
    receive_buffer: AtomicUsize,
    /// SO_OOBINLINE
    takes_urgent_in_line: AtomicBool,
    /// Bytes that it has sent, and bytes that it has received, without urgent ones beside the stream.
    sent: AtomicU64,
    received: AtomicU64,
    /// Urgent data that it was sent.
    urgent: SpinLock<Urgent>,
}

/// Urgent data (tcp(7)): one byte, which stands beside the stream.
#[derive(Clone, Copy, Default)]
struct Urgent {
    /// It, until it is read.
    byte: Option<u8>,
    /// How many bytes come before it.
    mark: Option<u64>,
}

/// How a socket begins a connection.
pub(super) struct Start {
    pub queue: Arc<WaitQueue>,
    pub lease: Arc<Lease>,
    pub address: SocketAddr,
    /// Bytes that may wait to be received (SO_RCVBUF).
    pub receive_buffer: usize,
    /// SO_OOBINLINE
    pub takes_urgent_in_line: bool,
}

/// How an end leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// With what was sent (FIN), unless something was left unread.
    InOrder,
    /// At once (RST).
    Abruptly,
}

/// Connects two sockets.
pub(super) fn connect(one: Start, other: Start) -> (Arc<Connection>, Arc<Connection>) {
    let ends = Arc::new([End::new(&one), End::new(&other)]);
    let to_one = Inbox::stream(one.queue.clone(), other.queue.clone());
    let to_other = Inbox::stream(other.queue.clone(), one.queue.clone());
    let make = |me, own: &Start, peer: SocketAddr, incoming: &Arc<Inbox>, outgoing: &Arc<Inbox>| {
        Arc::new(Connection {
            incoming: incoming.clone(),
            outgoing: outgoing.clone(),
            local: own.address,
            peer,
            ends: ends.clone(),
            me,
            queue: own.queue.clone(),
            _lease: own.lease.clone(),
        })
    };
    (
        make(0, &one, other.address, &to_one, &to_other),
        make(1, &other, one.address, &to_other, &to_one),
    )
}

impl End {
    fn new(start: &Start) -> Self {
        Self {
            has_finished: AtomicBool::new(false),
            was_reset: AtomicBool::new(false),
            reads_no_more: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            receive_buffer: AtomicUsize::new(start.receive_buffer),
            takes_urgent_in_line: AtomicBool::new(start.takes_urgent_in_line),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            urgent: SpinLock::new(Urgent::default()),
        }
    }
}

impl Connection {
    fn own(&self) -> &End {
        let [first, second] = &*self.ends;
        if self.me == 0 { first } else { second }
    }

    fn other(&self) -> &End {
        let [first, second] = &*self.ends;
        if self.me == 0 { second } else { first }
    }

    fn peer_has_finished(&self) -> bool {
        self.other().has_finished.load(Ordering::SeqCst)
    }

    /// Whether this end has shut down sending.
    pub fn has_finished(&self) -> bool {
        self.own().has_finished.load(Ordering::SeqCst)
    }

    fn sends_no_more(&self) -> bool {
        self.own().has_finished.load(Ordering::SeqCst) || self.was_reset()
    }

    fn was_reset(&self) -> bool {
        self.own().was_reset.load(Ordering::SeqCst)
    }

    /// Whether it is over: reset, or finished by both.
    pub fn is_over(&self) -> bool {
        self.was_reset() || self.own().has_finished.load(Ordering::SeqCst) && self.peer_has_finished()
    }

    /// Changes how many bytes may wait to be received here.
    pub fn set_receive_buffer(&self, size: usize) {
        self.own().receive_buffer.store(size, Ordering::Relaxed);
    }

    /// Bytes that can be received.
    pub fn unread(&self) -> usize {
        self.incoming.unread()
    }

    /// Bytes that were sent and that the other end's buffer has no room for (SIOCOUTQ): the rest has arrived.
    pub fn unsent(&self) -> usize {
        let arrived = self.other().receive_buffer.load(Ordering::Relaxed);
        self.outgoing.status().used.saturating_sub(arrived)
    }

    /// Bytes that may be on their way from here, with so large a buffer for sending.
    fn capacity(&self, send_buffer: usize) -> usize {
        send_buffer + self.other().receive_buffer.load(Ordering::Relaxed)
    }

    /// An error that waits to be told (SO_ERROR).
    pub fn take_error(&self) -> Option<Errno> {
        self.incoming.take_error()
    }

    /// Sends all of `from`, or what has room until the deadline.
    pub fn send(&self, from: &mut dyn Source, send_buffer: usize, deadline: Option<u64>) -> Result<usize> {
        let mut done = 0;
        loop {
            let sent = wait(&self.queue, PollEvents::WRITABLE, deadline, || {
                self.try_send(from, self.capacity(send_buffer))
            });
            match sent {
                Ok(count) => done += count,
                Err(_) if done > 0 => return Ok(done),
                Err(error) => return Err(error),
            }
            if from.left() == 0 {
                return Ok(done);
            }
        }
    }

    fn try_send(&self, from: &mut dyn Source, capacity: usize) -> Result<usize> {
        if let Some(error) = self.take_error() {
            return Err(error);
        }
        if self.sends_no_more() {
            return Err(Errno::EPIPE);
        }
        if self.other().is_closed.load(Ordering::SeqCst) {
            // As on Linux, it is sent, and answered by a reset. To an end that waits for nothing more that is a broken pipe.
            let count = from.left();
            self.reset(Errno::EPIPE);
            return discard(from, count);
        }
        let mut nothing = Attached {
            rights: Vec::new(),
            identity: Identity::UNKNOWN,
        };
        match self.outgoing.try_append(from, &mut nothing, capacity) {
            // It was closed since.
            Err(Errno::EPIPE) => self.try_send(from, capacity),
            Ok(count) => {
                self.own().sent.fetch_add(count as u64, Ordering::Relaxed);
                Ok(count)
            }
            Err(error) => Err(error),
        }
    }

    /// Sends all of `from`, the last byte as urgent data.
    pub fn send_urgent(
        &self,
        from: &mut dyn Source,
        send_buffer: usize,
        deadline: Option<u64>,
    ) -> Result<usize> {
        let count = from.left();
        if count == 0 {
            return Ok(0);
        }
        let mut bytes = alloc::vec![0; count];
        from.take(&mut bytes)?;
        let Some((&last, before)) = bytes.split_last() else {
            return Ok(0);
        };
        if !before.is_empty() {
            let sent = self.send(&mut KernelSource(before), send_buffer, deadline)?;
            if sent < before.len() {
                return Ok(sent);
            }
        }
        let other = self.other();
        let in_line = other.takes_urgent_in_line.load(Ordering::Relaxed);
        *other.urgent.lock() = Urgent {
            byte: (!in_line).then_some(last),
            mark: Some(self.own().sent.load(Ordering::Relaxed)),
        };
        if in_line {
            self.send(&mut KernelSource(&[last]), send_buffer, deadline)?;
        } else if self.sends_no_more() {
            return Err(Errno::EPIPE);
        }
        self.outgoing.tell_reader(PollEvents::POLLPRI);
        Ok(count)
    }

    /// Receives urgent data. EINVAL if there is none, or it comes in the stream.
    pub fn receive_urgent(&self, to: &mut dyn Sink, flags: MessageFlags) -> Result<Received> {
        let byte = {
            let mut urgent = self.own().urgent.lock();
            let byte = urgent.byte.ok_or(Errno::EINVAL)?;
            if !flags.contains(MessageFlags::MSG_PEEK) {
                urgent.byte = None;
            }
            byte
        };
        let len = to.room().min(1);
        if len == 1 {
            to.put(&[byte])?;
        }
        Ok(Received {
            len,
            flags: MessageFlags::MSG_OOB,
            ..Received::default()
        })
    }

    /// Whether urgent data comes next (SIOCATMARK).
    pub fn is_at_mark(&self) -> bool {
        self.own().urgent.lock().mark == Some(self.own().received.load(Ordering::Relaxed))
    }

    /// SO_OOBINLINE.
    pub fn set_urgent_in_line(&self, in_line: bool) {
        self.own().takes_urgent_in_line.store(in_line, Ordering::Relaxed);
    }

    /// How many bytes may be received at once: not beyond the mark of urgent data, unless they begin there. Who passes it forgets it.
    fn up_to_mark(&self, peeks: bool) -> usize {
        let own = self.own();
        let mut urgent = own.urgent.lock();
        let Some(mark) = urgent.mark else {
            return usize::MAX;
        };
        match mark.saturating_sub(own.received.load(Ordering::Relaxed)) {
            0 => {
                // Behind it, it is no more.
                if !peeks {
                    *urgent = Urgent::default();
                }
                usize::MAX
            }
            left => usize::try_from(left).unwrap_or(usize::MAX),
        }
    }

    /// Receives as `recvmsg` does: at least `least` bytes unless the end, an error or the deadline comes before.
    pub fn receive(
        &self,
        to: &mut dyn Sink,
        flags: MessageFlags,
        least: usize,
        deadline: Option<u64>,
    ) -> Result<Received> {
        let peeks = flags.contains(MessageFlags::MSG_PEEK);
        let fills = flags.contains(MessageFlags::MSG_WAITALL) && !peeks;
        let total = to.room();
        let least = match flags.contains(MessageFlags::MSG_WAITALL) {
            true if fills => 1,
            true => total,
            false => least.min(total),
        };
        let mut result = Received::default();
        loop {
            let enough = wait(&self.queue, PollEvents::READABLE, deadline, || {
                match self.incoming.unread() >= least.max(1) || self.is_at_end() {
                    true => Ok(()),
                    false => Err(Errno::EAGAIN),
                }
            });
            if self.incoming.unread() == 0 {
                match enough {
                    // An error that comes now is for the next call.
                    _ if result.len > 0 => return Ok(result),
                    Err(error) => return Err(error),
                    Ok(()) => {}
                }
            }
            let count = match self.take(to, flags) {
                // Another thread was faster.
                Err(Errno::EAGAIN) if enough.is_ok() => continue,
                count => count?,
            };
            result.len += count;
            if !fills || count == 0 || result.len >= total || enough.is_err() {
                return Ok(result);
            }
        }
    }

    /// Whether nothing more comes: what is there is all.
    fn is_at_end(&self) -> bool {
        self.was_reset() || self.peer_has_finished() || self.own().reads_no_more.load(Ordering::SeqCst)
    }

    /// Takes what is there; 0 at the end. Behind the data comes an error, unless the other end has finished in good order.
    fn take(&self, to: &mut dyn Sink, flags: MessageFlags) -> Result<usize> {
        let is_empty = self.incoming.unread() == 0;
        if is_empty && (self.peer_has_finished() || self.own().reads_no_more.load(Ordering::SeqCst)) {
            // Looked at again: what was sent before the end came before it.
            if self.incoming.unread() == 0 {
                return Ok(0);
            }
        }
        let how = Receiving {
            flags,
            credentials: false,
        };
        let room = match is_empty {
            true => to.room(),
            false => to
                .room()
                .min(self.up_to_mark(flags.contains(MessageFlags::MSG_PEEK))),
        };
        // With MSG_TRUNC the data is dropped instead of given.
        let count = match flags.contains(MessageFlags::MSG_TRUNC) {
            true => self.incoming.try_receive(&mut Nowhere(room), how)?.len,
            false if room < to.room() => self.incoming.try_receive(&mut Limited(to, room), how)?.len,
            false => self.incoming.try_receive(to, how)?.len,
        };
        if !flags.contains(MessageFlags::MSG_PEEK) {
            self.own().received.fetch_add(count as u64, Ordering::Relaxed);
        }
        Ok(count)
    }

    /// `shutdown`. ENOTCONN once it is over.
    pub fn shutdown(&self, which: Shutdown) -> Result<()> {
        if self.is_over() {
            return Err(Errno::ENOTCONN);
        }
        if which.reads() {
            self.own().reads_no_more.store(true, Ordering::SeqCst);
            self.queue.wake(PollEvents::all());
        }
        if which.writes() {
            self.finish();
        }
        Ok(())
    }

    /// Sends no more, in good order.
    fn finish(&self) {
        if !self.own().has_finished.swap(true, Ordering::SeqCst) {
            // Tells both ends.
            self.outgoing.end_sending(None);
        }
    }

    /// Leaves. Once; later calls do nothing.
    pub fn close(&self, how: Leave) {
        if self.own().is_closed.swap(true, Ordering::SeqCst) {
            return;
        }
        let has_unread = self.incoming.close();
        if self.is_over() {
            return;
        }
        if has_unread || how == Leave::Abruptly {
            self.other().was_reset.store(true, Ordering::SeqCst);
            // The other end's state decides what it hears (`tcp_reset`).
            let error = match self.own().has_finished.load(Ordering::SeqCst) {
                true => Errno::EPIPE,
                false => Errno::ECONNRESET,
            };
            self.outgoing.end_sending(Some(error));
        } else {
            self.finish();
        }
    }

    /// This end learns that the connection is no more.
    fn reset(&self, error: Errno) {
        self.own().was_reset.store(true, Ordering::SeqCst);
        self.incoming.end_sending(Some(error));
    }

    /// What polling says, with buffers of these sizes (`tcp_poll` of the kernel).
    pub fn poll(&self, least: usize, send_buffer: usize) -> PollEvents {
        let (incoming, outgoing) = (self.incoming.status(), self.outgoing.status());
        let mut events = PollEvents::empty();
        let ends = self.is_at_end();
        if incoming.used >= least.max(1) || ends {
            events |= PollEvents::READABLE;
        }
        if ends {
            events |= PollEvents::POLLRDHUP;
        }
        if ends && self.sends_no_more() {
            events |= PollEvents::POLLHUP;
        }
        if incoming.has_error {
            events |= PollEvents::POLLERR;
        }
        if self.own().urgent.lock().byte.is_some() {
            events |= PollEvents::POLLPRI;
        }
        // As on Linux: a third is free.
        if self.sends_no_more() || outgoing.used * 3 <= self.capacity(send_buffer) * 2 {
            events |= PollEvents::WRITABLE;
        }
        events
    }
}
