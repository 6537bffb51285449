//! TCP and UDP of a container whose loopback addresses are its own (see `ARCHITECTURE.md`).
//!
//! An [`IpSocket`] is at first nowhere. What its program does decides where it is: `bind` and `connect` to a loopback address lead
//! inside, to others lead to the host, and a server that is bound to all addresses is at both. The host's part is an [`InetSocket`],
//! made when there is need of one.
//!
//! - [`binding`], [`listening`], [`connecting`]: what decides where a socket is;
//! - [`ports`]: who has which port inside; [`policy`]: which ports lead to the host;
//! - [`stream`] and [`connection`]: TCP inside; [`datagram`]: UDP inside; [`transfer`]: sending and receiving on both sides;
//! - [`options`], [`control`]: options and control data, which the host's part is told of when it is made.
//!
//! # Trust
//! Nothing that the host says makes or changes a connection inside. A peer of which the host claims that it is on a loopback address is
//! shown under another one ([`endpoint::of_host`]): to programs, a loopback address is one of their own container.
//!
//! # Locks
//! From the outside in: the binding of a socket, a backlog, the table of ports.

mod binding;
mod connecting;
mod connection;
mod control;
mod datagram;
mod endpoint;
mod listening;
mod options;
mod policy;
mod ports;
mod sinks;
mod socket;
mod stream;
mod tcp_info;
mod transfer;

use alloc::sync::{Arc, Weak};
use core::net::{IpAddr, SocketAddr};
use core::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use host_abi::HostFd;
use kobject::{Attributes, Errno, Mutex, Once, Result, WaitQueue};
use linux_abi::{AddressFamily, Ipv6Option, OptionLevel, PollEvents, Protocol, SocketOption};

use self::binding::Binding;
use self::connection::Leave;
use self::datagram::Datagrams;
use self::options::Options;
pub use self::policy::install as install_loopback;
pub(super) use self::policy::is_inside;
use self::ports::{Claim, Role};
use self::stream::{Progress, Stream};
use super::inet::InetSocket;
use super::option::Timeouts;
use super::{Identity, Socket, SocketAddress, SocketKind};
use crate::anonymous;

/// A protocol that has ports.
pub(super) use enclave_config::Transport;

/// A socket of TCP or UDP: inside, the host's, or both.
pub struct IpSocket {
    this: Weak<Self>,
    domain: AddressFamily,
    transport: Transport,
    creator: Identity,
    /// Told of all that happens to it, inside and at the host.
    queue: Arc<WaitQueue>,
    place: AtomicU8,
    host: Once<Arc<InetSocket>>,
    /// Held while the host's part is made.
    making: Mutex<()>,
    binding: Mutex<Binding>,
    inside: Inside,
    options: Options,
    /// Those of the host's part, too.
    timeouts: Arc<Timeouts>,
    /// The peer of a connection that came from the host or goes there, as its program is told.
    host_peer: Mutex<Option<SocketAddress>>,
    closed: AtomicBool,
    inode: u64,
    attributes: Attributes,
}

/// What of it is inside.
enum Inside {
    Tcp(Stream),
    Udp(Datagrams),
}

/// Where a socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Place {
    /// Not bound, not connected.
    Nowhere,
    /// Inside alone.
    Inside,
    /// At the host alone.
    Host,
    /// Bound inside and at the host.
    Both,
}

impl Place {
    /// In the order of their numbers.
    const ALL: [Self; 4] = [Self::Nowhere, Self::Inside, Self::Host, Self::Both];
}

impl IpSocket {
    /// `socket` of AF_INET or AF_INET6; `None` for what is not TCP or UDP.
    pub fn open(
        domain: AddressFamily,
        kind: SocketKind,
        protocol: Protocol,
        creator: Identity,
    ) -> Option<Arc<Self>> {
        let transport = match (kind, protocol) {
            (SocketKind::Stream, Protocol::IPPROTO_IP | Protocol::IPPROTO_TCP) => Transport::Tcp,
            (SocketKind::Datagram, Protocol::IPPROTO_IP | Protocol::IPPROTO_UDP) => Transport::Udp,
            _ => return None,
        };
        let is_ip = domain == AddressFamily::AF_INET || domain == AddressFamily::AF_INET6;
        is_ip.then(|| {
            Self::new(
                domain,
                transport,
                creator,
                Options::default(),
                Arc::new(Timeouts::new()),
                None,
            )
        })
    }

    fn new(
        domain: AddressFamily,
        transport: Transport,
        creator: Identity,
        options: Options,
        timeouts: Arc<Timeouts>,
        host: Option<Arc<InetSocket>>,
    ) -> Arc<Self> {
        let once = Once::new();
        let (place, queue) = match host {
            Some(host) => {
                let queue = host.queue();
                once.get_or_make(|| host);
                (Place::Host, queue)
            }
            None => (Place::Nowhere, WaitQueue::new()),
        };
        Arc::new_cyclic(|this| Self {
            this: this.clone(),
            domain,
            transport,
            creator,
            queue,
            place: AtomicU8::new(place as u8),
            host: once,
            making: Mutex::new(()),
            binding: Mutex::new(Binding::default()),
            inside: match transport {
                Transport::Tcp => Inside::Tcp(Stream::new()),
                Transport::Udp => Inside::Udp(Datagrams::new()),
            },
            options,
            timeouts,
            host_peer: Mutex::new(None),
            closed: AtomicBool::new(false),
            inode: anonymous::next_inode(),
            attributes: Attributes::default(),
        })
    }

    /// A socket for a connection that this one accepts: inside, or one of the host's.
    fn accepted(&self, host: Option<Arc<InetSocket>>) -> Arc<Self> {
        let timeouts = match &host {
            Some(host) => host.shared_timeouts(),
            None => Arc::new(self.timeouts.inherited()),
        };
        let options = self.options.inherited();
        Self::new(self.domain, self.transport, self.creator, options, timeouts, host)
    }

