//! Socket options: those that are answered inside, and which of the others may go to the host.

use core::sync::atomic::{AtomicU64, Ordering};

use kobject::{Errno, Result, clock};
use linux_abi::{AddressFamily, Ipv4Option, Ipv6Option, OptionLevel, SocketOption, TcpOption, UdpOption};

use super::SocketKind;
use crate::NOW;

/// Writes an `int` option, cut to the room that there is; gives how many bytes.
pub(super) fn put_int(out: &mut [u8], value: u32) -> usize {
    put(out, &value.to_ne_bytes())
}

/// Writes an option, cut to the room that there is; gives how many bytes.
pub(super) fn put(out: &mut [u8], value: &[u8]) -> usize {
    for (place, byte) in out.iter_mut().zip(value) {
        *place = *byte;
    }
    out.len().min(value.len())
}

/// Reads an `int` option; EINVAL if it is too short.
pub(super) fn int(value: &[u8]) -> Result<u32> {
    let (value, _) = value.split_first_chunk().ok_or(Errno::EINVAL)?;
    Ok(u32::from_ne_bytes(*value))
}

/// SO_RCVTIMEO and SO_SNDTIMEO.
pub struct Timeouts {
    /// Nanoseconds; [`FOREVER`] for none.
    receive: AtomicU64,
    send: AtomicU64,
}

const FOREVER: u64 = u64::MAX;

impl Timeouts {
    /// None.
    pub(super) const fn new() -> Self {
        Self {
            receive: AtomicU64::new(FOREVER),
            send: AtomicU64::new(FOREVER),
        }
    }

    /// The same ones, for an accepted connection.
    pub(super) fn inherited(&self) -> Self {
        Self {
            receive: AtomicU64::new(self.receive.load(Ordering::Relaxed)),
            send: AtomicU64::new(self.send.load(Ordering::Relaxed)),
        }
    }

    /// Whether receiving (and accepting) has a limit.
    pub fn limits_receiving(&self) -> bool {
        self.receive.load(Ordering::Relaxed) != FOREVER
    }

    /// Whether sending (and connecting) has a limit.
    pub fn limits_sending(&self) -> bool {
        self.send.load(Ordering::Relaxed) != FOREVER
    }

    /// Until when a receive that begins now may wait.
    pub(super) fn receive_deadline(&self, nonblocking: bool) -> Option<u64> {
        deadline(&self.receive, nonblocking)
    }

    /// Until when a send that begins now may wait.
    pub(super) fn send_deadline(&self, nonblocking: bool) -> Option<u64> {
        deadline(&self.send, nonblocking)
    }

    /// Answers `getsockopt` for the two options; `None` for others.
    pub(super) fn option(&self, name: SocketOption, out: &mut [u8]) -> Option<usize> {
        let microseconds = match self.of(name)?.load(Ordering::Relaxed) {
            FOREVER => 0,
            limit => limit / 1000,
        };
        let timeval = [microseconds / 1_000_000, microseconds % 1_000_000].map(u64::to_ne_bytes);
        Some(put(out, timeval.as_flattened()))
    }

    /// Does `setsockopt` for the two options; `None` for others. EDOM for microseconds out of range.
    pub(super) fn set_option(&self, name: SocketOption, value: &[u8]) -> Option<Result<()>> {
        let timeout = self.of(name)?;
        Some(parse_timeval(value).map(|limit| timeout.store(limit, Ordering::Relaxed)))
    }

    fn of(&self, name: SocketOption) -> Option<&AtomicU64> {
        match name {
            SocketOption::SO_RCVTIMEO => Some(&self.receive),
            SocketOption::SO_SNDTIMEO => Some(&self.send),
            _ => None,
        }
    }
}

fn deadline(timeout: &AtomicU64, nonblocking: bool) -> Option<u64> {
    if nonblocking {
        return NOW;
    }
    match timeout.load(Ordering::Relaxed) {
        FOREVER => None,
        0 => NOW,
        limit => Some(clock::monotonic().saturating_add(limit)),
    }
}

/// A `timeval` as a limit in nanoseconds: 0 is none, and a negative one does not wait at all.
fn parse_timeval(value: &[u8]) -> Result<u64> {
    let ([seconds, microseconds, ..], _) = value.as_chunks() else {
        return Err(Errno::EINVAL);
    };
    let (seconds, microseconds) = (i64::from_ne_bytes(*seconds), i64::from_ne_bytes(*microseconds));
    if !(0..1_000_000).contains(&microseconds) {
        return Err(Errno::EDOM);
    }
    if (seconds, microseconds) == (0, 0) {
        return Ok(FOREVER);
    }
    let Ok(seconds) = u64::try_from(seconds) else {
        return Ok(0);
    };
    let nanoseconds = seconds.checked_mul(1_000_000_000);
    Ok(nanoseconds.map_or(FOREVER, |limit| {
        limit.saturating_add(microseconds.unsigned_abs() * 1000)
    }))
}

