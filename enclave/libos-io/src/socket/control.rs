//! Control data of network sockets (cmsg(3)): what a program may send, and what the host may tell.

use alloc::vec::Vec;

use bitflags::bitflags;
use host_abi::MAX_CONTROL;
use kobject::clock::SECOND;
use kobject::{Errno, Result};
use linux_abi::{
    ControlMessage, Ipv4Option, Ipv6Option, OptionLevel, SocketOption, TcpOption, TimestampingFlags,
    UdpOption,
};

use super::option;

/// Bytes of `struct cmsghdr`: length (8), level, type.
const HEADER: usize = 16;

/// One piece of control data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// Whose it is.
    pub level: OptionLevel,
    /// What it is, one of the level's numbers.
    pub kind: u32,
    /// Its value.
    pub data: Vec<u8>,
}

bitflags! {
    /// Kinds of control data that a program has asked for.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct Kinds: u32 {
        const TIMESTAMP = 1 << 0;
        const TIMESTAMPNS = 1 << 1;
        const TIMESTAMPING = 1 << 2;
        const DROPS = 1 << 3;
        const INFO = 1 << 4;
        const TTL = 1 << 5;
        const TOS = 1 << 6;
        const ERRORS = 1 << 7;
        const DESTINATION = 1 << 8;
        const INFO_6 = 1 << 9;
        const HOP_LIMIT = 1 << 10;
        const TRAFFIC_CLASS = 1 << 11;
        const ERRORS_6 = 1 << 12;
        const SEGMENTS = 1 << 13;
        const UNREAD = 1 << 14;
    }
}

impl Kinds {
    /// What the host tells once this option is set. EINVAL for time stamps of a kind that is not carried.
    pub(super) fn asked_by(level: OptionLevel, name: u32, value: &[u8]) -> Result<Self> {
        Ok(match level {
            OptionLevel::SOL_SOCKET => match SocketOption(name) {
                SocketOption::SO_TIMESTAMP_OLD | SocketOption::SO_TIMESTAMP_NEW => Self::TIMESTAMP,
                SocketOption::SO_TIMESTAMPNS_OLD | SocketOption::SO_TIMESTAMPNS_NEW => Self::TIMESTAMPNS,
                SocketOption::SO_TIMESTAMPING_OLD | SocketOption::SO_TIMESTAMPING_NEW => {
                    TimestampingFlags::from_bits(option::int(value)?).ok_or(Errno::EINVAL)?;
                    // Behind the flags there may be the number of a clock of the host's.
                    if value.get(4..).unwrap_or_default().iter().any(|&byte| byte != 0) {
                        return Err(Errno::EINVAL);
                    }
                    Self::TIMESTAMPING
                }
                SocketOption::SO_RXQ_OVFL => Self::DROPS,
                _ => Self::empty(),
            },
            OptionLevel::SOL_IP => match Ipv4Option(name) {
                Ipv4Option::IP_PKTINFO => Self::INFO,
                Ipv4Option::IP_RECVTTL => Self::TTL,
                Ipv4Option::IP_RECVTOS => Self::TOS,
                Ipv4Option::IP_RECVERR => Self::ERRORS,
                Ipv4Option::IP_RECVORIGDSTADDR => Self::DESTINATION,
                _ => Self::empty(),
            },
            OptionLevel::SOL_IPV6 => match Ipv6Option(name) {
                Ipv6Option::IPV6_RECVPKTINFO => Self::INFO_6,
                Ipv6Option::IPV6_RECVHOPLIMIT => Self::HOP_LIMIT,
                Ipv6Option::IPV6_RECVTCLASS => Self::TRAFFIC_CLASS,
                Ipv6Option::IPV6_RECVERR => Self::ERRORS_6,
                _ => Self::empty(),
            },
            OptionLevel::SOL_UDP if UdpOption(name) == UdpOption::UDP_GRO => Self::SEGMENTS,
            OptionLevel::SOL_TCP if TcpOption(name) == TcpOption::TCP_INQ => Self::UNREAD,
            _ => Self::empty(),
        })
    }

