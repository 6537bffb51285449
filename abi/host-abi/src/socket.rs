//! Network sockets, which are the host's.
//!
//! Every host socket is non-blocking; a call that may wait says how long, and the host waits for it. Addresses
//! lie in the first [`SOCKADDR_MAX`] bytes of the staging buffer as Linux's `sockaddr`, data behind them.

use crate::{Answer, CallCode, CallError, HostCall, HostFd, STAGING_SIZE, Wait};

/// Room for an address at the start of the staging buffer (`struct sockaddr_storage`).
pub const SOCKADDR_MAX: usize = 128;

fn length(raw: u64, most: usize) -> Option<usize> {
    usize::try_from(raw).ok().filter(|&len| len <= most)
}

/// Makes a socket; it is non-blocking on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket {
    /// AF_INET, AF_INET6 or AF_NETLINK.
    pub domain: u16,
    /// SOCK_ type without flags.
    pub kind: u16,
    /// IPPROTO_
    pub protocol: u16,
}

impl HostCall for Socket {
    const CODE: CallCode = CallCode::Socket;
    type Answer = HostFd;

    fn to_args(&self) -> [u64; 6] {
        [
            self.domain.into(),
            self.kind.into(),
            self.protocol.into(),
            0,
            0,
            0,
        ]
    }

    fn from_args(args: [u64; 6]) -> Option<Self> {
        Some(Self {
            domain: args[0].try_into().ok()?,
            kind: args[1].try_into().ok()?,
            protocol: args[2].try_into().ok()?,
        })
    }

    fn check(&self, answer: Answer) -> Result<HostFd, CallError> {
        HostFd::check(answer)
    }
}

/// Binds to the address in the staging buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bind {
    /// The socket.
    pub fd: HostFd,
    /// Bytes of the address.
    pub address_len: usize,
}

impl HostCall for Bind {
    const CODE: CallCode = CallCode::Bind;
    type Answer = ();

    fn to_args(&self) -> [u64; 6] {
        [self.fd.raw().into(), self.address_len as u64, 0, 0, 0, 0]
    }

    fn from_args(args: [u64; 6]) -> Option<Self> {
        Some(Self {
            fd: HostFd::from_raw(args[0])?,
            address_len: length(args[1], SOCKADDR_MAX)?,
        })
    }

    fn check(&self, answer: Answer) -> Result<(), CallError> {
        answer.unit()
    }
}

/// Connects to the address in the staging buffer. With no wait, EINPROGRESS while it is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connect {
    /// The socket.
    pub fd: HostFd,
    /// Bytes of the address.
    pub address_len: usize,
    /// How long it may block.
    pub wait: Wait,
}

impl HostCall for Connect {
    const CODE: CallCode = CallCode::Connect;
    type Answer = ();

    fn to_args(&self) -> [u64; 6] {
        [
            self.fd.raw().into(),
            self.address_len as u64,
            self.wait.raw(),
            0,
            0,
            0,
        ]
    }

    fn from_args(args: [u64; 6]) -> Option<Self> {
        Some(Self {
            fd: HostFd::from_raw(args[0])?,
            address_len: length(args[1], SOCKADDR_MAX)?,
            wait: Wait::nanoseconds(args[2]),
        })
    }

    fn check(&self, answer: Answer) -> Result<(), CallError> {
        answer.unit()
    }
}

/// Listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen {
    /// The socket.
    pub fd: HostFd,
    /// How many connections may wait.
    pub backlog: u32,
}

impl HostCall for Listen {
    const CODE: CallCode = CallCode::Listen;
    type Answer = ();

    fn to_args(&self) -> [u64; 6] {
        [self.fd.raw().into(), self.backlog.into(), 0, 0, 0, 0]
    }

    fn from_args(args: [u64; 6]) -> Option<Self> {
        Some(Self {
            fd: HostFd::from_raw(args[0])?,
            backlog: args[1].try_into().ok()?,
        })
    }

    fn check(&self, answer: Answer) -> Result<(), CallError> {
        answer.unit()
    }
}

/// Accepts a connection; the peer's address comes in the staging buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accept {
    /// The listening socket.
    pub fd: HostFd,
    /// How long it may block.
    pub wait: Wait,
}

/// An accepted connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its socket, non-blocking on the host.
    pub fd: HostFd,
    /// Bytes of the peer's address.
    pub address_len: usize,
}

