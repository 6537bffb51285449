//! Network sockets: IPv4 and IPv6, TCP and UDP, and the routing information of netlink(7), by which programs
//! ask for the interfaces. The host has the network, so the host has the sockets.
//!
//! Each operation is one host call. Data goes between the staging buffer and the program's memory without a
//! copy in between.

mod ahead;
mod posting;
mod transfer;

use alloc::sync::{Arc, Weak};
use core::any::Any;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use enclave_rt::untrusted::HostMemory;
use enclave_rt::{call, thread};
use host_abi::{
    Accept, Accepted, Bind, CallError, Connect, GetPeerName, GetSockName, GetSockOpt, HostFd, Listen, Poll,
    PollEntry, Queue, Queued, SetSockOpt,
};
use kobject::{
    Attributes, Errno, File, FileKind, How, Observer, Result, Sink, Source, SpinLock, Stat, Subscription,
    Wait, WaitQueue, away, remaining,
};
use linux_abi::socket::IPPROTO_MAX;
use linux_abi::{AddressFamily, Ioctl, MessageFlags, OptionLevel, PollEvents, Protocol, SocketOption};

use self::ahead::Ahead;
use self::posting::Posting;
pub use self::posting::not_sent;
use super::control::Kinds;
use super::message::Identity;
use super::option::{self, Timeouts, may_pass, put_int};
use super::{
    Caller, MAX_ADDRESS, Outgoing, Received, Shutdown, Socket, SocketAddress, SocketKind, address, interfaces,
};
use crate::NOW;
use crate::anonymous;
use crate::host::{OwnedHostFd, call_once, call_until};

/// A socket of the host's.
pub struct InetSocket {
    fd: OwnedHostFd,
    domain: AddressFamily,
    kind: SocketKind,
    protocol: Protocol,
    timeouts: Arc<Timeouts>,
    listens: AtomicBool,
    inode: u64,
    attributes: Attributes,
    /// The control data that the program has asked for at some time.
    asked: SpinLock<Kinds>,
    /// SO_RCVLOWAT of a stream, which the host's socket, never blocking, does not obey.
    least: AtomicU32,
    /// An error that came after a part of what was asked for: the next call gets it. 0 for none.
    error: AtomicU32,
    /// Whether receiving has been shut down.
    receiving_ends: AtomicBool,
    ahead: Ahead,
    posting: Posting,
    this: Weak<Self>,
}

