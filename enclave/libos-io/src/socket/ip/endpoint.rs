//! Addresses and ports, between Linux's `sockaddr` and what can be compared.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use kobject::{Errno, Result};
use linux_abi::AddressFamily;

use crate::socket::SocketAddress;
use crate::socket::address::family;

/// Bytes of `struct sockaddr_in`.
const SOCKADDR_IN: usize = 16;
/// Bytes of `struct sockaddr_in6`, and how many of them must be there: the scope may be missing.
const SOCKADDR_IN6: usize = 28;
const SOCKADDR_IN6_MIN: usize = 24;

/// The address of a peer of whom the host claims that it is on the host's loopback interface, as programs see it. To programs, a
/// loopback address is one of their own container.
pub(super) const HOST_V4: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 2);
/// The same for `::1`: a unique local address (RFC 4193).
pub(super) const HOST_V6: Ipv6Addr = Ipv6Addr::new(0xfd6e, 0x6163, 0x7265, 0, 0, 0, 0, 1);

/// Reads the address that a program gives to a socket of the family `domain`; IPv4 addresses in IPv6 become IPv4. `None` for AF_UNSPEC.
/// EINVAL if it is too short, EAFNOSUPPORT for another family.
pub(super) fn parse(domain: AddressFamily, bytes: &[u8]) -> Result<Option<SocketAddr>> {
    let given = family(bytes)?;
    if given == AddressFamily::AF_UNSPEC {
        return Ok(None);
    }
    let port = || -> Result<u16> {
        let port = bytes.get(2..4).and_then(|port| port.first_chunk());
        Ok(u16::from_be_bytes(*port.ok_or(Errno::EINVAL)?))
    };
    let address: IpAddr = match given {
        AddressFamily::AF_INET if domain == AddressFamily::AF_INET => {
            if bytes.len() < SOCKADDR_IN {
                return Err(Errno::EINVAL);
            }
            let octets: &[u8; 4] = bytes
                .get(4..)
                .and_then(<[u8]>::first_chunk)
                .ok_or(Errno::EINVAL)?;
            Ipv4Addr::from(*octets).into()
        }
        AddressFamily::AF_INET6 if domain == AddressFamily::AF_INET6 => {
            if bytes.len() < SOCKADDR_IN6_MIN {
                return Err(Errno::EINVAL);
            }
            let octets: &[u8; 16] = bytes
                .get(8..)
                .and_then(<[u8]>::first_chunk)
                .ok_or(Errno::EINVAL)?;
            Ipv6Addr::from(*octets).into()
        }
        _ if bytes.len() < SOCKADDR_IN => return Err(Errno::EINVAL),
        _ => return Err(Errno::EAFNOSUPPORT),
    };
    Ok(Some(SocketAddr::new(canonical(address), port()?)))
}

/// Reads a `sockaddr_in` without a family, as old programs give it.
pub(super) fn with_family(bytes: &[u8]) -> Result<Option<SocketAddr>> {
    let mut whole = AddressFamily::AF_INET.0.to_ne_bytes().to_vec();
    whole.extend(bytes.get(2..).unwrap_or_default());
    parse(AddressFamily::AF_INET, &whole)
}

/// Reads the address that a datagram is sent to: as [`parse`], but a socket of IPv6 takes one of IPv4, and one of IPv4 takes one without
/// a family (`udp_sendmsg` and `udpv6_sendmsg` of the kernel).
pub(super) fn parse_receiver(domain: AddressFamily, bytes: &[u8]) -> Result<Option<SocketAddr>> {
    match (domain, family(bytes)?) {
        (AddressFamily::AF_INET, AddressFamily::AF_UNSPEC) => with_family(bytes),
        (AddressFamily::AF_INET6, AddressFamily::AF_INET) => parse(AddressFamily::AF_INET, bytes),
        _ => parse(domain, bytes),
    }
}

