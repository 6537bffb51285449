//! Network sockets: IPv4 and IPv6, TCP and UDP, and the routing information of netlink(7), by which programs
//! ask for the interfaces. The host has the network, so the host has the sockets.
//!
//! Each operation is one host call. Data goes between the staging buffer and the program's memory without a
//! copy in between.

use alloc::sync::Arc;
use core::any::Any;
use core::sync::atomic::{AtomicBool, Ordering};

use enclave_rt::{call, thread};
use host_abi::{
    Accept, Bind, CallError, Connect, GetPeerName, GetSockName, GetSockOpt, HostFd, Listen, Poll, PollEntry,
    Recv, Send, SetSockOpt, Unread, Wanted,
};
use kobject::{Attributes, Errno, File, FileKind, How, Result, Sink, Source, Stat, Wait, away, remaining};
use linux_abi::{AddressFamily, Ioctl, MessageFlags, OptionLevel, PollEvents, Protocol, SocketOption};

use super::message::Identity;
use super::option::{self, Timeouts, may_pass, put_int};
use super::{
    Caller, MAX_ADDRESS, Outgoing, Received, Shutdown, Socket, SocketAddress, SocketKind, address, interfaces,
};
use crate::NOW;
use crate::anonymous;
use crate::host::{OwnedHostFd, call_once, call_until, send_staged};

/// The flags that the host is told of.
const SEND_FLAGS: MessageFlags = MessageFlags::MSG_OOB
    .union(MessageFlags::MSG_DONTROUTE)
    .union(MessageFlags::MSG_EOR)
    .union(MessageFlags::MSG_CONFIRM)
    .union(MessageFlags::MSG_MORE);
const RECEIVE_FLAGS: MessageFlags = MessageFlags::MSG_OOB
    .union(MessageFlags::MSG_PEEK)
    .union(MessageFlags::MSG_TRUNC);
/// The flags of a result that the host may tell.
const RESULT_FLAGS: MessageFlags = MessageFlags::MSG_OOB
    .union(MessageFlags::MSG_TRUNC)
    .union(MessageFlags::MSG_EOR);

/// A socket of the host's.
pub struct InetSocket {
    fd: OwnedHostFd,
    domain: AddressFamily,
    kind: SocketKind,
    protocol: Protocol,
    timeouts: Timeouts,
    listens: AtomicBool,
    inode: u64,
    attributes: Attributes,
}

impl InetSocket {
    /// `socket(AF_INET, AF_INET6 or AF_NETLINK, …)`. EPROTONOSUPPORT for protocols but TCP, UDP, ICMP echo
    /// and NETLINK_ROUTE, EPERM for raw IP sockets.
    pub fn open(domain: AddressFamily, kind: SocketKind, protocol: Protocol) -> Result<Arc<Self>> {
        let protocol = match (kind, protocol) {
            (SocketKind::Datagram | SocketKind::Raw, Protocol::NETLINK_ROUTE)
                if domain == AddressFamily::AF_NETLINK =>
            {
                protocol
            }
            _ if domain == AddressFamily::AF_NETLINK => return Err(Errno::EPROTONOSUPPORT),
            (SocketKind::Stream, Protocol::IPPROTO_IP | Protocol::IPPROTO_TCP) => Protocol::IPPROTO_TCP,
            (SocketKind::Datagram, Protocol::IPPROTO_IP | Protocol::IPPROTO_UDP) => Protocol::IPPROTO_UDP,
            (SocketKind::Datagram, Protocol::IPPROTO_ICMP) if domain == AddressFamily::AF_INET => protocol,
            (SocketKind::Datagram, Protocol::IPPROTO_ICMPV6) if domain == AddressFamily::AF_INET6 => protocol,
            (SocketKind::Stream | SocketKind::Datagram, _) => return Err(Errno::EPROTONOSUPPORT),
            (SocketKind::Raw, _) => return Err(Errno::EPERM),
            (SocketKind::SeqPacket, _) => return Err(Errno::ESOCKTNOSUPPORT),
        };
        let fd = call::call(&host_abi::Socket {
            domain: domain.0,
            kind: kind as u16,
            protocol: protocol.0 as u16,
        })?;
        Ok(Arc::new(Self {
            fd: OwnedHostFd(fd),
            domain,
            kind,
            protocol,
            timeouts: Timeouts::new(),
            listens: AtomicBool::new(false),
            inode: anonymous::next_inode(),
            attributes: Attributes::default(),
        }))
    }

    fn fd(&self) -> HostFd {
        self.fd.0
    }