impl InetSocket {
    /// A socket of the host's that is new, with what an accepted one has from its listener. The queue is told of what comes ahead.
    fn new(
        fd: HostFd,
        (domain, kind, protocol): (AddressFamily, SocketKind, Protocol),
        listener: Option<&Self>,
        queue: Arc<WaitQueue>,
        timeouts: Arc<Timeouts>,
    ) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            fd: OwnedHostFd::new(fd),
            domain,
            kind,
            protocol,
            timeouts,
            listens: AtomicBool::new(false),
            inode: anonymous::next_inode(),
            attributes: Attributes::default(),
            asked: SpinLock::new(listener.map_or(Kinds::empty(), Self::asked)),
            least: AtomicU32::new(listener.map_or(1, |listener| listener.least.load(Ordering::Relaxed))),
            error: AtomicU32::new(0),
            receiving_ends: AtomicBool::new(false),
            ahead: Ahead::new(queue),
            posting: Posting::new(listener.is_some()),
            this: this.clone(),
        })
    }

    fn queued(&self, queue: Queue) -> Result<usize> {
        Ok(call::call(&Queued { fd: self.fd(), queue })?)
    }

    fn asked(&self) -> Kinds {
        *self.asked.lock()
    }

    /// `socket(AF_INET, AF_INET6 or AF_NETLINK, …)`. EPROTONOSUPPORT for protocols but TCP, UDP, ICMP echo
    /// and NETLINK_ROUTE, EPERM for raw IP sockets.
    pub fn open(domain: AddressFamily, kind: SocketKind, protocol: Protocol) -> Result<Arc<Self>> {
        Self::open_with(
            domain,
            kind,
            protocol,
            WaitQueue::new(),
            Arc::new(Timeouts::new()),
        )
    }

    /// As [`Self::open`], for a socket that has these already.
    pub(super) fn open_with(
        domain: AddressFamily,
        kind: SocketKind,
        protocol: Protocol,
        queue: Arc<WaitQueue>,
        timeouts: Arc<Timeouts>,
    ) -> Result<Arc<Self>> {
        let protocol = match (kind, protocol) {
            (SocketKind::Datagram | SocketKind::Raw, Protocol::NETLINK_ROUTE)
                if domain == AddressFamily::AF_NETLINK =>
            {
                protocol
            }
            _ if domain == AddressFamily::AF_NETLINK => return Err(Errno::EPROTONOSUPPORT),
            _ if protocol.0 >= IPPROTO_MAX => return Err(Errno::EINVAL),
            (SocketKind::Stream, Protocol::IPPROTO_IP | Protocol::IPPROTO_TCP) => Protocol::IPPROTO_TCP,
            (SocketKind::Datagram, Protocol::IPPROTO_IP | Protocol::IPPROTO_UDP) => Protocol::IPPROTO_UDP,
            (SocketKind::Datagram, Protocol::IPPROTO_ICMP) if domain == AddressFamily::AF_INET => protocol,
            (SocketKind::Datagram, Protocol::IPPROTO_ICMPV6) if domain == AddressFamily::AF_INET6 => protocol,
            (SocketKind::Stream | SocketKind::Datagram, _) => return Err(Errno::EPROTONOSUPPORT),
            (SocketKind::Raw, Protocol::IPPROTO_IP) => return Err(Errno::EPROTONOSUPPORT),
            (SocketKind::Raw, _) => return Err(Errno::EPERM),
            (SocketKind::SeqPacket, _) => return Err(Errno::ESOCKTNOSUPPORT),
        };
        let fd = call::call(&host_abi::Socket {
            domain: domain.0,
            kind: kind as u16,
            protocol: protocol.0 as u16,
        })?;
        Ok(Self::new(fd, (domain, kind, protocol), None, queue, timeouts))
    }

    /// Told of what comes ahead, and of errors.
    pub(super) fn queue(&self) -> Arc<WaitQueue> {
        self.ahead.queue.clone()
    }

    /// Its time limits, for a socket that shares them.
    pub(super) fn shared_timeouts(&self) -> Arc<Timeouts> {
        self.timeouts.clone()
    }

    /// The host's descriptor, to be compared.
    pub(super) fn number(&self) -> HostFd {
        self.fd.fd()
    }

    /// The host's descriptor, for a call about it.
    pub(super) fn descriptor(&self) -> HostFd {
        self.fd()
    }

    /// Accepts a connection, and waits so long for one; `None` if none came, or for no reason.
    pub(super) fn accept_once(&self, wait: Wait) -> Result<Option<(Arc<Self>, SocketAddress)>> {
        let accepted = call_once(&Accept { fd: self.fd(), wait }, wait)?;
        accepted.map(|accepted| self.take_accepted(accepted)).transpose()
    }

    fn take_accepted(&self, accepted: Accepted) -> Result<(Arc<Self>, SocketAddress)> {
        let socket = Self::new(
            accepted.fd,
            (self.domain, self.kind, self.protocol),
            Some(self),
            WaitQueue::new(),
            Arc::new(self.timeouts.inherited()),
        );
        let address = self.staged_address(accepted.address_len)?;
        Ok((socket, address))
    }

    /// `write`, with what a message has besides.
    pub(super) fn send_plain(
        &self,
        from: &mut dyn Source,
        message: &Outgoing<'_>,
        how: How,
    ) -> Result<usize> {
        self.send_message(from, message, how)
    }

    /// The host's descriptor, for a call about it: what other threads have posted comes before.
    fn fd(&self) -> HostFd {
        self.posting.settle();
        self.fd.fd()
    }

    /// Whether the host may receive of it ahead without its program seeing a difference.
    pub(crate) fn may_come_ahead(&self) -> bool {
        self.protocol == Protocol::IPPROTO_TCP
            && !self.listens.load(Ordering::Relaxed)
            && self.least.load(Ordering::Relaxed) == 1
            && self.asked().is_empty()
    }

    /// Lets the host receive of it ahead in the waits of the calling thread; whether it does so.
    pub(crate) fn claim_ahead(&self) -> bool {
        self.may_come_ahead() && self.ahead.claim()
    }

    /// Lets the host receive ahead no more.
    pub(crate) fn stop_ahead(&self) -> Result<()> {
        self.ahead.stop(self.fd())
    }

    /// The stream has left the epoll instance for which the calling thread had claimed it.
    pub(crate) fn release_ahead(&self) {
        self.ahead.release();
    }

    /// The host has received ahead, as [`host_abi::ReadyEvent::ahead`] tells. `is_all` if it found no more. EIO if it had been told that
    /// there is something unread still: otherwise, a host could fill the enclave's memory.
    pub(crate) fn deliver_ahead(&self, received: Result<HostMemory>, is_all: bool) -> Result<()> {
        if self.ahead.is_unread() {
            return Err(Errno::EIO);
        }
        match received {
            Ok(bytes) => self.ahead.deliver(bytes, is_all),
            Err(error) => {
                self.error.store(error.raw().into(), Ordering::Relaxed);
                self.ahead.count_delivery();
            }
        }
        Ok(())
    }

    /// Whether the program has not read all that has come ahead.
    pub(crate) fn is_unread(&self) -> bool {
        self.ahead.is_unread() || self.error.load(Ordering::Relaxed) != 0
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
                answer => {
                    answer?;
                    if address::family(address) == Ok(AddressFamily::AF_UNSPEC) {
                        self.ahead.clear();
                        self.posting.forbid();
                    } else {
                        self.posting.allow();
                    }
                    return Ok(());
                }
            }
        }
    }

    fn listen(&self, backlog: u32, _: Caller<'_>) -> Result<()> {
        let fd = self.fd();
        self.ahead.stop(fd)?;
        call::call(&Listen { fd, backlog })?;
        self.listens.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn accept(&self, how: How) -> Result<(Arc<dyn File>, SocketAddress)> {
        let fd = self.fd();
        let deadline = self.timeouts.receive_deadline(how.nonblocking);
        let accepted = call_until(deadline, |wait| Accept { fd, wait })?;
        let (socket, address) = self.take_accepted(accepted)?;
        Ok((socket, address))
    }

    fn send(&self, from: &mut dyn Source, message: Outgoing<'_>, how: How, _: Caller<'_>) -> Result<usize> {
        self.send_message(from, &message, how)
    }

    fn receive(&self, to: &mut dyn Sink, flags: MessageFlags, how: How) -> Result<Received> {
        self.receive_message(to, flags, how)
    }

    fn shutdown(&self, which: Shutdown) -> Result<()> {
        let how = which as u8;
        if which.reads() {
            self.receiving_ends.store(true, Ordering::Relaxed);
        }
        if which.writes() {
            self.posting.forbid();
        }
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
        if let Some(len) = option::of_administrator(level, name, out) {
            return Ok(len);
        }
        if !may_pass(level, name) {
            return Err(option::unknown(self.domain, self.kind, level));
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
            if out.iter().all(|&byte| byte == 0) {
                return Ok(put_int(out, self.error.swap(0, Ordering::Relaxed)));
            }
        }
        Ok(len)
    }

    fn set_option(&self, level: OptionLevel, name: u32, value: &[u8]) -> Result<()> {
        if level == OptionLevel::SOL_SOCKET
            && let Some(done) = self.timeouts.set_option(SocketOption(name), value)
        {
            return done;
        }
        option::check_administrator(level, name, value)?;
        if !may_pass(level, name) {
            return Err(Errno::ENOPROTOOPT);
        }
        // Before the host is told: what it sends from then on has been asked for.
        let asked = Kinds::asked_by(level, name, value)?;
        *self.asked.lock() |= asked;
        let is_least = level == OptionLevel::SOL_SOCKET && SocketOption(name) == SocketOption::SO_RCVLOWAT;
        if is_least || !asked.is_empty() {
            self.ahead.stop(self.fd())?;
        }
        if value.len() > MAX_OPTION {
            return Err(Errno::EINVAL);
        }
        call::staging().write(value);
        let (fd, len) = (self.fd(), value.len());
        call::call(&SetSockOpt {
            fd,
            level: level.0,
            name,
            len,
        })?;
        if is_least {
            // As Linux has it: a negative one is the most, and 0 is 1.
            let least = option::int(value)?.min(i32::MAX.cast_unsigned()).max(1);
            self.least.store(least, Ordering::Relaxed);
        }
        Ok(())
    }

    fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }
}

