//! The options of a socket: checked and kept here, and told to the host's socket if there is one.
//!
//! What an option does is up to who looks at it. Most of TCP's change nothing where there is no network.

use alloc::vec::Vec;

use kobject::{Errno, Mutex, Result};
use linux_abi::{AddressFamily, Ipv4Option, Ipv6Option, OptionLevel, SocketOption, TcpOption, UdpOption};

use super::Transport;
use crate::socket::option::{int, put, put_int};

/// Most bytes of a name (TCP_CA_NAME_MAX).
const NAME_MAX: usize = 16;
/// What TCP_CONGESTION is at first.
const CONGESTION: &[u8; NAME_MAX] = b"cubic\0\0\0\0\0\0\0\0\0\0\0";
/// Seconds, as Linux has them at first (tcp(7)).
const KEEPALIVE_TIME: u32 = 7200;
const KEEPALIVE_INTERVAL: u32 = 75;
const KEEPALIVE_PROBES: u32 = 9;
const SYN_RETRIES: u32 = 6;
const FIN_TIMEOUT: u32 = 60;
/// TTL (net.ipv4.ip_default_ttl).
pub(super) const TTL: u32 = 64;
/// Path MTU discovery (IP_PMTUDISC_WANT).
const DISCOVER_WANT: u32 = 1;
/// Bytes of buffers at first: net.ipv4.tcp_wmem, tcp_rmem; net.core.rmem_default.
const TCP_SEND: u32 = 16_384;
const TCP_RECEIVE: u32 = 131_072;
const UDP_BUFFER: u32 = 212_992;

/// What is kept of a socket's options, in the order in which they were set.
#[derive(Default)]
pub(super) struct Options(Mutex<Vec<Kept>>);

/// One option, as it was set.
#[derive(Clone)]
pub(super) struct Kept {
    pub level: OptionLevel,
    pub name: u32,
    pub value: Vec<u8>,
}

/// What an option's value is.
#[derive(Clone, Copy)]
enum Kind {
    /// 0 or 1; what it is at first.
    Flag(bool),
    /// A number: at first, least, most.
    Number(u32, i32, i32),
    /// Bytes of a buffer; twice what was set is read.
    Buffer(u32),
    /// `struct linger`.
    Linger,
    /// Of eight bytes, or of four.
    Long,
    /// A name.
    Name,
}

impl Options {
    /// Checks and keeps an option of a socket; whether it is one that is kept. EINVAL for a value that Linux refuses.
    pub fn set(
        &self,
        of: (AddressFamily, Transport),
        level: OptionLevel,
        name: u32,
        value: &[u8],
    ) -> Result<bool> {
        let Some(kind) = kind(of, level, name) else {
            return Ok(false);
        };
        kind.check(level, value)?;
        let mut all = self.0.lock();
        all.retain(|kept| (kept.level, kept.name) != (level, name));
        let value = value.to_vec();
        all.push(Kept { level, name, value });
        Ok(true)
    }

    /// Reads an option; `None` if it is none that is kept. Gives how many bytes.
    pub fn get(
        &self,
        of: (AddressFamily, Transport),
        level: OptionLevel,
        name: u32,
        out: &mut [u8],
    ) -> Option<usize> {
        let kind = kind(of, level, name)?;
        let value = self.value(level, name);
        let number = || value.as_deref().and_then(|value| number(level, value).ok());
        Some(match kind {
            Kind::Flag(first) => put_int(out, number().map_or(first, |number| number != 0).into()),
            Kind::Number(first, ..) => put_int(out, number().unwrap_or(first)),
            Kind::Buffer(first) => put_int(out, number().map_or(first, |size| doubled(size, name))),
            Kind::Linger => put(out, value.as_deref().unwrap_or(&[0; 8])),
            Kind::Long => put(out, value.as_deref().unwrap_or(&u64::MAX.to_ne_bytes())),
            Kind::Name => {
                let mut text = value.unwrap_or(CONGESTION.to_vec());
                text.resize(NAME_MAX, 0);
                put(out, &text)
            }
        })
    }

    fn value(&self, level: OptionLevel, name: u32) -> Option<Vec<u8>> {
        let all = self.0.lock();
        let kept = all.iter().find(|kept| (kept.level, kept.name) == (level, name))?;
        Some(kept.value.clone())
    }

    /// A number that was set.
    pub fn number(&self, level: OptionLevel, name: u32) -> Option<u32> {
        number(level, &self.value(level, name)?).ok()
    }

