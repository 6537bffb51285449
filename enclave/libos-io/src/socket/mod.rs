//! Sockets: one trait over the families.
//!
//! - [`InetSocket`]: IPv4, IPv6 and netlink, which are the host's;
//! - [`IpSocket`]: TCP and UDP where the loopback addresses are the container's own: inside, the host's, or both;
//! - [`UnixSocket`]: Unix domain sockets, inside.
//!
//! Addresses go in and out as the bytes of Linux's `sockaddr`; `libos` copies them.

mod address;
mod control;
mod inbox;
mod inet;
mod interfaces;
mod ip;
mod message;
mod option;
mod rtnetlink;
mod unix;

use alloc::sync::Arc;
use core::any::Any;

use kobject::{Description, Errno, File, How, Result, Sink, Source, WaitQueue, wait_until};
use linux_abi::socket::{AF_MAX, SOCK_MAX, SOCK_TYPE_MASK};
use linux_abi::{
    AddressFamily, MessageFlags, OptionLevel, PollEvents, Protocol, ShutdownDirection, SocketType,
};

use crate::NOW;

pub use address::{MAX_ADDRESS, SocketAddress};
pub use control::Control;
pub use inet::{InetSocket, not_sent};
pub use ip::{IpSocket, install_loopback};
pub use message::{Ancillary, Identity, Outgoing, Received};
pub use option::Timeouts;
pub use unix::UnixSocket;

/// The type of a socket, as a number that of Linux.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketKind {
    /// A stream of bytes, connected.
    Stream = SocketType::SOCK_STREAM.0 as isize,
    /// Messages, each by itself.
    Datagram = SocketType::SOCK_DGRAM.0 as isize,
    /// Packets of the network layer.
    Raw = SocketType::SOCK_RAW.0 as isize,
    /// Messages, connected.
    SeqPacket = SocketType::SOCK_SEQPACKET.0 as isize,
}

impl SocketKind {
    /// The type; EINVAL for one that does not exist.
    pub fn from_raw(raw: SocketType) -> Result<Self> {
        match raw {
            SocketType::SOCK_STREAM => Ok(Self::Stream),
            SocketType::SOCK_DGRAM => Ok(Self::Datagram),
            SocketType::SOCK_RAW => Ok(Self::Raw),
            SocketType::SOCK_SEQPACKET => Ok(Self::SeqPacket),
            _ => Err(Errno::EINVAL),
        }
    }
}

/// Which directions are shut down, as a number that of Linux.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// SHUT_RD
    Read = ShutdownDirection::SHUT_RD.0 as isize,
    /// SHUT_WR
    Write = ShutdownDirection::SHUT_WR.0 as isize,
    /// SHUT_RDWR
    Both = ShutdownDirection::SHUT_RDWR.0 as isize,
}

impl Shutdown {
    /// The direction; EINVAL for one that does not exist.
    pub fn from_raw(raw: ShutdownDirection) -> Result<Self> {
        match raw {
            ShutdownDirection::SHUT_RD => Ok(Self::Read),
            ShutdownDirection::SHUT_WR => Ok(Self::Write),
            ShutdownDirection::SHUT_RDWR => Ok(Self::Both),
            _ => Err(Errno::EINVAL),
        }
    }

    fn reads(self) -> bool {
        self != Self::Write
    }

    fn writes(self) -> bool {
        self != Self::Read
    }
}

/// Who calls, and how it names sockets in the file system.
#[derive(Clone, Copy)]
pub struct Caller<'a> {
    /// What peers are told about the caller.
    pub identity: Identity,
    /// Paths, as the caller sees them.
    pub names: &'a dyn SocketNames,
}

/// What a path of a bound socket stands for: opaque to whoever keeps it, and no reason for the socket to stay
/// open.
pub type BoundSocket = Arc<dyn Any + Send + Sync>;

/// Sockets that have a path. `libos` implements it over the file system; paths are relative to the caller's
/// directories, and its permissions are checked.
pub trait SocketNames {
    /// Makes a socket inode that stands for `socket`, with these permissions less the umask. EEXIST if the path exists.
    fn bind(&self, path: &[u8], socket: BoundSocket, permissions: u32) -> Result<()>;

    /// What [`SocketNames::bind`] was given for the path. ECONNREFUSED if it is no socket.
    fn find(&self, path: &[u8]) -> Result<BoundSocket>;
}

/// A socket.
///
/// `read` and `write` of the [`File`] receive and send without flags. Blocking is the open file's business
/// and comes with `how`; MSG_DONTWAIT adds to it. EPIPE from a [`SocketKind::Stream`] without MSG_NOSIGNAL
/// raises SIGPIPE, which is `libos`'s part.
pub trait Socket: File {
    /// Its address family.
    fn domain(&self) -> AddressFamily;

    /// Its type.
    fn kind(&self) -> SocketKind;