    /// The address of `len` bytes that the host has put into the staging buffer; EIO if it is none of the
    /// socket's family.
    fn staged_address(&self, len: usize) -> Result<SocketAddress> {
        let mut bytes = [0; MAX_ADDRESS];
        let bytes = bytes.get_mut(..len).ok_or(Errno::EIO)?;
        call::staging().part(0, len).read(bytes);
        check_address(self.domain, bytes)
    }

    /// Waits until one of the events is the case, the deadline has passed, or for no reason.
    fn wait_for(&self, events: PollEvents, deadline: Option<u64>) -> Result<()> {
        let entry = PollEntry {
            fd: self.fd(),
            events: events.bits() as u16,
            happened: 0,
        };
        call::staging().part(0, PollEntry::SIZE).write(&entry.to_bytes());
        let wait = remaining(deadline)?;
        call_once(&Poll { count: 1, wait }, wait).map(drop)
    }

    fn send_stream(&self, from: &mut dyn Source, flags: u32, deadline: Option<u64>) -> Result<usize> {
        let fd = self.fd();
        let mut done = 0;
        loop {
            let len = from.left().min(Send::MAX_LEN);
            let staged = call::staging().part(MAX_ADDRESS, len);
            from.take_untrusted(staged)?;
            let (count, end) = send_staged(staged, deadline, |len, wait| Send {
                fd,
                len,
                flags,
                address_len: 0,
                wait,
            });
            done += count;
            match end {
                Err(error) if done == 0 => return Err(error),
                Ok(()) if count == len && from.left() > 0 => {}
                _ => return Ok(done),
            }
        }
    }

    fn send_datagram(
        &self,
        from: &mut dyn Source,
        flags: u32,
        address: Option<&[u8]>,
        deadline: Option<u64>,
    ) -> Result<usize> {
        let len = from.left();
        if len > Send::MAX_LEN {
            return Err(Errno::EMSGSIZE);
        }
        let address_len = address.map_or(Ok(0), stage_address)?;
        from.take_untrusted(call::staging().part(MAX_ADDRESS, len))?;
        let fd = self.fd();
        let sent = call_until(deadline, |wait| Send {
            fd,
            len,
            flags,
            address_len,
            wait,
        })?;
        // A datagram goes whole or not at all.
        if sent == len { Ok(sent) } else { Err(Errno::EIO) }
    }
}

/// Puts an address into the staging buffer; EINVAL if it is too long.
fn stage_address(address: &[u8]) -> Result<usize> {
    if address.len() > MAX_ADDRESS {
        return Err(Errno::EINVAL);
    }
    call::staging().write(address);
    Ok(address.len())
}

/// Whether an address that the host tells can be one of a socket of this family; EIO.
fn check_address(domain: AddressFamily, bytes: &[u8]) -> Result<SocketAddress> {
    let len = match domain {
        AddressFamily::AF_INET => 16,
        AddressFamily::AF_NETLINK => 12,
        _ => 28,
    };
    match address::family(bytes) {
        Ok(family) if family == domain && bytes.len() == len => SocketAddress::new(bytes),
        _ => Err(Errno::EIO),
    }
}

/// Whether what the host tells of SO_ERROR is 0 or an error that Linux has; EIO.
fn check_pending_error(value: &[u8]) -> Result<()> {
    let mut word = [0; 4];
    // A program may have room for a part only; the rest counts as zeros.
    for (place, byte) in word.iter_mut().zip(value) {
        *place = *byte;
    }
    match u32::from_ne_bytes(word) {
        0 => Ok(()),
        error => Errno::from_raw(error.into()).map(drop).ok_or(Errno::EIO),
    }
}

impl Socket for InetSocket {
    fn domain(&self) -> AddressFamily {
        self.domain
    }

    fn kind(&self) -> SocketKind {
        self.kind
    }

    fn bind(&self, address: &[u8], _: Caller<'_>) -> Result<()> {
        let address_len = stage_address(address)?;
        let fd = self.fd();
        Ok(call::call(&Bind { fd, address_len })?)
    }

    fn connect(&self, address: &[u8], how: How, _: Caller<'_>) -> Result<()> {
        let deadline = self.timeouts.send_deadline(how.nonblocking);
        loop {
            let wait = match remaining(deadline) {
                Ok(wait) if !thread::is_pending() => wait,
                _ => Wait::NONE,
            };
            let request = Connect {
                fd: self.fd(),
                address_len: stage_address(address)?,
                wait,
            };
            let answer = if wait == Wait::NONE {
                call::call(&request)
            } else {
                away(|| call::blocking(&request))
            };
            match answer {
                // Woken, perhaps before the host was asked at all: ask again, and learn how far it is.
                Err(CallError::Errno(Errno::EINTR)) => {}
                Err(CallError::Errno(Errno::EINPROGRESS | Errno::EALREADY | Errno::EAGAIN))
                    if deadline != NOW =>
                {
                    if thread::is_pending() {
                        return Err(Errno::EINTR);
                    }
                    self.wait_for(PollEvents::POLLOUT, deadline).map_err(|error| {
                        if error == Errno::ETIMEDOUT {
                            Errno::EINPROGRESS
                        } else {
                            error
                        }
                    })?;
                }
                answer => return Ok(answer?),
            }
        }
    }