/// As a socket of the family `domain` tells it.
#[expect(clippy::expect_used, reason = "28 bytes at most, and 128 fit")]
pub(super) fn format(domain: AddressFamily, endpoint: SocketAddr) -> SocketAddress {
    let mut bytes = domain.0.to_ne_bytes().to_vec();
    bytes.extend(endpoint.port().to_be_bytes());
    if domain == AddressFamily::AF_INET {
        bytes.extend(match endpoint.ip() {
            IpAddr::V4(address) => address.octets(),
            IpAddr::V6(_) => [0; 4],
        });
        bytes.resize(SOCKADDR_IN, 0);
    } else {
        bytes.extend([0; 4]);
        bytes.extend(in_v6(endpoint.ip()).octets());
        bytes.resize(SOCKADDR_IN6, 0);
    }
    SocketAddress::new(&bytes).expect("an address of IP fits")
}

/// An address as IPv6 has it. That of all IPv4 interfaces is that of all.
pub(super) fn in_v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) if address.is_unspecified() => Ipv6Addr::UNSPECIFIED,
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

/// An IPv4 address in IPv6 as the IPv4 address that it is.
fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// Where a packet for this address goes: no address is the sender's own (`ip_route_output_key` of the kernel).
pub(super) fn destination(to: SocketAddr) -> SocketAddr {
    let address = match to.ip() {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    SocketAddr::new(address, to.port())
}

/// The address that a packet for a loopback address comes from, if its sender has chosen none.
pub(super) fn source_for(to: IpAddr) -> IpAddr {
    match to {
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    }
}

/// What programs are told of a peer of whom the host claims this address.
pub(super) fn of_host(claimed: SocketAddr) -> SocketAddr {
    let address = match claimed.ip() {
        IpAddr::V4(address) if address.is_loopback() || address.is_unspecified() => HOST_V4.into(),
        IpAddr::V6(address) if address.is_loopback() || address.is_unspecified() => HOST_V6.into(),
        address => address,
    };
    SocketAddr::new(address, claimed.port())
}

/// Where the host is to send what programs send to this address: the reverse of [`of_host`].
pub(super) fn at_host(to: SocketAddr) -> SocketAddr {
    let address = match to.ip() {
        IpAddr::V4(HOST_V4) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(HOST_V6) => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    SocketAddr::new(address, to.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_go_in_and_out() {
        for (domain, text, told) in [
            (AddressFamily::AF_INET, "127.0.0.1:80", "127.0.0.1:80"),
            (AddressFamily::AF_INET6, "[::1]:443", "[::1]:443"),
            (AddressFamily::AF_INET6, "127.0.0.1:80", "127.0.0.1:80"),
            (AddressFamily::AF_INET6, "0.0.0.0:80", "[::]:80"),
        ] {
            let bytes = format(domain, at(text));
            assert_eq!(parse(domain, bytes.as_bytes()), Ok(Some(at(told))));
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let v4 = format(AddressFamily::AF_INET, at("127.0.0.1:80"));
        for len in 0..SOCKADDR_IN {
            assert_eq!(
                parse(AddressFamily::AF_INET, &v4.as_bytes()[..len]),
                Err(Errno::EINVAL)
            );
        }
        assert_eq!(
            parse(AddressFamily::AF_INET6, v4.as_bytes()),
            Err(Errno::EAFNOSUPPORT)
        );
        let v6 = format(AddressFamily::AF_INET6, at("[::1]:80"));
        assert_eq!(
            parse(AddressFamily::AF_INET6, &v6.as_bytes()[..23]),
            Err(Errno::EINVAL)
        );
        assert!(parse(AddressFamily::AF_INET6, &v6.as_bytes()[..24]).is_ok());
        assert_eq!(parse(AddressFamily::AF_INET, &[0, 0]), Ok(None));
    }

    #[test]
    fn the_host_is_never_seen_at_a_loopback_address() {
        for claimed in ["127.0.0.1:9", "127.8.8.8:9", "[::1]:9", "0.0.0.0:9", "[::]:9"] {
            let seen = of_host(at(claimed));
            assert!(
                !seen.ip().is_loopback() && !seen.ip().is_unspecified(),
                "{claimed}"
            );
            assert!(at_host(seen).ip().is_loopback(), "{claimed}");
        }
        assert_eq!(of_host(at("192.0.2.1:9")), at("192.0.2.1:9"));
        assert_eq!(at_host(at("192.0.2.1:9")), at("192.0.2.1:9"));
    }
}
