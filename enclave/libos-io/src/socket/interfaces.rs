//! The questions about network interfaces that programs put by `ioctl` (netdevice(7)), on a socket of any
//! family.

use alloc::vec::Vec;

use enclave_rt::user;
use kobject::{Errno, Result};
use linux_abi::socket::IFNAMSIZ;
use linux_abi::{AddressFamily, Ioctl};

use super::rtnetlink::{self, Address, Link};

/// Bytes of `struct ifreq`: a name, and a union.
const REQUEST_SIZE: usize = IFNAMSIZ + UNION_SIZE;
const UNION_SIZE: usize = 24;

/// Answers a question about interfaces, on a socket of this family. ENODEV for an interface that does not exist, EPERM for changes,
/// which are the host's, ENOTTY for other requests (dev_ioctl and inet_ioctl of the kernel).
pub(super) fn ioctl(domain: AddressFamily, request: Ioctl, argument: u64) -> Result<u64> {
    match request {
        // Nobody is told by SIGIO.
        Ioctl::FIOSETOWN | Ioctl::SIOCSPGRP => user::read(argument, &mut [0; 4])?,
        Ioctl::FIOGETOWN | Ioctl::SIOCGPGRP => user::write(argument, &[0; 4])?,
        _ if is_of_addresses(request) && domain != AddressFamily::AF_INET => return Err(Errno::ENOTTY),
        _ if is_change(request) => {
            user::read(argument, &mut [0; REQUEST_SIZE])?;
            return Err(Errno::EPERM);
        }
        Ioctl::SIOCGIFCONF => configuration(argument)?,
        Ioctl::SIOCGIFNAME => {
            let mut index = [0; 4];
            user::read(argument.wrapping_add(IFNAMSIZ as u64), &mut index)?;
            let index = u32::from_ne_bytes(index);
            let link = find(|link| link.index == index)?;
            user::write(argument, &link.name)?;
        }
        Ioctl::SIOCGIFFLAGS
        | Ioctl::SIOCGIFADDR
        | Ioctl::SIOCGIFDSTADDR
        | Ioctl::SIOCGIFPFLAGS
        | Ioctl::SIOCGIFSLAVE
        | Ioctl::SIOCGIFTXQLEN
        | Ioctl::SIOCGIFMAP
        | Ioctl::SIOCETHTOOL
        | Ioctl::SIOCGIFBRDADDR
        | Ioctl::SIOCGIFNETMASK
        | Ioctl::SIOCGIFMETRIC
        | Ioctl::SIOCGIFMTU
        | Ioctl::SIOCGIFHWADDR
        | Ioctl::SIOCGIFINDEX => {
            if request == Ioctl::SIOCETHTOOL {
                check_command(argument)?;
            }
            let mut name = [0; IFNAMSIZ];
            user::read(argument, &mut name)?;
            let end = name.iter().position(|&byte| byte == 0);
            let name = name.get(..end.unwrap_or(IFNAMSIZ - 1)).unwrap_or_default();
            let link = find(|link| link.name.split(|&byte| byte == 0).next() == Some(name))?;
            let value = about(request, &link)?;
            user::write(argument.wrapping_add(IFNAMSIZ as u64), &value)?;
        }
        _ => return Err(Errno::ENOTTY),
    }
    Ok(0)
}

/// The command of SIOCETHTOOL, to which the union points, is read first; EFAULT.
fn check_command(argument: u64) -> Result<()> {
    let mut command = [0; 8];
    user::read(argument.wrapping_add(IFNAMSIZ as u64), &mut command)?;
    Ok(user::read(u64::from_ne_bytes(command), &mut [0; 4])?)
}

/// What only sockets of IPv4 answer.
fn is_of_addresses(request: Ioctl) -> bool {
    matches!(
        request,
        Ioctl::SIOCGIFADDR
            | Ioctl::SIOCGIFDSTADDR
            | Ioctl::SIOCGIFBRDADDR
            | Ioctl::SIOCGIFNETMASK
            | Ioctl::SIOCGIFPFLAGS
            | Ioctl::SIOCSIFADDR
            | Ioctl::SIOCSIFDSTADDR
            | Ioctl::SIOCSIFBRDADDR
            | Ioctl::SIOCSIFNETMASK
            | Ioctl::SIOCSIFPFLAGS
            | Ioctl::SIOCADDRT
            | Ioctl::SIOCDELRT
            | Ioctl::SIOCDARP
            | Ioctl::SIOCSARP
    )
}

/// What needs CAP_NET_ADMIN.
fn is_change(request: Ioctl) -> bool {
    matches!(
        request,
        Ioctl::SIOCADDRT
            | Ioctl::SIOCDELRT
            | Ioctl::SIOCSIFFLAGS
            | Ioctl::SIOCSIFADDR
            | Ioctl::SIOCSIFDSTADDR
            | Ioctl::SIOCSIFBRDADDR
            | Ioctl::SIOCSIFNETMASK
            | Ioctl::SIOCSIFMETRIC
            | Ioctl::SIOCSIFMTU
            | Ioctl::SIOCSIFNAME
            | Ioctl::SIOCSIFHWADDR
            | Ioctl::SIOCADDMULTI
            | Ioctl::SIOCDELMULTI
            | Ioctl::SIOCSIFPFLAGS
            | Ioctl::SIOCSIFHWBROADCAST
            | Ioctl::SIOCSIFTXQLEN
            | Ioctl::SIOCGMIIPHY
            | Ioctl::SIOCGMIIREG
            | Ioctl::SIOCSMIIREG
            | Ioctl::SIOCDARP
            | Ioctl::SIOCSARP
            | Ioctl::SIOCSIFMAP
    )
}

