//! Asks the host's kernel for its network interfaces (rtnetlink(7)).
//!
//! The answers are the host's: every length in them is checked, and what they say concerns the host's own
//! network.

use alloc::vec;
use alloc::vec::Vec;

use enclave_rt::call;
use host_abi::{MAX_SOCKADDR, Recv, Send, Wanted};
use kobject::{Errno, Result};
use linux_abi::netlink::{AddressAttribute, LinkAttribute, MessageType, NLA_TYPE_MASK, RequestFlags};
use linux_abi::socket::IFNAMSIZ;
use linux_abi::{AddressFamily, Protocol};

use super::SocketKind;
use crate::host::{OwnedHostFd, call_now, call_until};

/// Datagrams of one answer at most: an honest kernel with a thousand interfaces needs fewer.
const MAX_DATAGRAMS: usize = 256;

/// An interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub index: u32,
    /// IFF_ flags.
    pub flags: u32,
    /// ARPHRD_ type of the hardware address.
    pub kind: u16,
    pub hardware: [u8; 14],
    pub mtu: u32,
    /// Packets that wait to be sent at most.
    pub queue_len: u32,
    /// Ends with a zero.
    pub name: [u8; IFNAMSIZ],
}

/// An IPv4 address of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// Of the interface.
    pub index: u32,
    pub prefix_len: u8,
    pub local: [u8; 4],
    /// The other end's, where there is one; else its own.
    pub peer: [u8; 4],
    pub broadcast: Option<[u8; 4]>,
}

/// All interfaces.
pub(super) fn links() -> Result<Vec<Link>> {
    dump(
        MessageType::RTM_GETLINK,
        AddressFamily::AF_UNSPEC,
        MessageType::RTM_NEWLINK,
        parse_link,
    )
}

/// All IPv4 addresses.
pub(super) fn addresses() -> Result<Vec<Address>> {
    dump(
        MessageType::RTM_GETADDR,
        AddressFamily::AF_INET,
        MessageType::RTM_NEWADDR,
        parse_address,
    )
}

/// Asks for all objects of a kind, and reads those that come.
fn dump<T>(
    request: MessageType,
    family: AddressFamily,
    answer: MessageType,
    parse: impl Fn(&[u8]) -> Result<T>,
) -> Result<Vec<T>> {
    let socket = OwnedHostFd::new(call_now(&host_abi::Socket {
        domain: AddressFamily::AF_NETLINK.0,
        kind: SocketKind::Raw as u16,
        protocol: Protocol::NETLINK_ROUTE.0 as u16,
    })?);
    let fd = socket.fd();
    // The header, and the longer of the two bodies (`ifinfomsg`), zeros but for the family.
    let mut message = [0; 32];
    let flags = RequestFlags::NLM_F_REQUEST | RequestFlags::NLM_F_DUMP;
    message[0] = message.len() as u8;
    message[4..6].copy_from_slice(&request.0.to_ne_bytes());
    message[6..8].copy_from_slice(&flags.bits().to_ne_bytes());
    message[16] = family.0 as u8;
    call::staging().part(MAX_SOCKADDR, message.len()).write(&message);
    let len = message.len();
    let sent = call_until(None, |wait| Send {
        fd,
        len,
        flags: 0,
        address_len: 0,
        control_len: 0,
        wait,
    })?;
    if sent != len {
        // No answer would ever come.
        return Err(Errno::EIO);
    }
    let mut objects = Vec::new();
    for _ in 0..MAX_DATAGRAMS {
        let received = call_until(None, |wait| Recv {
            fd,
            len: Recv::MAX_LEN,
            flags: 0,
            wait,
            wanted: Wanted::Data,
            least: 0,
        })?;
        let mut datagram = vec![0; received.len];
        call::staging()
            .part(MAX_SOCKADDR, received.len)
            .read(&mut datagram);
        let mut rest = &datagram[..];
        while !rest.is_empty() {
            let (kind, body);
            (kind, body, rest) = split_message(rest)?;
            match kind {
                MessageType::NLMSG_DONE => return Ok(objects),
                MessageType::NLMSG_ERROR => return Err(Errno::EIO),
                _ if kind == answer => objects.push(parse(body)?),
                _ => {}
            }
        }
    }
    Err(Errno::EIO)
}

/// The type and the body of the first message, and what follows it.
fn split_message(bytes: &[u8]) -> Result<(MessageType, &[u8], &[u8])> {
    let (header, _) = bytes.split_first_chunk::<16>().ok_or(Errno::EIO)?;
    let [a, b, c, d, kind_low, kind_high, ..] = *header;
    let len = u32::from_ne_bytes([a, b, c, d]) as usize;
    let body = bytes.get(16..len).ok_or(Errno::EIO)?;
    let rest = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
    let kind = MessageType(u16::from_ne_bytes([kind_low, kind_high]));
    Ok((kind, body, rest))
}

