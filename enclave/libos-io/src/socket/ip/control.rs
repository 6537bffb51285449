//! Control data of datagrams inside the enclave (cmsg(3)).

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use kobject::Errno;
use kobject::clock::SECOND;
use linux_abi::{AddressFamily, Ipv4Option, Ipv6Option, OptionLevel, SocketOption, UdpOption};

use super::datagram::{Packet, Sending};
use super::endpoint::{format, in_v6};
use crate::socket::Control;
use crate::socket::control::Kinds;

/// The index of the loopback interface.
const LOOPBACK: u32 = 1;
/// Who tells of an error (SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6), and that there is no such port: its type and code (RFC 792, RFC 4443).
const ORIGIN_ICMP: u8 = 2;
const ORIGIN_ICMP6: u8 = 3;
const PORT_UNREACHABLE: (u8, u8) = (3, 3);
const PORT_UNREACHABLE_6: (u8, u8) = (1, 4);

/// What a socket of the family `domain` that asks for these kinds is told along with a datagram, in the order of Linux; `lost` before it
/// were lost.
pub(super) fn of_packet(domain: AddressFamily, packet: &Packet, asked: Kinds, lost: u32) -> Vec<Control> {
    let mut all = Vec::new();
    if asked.is_empty() {
        return all;
    }
    let mut put = |kind: Kinds, level: OptionLevel, number: u32, data: &[u8]| {
        if asked.contains(kind) {
            let data = data.to_vec();
            all.push(Control {
                level,
                kind: number,
                data,
            });
        }
    };
    let socket = OptionLevel::SOL_SOCKET;
    let seconds = packet.time / SECOND;
    let nanoseconds = packet.time % SECOND;
    let time = |fraction: u64| [seconds.to_ne_bytes(), fraction.to_ne_bytes()];
    let exact = time(nanoseconds);
    put(
        Kinds::TIMESTAMP,
        socket,
        SocketOption::SO_TIMESTAMP_OLD.0,
        time(nanoseconds / 1000).as_flattened(),
    );
    put(
        Kinds::TIMESTAMPNS,
        socket,
        SocketOption::SO_TIMESTAMPNS_OLD.0,
        exact.as_flattened(),
    );
    let [first, second] = exact;
    let three = [first, second, [0; 8], [0; 8], [0; 8], [0; 8]];
    put(
        Kinds::TIMESTAMPING,
        socket,
        SocketOption::SO_TIMESTAMPING_OLD.0,
        three.as_flattened(),
    );
    if lost > 0 {
        put(
            Kinds::DROPS,
            socket,
            SocketOption::SO_RXQ_OVFL.0,
            &lost.to_ne_bytes(),
        );
    }
    if let Some(size) = packet.segment {
        put(
            Kinds::SEGMENTS,
            OptionLevel::SOL_UDP,
            UdpOption::UDP_GRO.0,
            &u32::from(size).to_ne_bytes(),
        );
    }
    let (ttl, tos) = (
        u32::from(packet.ttl).to_ne_bytes(),
        u32::from(packet.tos).to_ne_bytes(),
    );
    if let IpAddr::V4(to) = packet.to.ip() {
        let ip = OptionLevel::SOL_IP;
        let info = [LOOPBACK.to_ne_bytes(), to.octets(), to.octets()];
        put(Kinds::INFO, ip, Ipv4Option::IP_PKTINFO.0, info.as_flattened());
        put(Kinds::TTL, ip, Ipv4Option::IP_TTL.0, &ttl);
        put(Kinds::TOS, ip, Ipv4Option::IP_TOS.0, &[packet.tos]);
        let original = format(AddressFamily::AF_INET, packet.to);
        put(
            Kinds::DESTINATION,
            ip,
            Ipv4Option::IP_RECVORIGDSTADDR.0,
            original.as_bytes(),
        );
    }
    if domain == AddressFamily::AF_INET6 {
        let ip = OptionLevel::SOL_IPV6;
        let mut info = in_v6(packet.to.ip()).octets().to_vec();
        info.extend(LOOPBACK.to_ne_bytes());
        put(Kinds::INFO_6, ip, Ipv6Option::IPV6_PKTINFO.0, &info);
        put(Kinds::HOP_LIMIT, ip, Ipv6Option::IPV6_HOPLIMIT.0, &ttl);
        put(Kinds::TRAFFIC_CLASS, ip, Ipv6Option::IPV6_TCLASS.0, &tos);
    }
    all
}

/// What tells that a datagram was sent to a port that nobody has: `struct sock_extended_err`, and who says so.
pub(super) fn of_refusal(domain: AddressFamily, by: IpAddr) -> Vec<Control> {
    let (origin, (kind, code)) = match by {
        IpAddr::V4(_) => (ORIGIN_ICMP, PORT_UNREACHABLE),
        IpAddr::V6(_) => (ORIGIN_ICMP6, PORT_UNREACHABLE_6),
    };
    let mut data = u32::from(Errno::ECONNREFUSED.raw()).to_ne_bytes().to_vec();
    data.extend([origin, kind, code, 0]);
    data.extend([0; 8]);
    data.extend(format(domain, SocketAddr::new(by, 0)).as_bytes());
    let (level, kind) = match domain {
        AddressFamily::AF_INET => (OptionLevel::SOL_IP, Ipv4Option::IP_RECVERR.0),
        _ => (OptionLevel::SOL_IPV6, Ipv6Option::IPV6_RECVERR.0),
    };
    alloc::vec![Control { level, kind, data }]
}

/// Takes account of a piece of control data that a program sends along. Its length was checked.
pub(super) fn send_with(sending: &mut Sending, level: OptionLevel, kind: u32, data: &[u8]) {
    let number = || {
        let byte = data.first().copied();
        data.first_chunk()
            .map_or(byte, |number| u8::try_from(u32::from_ne_bytes(*number)).ok())
    };
    match level {
        OptionLevel::SOL_IP => match Ipv4Option(kind) {
            Ipv4Option::IP_PKTINFO => {
                let source: Option<&[u8; 4]> = data.get(4..).and_then(<[u8]>::first_chunk);
                sending.source = source.map(|source| Ipv4Addr::from(*source).into());
            }
            Ipv4Option::IP_TTL => sending.ttl = number(),
            Ipv4Option::IP_TOS => sending.tos = number(),
            _ => {}
        },
        OptionLevel::SOL_IPV6 => match Ipv6Option(kind) {
            Ipv6Option::IPV6_PKTINFO => {
                let source: Option<&[u8; 16]> = data.first_chunk();
                sending.source = source.map(|source| IpAddr::from(Ipv6Addr::from(*source)).to_canonical());
            }
            Ipv6Option::IPV6_HOPLIMIT => sending.ttl = number(),
            Ipv6Option::IPV6_TCLASS => sending.tos = number(),
            _ => {}
        },
        OptionLevel::SOL_UDP if UdpOption(kind) == UdpOption::UDP_SEGMENT => {
            sending.segment = data.first_chunk().map(|size| u16::from_ne_bytes(*size));
        }
        _ => {}
    }
    sending.source = sending.source.filter(|source| !source.is_unspecified());
}
