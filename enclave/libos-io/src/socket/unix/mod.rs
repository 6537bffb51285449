//! Unix domain sockets (unix(7)), all of them inside the enclave.
//!
//! What is sent to a socket lies in its [`Inbox`] until it is received. Streams and sequenced packets make a
//! pair of inboxes when they connect ([`connected`]); a datagram socket has one from the start
//! ([`datagram`]). Sockets are found by [`name`].
//!
//! A socket that is sent through itself, or two that are sent through each other, and are then closed
//! unreceived are never freed: Linux looks for such circles, this does not.

mod connected;
mod datagram;
mod name;

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use core::any::Any;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use kobject::{
    Attributes, Errno, File, FileKind, How, Mutex, Observer, Once, Result, Sink, Source, Stat, Subscription,
    WaitQueue,
};
use linux_abi::{AddressFamily, Ioctl, MessageFlags, OptionLevel, PollEvents, Protocol, SocketOption};

use self::connected::Connected;
use self::datagram::Datagram;
pub(in crate::socket) use self::name::Name;
use super::inbox::{Attached, Inbox, Receiving};
use super::option::{self, Timeouts, put, put_int};
use super::{
    Caller, Control, Identity, Outgoing, Received, Shutdown, Socket, SocketAddress, SocketKind, address,
    interfaces,
};
use crate::anonymous;

/// Bytes that may be on their way from one socket (net.core.wmem_default), and the most that may be asked
/// for.
const CAPACITY: usize = 212_992;
const MAX_CAPACITY: usize = 2 * CAPACITY;
/// The least (SOCK_MIN_SNDBUF).
const CAPACITY_MIN: usize = 4608;

/// A Unix domain socket.
pub struct UnixSocket {
    this: Weak<Self>,
    kind: SocketKind,
    /// Who made it: what peers are told of the sender where a [`File`] does not learn who calls.
    creator: Identity,
    /// Told of everything that happens to this socket.
    queue: Arc<WaitQueue>,
    /// The name it is bound to; shared with the peers, and with the sockets that a listening one accepts.
    name: Arc<Once<Name>>,
    /// Held while it is given a name.
    binding: Mutex<()>,
    end: Endpoint,
    timeouts: Timeouts,
    /// SO_PASSCRED
    passes_credentials: AtomicBool,
    /// Options that change nothing but are read back.
    remembered: Mutex<BTreeMap<u32, u64>>,
    /// SO_SNDBUF
    capacity: AtomicUsize,
    closed: AtomicBool,
    inode: u64,
    attributes: Attributes,
}

enum Endpoint {
    Connected(Connected),
    Datagram(Datagram),
}

impl UnixSocket {
    fn remember(&self, option: SocketOption, value: u64) {
        self.remembered.lock().insert(option.0, value);
    }

    fn remembered(&self, option: SocketOption) -> Option<u64> {
        self.remembered.lock().get(&option.0).copied()
    }

    /// `socket(AF_UNIX, …)`. EPROTONOSUPPORT for a protocol, ESOCKTNOSUPPORT for a type that is none of the
    /// three (a raw one is a datagram socket, as on Linux).
    pub fn open(kind: SocketKind, protocol: Protocol, creator: Identity) -> Result<Arc<Self>> {
        // As on Linux, the family's number will do as well.
        if protocol.0 != 0 && protocol.0 != AddressFamily::AF_UNIX.0.into() {
            return Err(Errno::EPROTONOSUPPORT);
        }
        let kind = if kind == SocketKind::Raw {
            SocketKind::Datagram
        } else {
            kind
        };
        Ok(Self::new(kind, Arc::new(Once::new()), creator))
    }

    /// `socketpair`.
    pub fn pair(kind: SocketKind, protocol: Protocol, creator: Identity) -> Result<(Arc<Self>, Arc<Self>)> {
        let one = Self::open(kind, protocol, creator)?;
        let other = Self::open(kind, protocol, creator)?;
        match (&one.end, &other.end) {
            (Endpoint::Connected(_), Endpoint::Connected(_)) => {
                connected::join(&one, &other, creator, creator)?
            }
            (Endpoint::Datagram(first), Endpoint::Datagram(second)) => {
                first.join(&one, second, &other);
                second.join(&other, first, &one);
            }
            _ => return Err(Errno::EOPNOTSUPP),
        }
        Ok((one, other))
    }