    fn listen(&self, backlog: u32, _: Caller<'_>) -> Result<()> {
        let fd = self.fd();
        call::call(&Listen { fd, backlog })?;
        self.listens.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn accept(&self, how: How) -> Result<(Arc<dyn File>, SocketAddress)> {
        let fd = self.fd();
        let deadline = self.timeouts.receive_deadline(how.nonblocking);
        let accepted = call_until(deadline, |wait| Accept { fd, wait })?;
        let socket = Self {
            fd: OwnedHostFd(accepted.fd),
            domain: self.domain,
            kind: self.kind,
            protocol: self.protocol,
            timeouts: self.timeouts.inherited(),
            listens: AtomicBool::new(false),
            inode: anonymous::next_inode(),
            attributes: Attributes::default(),
        };
        let address = self.staged_address(accepted.address_len)?;
        Ok((Arc::new(socket), address))
    }

    fn send(&self, from: &mut dyn Source, message: Outgoing<'_>, how: How, _: Caller<'_>) -> Result<usize> {
        let nonblocking = how.nonblocking || message.flags.contains(MessageFlags::MSG_DONTWAIT);
        let deadline = self.timeouts.send_deadline(nonblocking);
        let flags = (message.flags & SEND_FLAGS).bits();
        match self.kind {
            // As on Linux, a connected stream does not look at a destination.
            SocketKind::Stream => self.send_stream(from, flags, deadline),
            _ => self.send_datagram(from, flags, message.address, deadline),
        }
    }

    fn receive(&self, to: &mut dyn Sink, flags: MessageFlags, how: How) -> Result<Received> {
        if flags.contains(MessageFlags::MSG_ERRQUEUE) {
            // Its contents are ancillary data, which the boundary does not carry: it is empty.
            return Err(Errno::EAGAIN);
        }
        let nonblocking = how.nonblocking || flags.contains(MessageFlags::MSG_DONTWAIT);
        let deadline = self.timeouts.receive_deadline(nonblocking);
        let is_stream = self.kind == SocketKind::Stream;
        let fills =
            is_stream && flags.contains(MessageFlags::MSG_WAITALL) && !flags.contains(MessageFlags::MSG_PEEK);
        // A stream with MSG_TRUNC drops the data instead of giving it.
        let drops = is_stream && flags.contains(MessageFlags::MSG_TRUNC);
        // Of what a stream gives, only urgent data is marked.
        let wanted = match is_stream && !flags.contains(MessageFlags::MSG_OOB) {
            true => Wanted::Data,
            false => Wanted::Message,
        };
        let request = |len, wait| Recv {
            fd: self.fd(),
            len,
            flags: (flags & RECEIVE_FLAGS).bits(),
            wait,
            wanted,
        };
        let mut result = Received::default();
        loop {
            let len = to.room().min(Recv::MAX_LEN);
            let received = match call_until(deadline, |wait| request(len, wait)) {
                Err(_) if result.len > 0 => return Ok(result),
                received => received?,
            };
            if is_stream && received.full_len > len {
                // Only a datagram can be longer than the room.
                return Err(Errno::EIO);
            }
            if !is_stream {
                result.address = Some(self.staged_address(received.address_len)?);
            }
            if !drops {
                to.put_untrusted(call::staging().part(MAX_ADDRESS, received.len))?;
            }
            result.flags = MessageFlags::from_bits_truncate(received.flags) & RESULT_FLAGS;
            result.len += received.full_len;
            if !fills || drops || received.len == 0 || to.room() == 0 {
                return Ok(result);
            }
        }
    }

    fn shutdown(&self, which: Shutdown) -> Result<()> {
        let how = which as u8;
        Ok(call::call(&host_abi::Shutdown { fd: self.fd(), how })?)
    }

    fn own_address(&self) -> Result<SocketAddress> {
        self.staged_address(call::call(&GetSockName { fd: self.fd() })?)
    }

    fn peer_address(&self) -> Result<SocketAddress> {
        self.staged_address(call::call(&GetPeerName { fd: self.fd() })?)
    }

    fn option(&self, level: OptionLevel, name: u32, out: &mut [u8]) -> Result<usize> {
        if level == OptionLevel::SOL_SOCKET {
            let option = SocketOption(name);
            let known = match option {
                SocketOption::SO_TYPE => Some(self.kind as u32),
                SocketOption::SO_DOMAIN => Some(self.domain.0.into()),
                SocketOption::SO_PROTOCOL => Some(self.protocol.0),
                SocketOption::SO_ACCEPTCONN => Some(self.listens.load(Ordering::Relaxed).into()),
                _ => None,
            };
            if let Some(value) = known {
                return Ok(put_int(out, value));
            }
            if option == SocketOption::SO_PEERCRED {
                return Ok(option::put(out, &Identity::UNKNOWN.to_bytes()));
            }
            if let Some(len) = self.timeouts.option(option, out) {
                return Ok(len);
            }
        }
        if !may_pass(level, name) {
            return Err(Errno::ENOPROTOOPT);
        }
        let len = out.len().min(MAX_OPTION);
        let fd = self.fd();
        let len = call::call(&GetSockOpt {
            fd,
            level: level.0,
            name,
            len,
        })?;
        let out = out.get_mut(..len).ok_or(Errno::EIO)?;
        call::staging().read(out);
        if level == OptionLevel::SOL_SOCKET && SocketOption(name) == SocketOption::SO_ERROR {
            check_pending_error(out)?;
        }
        Ok(len)
    }

    fn set_option(&self, level: OptionLevel, name: u32, value: &[u8]) -> Result<()> {
        if level == OptionLevel::SOL_SOCKET
            && let Some(done) = self.timeouts.set_option(SocketOption(name), value)
        {
            return done;
        }
        if !may_pass(level, name) {
            return Err(Errno::ENOPROTOOPT);
        }
        if value.len() > MAX_OPTION {
            return Err(Errno::EINVAL);
        }
        call::staging().write(value);
        let (fd, len) = (self.fd(), value.len());
        Ok(call::call(&SetSockOpt {
            fd,
            level: level.0,
            name,
            len,
        })?)
    }

    fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }
}