impl HostCall for Accept {
    const CODE: CallCode = CallCode::Accept;
    type Answer = Accepted;

    fn to_args(&self) -> [u64; 6] {
        [self.fd.raw().into(), self.wait.raw(), 0, 0, 0, 0]
    }

    fn from_args(args: [u64; 6]) -> Option<Self> {
        Some(Self {
            fd: HostFd::from_raw(args[0])?,
            wait: Wait::nanoseconds(args[1]),
        })
    }

    fn check(&self, answer: Answer) -> Result<Accepted, CallError> {
        let fd = HostFd::check(answer)?;
        let address_len = length(answer.extra[0], SOCKADDR_MAX).ok_or(CallError::Lie("a long address"))?;
        Ok(Accepted { fd, address_len })
    }
}

/// Sends from the staging buffer: the address (if any) at 0, the data at [`SOCKADDR_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Send {
    /// The socket.
    pub fd: HostFd,
    /// Bytes of data.
    pub len: usize,
    /// MSG_ flags; MSG_NOSIGNAL is always added.
    pub flags: u32,
    /// Bytes of the destination's address; 0 for none.
    pub address_len: usize,
    /// How long it may block.
    pub wait: Wait,
}

/// Most data of one [`Send`] or [`Recv`].
const DATA_MAX: usize = STAGING_SIZE - SOCKADDR_MAX;

impl Send {
    /// Most data of one call.
    pub const MOST: usize = DATA_MAX;
}

impl HostCall for Send {
    const CODE: CallCode = CallCode::Send;
    type Answer = usize;

    fn to_args(&self) -> [u64; 6] {
        let fd = self.fd.raw().into();
        [
            fd,
            self.len as u64,
            self.flags.into(),
            self.address_len as u64,
            self.wait.raw(),
            0,
        ]
    }

    fn from_args(args: [u64; 6]) -> Option<Self> {
        Some(Self {
            fd: HostFd::from_raw(args[0])?,
            len: length(args[1], DATA_MAX)?,
            flags: args[2].try_into().ok()?,
            address_len: length(args[3], SOCKADDR_MAX)?,
            wait: Wait::nanoseconds(args[4]),
        })
    }

    fn check(&self, answer: Answer) -> Result<usize, CallError> {
        answer.count(self.len)
    }
}

/// What a [`Recv`] is to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The data alone, which is less work: what a stream is read for.
    Data = 0,
    /// The sender's address and the flags of the result, too.
    Message = 1,
}

/// Receives into the staging buffer: the sender's address at 0, the data at [`SOCKADDR_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recv {
    /// The socket.
    pub fd: HostFd,
    /// Room for data, in bytes.
    pub len: usize,
    /// MSG_ flags. With MSG_TRUNC on a datagram socket the answer may exceed the room.
    pub flags: u32,
    /// How long it may block.
    pub wait: Wait,
    /// What is told of it.
    pub wanted: Wanted,
}

impl Recv {
    /// Most data of one call.
    pub const MOST: usize = DATA_MAX;
    const MSG_TRUNC: u32 = 0x20;
}

/// What was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Bytes of data in the staging buffer.
    pub len: usize,
    /// Bytes of the message, which is more than `len` if it was cut and MSG_TRUNC was asked for.
    pub full_len: usize,
    /// Bytes of the sender's address; 0 if it was not wanted.
    pub address_len: usize,
    /// MSG_ flags of the result; 0 if they were not wanted.
    pub flags: u32,
}

impl HostCall for Recv {
    const CODE: CallCode = CallCode::Recv;
    type Answer = Received;

    fn to_args(&self) -> [u64; 6] {
        [
            self.fd.raw().into(),
            self.len as u64,
            self.flags.into(),
            self.wait.raw(),
            self.wanted as u64,
            0,
        ]
    }

    fn from_args(args: [u64; 6]) -> Option<Self> {
        Some(Self {
            fd: HostFd::from_raw(args[0])?,
            len: length(args[1], DATA_MAX)?,
            flags: args[2].try_into().ok()?,
            wait: Wait::nanoseconds(args[3]),
            wanted: match args[4] {
                0 => Wanted::Data,
                1 => Wanted::Message,
                _ => return None,
            },
        })
    }