    /// The kind of a piece that the host tells, if its value is one that Linux can give.
    fn of(level: OptionLevel, kind: u32, data: &[u8]) -> Option<Self> {
        let (kinds, fits) = match level {
            OptionLevel::SOL_SOCKET => match SocketOption(kind) {
                SocketOption::SO_TIMESTAMP_OLD | SocketOption::SO_TIMESTAMP_NEW => {
                    (Self::TIMESTAMP, are_times(data, 1, SECOND / 1000))
                }
                SocketOption::SO_TIMESTAMPNS_OLD | SocketOption::SO_TIMESTAMPNS_NEW => {
                    (Self::TIMESTAMPNS, are_times(data, 1, SECOND))
                }
                SocketOption::SO_TIMESTAMPING_OLD | SocketOption::SO_TIMESTAMPING_NEW => {
                    (Self::TIMESTAMPING, are_times(data, 3, SECOND))
                }
                SocketOption::SO_RXQ_OVFL => (Self::DROPS, data.len() == 4),
                _ => return None,
            },
            OptionLevel::SOL_IP => match Ipv4Option(kind) {
                Ipv4Option::IP_PKTINFO => (Self::INFO, data.len() == 12),
                Ipv4Option::IP_TTL => (Self::TTL, is_int(data, 0..=255)),
                Ipv4Option::IP_TOS => (Self::TOS, data.len() == 1),
                Ipv4Option::IP_RECVERR => (Self::ERRORS, is_error(data, 16)),
                Ipv4Option::IP_RECVORIGDSTADDR => (Self::DESTINATION, data.len() == 16),
                _ => return None,
            },
            OptionLevel::SOL_IPV6 => match Ipv6Option(kind) {
                Ipv6Option::IPV6_PKTINFO => (Self::INFO_6, data.len() == 20),
                Ipv6Option::IPV6_HOPLIMIT => (Self::HOP_LIMIT, is_int(data, 0..=255)),
                Ipv6Option::IPV6_TCLASS => (Self::TRAFFIC_CLASS, is_int(data, 0..=255)),
                Ipv6Option::IPV6_RECVERR => (Self::ERRORS_6, is_error(data, 28)),
                _ => return None,
            },
            OptionLevel::SOL_UDP if UdpOption(kind) == UdpOption::UDP_GRO => {
                (Self::SEGMENTS, is_int(data, 1..=0xffff))
            }
            OptionLevel::SOL_TCP if TcpOption(kind) == TcpOption::TCP_INQ => {
                (Self::UNREAD, is_int(data, 0..=i32::MAX))
            }
            _ => return None,
        };
        fits.then_some(kinds)
    }
}

fn is_int(data: &[u8], range: core::ops::RangeInclusive<i32>) -> bool {
    <[u8; 4]>::try_from(data).is_ok_and(|data| range.contains(&i32::from_ne_bytes(data)))
}

/// Whether these are so many times: seconds, and a fraction below `limit`.
fn are_times(data: &[u8], count: usize, limit: u64) -> bool {
    let (times, rest) = data.as_chunks::<16>();
    let is_time = |[_, _, _, _, _, _, _, _, fraction @ ..]: &[u8; 16]| u64::from_ne_bytes(*fraction) < limit;
    times.len() == count && rest.is_empty() && times.iter().all(is_time)
}

/// `struct sock_extended_err` (16), which begins with an error number, and an address of this length.
fn is_error(data: &[u8], address_len: usize) -> bool {
    let Some((number, _)) = data.split_first_chunk() else {
        return false;
    };
    let number = u32::from_ne_bytes(*number);
    data.len() == 16 + address_len && (number == 0 || Errno::from_raw(number.into()).is_some())
}

