//! Streams and sequenced packets.
//!
//! Locks: a listening socket's backlog is locked alone.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, Ordering};

use kobject::{Errno, How, Mutex, Once, Result, Sink, Source};
use linux_abi::{MessageFlags, PollEvents};

use super::UnixSocket;
use super::name::Name;
use crate::socket::inbox::{Attached, Inbox, Message, Receiving};
use crate::socket::{Caller, Identity, Received, Shutdown, SocketKind, wait};

/// Connections that may wait at most, whatever `listen` asks for (net.core.somaxconn).
const MAX_BACKLOG: u32 = 4096;

/// A socket that listens, or is connected to one other.
pub(super) struct Connected {
    backlog: Mutex<Option<Backlog>>,
    connection: Once<Connection>,
    /// Made by a connection to a listening socket.
    accepted: AtomicBool,
    shut: Shut,
}

/// The directions that were shut down. They stay so: a later connection begins with them, and a socket that listens accepts nothing
/// more.
#[derive(Default)]
struct Shut {
    reads: AtomicBool,
    writes: AtomicBool,
}

/// What a listening socket keeps.
struct Backlog {
    waiting: VecDeque<Arc<UnixSocket>>,
    most: usize,
    /// The process that listens, for SO_PEERCRED of those who connect.
    identity: Identity,
}

/// A connection, as one side sees it.
struct Connection {
    /// What is sent here.
    incoming: Arc<Inbox>,
    /// What is sent from here.
    outgoing: Arc<Inbox>,
    peer_name: Arc<Once<Name>>,
    peer_identity: Identity,
}

/// Connects two sockets. EISCONN if the first is connected already; the second must be fresh.
pub(super) fn join(
    one: &UnixSocket,
    other: &UnixSocket,
    one_identity: Identity,
    other_identity: Identity,
) -> Result<()> {
    let inbox = |reader: &UnixSocket, writer: &UnixSocket| match one.kind {
        SocketKind::Stream => Inbox::stream(reader.queue.clone(), writer.queue.clone()),
        _ => Inbox::messages(reader.queue.clone(), writer.queue.clone()),
    };
    let (to_one, to_other) = (inbox(one, other), inbox(other, one));
    // A pair takes messages from each other only, so that it is bounded by bytes and not by their number.
    to_one.accept_only_from(Some(to_other.id()));
    to_other.accept_only_from(Some(to_one.id()));
    let make = |socket: &UnixSocket, connection: Connection| {
        let super::Endpoint::Connected(end) = &socket.end else {
            return false;
        };
        let mut made = false;
        end.connection.get_or_make(|| {
            made = true;
            connection
        });
        end.end_what_is_shut();
        made
    };
    let first = Connection {
        incoming: to_one.clone(),
        outgoing: to_other.clone(),
        peer_name: other.name.clone(),
        peer_identity: other_identity,
    };
    let second = Connection {
        incoming: to_other,
        outgoing: to_one,
        peer_name: one.name.clone(),
        peer_identity: one_identity,
    };
    if make(one, first) && make(other, second) {
        Ok(())
    } else {
        Err(Errno::EISCONN)
    }
}

impl Connected {
    pub fn new() -> Self {
        Self {
            backlog: Mutex::new(None),
            connection: Once::new(),
            accepted: AtomicBool::new(false),
            shut: Shut::default(),
        }
    }

    /// Whether it receives, or accepts, nothing more.
    fn is_shut(&self) -> bool {
        self.shut.reads.load(Ordering::SeqCst)
    }

    pub fn is_connected(&self) -> bool {
        self.connection.get().is_some()
    }

    pub fn is_listening(&self) -> bool {
        self.backlog.lock().is_some()
    }

    /// Whether a listening socket made it: then its name is that one's.
    pub fn was_accepted(&self) -> bool {
        self.accepted.load(Ordering::Relaxed)
    }

    pub fn inboxes(&self) -> (Option<Arc<Inbox>>, Option<Arc<Inbox>>) {
        let connection = self.connection.get();
        let incoming = connection.map(|connection| connection.incoming.clone());
        (incoming, connection.map(|connection| connection.outgoing.clone()))
    }

    pub fn peer_name(&self) -> Option<Arc<Once<Name>>> {
        Some(self.connection.get()?.peer_name.clone())
    }

    pub fn peer_identity(&self) -> Option<Identity> {
        Some(self.connection.get()?.peer_identity)
    }