    fn check(&self, answer: Answer) -> Result<Received, CallError> {
        // A datagram is at most 64 KiB long.
        let most = if self.flags & Self::MSG_TRUNC != 0 {
            self.len.max(1 << 16)
        } else {
            self.len
        };
        let full_len = answer.count(most)?;
        if self.wanted == Wanted::Data {
            return Ok(Received {
                len: full_len.min(self.len),
                full_len,
                address_len: 0,
                flags: 0,
            });
        }
        let address_len = length(answer.extra[0], SOCKADDR_MAX).ok_or(CallError::Lie("a long address"))?;
        let flags = u32::try_from(answer.extra[1]).map_err(|_| CallError::Lie("unknown message flags"))?;
        Ok(Received {
            len: full_len.min(self.len),
            full_len,
            address_len,
            flags,
        })
    }
}

/// Shuts down one or both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shutdown {
    /// The socket.
    pub fd: HostFd,
    /// SHUT_RD, SHUT_WR or SHUT_RDWR.
    pub how: u8,
}

impl HostCall for Shutdown {
    const CODE: CallCode = CallCode::Shutdown;
    type Answer = ();

    fn to_args(&self) -> [u64; 6] {
        [self.fd.raw().into(), self.how.into(), 0, 0, 0, 0]
    }

    fn from_args(args: [u64; 6]) -> Option<Self> {
        let how = u8::try_from(args[1]).ok().filter(|&how| how <= 2)?;
        Some(Self {
            fd: HostFd::from_raw(args[0])?,
            how,
        })
    }

    fn check(&self, answer: Answer) -> Result<(), CallError> {
        answer.unit()
    }
}

macro_rules! name_calls {
    ($($(#[$doc:meta])* $name:ident;)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name {
            /// The socket.
            pub fd: HostFd,
        }

        impl HostCall for $name {
            const CODE: CallCode = CallCode::$name;
            type Answer = usize;

            fn to_args(&self) -> [u64; 6] {
                [self.fd.raw().into(), 0, 0, 0, 0, 0]
            }

            fn from_args(args: [u64; 6]) -> Option<Self> {
                Some(Self { fd: HostFd::from_raw(args[0])? })
            }

            fn check(&self, answer: Answer) -> Result<usize, CallError> {
                answer.count(SOCKADDR_MAX)
            }
        }
    )* };
}

name_calls! {
    /// The socket's own address, in the staging buffer; the answer is its length.
    GetSockName;
    /// The peer's address, in the staging buffer; the answer is its length.
    GetPeerName;
}

/// Most bytes of a socket option.
const OPTION_MAX: usize = 4096;

/// Reads an option into the staging buffer; the answer is its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GetSockOpt {
    /// The socket.
    pub fd: HostFd,
    /// SOL_
    pub level: u32,
    /// SO_
    pub name: u32,
    /// Room in bytes, at most 4096.
    pub len: usize,
}

impl HostCall for GetSockOpt {
    const CODE: CallCode = CallCode::GetSockOpt;
    type Answer = usize;

    fn to_args(&self) -> [u64; 6] {
        [
            self.fd.raw().into(),
            self.level.into(),
            self.name.into(),
            self.len as u64,
            0,
            0,
        ]
    }

    fn from_args(args: [u64; 6]) -> Option<Self> {
        Some(Self {
            fd: HostFd::from_raw(args[0])?,
            level: args[1].try_into().ok()?,
            name: args[2].try_into().ok()?,
            len: length(args[3], OPTION_MAX)?,
        })
    }

    fn check(&self, answer: Answer) -> Result<usize, CallError> {
        answer.count(self.len)
    }
}

/// Sets an option from the staging buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetSockOpt {
    /// The socket.
    pub fd: HostFd,
    /// SOL_
    pub level: u32,
    /// SO_
    pub name: u32,
    /// Bytes of the option, at most 4096.
    pub len: usize,
}

impl HostCall for SetSockOpt {
    const CODE: CallCode = CallCode::SetSockOpt;
    type Answer = ();

    fn to_args(&self) -> [u64; 6] {
        [
            self.fd.raw().into(),
            self.level.into(),
            self.name.into(),
            self.len as u64,
            0,
            0,
        ]
    }

    fn from_args(args: [u64; 6]) -> Option<Self> {
        GetSockOpt::from_args(args).map(|GetSockOpt { fd, level, name, len }| Self { fd, level, name, len })
    }

    fn check(&self, answer: Answer) -> Result<(), CallError> {
        answer.unit()
    }
}