/// Takes apart what the host tells. EIO for what is malformed, was not asked for, or cannot be.
pub(super) fn parse(mut bytes: &[u8], asked: Kinds) -> Result<Vec<Control>> {
    let mut all = Vec::new();
    while let Some((header, _)) = bytes.split_first_chunk::<HEADER>() {
        let [len @ .., l0, l1, l2, l3, k0, k1, k2, k3] = *header;
        let len = usize::try_from(u64::from_ne_bytes(len)).map_err(|_| Errno::EIO)?;
        let data = bytes.get(HEADER..len).ok_or(Errno::EIO)?;
        let level = OptionLevel(u32::from_ne_bytes([l0, l1, l2, l3]));
        let kind = u32::from_ne_bytes([k0, k1, k2, k3]);
        let is_asked = Kinds::of(level, kind, data).is_some_and(|kind| asked.contains(kind));
        if !is_asked {
            return Err(Errno::EIO);
        }
        let data = data.to_vec();
        all.push(Control { level, kind, data });
        bytes = bytes.get(len.next_multiple_of(8)..).unwrap_or_default();
    }
    match bytes {
        [] => Ok(all),
        _ => Err(Errno::EIO),
    }
}

/// What goes to the host with a datagram. EINVAL for what Linux does not know or this does not carry, EPERM for what concerns the
/// host's own network, ENOBUFS for too much.
pub(super) fn encode(controls: &[Control]) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for Control { level, kind, data } in controls {
        if !may_send(*level, *kind, data.len())? {
            continue;
        }
        bytes.extend_from_slice(&((HEADER + data.len()) as u64).to_ne_bytes());
        bytes.extend_from_slice(&level.0.to_ne_bytes());
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(data);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        if bytes.len() > MAX_CONTROL {
            return Err(Errno::ENOBUFS);
        }
    }
    Ok(bytes)
}