    pub fn listen(&self, socket: &UnixSocket, backlog: u32, identity: Identity) -> Result<()> {
        if self.is_connected() || socket.name.get().is_none() {
            return Err(Errno::EINVAL);
        }
        let most = backlog.min(MAX_BACKLOG) as usize;
        let mut state = self.backlog.lock();
        match &mut *state {
            Some(backlog) => (backlog.most, backlog.identity) = (most, identity),
            None => {
                *state = Some(Backlog {
                    waiting: VecDeque::new(),
                    most,
                    identity,
                });
            }
        }
        drop(state);
        socket.queue.wake(PollEvents::WRITABLE);
        Ok(())
    }

    pub fn connect(&self, socket: &UnixSocket, name: &Name, how: How, caller: Caller<'_>) -> Result<()> {
        if self.is_listening() {
            return Err(Errno::EINVAL);
        }
        if self.is_connected() {
            return Err(Errno::EISCONN);
        }
        let target = socket.find(name, caller)?;
        let super::Endpoint::Connected(end) = &target.end else {
            return Err(Errno::EPROTOTYPE);
        };
        let deadline = socket.timeouts.send_deadline(how.nonblocking);
        wait(&target.queue, PollEvents::WRITABLE, deadline, || {
            end.try_take(&target, socket, caller.identity)
        })?;
        target.queue.wake(PollEvents::READABLE);
        // It is writable now.
        socket.queue.wake(PollEvents::WRITABLE);
        Ok(())
    }

    /// The listening side of a connect: EAGAIN while too many connections wait, ECONNREFUSED if it does not
    /// listen.
    fn try_take(&self, listener: &UnixSocket, client: &UnixSocket, identity: Identity) -> Result<()> {
        let mut backlog = self.backlog.lock();
        let backlog = backlog.as_mut().ok_or(Errno::ECONNREFUSED)?;
        if self.is_shut() {
            return Err(Errno::ECONNREFUSED);
        }
        // One more than asked for, as on Linux.
        if backlog.waiting.len() > backlog.most {
            return Err(Errno::EAGAIN);
        }
        let server = UnixSocket::new(listener.kind, listener.name.clone(), backlog.identity);
        if let super::Endpoint::Connected(end) = &server.end {
            end.accepted.store(true, Ordering::Relaxed);
        }
        join(client, &server, identity, backlog.identity)?;
        let passes = listener.passes_credentials.load(Ordering::Relaxed);
        server.passes_credentials.store(passes, Ordering::Relaxed);
        backlog.waiting.push_back(server);
        Ok(())
    }

    /// What waits is accepted even after a shutdown. Then EINVAL, but EAGAIN for who would not wait, as on Linux
    /// (`__skb_recv_datagram`).
    pub fn accept(&self, socket: &UnixSocket, how: How) -> Result<Arc<UnixSocket>> {
        let deadline = socket.timeouts.receive_deadline(how.nonblocking);
        let accepted = wait(&socket.queue, PollEvents::READABLE, deadline, || {
            let mut backlog = self.backlog.lock();
            let backlog = backlog.as_mut().ok_or(Errno::EINVAL)?;
            backlog
                .waiting
                .pop_front()
                .ok_or(match self.is_shut() && !how.nonblocking {
                    true => Errno::EINVAL,
                    false => Errno::EAGAIN,
                })
        })?;
        socket.queue.wake(PollEvents::WRITABLE);
        Ok(accepted)
    }