    fn new(kind: SocketKind, name: Arc<Once<Name>>, creator: Identity) -> Arc<Self> {
        let queue = WaitQueue::new();
        let end = match kind {
            SocketKind::Datagram => Endpoint::Datagram(Datagram::new(&queue)),
            _ => Endpoint::Connected(Connected::new()),
        };
        Arc::new_cyclic(|this| Self {
            this: this.clone(),
            kind,
            creator,
            queue,
            name,
            binding: Mutex::new(()),
            end,
            timeouts: Timeouts::new(),
            passes_credentials: AtomicBool::new(false),
            remembered: Mutex::new(BTreeMap::new()),
            capacity: AtomicUsize::new(CAPACITY),
            closed: AtomicBool::new(false),
            inode: anonymous::next_inode(),
            attributes: Attributes::default(),
        })
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Bytes that may be on their way from this socket.
    fn capacity(&self) -> usize {
        self.capacity.load(Ordering::Relaxed)
    }

    /// The inbox of this socket, and the one of its peer.
    fn inboxes(&self) -> (Option<Arc<Inbox>>, Option<Arc<Inbox>>) {
        match &self.end {
            Endpoint::Connected(end) => end.inboxes(),
            Endpoint::Datagram(end) => end.inboxes(),
        }
    }

    /// Gives a name to a socket that has none and passes credentials, as Linux does before it connects or
    /// sends.
    fn bind_if_it_must(&self) -> Result<()> {
        if self.passes_credentials.load(Ordering::Relaxed) && self.name.get().is_none() {
            self.bind_fresh()?;
        }
        Ok(())
    }

    fn bind_fresh(&self) -> Result<()> {
        let _binding = self.binding.lock();
        if self.name.get().is_none() {
            let name = Name::bind_fresh(&self.this)?;
            self.name.get_or_make(|| name);
        }
        Ok(())
    }

    /// What the socket with this address is; EPROTOTYPE if it is of another type.
    fn find(&self, name: &Name, caller: Caller<'_>) -> Result<Arc<Self>> {
        let found = name.find(caller)?;
        if found.kind != self.kind {
            return Err(Errno::EPROTOTYPE);
        }
        Ok(found)
    }

    fn receiving(&self, flags: MessageFlags) -> Receiving {
        Receiving {
            flags,
            credentials: self.passes_credentials.load(Ordering::Relaxed),
        }
    }

    /// Leaves its peers and its name. Once; later calls do nothing.
    fn hang_up(&self) {
        if self.closed.swap(true, Ordering::AcqRel) {
            return;
        }
        match &self.end {
            Endpoint::Connected(end) => end.close(),
            Endpoint::Datagram(end) => end.close(),
        }
        // The sockets that a listening one accepted share its name, which is not theirs to give up.
        let owns_name = match &self.end {
            Endpoint::Connected(end) => !end.was_accepted(),
            Endpoint::Datagram(_) => true,
        };
        if let Some(name) = self.name.get().filter(|_| owns_name) {
            name.release();
        }
        self.queue.wake(PollEvents::all());
    }

    /// Bytes sent and not received yet (SIOCOUTQ).
    fn unreceived(&self) -> usize {
        self.inboxes().1.map_or(0, |peer| peer.status().used)
    }
}

/// The name in an address that one is to be found by; EINVAL without one.
fn name_to_find(address: &[u8]) -> Result<Name> {
    Name::parse(address)?.ok_or(Errno::EINVAL)
}

impl Socket for UnixSocket {
    fn domain(&self) -> AddressFamily {
        AddressFamily::AF_UNIX
    }

    fn kind(&self) -> SocketKind {
        self.kind
    }

    fn bind(&self, address: &[u8], caller: Caller<'_>) -> Result<()> {
        let Some(name) = Name::parse(address)? else {
            return self.bind_fresh();
        };
        let _binding = self.binding.lock();
        if self.name.get().is_some() {
            return Err(Errno::EINVAL);
        }
        // What `fchmod` made of the socket decides the file's mode.
        name.bind(self.this.clone(), self.stat()?.permissions, caller)?;
        self.name.get_or_make(|| name);
        Ok(())
    }

    fn connect(&self, address: &[u8], how: How, caller: Caller<'_>) -> Result<()> {
        match &self.end {
            Endpoint::Datagram(end) if address::family(address)? == AddressFamily::AF_UNSPEC => {
                end.disconnect();
                Ok(())
            }
            Endpoint::Datagram(end) => {
                self.bind_if_it_must()?;
                let peer = self.find(&name_to_find(address)?, caller)?;
                end.connect(self, &peer)
            }
            Endpoint::Connected(end) => {
                let name = name_to_find(address)?;
                self.bind_if_it_must()?;
                end.connect(self, &name, how, caller)
            }
        }
    }

    fn listen(&self, backlog: u32, caller: Caller<'_>) -> Result<()> {
        match &self.end {
            Endpoint::Connected(end) => end.listen(self, backlog, caller.identity),
            Endpoint::Datagram(_) => Err(Errno::EOPNOTSUPP),
        }
    }