fn find(is_it: impl Fn(&Link) -> bool) -> Result<Link> {
    rtnetlink::links()?.into_iter().find(is_it).ok_or(Errno::ENODEV)
}

/// The union of `struct ifreq` that answers a question about one interface, as far as it is written.
fn about(request: Ioctl, link: &Link) -> Result<Vec<u8>> {
    Ok(match request {
        Ioctl::SIOCGIFFLAGS => (link.flags as u16).to_ne_bytes().to_vec(),
        Ioctl::SIOCGIFINDEX => link.index.to_ne_bytes().to_vec(),
        Ioctl::SIOCGIFMTU => link.mtu.to_ne_bytes().to_vec(),
        Ioctl::SIOCGIFMETRIC => [0; 4].to_vec(),
        Ioctl::SIOCGIFTXQLEN => link.queue_len.to_ne_bytes().to_vec(),
        // No memory, no interrupt, no port: those of hardware are the host's affair.
        Ioctl::SIOCGIFMAP => [0; UNION_SIZE].to_vec(),
        Ioctl::SIOCGIFPFLAGS => [0; 2].to_vec(),
        Ioctl::SIOCGIFSLAVE => return Err(Errno::EINVAL),
        // Likewise what drivers say.
        Ioctl::SIOCETHTOOL => return Err(Errno::EOPNOTSUPP),
        Ioctl::SIOCGIFHWADDR => [&link.kind.to_ne_bytes()[..], &link.hardware].concat(),
        _ => {
            let addresses = rtnetlink::addresses()?;
            let address = addresses.iter().find(|address| address.index == link.index);
            let address = address.ok_or(Errno::EADDRNOTAVAIL)?;
            socket_address(match request {
                Ioctl::SIOCGIFDSTADDR => address.peer,
                Ioctl::SIOCGIFNETMASK => netmask(address.prefix_len),
                Ioctl::SIOCGIFBRDADDR => address.broadcast.unwrap_or_default(),
                _ => address.local,
            })
            .to_vec()
        }
    })
}

fn netmask(prefix_len: u8) -> [u8; 4] {
    let host_bits = 32 - u32::from(prefix_len.min(32));
    u32::MAX.checked_shl(host_bits).unwrap_or(0).to_be_bytes()
}

/// `struct sockaddr_in` without a port.
fn socket_address([a, b, c, d]: [u8; 4]) -> [u8; 16] {
    let [low, high] = AddressFamily::AF_INET.0.to_ne_bytes();
    [low, high, 0, 0, a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0]
}

/// `struct ifconf`: the length (4, and padding) of a buffer, and its address (8), 0 to ask for the length.
/// The buffer gets an `ifreq` for each IPv4 address, as many as fit.
fn configuration(argument: u64) -> Result<()> {
    let mut header = [0; 16];
    user::read(argument, &mut header)?;
    let [a, b, c, d, _, _, _, _, buffer @ ..] = header;
    // Less than nothing is nothing; nobody looks at it where there is no buffer.
    let room = usize::try_from(i32::from_ne_bytes([a, b, c, d])).unwrap_or(0);
    let buffer = u64::from_ne_bytes(buffer);
    let mut all = listing(&rtnetlink::links()?, &rtnetlink::addresses()?);
    if buffer != 0 {
        all.truncate(room - room % REQUEST_SIZE);
        user::write(buffer, &all)?;
    }
    user::write(argument, &(all.len() as u32).to_ne_bytes())?;
    Ok(())
}

fn listing(links: &[Link], addresses: &[Address]) -> Vec<u8> {
    let mut all = Vec::new();
    for address in addresses {
        if let Some(link) = links.iter().find(|link| link.index == address.index) {
            all.extend_from_slice(&link.name);
            all.extend_from_slice(&socket_address(address.local));
            all.resize(all.len().next_multiple_of(REQUEST_SIZE), 0);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use linux_abi::socket::ARPHRD_LOOPBACK;

    use super::*;

    #[test]
    fn prefixes_are_masks() {
        assert_eq!(netmask(0), [0; 4]);
        assert_eq!(netmask(8), [255, 0, 0, 0]);
        assert_eq!(netmask(30), [255, 255, 255, 252]);
        assert_eq!(netmask(255), [255; 4]);
    }

    #[test]
    fn a_listing_has_one_entry_for_each_address() {
        let mut name = [0; IFNAMSIZ];
        name[..2].copy_from_slice(b"lo");
        let link = Link {
            index: 1,
            flags: 0,
            kind: ARPHRD_LOOPBACK,
            hardware: [0; 14],
            mtu: 0,
            queue_len: 0,
            name,
        };
        let address = |index, last| Address {
            index,
            prefix_len: 8,
            local: [127, 0, 0, last],
            peer: [127, 0, 0, last],
            broadcast: None,
        };
        let all = listing(&[link], &[address(1, 1), address(9, 9), address(1, 2)]);
        assert_eq!(all.len(), 2 * REQUEST_SIZE);
        assert_eq!(&all[..2], b"lo");
        assert_eq!(&all[REQUEST_SIZE + IFNAMSIZ..][..8], [2, 0, 0, 0, 127, 0, 0, 2]);
    }
}