/// Which options of network sockets go to the host's socket as they are.
///
/// Those that ask for control data stand in `control`, too. Left out are programs for the host's kernel
/// (SO_ATTACH_FILTER): ENOPROTOOPT.
pub(super) fn may_pass(level: OptionLevel, name: u32) -> bool {
    match level {
        OptionLevel::SOL_SOCKET => SOCKET.contains(&SocketOption(name)),
        OptionLevel::SOL_IP => IPV4.contains(&Ipv4Option(name)),
        OptionLevel::SOL_TCP => TCP.contains(&TcpOption(name)),
        OptionLevel::SOL_UDP => UDP.contains(&UdpOption(name)),
        OptionLevel::SOL_IPV6 => IPV6.contains(&Ipv6Option(name)),
        _ => false,
    }
}

/// What getsockopt(2) says of an option that there is not, at a level of this socket's family and kind or not
/// (`ip_getsockopt` and `ipv6_getsockopt` of the kernel).
pub(super) fn unknown(domain: AddressFamily, kind: SocketKind, level: OptionLevel) -> Errno {
    let is_own = match level {
        OptionLevel::SOL_SOCKET | OptionLevel::SOL_IP => true,
        OptionLevel::SOL_TCP => kind == SocketKind::Stream,
        OptionLevel::SOL_UDP => kind == SocketKind::Datagram,
        _ => false,
    };
    match domain == AddressFamily::AF_INET && !is_own {
        true => Errno::EOPNOTSUPP,
        false => Errno::ENOPROTOOPT,
    }
}

/// EPERM (EACCES for SO_DEBUG) for what needs CAP_NET_ADMIN: the network is the host's, so nobody inside has it.
pub(super) fn check_administrator(level: OptionLevel, name: u32, value: &[u8]) -> Result<()> {
    match level {
        OptionLevel::SOL_SOCKET if SocketOption(name) == SocketOption::SO_DEBUG && int(value)? != 0 => {
            Err(Errno::EACCES)
        }
        OptionLevel::SOL_SOCKET if SocketOption(name) == SocketOption::SO_PRIORITY => match int(value)? {
            0..=MAX_FREE_PRIORITY => Ok(()),
            _ => Err(Errno::EPERM),
        },
        _ if needs_administrator(level, name) => Err(Errno::EPERM),
        _ => Ok(()),
    }
}

/// The highest SO_PRIORITY that needs no capability (socket(7)).
const MAX_FREE_PRIORITY: u32 = 6;

fn needs_administrator(level: OptionLevel, name: u32) -> bool {
    match level {
        OptionLevel::SOL_SOCKET => matches!(
            SocketOption(name),
            SocketOption::SO_BINDTODEVICE
                | SocketOption::SO_MARK
                | SocketOption::SO_RCVBUFFORCE
                | SocketOption::SO_SNDBUFFORCE
        ),
        OptionLevel::SOL_IP => Ipv4Option(name) == Ipv4Option::IP_TRANSPARENT,
        OptionLevel::SOL_IPV6 => Ipv6Option(name) == Ipv6Option::IPV6_TRANSPARENT,
        _ => false,
    }
}

/// What such an option is: nobody has set it. `None` for those that cannot be read, and for all others.
pub(super) fn of_administrator(level: OptionLevel, name: u32, out: &mut [u8]) -> Option<usize> {
    match level {
        OptionLevel::SOL_SOCKET if SocketOption(name) == SocketOption::SO_BINDTODEVICE => Some(0),
        OptionLevel::SOL_SOCKET if SocketOption(name) == SocketOption::SO_MARK => Some(put_int(out, 0)),
        OptionLevel::SOL_IP | OptionLevel::SOL_IPV6 if needs_administrator(level, name) => {
            Some(put_int(out, 0))
        }
        _ => None,
    }
}

const SOCKET: [SocketOption; 26] = [
    SocketOption::SO_DEBUG,
    SocketOption::SO_NO_CHECK,
    SocketOption::SO_TIMESTAMP_OLD,
    SocketOption::SO_TIMESTAMPNS_OLD,
    SocketOption::SO_TIMESTAMPING_OLD,
    SocketOption::SO_TIMESTAMP_NEW,
    SocketOption::SO_TIMESTAMPNS_NEW,
    SocketOption::SO_TIMESTAMPING_NEW,
    SocketOption::SO_RXQ_OVFL,
    SocketOption::SO_COOKIE,
    SocketOption::SO_DETACH_FILTER,
    SocketOption::SO_REUSEADDR,
    SocketOption::SO_ERROR,
    SocketOption::SO_DONTROUTE,
    SocketOption::SO_BROADCAST,
    SocketOption::SO_SNDBUF,
    SocketOption::SO_RCVBUF,
    SocketOption::SO_KEEPALIVE,
    SocketOption::SO_OOBINLINE,
    SocketOption::SO_PRIORITY,
    SocketOption::SO_LINGER,
    SocketOption::SO_REUSEPORT,
    SocketOption::SO_RCVLOWAT,
    SocketOption::SO_BUSY_POLL,
    SocketOption::SO_MAX_PACING_RATE,
    SocketOption::SO_INCOMING_CPU,
];