    /// Whether a flag of SOL_SOCKET was set.
    pub fn has(&self, name: SocketOption) -> bool {
        self.number(OptionLevel::SOL_SOCKET, name.0)
            .is_some_and(|number| number != 0)
    }

    /// Whether closing is to reset the connection: SO_LINGER for no time.
    pub fn lingers_not(&self) -> bool {
        let value = self.value(OptionLevel::SOL_SOCKET, SocketOption::SO_LINGER.0);
        value.is_some_and(|value| {
            let (on, seconds) = value.split_at_checked(4).unwrap_or_default();
            on.iter().any(|&byte| byte != 0) && seconds.iter().all(|&byte| byte == 0)
        })
    }

    /// All that were set, for a socket of the host's.
    pub fn all(&self) -> Vec<Kept> {
        self.0.lock().clone()
    }

    /// As an accepted socket has them from its listener.
    pub fn inherited(&self) -> Self {
        Self(Mutex::new(self.all()))
    }
}

/// What SO_SNDBUF and SO_RCVBUF make of a size: twice of it, within bounds.
pub(super) fn doubled(size: u32, name: u32) -> u32 {
    let least = match SocketOption(name) {
        SocketOption::SO_SNDBUF => super::stream::SEND_BUFFER_MIN,
        _ => super::stream::RECEIVE_BUFFER_MIN,
    };
    let most = super::stream::BUFFER_MAX as u32;
    size.min(most / 2).saturating_mul(2).max(least as u32)
}

/// A number as options give it. Those of IP may be one byte (ip(7)).
fn number(level: OptionLevel, value: &[u8]) -> Result<u32> {
    match value {
        [byte, ..] if level == OptionLevel::SOL_IP && value.len() < 4 => Ok((*byte).into()),
        value => int(value),
    }
}

impl Kind {
    fn check(self, level: OptionLevel, value: &[u8]) -> Result<()> {
        match self {
            Self::Flag(_) | Self::Buffer(_) => number(level, value).map(drop),
            Self::Number(_, least, most) => match number(level, value)?.cast_signed() {
                number if (least..=most).contains(&number) => Ok(()),
                _ => Err(Errno::EINVAL),
            },
            Self::Linger if value.len() >= 8 => Ok(()),
            Self::Long if value.len() >= 4 => Ok(()),
            Self::Name if (1..=NAME_MAX).contains(&value.len()) => Ok(()),
            Self::Linger | Self::Long | Self::Name => Err(Errno::EINVAL),
        }
    }
}

const ANY: (i32, i32) = (i32::MIN, i32::MAX);

/// What the value of an option is, if it is one that is kept.
fn kind((domain, transport): (AddressFamily, Transport), level: OptionLevel, name: u32) -> Option<Kind> {
    match level {
        OptionLevel::SOL_SOCKET => of_socket(transport, SocketOption(name)),
        OptionLevel::SOL_IP => of_ipv4(Ipv4Option(name)),
        OptionLevel::SOL_IPV6 if domain == AddressFamily::AF_INET6 => of_ipv6(Ipv6Option(name)),
        OptionLevel::SOL_TCP if transport == Transport::Tcp => of_tcp(TcpOption(name)),
        OptionLevel::SOL_UDP if transport == Transport::Udp => of_udp(UdpOption(name)),
        _ => None,
    }
}

fn of_socket(transport: Transport, name: SocketOption) -> Option<Kind> {
    let (send, receive) = match transport {
        Transport::Tcp => (TCP_SEND, TCP_RECEIVE),
        Transport::Udp => (UDP_BUFFER, UDP_BUFFER),
    };
    Some(match name {
        SocketOption::SO_REUSEADDR
        | SocketOption::SO_REUSEPORT
        | SocketOption::SO_KEEPALIVE
        | SocketOption::SO_BROADCAST
        | SocketOption::SO_DONTROUTE
        | SocketOption::SO_OOBINLINE
        | SocketOption::SO_NO_CHECK
        | SocketOption::SO_RXQ_OVFL
        | SocketOption::SO_TIMESTAMP_OLD
        | SocketOption::SO_TIMESTAMPNS_OLD
        | SocketOption::SO_TIMESTAMP_NEW
        | SocketOption::SO_TIMESTAMPNS_NEW => Kind::Flag(false),
        SocketOption::SO_TIMESTAMPING_OLD | SocketOption::SO_TIMESTAMPING_NEW => {
            Kind::Number(0, ANY.0, ANY.1)
        }
        SocketOption::SO_SNDBUF => Kind::Buffer(send),
        SocketOption::SO_RCVBUF => Kind::Buffer(receive),
        SocketOption::SO_LINGER => Kind::Linger,
        SocketOption::SO_PRIORITY | SocketOption::SO_BUSY_POLL => Kind::Number(0, ANY.0, ANY.1),
        SocketOption::SO_RCVLOWAT => Kind::Number(1, ANY.0, ANY.1),
        SocketOption::SO_INCOMING_CPU => Kind::Number(u32::MAX, ANY.0, ANY.1),
        SocketOption::SO_MAX_PACING_RATE => Kind::Long,
        _ => return None,
    })
}