    fn accept(&self, how: How) -> Result<(Arc<dyn File>, SocketAddress)> {
        match &self.end {
            Endpoint::Connected(end) => {
                let accepted = end.accept(self, how)?;
                let address = accepted.peer_address()?;
                Ok((accepted, address))
            }
            Endpoint::Datagram(_) => Err(Errno::EOPNOTSUPP),
        }
    }

    fn send(
        &self,
        from: &mut dyn Source,
        message: Outgoing<'_>,
        how: How,
        caller: Caller<'_>,
    ) -> Result<usize> {
        if message.flags.contains(MessageFlags::MSG_OOB) {
            return Err(Errno::EOPNOTSUPP);
        }
        // What is of the network's levels is not looked at.
        let is_unknown = |control: &Control| control.level == OptionLevel::SOL_SOCKET;
        if message.ancillary.network.iter().any(is_unknown) {
            return Err(Errno::EINVAL);
        }
        self.bind_if_it_must()?;
        let attached = Attached {
            identity: message.ancillary.credentials.unwrap_or(caller.identity),
            rights: message.ancillary.rights,
        };
        let nonblocking = how.nonblocking || message.flags.contains(MessageFlags::MSG_DONTWAIT);
        let deadline = self.timeouts.send_deadline(nonblocking);
        match &self.end {
            Endpoint::Connected(end) => {
                if message.address.is_some() && self.kind == SocketKind::Stream {
                    return Err(if end.is_connected() {
                        Errno::EISCONN
                    } else {
                        Errno::EOPNOTSUPP
                    });
                }
                end.send(self, from, attached, deadline)
            }
            Endpoint::Datagram(end) => {
                let target = match message.address {
                    Some(address) => Some(self.find(&name_to_find(address)?, caller)?),
                    None => None,
                };
                end.send(self, from, attached, target.as_deref(), deadline)
            }
        }
    }

    fn receive(&self, to: &mut dyn Sink, flags: MessageFlags, how: How) -> Result<Received> {
        if flags.contains(MessageFlags::MSG_OOB) {
            return Err(Errno::EOPNOTSUPP);
        }
        let nonblocking = how.nonblocking || flags.contains(MessageFlags::MSG_DONTWAIT);
        let deadline = self.timeouts.receive_deadline(nonblocking);
        let receiving = self.receiving(flags);
        match &self.end {
            Endpoint::Connected(end) => end.receive(self, to, receiving, deadline),
            Endpoint::Datagram(end) => end.receive(self, to, receiving, deadline),
        }
    }

    fn shutdown(&self, which: Shutdown) -> Result<()> {
        match &self.end {
            Endpoint::Connected(end) => end.shutdown(which),
            Endpoint::Datagram(end) => end.shutdown(which),
        }
        self.queue.wake(PollEvents::all());
        Ok(())
    }

    fn own_address(&self) -> Result<SocketAddress> {
        Ok(Name::address(self.name.get()))
    }

    fn peer_address(&self) -> Result<SocketAddress> {
        let name = match &self.end {
            Endpoint::Connected(end) => end.peer_name(),
            Endpoint::Datagram(end) => end.peer_name(),
        };
        let name = name.ok_or(Errno::ENOTCONN)?;
        Ok(Name::address(name.get()))
    }

    fn option(&self, level: OptionLevel, name: u32, out: &mut [u8]) -> Result<usize> {
        if level != OptionLevel::SOL_SOCKET {
            return Err(Errno::EOPNOTSUPP);
        }
        let name = SocketOption(name);
        if let Some(len) = self.timeouts.option(name, out) {
            return Ok(len);
        }
        let listens = matches!(&self.end, Endpoint::Connected(end) if end.is_listening());
        let value = match name {
            SocketOption::SO_TYPE => self.kind as u32,
            SocketOption::SO_DOMAIN => AddressFamily::AF_UNIX.0.into(),
            SocketOption::SO_PROTOCOL => 0,
            SocketOption::SO_ACCEPTCONN => listens.into(),
            SocketOption::SO_PASSCRED => self.passes_credentials.load(Ordering::Relaxed).into(),
            SocketOption::SO_SNDBUF => self.capacity() as u32,
            SocketOption::SO_RCVBUF => self.remembered(name).unwrap_or(CAPACITY as u64) as u32,
            SocketOption::SO_ERROR => {
                let error = self.inboxes().0.and_then(|inbox| inbox.take_error());
                error.map_or(0, |error| error.raw().into())
            }
            SocketOption::SO_PEERCRED => {
                let identity = match &self.end {
                    Endpoint::Connected(end) => end.peer_identity(),
                    Endpoint::Datagram(_) => None,
                };
                return Ok(put(out, &identity.unwrap_or(Identity::UNKNOWN).to_bytes()));
            }
            SocketOption::SO_LINGER => {
                return Ok(put(out, &self.remembered(name).unwrap_or(0).to_ne_bytes()));
            }
            _ if is_without_effect(name) => self.remembered(name).unwrap_or(0) as u32,
            _ => return Err(Errno::ENOPROTOOPT),
        };
        Ok(put_int(out, value))
    }

