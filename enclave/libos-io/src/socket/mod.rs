//! Sockets: one trait over the families.
//!
//! - [`InetSocket`]: IPv4, IPv6 and netlink, which are the host's;
//! - [`UnixSocket`]: Unix domain sockets, inside.
//!
//! Addresses go in and out as the bytes of Linux's `sockaddr`; `libos` copies them.

mod address;
mod inet;
mod interfaces;
mod message;
mod option;
mod rtnetlink;
mod unix;

use alloc::sync::Arc;
use core::any::Any;

use kobject::{Errno, Events, File, How, Result, Sink, Source, WaitQueue, wait_until};

use crate::NOW;

pub use address::{ADDRESS_MAX, SocketAddress};
pub use inet::InetSocket;
pub use message::{Ancillary, Identity, MessageFlags, Outgoing, Received};
pub use option::Timeouts;
pub use unix::UnixSocket;

/// AF_UNSPEC
pub const AF_UNSPEC: u16 = 0;
/// AF_UNIX
pub const AF_UNIX: u16 = 1;
/// AF_INET
pub const AF_INET: u16 = 2;
/// AF_INET6
pub const AF_INET6: u16 = 10;
/// AF_NETLINK
pub const AF_NETLINK: u16 = 16;

/// The type of a socket: Linux's SOCK_ numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketKind {
    /// A stream of bytes, connected.
    Stream = 1,
    /// Messages, each by itself.
    Datagram = 2,
    /// Packets of the network layer.
    Raw = 3,
    /// Messages, connected.
    SeqPacket = 5,
}

impl SocketKind {
    /// The type with this number (without SOCK_NONBLOCK and SOCK_CLOEXEC); EINVAL.
    pub fn from_raw(raw: u32) -> Result<Self> {
        match raw {
            1 => Ok(Self::Stream),
            2 => Ok(Self::Datagram),
            3 => Ok(Self::Raw),
            5 => Ok(Self::SeqPacket),
            _ => Err(Errno::EINVAL),
        }
    }
}

/// Which directions are shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// SHUT_RD
    Read = 0,
    /// SHUT_WR
    Write = 1,
    /// SHUT_RDWR
    Both = 2,
}

impl Shutdown {
    /// The direction with Linux's number; EINVAL.
    pub fn from_raw(raw: u32) -> Result<Self> {
        match raw {
            0 => Ok(Self::Read),
            1 => Ok(Self::Write),
            2 => Ok(Self::Both),
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
    /// Makes a socket inode that stands for `socket`. EADDRINUSE if the path exists.
    fn bind(&self, path: &[u8], socket: BoundSocket) -> Result<()>;

    /// What [`SocketNames::bind`] was given for the path. ECONNREFUSED if it is no socket.
    fn find(&self, path: &[u8]) -> Result<BoundSocket>;
}

/// A socket.
///
/// `read` and `write` of the [`File`] receive and send without flags. Blocking is the open file's business
/// and comes with `how`; MSG_DONTWAIT adds to it. EPIPE from a [`SocketKind::Stream`] without MSG_NOSIGNAL
/// raises SIGPIPE, which is `libos`'s part.
pub trait Socket: File {
    /// AF_ number.
    fn domain(&self) -> u16;

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

    /// `getsockopt`: writes at most `out.len()` bytes, gives how many.
    fn option(&self, level: u32, name: u32, out: &mut [u8]) -> Result<usize>;

    /// `setsockopt`.
    fn set_option(&self, level: u32, name: u32, value: &[u8]) -> Result<()>;

    /// SO_RCVTIMEO and SO_SNDTIMEO. A call that has a limit is not restarted after a signal: EINTR is final.
    fn timeouts(&self) -> &Timeouts;
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
    Err(Errno::ENOTSOCK)
}

/// `socket`, `type` without its flags, by `creator`. Unix sockets are made here, network sockets by the host;
/// other families are EAFNOSUPPORT.
pub fn open(domain: u16, kind: SocketKind, protocol: u32, creator: Identity) -> Result<Arc<dyn File>> {
    match domain {
        AF_INET | AF_INET6 | AF_NETLINK => Ok(InetSocket::open(domain, kind, protocol)?),
        AF_UNIX => Ok(UnixSocket::open(kind, protocol, creator)?),
        _ => Err(Errno::EAFNOSUPPORT),
    }
}

/// Tries until it works, as [`wait_until`] does; EAGAIN after the deadline, as sockets with a time limit have
/// it.
fn wait<T>(
    queue: &Arc<WaitQueue>,
    events: Events,
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
