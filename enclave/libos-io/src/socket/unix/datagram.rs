//! Datagrams.

use alloc::sync::{Arc, Weak};

use kobject::{Errno, Mutex, Observer, Once, Result, Sink, Source, Subscription, WaitQueue};
use linux_abi::PollEvents;

use super::UnixSocket;
use super::connected::MESSAGE_MARGIN;
use super::name::Name;
use crate::NOW;
use crate::socket::inbox::{Attached, Inbox, Message, Receiving};
use crate::socket::{Received, Shutdown, wait};

/// A socket that sends each message by itself.
pub(super) struct Datagram {
    incoming: Arc<Inbox>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Where messages go that name no destination.
    peer: Option<Peer>,
    /// SHUT_WR
    sends_no_more: bool,
}

struct Peer {
    inbox: Arc<Inbox>,
    name: Arc<Once<Name>>,
    /// Passes on to this socket's queue that the peer has room again.
    _relay: (Arc<Relay>, Subscription),
}

/// Tells one queue of what another is told.
struct Relay(Weak<WaitQueue>);

impl Observer for Relay {
    fn notify(&self, events: PollEvents) {
        if let Some(queue) = self.0.upgrade() {
            queue.wake(events);
        }
    }
}

impl Datagram {
    pub fn new(queue: &Arc<WaitQueue>) -> Self {
        Self {
            incoming: Inbox::messages(queue.clone(), WaitQueue::new()),
            state: Mutex::default(),
        }
    }

    pub fn inboxes(&self) -> (Option<Arc<Inbox>>, Option<Arc<Inbox>>) {
        let peer = self.state.lock().peer.as_ref().map(|peer| peer.inbox.clone());
        (Some(self.incoming.clone()), peer)
    }

    pub fn peer_name(&self) -> Option<Arc<Once<Name>>> {
        self.state.lock().peer.as_ref().map(|peer| peer.name.clone())
    }

    /// `connect`. EPERM if the other one is connected to somebody else.
    pub fn connect(&self, socket: &UnixSocket, peer: &UnixSocket) -> Result<()> {
        let super::Endpoint::Datagram(end) = &peer.end else {
            return Err(Errno::EPROTOTYPE);
        };
        if !end.incoming.accepts_from(self.incoming.id()) {
            return Err(Errno::EPERM);
        }
        self.join(socket, end, peer);
        Ok(())
    }

    /// Makes another socket the peer of this one.
    pub fn join(&self, socket: &UnixSocket, end: &Self, peer: &UnixSocket) {
        let relay = Arc::new(Relay(Arc::downgrade(&socket.queue)));
        let observer: Arc<dyn Observer> = relay.clone();
        let subscription = end
            .incoming
            .room
            .subscribe(PollEvents::WRITABLE, Arc::downgrade(&observer));
        self.incoming.accept_only_from(Some(end.incoming.id()));
        let peer = Peer {
            inbox: end.incoming.clone(),
            name: peer.name.clone(),
            _relay: (relay, subscription),
        };
        let inbox = peer.inbox.clone();
        let before = self.state.lock().peer.replace(peer);
        self.leave(before.filter(|before| !Arc::ptr_eq(&before.inbox, &inbox)));
    }

    /// `connect` to AF_UNSPEC.
    pub fn disconnect(&self) {
        self.incoming.accept_only_from(None);
        let before = self.state.lock().peer.take();
        self.leave(before);
    }

    /// As on Linux, what a former peer has sent and was not received yet is lost, and a peer that hears only
    /// this socket is told.
    fn leave(&self, before: Option<Peer>) {
        let Some(before) = before else {
            return;
        };
        if self.incoming.status().has_data {
            self.incoming.purge();
            before.inbox.reset(self.incoming.id());
        }
    }

    pub fn send(
        &self,
        socket: &UnixSocket,
        from: &mut dyn Source,
        attached: Attached,
        target: Option<&UnixSocket>,
        deadline: Option<u64>,
    ) -> Result<usize> {
        if let Some(error) = self.incoming.take_error() {
            return Err(error);
        }
        if self.state.lock().sends_no_more {
            return Err(Errno::EPIPE);
        }
        let (_, peer) = self.inboxes();
        let target = match target.map(|target| &target.end) {
            Some(super::Endpoint::Datagram(end)) => end.incoming.clone(),
            Some(super::Endpoint::Connected(_)) => return Err(Errno::EPROTOTYPE),
            None => peer.ok_or(Errno::ENOTCONN)?,
        };
        if from.left() > socket.capacity() - MESSAGE_MARGIN {
            return Err(Errno::EMSGSIZE);
        }
        let mut message = Some(Message::read(from, attached, socket.name.clone())?);
        let sent = wait(&target.room, PollEvents::WRITABLE, deadline, || {
            target.try_add(&mut message, socket.capacity(), self.incoming.id())
        });
        if sent == Err(Errno::ECONNREFUSED) {
            // The peer is closed: there is none any more.
            self.forget(&target);
        }
        sent
    }

    fn forget(&self, inbox: &Arc<Inbox>) {
        let mut state = self.state.lock();
        let gone = state.peer.take_if(|peer| Arc::ptr_eq(&peer.inbox, inbox));
        drop(state);
        if gone.is_some() {
            self.incoming.accept_only_from(None);
            self.leave(gone);
        }
    }

    pub fn receive(
        &self,
        socket: &UnixSocket,
        to: &mut dyn Sink,
        how: Receiving,
        deadline: Option<u64>,
    ) -> Result<Received> {
        let status = self.incoming.status();
        if deadline == NOW && !status.has_data && !status.has_error {
            // Shut down or not: on Linux only who may wait is told of the end.
            return Err(Errno::EAGAIN);
        }
        wait(&socket.queue, PollEvents::READABLE, deadline, || {
            self.incoming.try_receive(to, how)
        })
    }

    pub fn shutdown(&self, which: Shutdown) {
        if which.reads() {
            self.incoming.end_receiving();
        }
        if which.writes() {
            self.state.lock().sends_no_more = true;
        }
    }

    pub fn close(&self) {
        self.incoming.close();
        self.disconnect();
    }

    pub fn poll(&self, socket: &UnixSocket) -> PollEvents {
        let mut events = PollEvents::empty();
        let incoming = self.incoming.status();
        let (_, peer) = self.inboxes();
        if incoming.has_data || incoming.ended {
            events |= PollEvents::READABLE;
        }
        if incoming.ended {
            events |= PollEvents::POLLRDHUP;
            if self.state.lock().sends_no_more {
                events |= PollEvents::POLLHUP;
            }
        }
        let writable = peer.is_none_or(|peer| {
            peer.has_room_for(self.incoming.id()) && peer.status().used * 4 <= socket.capacity()
        });
        if writable {
            events |= PollEvents::WRITABLE;
        }
        events
    }
}