/// Calls `each` with the type and the value of every attribute.
fn attributes(mut bytes: &[u8], mut each: impl FnMut(u16, &[u8]) -> Result<()>) -> Result<()> {
    while !bytes.is_empty() {
        let (header, _) = bytes.split_first_chunk::<4>().ok_or(Errno::EIO)?;
        let [len_low, len_high, kind_low, kind_high] = *header;
        let len = usize::from(u16::from_ne_bytes([len_low, len_high]));
        let value = bytes.get(4..len).ok_or(Errno::EIO)?;
        // The two highest bits are flags (nested, byte order).
        each(u16::from_ne_bytes([kind_low, kind_high]) & NLA_TYPE_MASK, value)?;
        bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(())
}

fn word(bytes: &[u8]) -> Result<[u8; 4]> {
    bytes.first_chunk().copied().ok_or(Errno::EIO)
}

/// `ifinfomsg`: family (1), padding (1), type (2), index (4), flags (4), change (4).
fn parse_link(body: &[u8]) -> Result<Link> {
    let (info, rest) = body.split_first_chunk::<16>().ok_or(Errno::EIO)?;
    let mut link = Link {
        index: u32::from_ne_bytes(word(&info[4..])?),
        flags: u32::from_ne_bytes(word(&info[8..])?),
        kind: u16::from_ne_bytes([info[2], info[3]]),
        hardware: [0; 14],
        mtu: 0,
        queue_len: 0,
        name: [0; IFNAMSIZ],
    };
    attributes(rest, |kind, value| {
        match LinkAttribute(kind) {
            LinkAttribute::IFLA_IFNAME => {
                let name = value.strip_suffix(&[0]).unwrap_or(value);
                let place = link.name.get_mut(..name.len()).ok_or(Errno::EIO)?;
                place.copy_from_slice(name);
            }
            LinkAttribute::IFLA_MTU => link.mtu = u32::from_ne_bytes(word(value)?),
            LinkAttribute::IFLA_TXQLEN => link.queue_len = u32::from_ne_bytes(word(value)?),
            LinkAttribute::IFLA_ADDRESS => {
                // InfiniBand's addresses are longer; `ioctl` cuts them too.
                for (place, byte) in link.hardware.iter_mut().zip(value) {
                    *place = *byte;
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    if link.name[IFNAMSIZ - 1] != 0 {
        return Err(Errno::EIO);
    }
    Ok(link)
}

/// `ifaddrmsg`: family (1), length of the prefix (1), flags (1), scope (1), index (4).
fn parse_address(body: &[u8]) -> Result<Address> {
    let (info, rest) = body.split_first_chunk::<8>().ok_or(Errno::EIO)?;
    let (mut local, mut other, mut broadcast) = (None, None, None);
    attributes(rest, |kind, value| {
        match AddressAttribute(kind) {
            AddressAttribute::IFA_LOCAL => local = Some(word(value)?),
            AddressAttribute::IFA_ADDRESS => other = Some(word(value)?),
            AddressAttribute::IFA_BROADCAST => broadcast = Some(word(value)?),
            _ => {}
        }
        Ok(())
    })?;
    Ok(Address {
        index: u32::from_ne_bytes(word(&info[4..])?),
        prefix_len: info[1],
        local: local.or(other).ok_or(Errno::EIO)?,
        peer: other.or(local).ok_or(Errno::EIO)?,
        broadcast,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let len = (4 + value.len()) as u16;
        let mut bytes = [len.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend_from_slice(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn link(name: &[u8]) -> Vec<u8> {
        let mut body = vec![0, 0, 0x04, 0x03, 1, 0, 0, 0, 0x49, 0, 1, 0, 0, 0, 0, 0];
        body.extend(attribute(LinkAttribute::IFLA_IFNAME.0, name));
        body.extend(attribute(LinkAttribute::IFLA_MTU.0, &65536u32.to_ne_bytes()));
        body.extend(attribute(0x8000 | 26, &[1, 2, 3]));
        body
    }

    #[test]
    fn a_link_is_read() {
        let lo = parse_link(&link(b"lo\0")).unwrap();
        assert_eq!((lo.index, lo.flags, lo.kind, lo.mtu), (1, 0x10049, 772, 65536));
        assert_eq!(&lo.name[..3], b"lo\0");
        assert_eq!(parse_link(&link(&[b'x'; 16])), Err(Errno::EIO), "no end");
        assert_eq!(parse_link(&link(&[b'x'; 17])), Err(Errno::EIO), "too long");
    }

    #[test]
    fn an_address_is_read() {
        let mut body = vec![2, 8, 0x80, 254, 1, 0, 0, 0];
        assert_eq!(parse_address(&body), Err(Errno::EIO), "no address");
        body.extend(attribute(AddressAttribute::IFA_ADDRESS.0, &[127, 0, 0, 1]));
        let address = parse_address(&body).unwrap();
        assert_eq!(
            (address.index, address.prefix_len, address.local),
            (1, 8, [127, 0, 0, 1])
        );
    }

    #[test]
    fn messages_are_split() {
        let message = [20, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4];
        let two = [message, message].concat();
        let (kind, body, rest) = split_message(&two).unwrap();
        assert_eq!(
            (kind, body, rest),
            (MessageType::RTM_NEWLINK, &[1, 2, 3, 4][..], &message[..])
        );
        assert_eq!(split_message(&two[..19]), Err(Errno::EIO));
        assert_eq!(
            split_message(&[0; 16]),
            Err(Errno::EIO),
            "shorter than its header"
        );
    }

    proptest! {
        #[test]
        fn nothing_the_host_sends_does_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = split_message(&bytes);
            let _ = parse_link(&bytes);
            let _ = parse_address(&bytes);
        }

        #[test]
        fn nor_does_a_changed_byte(at in 0usize..48, value: u8) {
            let mut body = link(b"eth0\0");
            if let Some(byte) = body.get_mut(at) {
                *byte = value;
            }
            let _ = parse_link(&body);
        }
    }
}