    pub fn send(
        &self,
        socket: &UnixSocket,
        from: &mut dyn Source,
        mut attached: Attached,
        deadline: Option<u64>,
    ) -> Result<usize> {
        let connection = self.connection.get().ok_or(Errno::ENOTCONN)?;
        let outgoing = &connection.outgoing;
        if socket.kind != SocketKind::Stream {
            if let Some(error) = connection.incoming.take_error() {
                return Err(error);
            }
            if from.left() > socket.capacity() - MESSAGE_MARGIN {
                return Err(Errno::EMSGSIZE);
            }
            let mut message = Some(Message::read(from, attached, socket.name.clone())?);
            let id = connection.incoming.id();
            return wait(&socket.queue, PollEvents::WRITABLE, deadline, || {
                match outgoing.try_add(&mut message, socket.capacity(), id) {
                    // A connection that is gone is a broken pipe; only datagram sockets are refused.
                    Err(Errno::ECONNREFUSED) => Err(Errno::EPIPE),
                    done => done,
                }
            });
        }
        let mut done = 0;
        loop {
            let sent = wait(&socket.queue, PollEvents::WRITABLE, deadline, || {
                outgoing.try_append(from, &mut attached, socket.capacity())
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

    pub fn receive(
        &self,
        socket: &UnixSocket,
        to: &mut dyn Sink,
        how: Receiving,
        deadline: Option<u64>,
    ) -> Result<Received> {
        let is_stream = socket.kind == SocketKind::Stream;
        let connection = self.connection.get();
        let connection = connection.ok_or(if is_stream { Errno::EINVAL } else { Errno::ENOTCONN })?;
        let attempt = |to: &mut dyn Sink| {
            wait(&socket.queue, PollEvents::READABLE, deadline, || {
                connection.incoming.try_receive(to, how)
            })
        };
        let mut received = attempt(to)?;
        let fills = is_stream
            && how.flags.contains(MessageFlags::MSG_WAITALL)
            && !how.flags.contains(MessageFlags::MSG_PEEK);
        if fills {
            let mut last = received.len;
            while last > 0 && to.room() > 0 && received.ancillary.rights.is_empty() {
                let Ok(next) = attempt(to) else {
                    break;
                };
                last = next.len;
                received.len += last;
                received.ancillary.rights = next.ancillary.rights;
            }
        }
        if is_stream && received.len > 0 {
            received.address = connection.peer_name.get().map(|name| Name::address(Some(name)));
        }
        Ok(received)
    }

    /// In any state, as on Linux (`unix_shutdown`).
    pub fn shutdown(&self, which: Shutdown) {
        if which.reads() {
            self.shut.reads.store(true, Ordering::SeqCst);
        }
        if which.writes() {
            self.shut.writes.store(true, Ordering::SeqCst);
        }
        self.end_what_is_shut();
    }

    /// Whoever connects and whoever shuts down does this afterwards, so one of them sees what the other did.
    fn end_what_is_shut(&self) {
        let Some(connection) = self.connection.get() else {
            return;
        };
        if self.is_shut() {
            connection.incoming.end_receiving();
        }
        if self.shut.writes.load(Ordering::SeqCst) {
            connection.outgoing.end_sending(None);
        }
    }

    pub fn close(&self) {
        // Taken out first: sockets that nobody accepted are closed without the lock.
        let backlog = self.backlog.lock().take();
        for waiting in backlog.into_iter().flat_map(|backlog| backlog.waiting) {
            if let Some(peer) = waiting.inboxes().1 {
                peer.end_sending(Some(Errno::ECONNRESET));
            }
            waiting.hang_up();
        }
        if let Some(connection) = self.connection.get() {
            let unread = connection.incoming.close();
            connection
                .outgoing
                .end_sending(unread.then_some(Errno::ECONNRESET));
        }
    }

    /// What polling says of a socket without a connection that was shut down.
    fn shut_events(&self) -> PollEvents {
        match (self.is_shut(), self.shut.writes.load(Ordering::SeqCst)) {
            (false, _) => PollEvents::empty(),
            (true, false) => PollEvents::READABLE | PollEvents::POLLRDHUP,
            (true, true) => PollEvents::READABLE | PollEvents::POLLRDHUP | PollEvents::POLLHUP,
        }
    }

    pub fn poll(&self, socket: &UnixSocket) -> PollEvents {
        let mut events = PollEvents::empty();
        if let Some(backlog) = &*self.backlog.lock() {
            if !backlog.waiting.is_empty() {
                events |= PollEvents::READABLE;
            }
            return events | self.shut_events();
        }
        let Some(connection) = self.connection.get() else {
            return PollEvents::WRITABLE | PollEvents::POLLHUP | self.shut_events();
        };
        let (incoming, outgoing) = (connection.incoming.status(), connection.outgoing.status());
        if incoming.has_data || incoming.ended {
            events |= PollEvents::READABLE;
        }
        if incoming.ended {
            events |= PollEvents::POLLRDHUP;
        }
        if incoming.ended && outgoing.ended {
            events |= PollEvents::POLLHUP;
        }
        if incoming.has_error {
            events |= PollEvents::POLLERR;
        }
        // As on Linux: not before three quarters are free.
        if outgoing.used * 4 <= socket.capacity() {
            events |= PollEvents::WRITABLE;
        }
        events
    }
}

/// What of the capacity a message cannot use.
pub(super) const MESSAGE_MARGIN: usize = 32;