    /// `bind`.
    fn bind(&self, address: &[u8], caller: Caller<'_>) -> Result<()>;

    /// `connect`.
    fn connect(&self, address: &[u8], how: How, caller: Caller<'_>) -> Result<()>;

    /// `listen`.
    fn listen(&self, backlog: u32, caller: Caller<'_>) -> Result<()>;

    /// `accept`: the new socket and its peer's address.
    fn accept(&self, how: How) -> Result<(Arc<dyn File>, SocketAddress)>;

    /// `sendmsg`. Gives how many bytes were sent.
    fn send(
        &self,
        from: &mut dyn Source,
        message: Outgoing<'_>,
        how: How,
        caller: Caller<'_>,
    ) -> Result<usize>;

    /// `recvmsg`.
    fn receive(&self, to: &mut dyn Sink, flags: MessageFlags, how: How) -> Result<Received>;

    /// `shutdown`.
    fn shutdown(&self, which: Shutdown) -> Result<()>;

    /// `getsockname`.
    fn own_address(&self) -> Result<SocketAddress>;

    /// `getpeername`.
    fn peer_address(&self) -> Result<SocketAddress>;

    /// `getsockopt` (`name` is one of the level's): writes at most `out.len()` bytes, gives how many.
    fn option(&self, level: OptionLevel, name: u32, out: &mut [u8]) -> Result<usize>;

    /// `setsockopt`.
    fn set_option(&self, level: OptionLevel, name: u32, value: &[u8]) -> Result<()>;

    /// SO_RCVTIMEO and SO_SNDTIMEO. A call that has a limit is not restarted after a signal: EINTR is final.
    fn timeouts(&self) -> &Timeouts;
}

/// The host's stream whose data may come ahead, if the open file's object is one or has one.
pub(crate) fn host_stream(description: &Description) -> Option<&InetSocket> {
    let any = description.object().as_any();
    any.downcast_ref::<InetSocket>()
        .or_else(|| any.downcast_ref::<IpSocket>()?.polled_host().map(|host| &**host))
}

/// The socket that an open file's object is; ENOTSOCK.
pub fn as_socket(object: &dyn File) -> Result<&dyn Socket> {
    let any = object.as_any();
    if let Some(socket) = any.downcast_ref::<InetSocket>() {
        return Ok(socket);
    }
    if let Some(socket) = any.downcast_ref::<UnixSocket>() {
        return Ok(socket);
    }
    if let Some(socket) = any.downcast_ref::<IpSocket>() {
        return Ok(socket);
    }
    Err(Errno::ENOTSOCK)
}

/// `socket`, `type` without its flags, by `creator`. Unix sockets are made here, network sockets by the host;
/// other families are EAFNOSUPPORT.
pub fn open(
    domain: AddressFamily,
    kind: SocketKind,
    protocol: Protocol,
    creator: Identity,
) -> Result<Arc<dyn File>> {
    match domain {
        AddressFamily::AF_INET | AddressFamily::AF_INET6 | AddressFamily::AF_NETLINK => {
            let own = || IpSocket::open(domain, kind, protocol, creator);
            match ip::is_inside().then(own).flatten() {
                Some(socket) => Ok(socket),
                None => Ok(InetSocket::open(domain, kind, protocol)?),
            }
        }
        AddressFamily::AF_UNIX => Ok(UnixSocket::open(kind, protocol, creator)?),
        _ => Err(Errno::EAFNOSUPPORT),
    }
}

/// The family and kind of a new socket: EAFNOSUPPORT, EINVAL or ESOCKTNOSUPPORT, in the order of `__sock_create` of the kernel.
pub fn family_and_kind(domain: u32, kind: SocketType) -> Result<(AddressFamily, SocketKind)> {
    if kind.0 & !SOCK_TYPE_MASK != 0 {
        return Err(Errno::EINVAL);
    }
    if domain >= AF_MAX {
        return Err(Errno::EAFNOSUPPORT);
    }
    if kind.0 >= SOCK_MAX {
        return Err(Errno::EINVAL);
    }
    let family = AddressFamily(domain as u16);
    match family {
        AddressFamily::AF_INET
        | AddressFamily::AF_INET6
        | AddressFamily::AF_NETLINK
        | AddressFamily::AF_UNIX => {}
        _ => return Err(Errno::EAFNOSUPPORT),
    }
    let kind = SocketKind::from_raw(kind).map_err(|_| Errno::ESOCKTNOSUPPORT)?;
    Ok((family, kind))
}

/// Tries until it works, as [`wait_until`] does; EAGAIN after the deadline, as sockets with a time limit have
/// it.
fn wait<T>(
    queue: &Arc<WaitQueue>,
    events: PollEvents,
    deadline: Option<u64>,
    mut attempt: impl FnMut() -> Result<T>,
) -> Result<T> {
    if deadline == NOW {
        return attempt();
    }
    wait_until(queue, events, deadline, attempt).map_err(|error| match error {
        Errno::ETIMEDOUT => Errno::EAGAIN,
        error => error,
    })
}