impl Drop for InetSocket {
    fn drop(&mut self) {
        self.posting.close(self.inode);
        // As Linux does when data is left unread.
        self.fd.reset = self.ahead.len() > 0;
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
        Ok((self.send_message(from, &Outgoing::default(), how)?, 0))
    }

    fn poll(&self, interest: PollEvents) -> PollEvents {
        let mut happened = PollEvents::empty();
        if self.ahead.is_unread() {
            happened |= PollEvents::READABLE;
        }
        if self.error.load(Ordering::Relaxed) != 0 {
            happened |= PollEvents::POLLERR;
        }
        happened & (interest | PollEvents::UNASKED)
    }

    fn subscribe(&self, interest: PollEvents, observer: Weak<dyn Observer>) -> Option<Subscription> {
        let may_come = self.protocol == Protocol::IPPROTO_TCP && !self.listens.load(Ordering::Relaxed);
        may_come.then(|| self.ahead.queue.subscribe(interest, observer))
    }

    fn host_fd(&self) -> Option<HostFd> {
        Some(self.fd())
    }

    fn ioctl(&self, request: Ioctl, argument: u64) -> Result<u64> {
        match request {
            Ioctl::FIONREAD => {
                self.ahead.settle(self.fd())?;
                let unread = self.ahead.len() + self.queued(Queue::Unread)?;
                anonymous::answer_int(argument, unread)
            }
            Ioctl::TIOCOUTQ if self.protocol != Protocol::NETLINK_ROUTE => {
                anonymous::answer_int(argument, self.queued(Queue::Unsent)?)
            }
            Ioctl::SIOCATMARK if self.kind == SocketKind::Stream => {
                // The mark is behind what has come ahead: receiving stops there.
                let at_mark = if self.ahead.len() > 0 {
                    0
                } else {
                    self.queued(Queue::AtMark)?
                };
                anonymous::answer_int(argument, at_mark)
            }
            _ => interfaces::ioctl(self.domain, request, argument),
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