fn of_ipv4(name: Ipv4Option) -> Option<Kind> {
    Some(match name {
        Ipv4Option::IP_TOS => Kind::Number(0, ANY.0, ANY.1),
        Ipv4Option::IP_TTL => Kind::Number(TTL, -1, 255),
        Ipv4Option::IP_MTU_DISCOVER => Kind::Number(DISCOVER_WANT, 0, 5),
        Ipv4Option::IP_PKTINFO
        | Ipv4Option::IP_RECVERR
        | Ipv4Option::IP_RECVTTL
        | Ipv4Option::IP_RECVTOS
        | Ipv4Option::IP_FREEBIND
        | Ipv4Option::IP_RECVORIGDSTADDR
        | Ipv4Option::IP_BIND_ADDRESS_NO_PORT => Kind::Flag(false),
        _ => return None,
    })
}

fn of_ipv6(name: Ipv6Option) -> Option<Kind> {
    Some(match name {
        Ipv6Option::IPV6_UNICAST_HOPS => Kind::Number(TTL, -1, 255),
        Ipv6Option::IPV6_TCLASS => Kind::Number(0, -1, 255),
        Ipv6Option::IPV6_MTU_DISCOVER => Kind::Number(DISCOVER_WANT, 0, 5),
        Ipv6Option::IPV6_V6ONLY
        | Ipv6Option::IPV6_RECVERR
        | Ipv6Option::IPV6_RECVPKTINFO
        | Ipv6Option::IPV6_RECVHOPLIMIT
        | Ipv6Option::IPV6_DONTFRAG
        | Ipv6Option::IPV6_RECVTCLASS => Kind::Flag(false),
        _ => return None,
    })
}

fn of_tcp(name: TcpOption) -> Option<Kind> {
    Some(match name {
        TcpOption::TCP_NODELAY
        | TcpOption::TCP_CORK
        | TcpOption::TCP_FASTOPEN_CONNECT
        | TcpOption::TCP_INQ => Kind::Flag(false),
        TcpOption::TCP_QUICKACK => Kind::Flag(true),
        TcpOption::TCP_KEEPIDLE => Kind::Number(KEEPALIVE_TIME, 1, 32_767),
        TcpOption::TCP_KEEPINTVL => Kind::Number(KEEPALIVE_INTERVAL, 1, 32_767),
        TcpOption::TCP_KEEPCNT => Kind::Number(KEEPALIVE_PROBES, 1, 127),
        TcpOption::TCP_SYNCNT => Kind::Number(SYN_RETRIES, 1, 127),
        TcpOption::TCP_LINGER2 => Kind::Number(FIN_TIMEOUT, ANY.0, ANY.1),
        TcpOption::TCP_USER_TIMEOUT => Kind::Number(0, 0, i32::MAX),
        TcpOption::TCP_DEFER_ACCEPT => Kind::Number(0, ANY.0, ANY.1),
        TcpOption::TCP_FASTOPEN => Kind::Number(0, 0, i32::MAX),
        TcpOption::TCP_NOTSENT_LOWAT => Kind::Number(u32::MAX, ANY.0, ANY.1),
        TcpOption::TCP_WINDOW_CLAMP => Kind::Number(0, ANY.0, ANY.1),
        TcpOption::TCP_CONGESTION => Kind::Name,
        _ => return None,
    })
}

fn of_udp(name: UdpOption) -> Option<Kind> {
    Some(match name {
        UdpOption::UDP_CORK | UdpOption::UDP_GRO => Kind::Flag(false),
        UdpOption::UDP_SEGMENT => Kind::Number(0, 0, 0xffff),
        _ => return None,
    })
}