    /// A socket for a connection of the host's that this one accepts, from a peer that programs see under this address.
    fn accepted_of_host(&self, host: Arc<InetSocket>, peer: SocketAddress) -> Arc<Self> {
        let accepted = self.accepted(Some(host));
        *accepted.host_peer.lock() = Some(peer);
        accepted
    }

    fn kind(&self) -> SocketKind {
        match self.transport {
            Transport::Tcp => SocketKind::Stream,
            Transport::Udp => SocketKind::Datagram,
        }
    }

    /// The part that is TCP inside.
    fn stream(&self) -> Option<&Stream> {
        match &self.inside {
            Inside::Tcp(stream) => Some(stream),
            Inside::Udp(_) => None,
        }
    }

    /// The part that is UDP inside.
    fn datagrams(&self) -> Option<&Datagrams> {
        match &self.inside {
            Inside::Tcp(_) => None,
            Inside::Udp(datagrams) => Some(datagrams),
        }
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn place(&self) -> Place {
        let number = self.place.load(Ordering::Acquire);
        // Only `set_place` writes it.
        let known = Place::ALL.get(usize::from(number));
        known.copied().unwrap_or(Place::Nowhere)
    }

    /// It is somewhere else now: who polls it looks again.
    fn set_place(&self, place: Place) {
        if self.place.swap(place as u8, Ordering::AcqRel) != place as u8 {
            self.queue.wake(PollEvents::all());
        }
    }

    /// The host's part, if its readiness is this socket's.
    pub(crate) fn polled_host(&self) -> Option<&Arc<InetSocket>> {
        let counts = match self.place() {
            Place::Nowhere | Place::Inside => false,
            Place::Host => true,
            // A stream that is merely bound is ready for nothing.
            Place::Both => self.stream().is_none_or(Stream::is_listening),
        };
        self.host.get().filter(|_| counts)
    }

    /// The host's descriptor whose readiness is this socket's, to be compared.
    pub(crate) fn polled_descriptor(&self) -> Option<HostFd> {
        self.polled_host().map(|host| host.number())
    }

    /// The host's part, if all that is sent and received goes there.
    fn only_host(&self) -> Option<&Arc<InetSocket>> {
        self.host.get().filter(|_| self.place() == Place::Host)
    }

    /// The host's part; makes it if there is none, with all options that were set.
    fn host(&self) -> Result<&Arc<InetSocket>> {
        if let Some(host) = self.host.get() {
            return Ok(host);
        }
        let _making = self.making.lock();
        if let Some(host) = self.host.get() {
            return Ok(host);
        }
        let protocol = match self.transport {
            Transport::Tcp => Protocol::IPPROTO_TCP,
            Transport::Udp => Protocol::IPPROTO_UDP,
        };
        let host = InetSocket::open_with(
            self.domain,
            self.kind(),
            protocol,
            self.queue.clone(),
            self.timeouts.clone(),
        )?;
        for kept in self.options.all() {
            host.set_option(kept.level, kept.name, &kept.value)?;
        }
        Ok(self.host.get_or_make(|| host))
    }

    /// What others need to know of it when it has a port of this address.
    fn claim(&self, address: IpAddr) -> Claim {
        let only_v6 = self
            .options
            .number(OptionLevel::SOL_IPV6, Ipv6Option::IPV6_V6ONLY.0);
        Claim {
            address,
            only_v6: only_v6.is_some_and(|only| only != 0),
            reuse_address: self.options.has(SocketOption::SO_REUSEADDR),
            reuse_port: self
                .options
                .has(SocketOption::SO_REUSEPORT)
                .then_some(self.creator.uid),
            role: Role::Bound,
        }
    }

    /// A connection that was under way has failed.
    fn refuse(&self, error: Errno) {
        if let Some(stream) = self.stream() {
            stream.set_progress(Progress::Failed(error));
        }
        self.binding.lock().release_unasked();
        self.queue.wake(PollEvents::all());
    }

    /// What programs are told of a peer of which the host claims this address.
    fn seen(&self, claimed: SocketAddress) -> Result<SocketAddress> {
        // Its family and length have been checked.
        let claimed = endpoint::parse(self.domain, claimed.as_bytes())?.ok_or(Errno::EIO)?;
        if self.transport == Transport::Udp && policy::is_reached(Transport::Udp, claimed.port()) {
            // It answers what was sent there.
            return Ok(endpoint::format(self.domain, claimed));
        }
        Ok(endpoint::format(self.domain, endpoint::of_host(claimed)))
    }

    /// Leaves its peers and gives its port back. Once; later calls do nothing.
    fn leave(&self, how: Leave) {
        if self.closed.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Some(stream) = self.stream() {
            stream.stop_listening();
            let how = match self.options.lingers_not() {
                true => Leave::Abruptly,
                false => how,
            };
            stream.leave(how);
        }
        let binding = core::mem::take(&mut *self.binding.lock());
        drop(binding);
        self.queue.wake(PollEvents::all());
    }

    /// Its own address as it is inside.
    fn inside_address(&self) -> SocketAddr {
        if let Some(connection) = self.stream().and_then(Stream::connection) {
            return connection.local;
        }
        let binding = self.binding.lock();
        let local = binding.endpoint(self.domain);
        match self.datagrams().and_then(Datagrams::peer) {
            Some(peer) if local.ip().is_unspecified() => {
                SocketAddr::new(endpoint::source_for(peer.ip()), local.port())
            }
            _ => local,
        }
    }
}

impl Drop for IpSocket {
    fn drop(&mut self) {
        // A socket that never became an open file.
        self.leave(Leave::InOrder);
    }
}