const IPV4: [Ipv4Option; 18] = [
    Ipv4Option::IP_PKTINFO,
    Ipv4Option::IP_RECVTTL,
    Ipv4Option::IP_RECVTOS,
    Ipv4Option::IP_RECVORIGDSTADDR,
    Ipv4Option::IP_TOS,
    Ipv4Option::IP_TTL,
    Ipv4Option::IP_MTU_DISCOVER,
    Ipv4Option::IP_RECVERR,
    Ipv4Option::IP_MTU,
    Ipv4Option::IP_FREEBIND,
    Ipv4Option::IP_BIND_ADDRESS_NO_PORT,
    Ipv4Option::IP_MULTICAST_IF,
    Ipv4Option::IP_MULTICAST_TTL,
    Ipv4Option::IP_MULTICAST_LOOP,
    Ipv4Option::IP_ADD_MEMBERSHIP,
    Ipv4Option::IP_DROP_MEMBERSHIP,
    Ipv4Option::IP_MULTICAST_ALL,
    Ipv4Option::IP_LOCAL_PORT_RANGE,
];

/// Not TCP_REPAIR, TCP_ULP, MD5 keys, zero-copy receiving.
const TCP: [TcpOption; 18] = [
    TcpOption::TCP_FASTOPEN_CONNECT,
    TcpOption::TCP_INQ,
    TcpOption::TCP_NODELAY,
    TcpOption::TCP_MAXSEG,
    TcpOption::TCP_CORK,
    TcpOption::TCP_KEEPIDLE,
    TcpOption::TCP_KEEPINTVL,
    TcpOption::TCP_KEEPCNT,
    TcpOption::TCP_SYNCNT,
    TcpOption::TCP_LINGER2,
    TcpOption::TCP_DEFER_ACCEPT,
    TcpOption::TCP_WINDOW_CLAMP,
    TcpOption::TCP_INFO,
    TcpOption::TCP_QUICKACK,
    TcpOption::TCP_CONGESTION,
    TcpOption::TCP_USER_TIMEOUT,
    TcpOption::TCP_FASTOPEN,
    TcpOption::TCP_NOTSENT_LOWAT,
];

const UDP: [UdpOption; 3] = [UdpOption::UDP_CORK, UdpOption::UDP_SEGMENT, UdpOption::UDP_GRO];

const IPV6: [Ipv6Option; 16] = [
    Ipv6Option::IPV6_RECVPKTINFO,
    Ipv6Option::IPV6_RECVHOPLIMIT,
    Ipv6Option::IPV6_RECVTCLASS,
    Ipv6Option::IPV6_UNICAST_HOPS,
    Ipv6Option::IPV6_MULTICAST_IF,
    Ipv6Option::IPV6_MULTICAST_HOPS,
    Ipv6Option::IPV6_MULTICAST_LOOP,
    Ipv6Option::IPV6_ADD_MEMBERSHIP,
    Ipv6Option::IPV6_DROP_MEMBERSHIP,
    Ipv6Option::IPV6_MTU_DISCOVER,
    Ipv6Option::IPV6_MTU,
    Ipv6Option::IPV6_RECVERR,
    Ipv6Option::IPV6_V6ONLY,
    Ipv6Option::IPV6_DONTFRAG,
    Ipv6Option::IPV6_TCLASS,
    Ipv6Option::IPV6_ADDR_PREFERENCES,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn timeval(seconds: i64, microseconds: i64) -> Vec<u8> {
        [seconds, microseconds]
            .map(i64::to_ne_bytes)
            .as_flattened()
            .to_vec()
    }

    #[test]
    fn time_limits_are_set_and_read() {
        let timeouts = Timeouts::new();
        let read = || {
            let mut out = [1; 16];
            assert_eq!(timeouts.option(SocketOption::SO_RCVTIMEO, &mut out), Some(16));
            out.to_vec()
        };
        assert_eq!(read(), timeval(0, 0));
        let set = |value: &[u8]| timeouts.set_option(SocketOption::SO_RCVTIMEO, value).unwrap();
        assert_eq!(set(&timeval(2, 500_000)), Ok(()));
        assert_eq!(read(), timeval(2, 500_000));
        assert!(timeouts.limits_receiving() && !timeouts.limits_sending());
        assert_eq!(set(&timeval(0, 1_000_000)), Err(Errno::EDOM));
        assert_eq!(set(&timeval(0, 0)[..15]), Err(Errno::EINVAL));
        assert_eq!(set(&timeval(-1, 0)), Ok(()));
        assert_eq!(timeouts.receive_deadline(false), NOW);
        assert_eq!(set(&timeval(i64::MAX, 0)), Ok(()));
        assert_eq!(timeouts.receive_deadline(false), None);
        assert!(timeouts.set_option(SocketOption::SO_TYPE, &[]).is_none());
    }
}