    fn set_option(&self, level: OptionLevel, name: u32, value: &[u8]) -> Result<()> {
        if level != OptionLevel::SOL_SOCKET {
            return Err(Errno::EOPNOTSUPP);
        }
        let name = SocketOption(name);
        if let Some(done) = self.timeouts.set_option(name, value) {
            return done;
        }
        let number = option::int(value)?;
        match name {
            SocketOption::SO_PASSCRED => self.passes_credentials.store(number != 0, Ordering::Relaxed),
            SocketOption::SO_SNDBUF => {
                // As on Linux, twice what is asked for.
                let capacity = (number as usize)
                    .saturating_mul(2)
                    .clamp(CAPACITY_MIN, MAX_CAPACITY);
                self.capacity.store(capacity, Ordering::Relaxed);
                self.queue.wake(PollEvents::WRITABLE);
            }
            SocketOption::SO_RCVBUF => {
                let capacity = u64::from(number).saturating_mul(2);
                self.remember(name, capacity.clamp(CAPACITY_MIN as u64 / 2, MAX_CAPACITY as u64));
            }
            SocketOption::SO_LINGER => {
                let linger = value.first_chunk().ok_or(Errno::EINVAL)?;
                self.remember(name, u64::from_ne_bytes(*linger));
            }
            SocketOption::SO_PRIORITY => self.remember(name, number.into()),
            _ if is_without_effect(name) => self.remember(name, (number != 0).into()),
            _ => return Err(Errno::ENOPROTOOPT),
        }
        Ok(())
    }

    fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }
}

/// Options that Linux takes for any socket and that change nothing for these.
fn is_without_effect(name: SocketOption) -> bool {
    matches!(
        name,
        SocketOption::SO_DEBUG
            | SocketOption::SO_REUSEADDR
            | SocketOption::SO_DONTROUTE
            | SocketOption::SO_BROADCAST
            | SocketOption::SO_KEEPALIVE
            | SocketOption::SO_OOBINLINE
            | SocketOption::SO_PRIORITY
    )
}

impl File for UnixSocket {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn stat(&self) -> Result<Stat> {
        let stat = anonymous::stat(FileKind::Socket, 0o777, self.inode)?;
        Ok(self.attributes.apply(stat))
    }

    fn attributes(&self) -> Option<&Attributes> {
        Some(&self.attributes)
    }

    fn read(&self, _: u64, to: &mut dyn Sink, how: How) -> Result<usize> {
        if to.room() == 0 {
            return Ok(0);
        }
        Ok(self.receive(to, MessageFlags::empty(), how)?.len)
    }

    fn write(&self, _: u64, from: &mut dyn Source, how: How) -> Result<(usize, u64)> {
        let attached = Attached {
            identity: self.creator,
            rights: alloc::vec::Vec::new(),
        };
        let deadline = self.timeouts.send_deadline(how.nonblocking);
        let count = match &self.end {
            Endpoint::Connected(end) => end.send(self, from, attached, deadline)?,
            Endpoint::Datagram(end) => end.send(self, from, attached, None, deadline)?,
        };
        Ok((count, 0))
    }

    fn poll(&self, interest: PollEvents) -> PollEvents {
        let events = match &self.end {
            Endpoint::Connected(end) => end.poll(self),
            Endpoint::Datagram(end) => end.poll(self),
        };
        events & (interest | PollEvents::UNASKED)
    }

    fn subscribe(&self, interest: PollEvents, observer: Weak<dyn Observer>) -> Option<Subscription> {
        Some(self.queue.subscribe(interest, observer))
    }

    fn ioctl(&self, request: Ioctl, argument: u64) -> Result<u64> {
        match request {
            Ioctl::FIONREAD => {
                let inbox = self.inboxes().0.ok_or(Errno::EINVAL)?;
                anonymous::answer_int(argument, inbox.unread())
            }
            Ioctl::TIOCOUTQ => anonymous::answer_int(argument, self.unreceived()),
            _ => interfaces::ioctl(AddressFamily::AF_UNIX, request, argument),
        }
    }

    fn close(&self) {
        self.hang_up();
    }
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        // A socket that never became an open file.
        self.hang_up();
    }
}

#[cfg(test)]
mod tests;