/// Whether a piece goes along; what is of another level is not looked at, as on Linux (`ip_cmsg_send` of the kernel).
fn may_send(level: OptionLevel, kind: u32, len: usize) -> Result<bool> {
    let fits = match level {
        OptionLevel::SOL_SOCKET => match (ControlMessage(kind), SocketOption(kind)) {
            (ControlMessage::SCM_RIGHTS | ControlMessage::SCM_CREDENTIALS, _) => return Ok(false),
            (_, SocketOption::SO_MARK) => return Err(Errno::EPERM),
            (_, SocketOption::SO_TIMESTAMPING_OLD | SocketOption::SO_TIMESTAMPING_NEW) => len == 4,
            _ => false,
        },
        OptionLevel::SOL_IP => match Ipv4Option(kind) {
            Ipv4Option::IP_PKTINFO => len == 12,
            Ipv4Option::IP_TTL => len == 4,
            Ipv4Option::IP_TOS => matches!(len, 1 | 4),
            _ => false,
        },
        OptionLevel::SOL_IPV6 => match Ipv6Option(kind) {
            Ipv6Option::IPV6_PKTINFO => len == 20,
            Ipv6Option::IPV6_HOPLIMIT | Ipv6Option::IPV6_TCLASS | Ipv6Option::IPV6_DONTFRAG => len == 4,
            _ => false,
        },
        OptionLevel::SOL_UDP => UdpOption(kind) == UdpOption::UDP_SEGMENT && len == 2,
        _ => return Ok(false),
    };
    match fits {
        true => Ok(true),
        false => Err(Errno::EINVAL),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn piece(level: OptionLevel, kind: u32, data: &[u8]) -> Control {
        let data = data.to_vec();
        Control { level, kind, data }
    }

    /// As the host writes them.
    fn bytes(pieces: &[Control]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for piece in pieces {
            bytes.extend_from_slice(&((HEADER + piece.data.len()) as u64).to_ne_bytes());
            bytes.extend_from_slice(&piece.level.0.to_ne_bytes());
            bytes.extend_from_slice(&piece.kind.to_ne_bytes());
            bytes.extend_from_slice(&piece.data);
            bytes.resize(bytes.len().next_multiple_of(8), 0);
        }
        bytes
    }

    #[test]
    fn what_was_asked_for_is_taken() {
        let ttl = piece(OptionLevel::SOL_IP, Ipv4Option::IP_TTL.0, &64i32.to_ne_bytes());
        let info = piece(OptionLevel::SOL_IP, Ipv4Option::IP_PKTINFO.0, &[1; 12]);
        let both = [ttl, info];
        assert_eq!(parse(&bytes(&both), Kinds::TTL | Kinds::INFO), Ok(both.to_vec()));
        assert_eq!(parse(&bytes(&both), Kinds::TTL), Err(Errno::EIO));
        assert_eq!(parse(&[], Kinds::empty()), Ok(Vec::new()));
    }

    #[test]
    fn what_linux_cannot_say_is_a_lie() {
        for (level, kind, data) in [
            (
                OptionLevel::SOL_IP,
                Ipv4Option::IP_TTL.0,
                &256i32.to_ne_bytes()[..],
            ),
            (OptionLevel::SOL_IP, Ipv4Option::IP_TTL.0, &[64]),
            (OptionLevel::SOL_IP, Ipv4Option::IP_PKTINFO.0, &[1; 11]),
            (OptionLevel::SOL_IP, Ipv4Option::IP_RECVERR.0, &[0xff; 32]),
            (OptionLevel::SOL_IP, Ipv4Option::IP_RECVERR.0, &[0; 31]),
            (
                OptionLevel::SOL_SOCKET,
                SocketOption::SO_TIMESTAMP_OLD.0,
                &[0xff; 16],
            ),
            (
                OptionLevel::SOL_SOCKET,
                SocketOption::SO_TIMESTAMPING_OLD.0,
                &[0; 32],
            ),
            (OptionLevel::SOL_SOCKET, ControlMessage::SCM_RIGHTS.0, &[0; 4]),
            (OptionLevel::SOL_UDP, UdpOption::UDP_GRO.0, &[0; 4]),
            (OptionLevel::SOL_TCP, TcpOption::TCP_INQ.0, &[0xff; 4]),
        ] {
            let lie = bytes(&[piece(level, kind, data)]);
            assert_eq!(
                parse(&lie, Kinds::all()),
                Err(Errno::EIO),
                "{level:?} {kind} {data:?}"
            );
        }
        let ttl = bytes(&[piece(OptionLevel::SOL_IP, Ipv4Option::IP_TTL.0, &[0; 4])]);
        for len in 1..ttl.len() - 4 {
            assert_eq!(parse(&ttl[..len], Kinds::all()), Err(Errno::EIO), "{len}");
        }
    }

    #[test]
    fn what_is_sent_is_what_linux_takes() {
        let sent = [
            piece(OptionLevel::SOL_UDP, UdpOption::UDP_SEGMENT.0, &[100, 0]),
            piece(OptionLevel::SOL_IP, Ipv4Option::IP_PKTINFO.0, &[0; 12]),
        ];
        assert_eq!(encode(&sent), Ok(bytes(&sent)));
        let skipped = [piece(
            OptionLevel::SOL_SOCKET,
            ControlMessage::SCM_RIGHTS.0,
            &[0; 4],
        )];
        assert_eq!(encode(&skipped), Ok(Vec::new()));
        let mark = [piece(OptionLevel::SOL_SOCKET, SocketOption::SO_MARK.0, &[0; 4])];
        assert_eq!(encode(&mark), Err(Errno::EPERM));
        let short = [piece(OptionLevel::SOL_IP, Ipv4Option::IP_PKTINFO.0, &[0; 8])];
        assert_eq!(encode(&short), Err(Errno::EINVAL));
        let many = vec![sent[1].clone(); 20];
        assert_eq!(encode(&many), Err(Errno::ENOBUFS));
    }

    proptest! {
        #[test]
        fn nothing_the_host_tells_does_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes, Kinds::all());
        }
    }
}