/// Most bytes of an option: what the boundary carries.
const MAX_OPTION: usize = 4096;

impl File for InetSocket {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn stat(&self) -> Result<Stat> {
        let stat = anonymous::stat(FileKind::Socket, 0o777, self.inode)?;
        Ok(self.attributes.apply(stat))
    }

    fn attributes(&self) -> Option<&Attributes> {
        Some(&self.attributes)
    }

    fn read(&self, _: u64, to: &mut dyn Sink, how: How) -> Result<usize> {
        if to.room() == 0 {
            return Ok(0);
        }
        Ok(self.receive(to, MessageFlags::empty(), how)?.len)
    }

    fn write(&self, _: u64, from: &mut dyn Source, how: How) -> Result<(usize, u64)> {
        let deadline = self.timeouts.send_deadline(how.nonblocking);
        let count = match self.kind {
            SocketKind::Stream => self.send_stream(from, 0, deadline)?,
            _ => self.send_datagram(from, 0, None, deadline)?,
        };
        Ok((count, 0))
    }

    fn poll(&self, _: PollEvents) -> PollEvents {
        PollEvents::empty()
    }

    fn host_fd(&self) -> Option<HostFd> {
        Some(self.fd())
    }

    fn ioctl(&self, request: Ioctl, argument: u64) -> Result<u64> {
        match request {
            Ioctl::FIONREAD => anonymous::answer_int(argument, call::call(&Unread { fd: self.fd() })?),
            _ => interfaces::ioctl(request, argument),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pending_error_that_linux_does_not_have_is_a_lie() {
        for error in [0, 1, 111, 133] {
            assert_eq!(check_pending_error(&u32::to_ne_bytes(error)), Ok(()));
        }
        for error in [134, 4095, u32::MAX, (-7i32).cast_unsigned()] {
            assert_eq!(check_pending_error(&u32::to_ne_bytes(error)), Err(Errno::EIO));
        }
        assert_eq!(check_pending_error(&[111, 0]), Ok(()));
        assert_eq!(check_pending_error(&[0xff]), Err(Errno::EIO));
        assert_eq!(check_pending_error(&[]), Ok(()));
    }

    #[test]
    fn an_address_of_another_family_or_length_is_a_lie() {
        let v4 = [2, 0, 0, 80, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(check_address(AddressFamily::AF_INET, &v4).unwrap().as_bytes(), v4);
        for (domain, bytes) in [
            (AddressFamily::AF_INET6, &v4[..]),
            (AddressFamily::AF_INET, &v4[..15]),
            (AddressFamily::AF_INET, &v4[..1]),
            (AddressFamily::AF_INET, &[]),
            (
                AddressFamily::AF_INET,
                &[1, 0, 0, 80, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0][..],
            ),
        ] {
            assert_eq!(check_address(domain, bytes), Err(Errno::EIO));
        }
    }
}
