//! Sending and receiving, inside and through the host.

use alloc::sync::Arc;
use core::net::SocketAddr;

use enclave_rt::{call, thread};
use host_abi::{Poll, PollEntry};
use kobject::{Errno, How, Result, Sink, Source, Wait, Waiter, clock, remaining};
use linux_abi::{
    AddressFamily, Ipv4Option, Ipv6Option, MessageFlags, OptionLevel, PollEvents, TcpOption, UdpOption,
};

use super::binding::unspecified;
use super::datagram::{self, Datagrams, Packet, Sending};
use super::endpoint::{self, destination, format, parse_receiver, source_for};
use super::policy::is_reached;
use super::ports::{self, Role};
use super::stream::{Progress, Stream};
use super::{Inside, IpSocket, Place, Transport, options};
use crate::NOW;
use crate::host::call_once;
use crate::socket::inet::InetSocket;
use crate::socket::{Caller, Control, Outgoing, Received, Socket, control, wait};

impl IpSocket {
    pub(super) fn send_message(
        &self,
        from: &mut dyn Source,
        message: Outgoing<'_>,
        how: How,
        caller: Option<Caller<'_>>,
    ) -> Result<usize> {
        if let Some(host) = self.only_host() {
            return self.send_through(host, from, message, how, caller);
        }
        match &self.inside {
            Inside::Tcp(stream) => self.send_stream(stream, from, message.flags, how),
            Inside::Udp(datagrams) => self.send_datagram(datagrams, from, message, how, caller),
        }
    }

    fn send_through(
        &self,
        host: &Arc<InetSocket>,
        from: &mut dyn Source,
        message: Outgoing<'_>,
        how: How,
        caller: Option<Caller<'_>>,
    ) -> Result<usize> {
        match caller {
            Some(caller) => host.send(from, message, how, caller),
            None => host.send_plain(from, &message, how),
        }
    }

    fn send_stream(
        &self,
        stream: &Stream,
        from: &mut dyn Source,
        flags: MessageFlags,
        how: How,
    ) -> Result<usize> {
        let nonblocking = how.nonblocking || flags.contains(MessageFlags::MSG_DONTWAIT);
        let deadline = self.timeouts.send_deadline(nonblocking);
        let Some(connection) = stream.connection() else {
            return match stream.progress() {
                Progress::UnderWay => {
                    wait(&self.queue, PollEvents::WRITABLE, deadline, || {
                        match stream.progress() {
                            Progress::UnderWay if stream.connection().is_none() => Err(Errno::EAGAIN),
                            _ => Ok(()),
                        }
                    })?;
                    self.send_stream(stream, from, flags, how)
                }
                _ => Err(stream.take_error().unwrap_or(Errno::EPIPE)),
            };
        };
        if flags.contains(MessageFlags::MSG_OOB) {
            return connection.send_urgent(from, stream.send_buffer(), deadline);
        }
        connection.send(from, stream.send_buffer(), deadline)
    }

    fn send_datagram(
        &self,
        datagrams: &Datagrams,
        from: &mut dyn Source,
        message: Outgoing<'_>,
        how: How,
        caller: Option<Caller<'_>>,
    ) -> Result<usize> {
        let to = match message.address {
            Some(bytes) => parse_receiver(self.domain, bytes)?.map(destination),
            None => None,
        };
        let Some(to) = to.or_else(|| datagrams.peer()) else {
            return Err(Errno::EDESTADDRREQ);
        };
        let len = from.left();
        if len > datagram::most(self.domain) {
            return Err(Errno::EMSGSIZE);
        }
        if message.flags.contains(MessageFlags::MSG_OOB) {
            return Err(Errno::EOPNOTSUPP);
        }
        if datagrams.sends_no_more() {
            return Err(Errno::EPIPE);
        }
        if to.port() == 0 {
            return Err(Errno::EINVAL);
        }
        self.check_version(to)?;
        let servers = match to.ip().is_loopback() {
            true => ports::of(Transport::Udp).find(to),
            false => alloc::vec::Vec::new(),
        };
        let is_outside =
            !to.ip().is_loopback() || servers.is_empty() && is_reached(Transport::Udp, to.port());
        if is_outside {
            return self.send_outside(to, from, message, how, caller);
        }
        // What is wrong with control data is said before anything else.
        control::encode(&message.ancillary.network)?;
        if let Some(error) = datagrams.take_error() {
            return Err(error);
        }
        let sending = Sending::new(&message.ancillary.network);
        let packet = Packet {
            bytes: datagram::bytes(from)?,
            from: self.source(to, sending)?,
            to,
            ttl: sending.ttl.unwrap_or_else(|| self.ttl()),
            tos: sending.tos.unwrap_or_else(|| self.tos()),
            segment: self.segment(sending).filter(|&size| usize::from(size) < len),
            time: clock::realtime(),
        };
        match choose(&servers, packet.from) {
            Some((server, theirs)) => {
                theirs.arrive(packet);
                server.queue.wake(PollEvents::READABLE);
            }
            None => {
                datagrams.refuse(packet);
                self.queue.wake(PollEvents::POLLERR);
            }
        }
        Ok(len)
    }

    /// Where a datagram comes from. A socket without a port gets one.
    fn source(&self, to: SocketAddr, sending: Sending) -> Result<SocketAddr> {
        let lease = self.lease_to_send()?;
        let address = match sending.source {
            // It has to be one of this machine's.
            Some(chosen) if chosen.is_loopback() => chosen,
            Some(_) => return Err(Errno::EINVAL),
            None if lease.ip().is_unspecified() => source_for(to.ip()),
            None => lease.ip(),
        };
        Ok(SocketAddr::new(address, lease.port()))
    }

    fn lease_to_send(&self) -> Result<SocketAddr> {
        if self.place() != Place::Nowhere {
            return Ok(self.inside_address());
        }
        let lease = self.lease_for(unspecified(self.domain), Role::Bound)?;
        self.set_place(Place::Inside);
        Ok(lease.endpoint())
    }

    fn send_outside(
        &self,
        to: SocketAddr,
        from: &mut dyn Source,
        message: Outgoing<'_>,
        how: How,
        caller: Option<Caller<'_>>,
    ) -> Result<usize> {
        let is_loopback = self.inside_address().ip().is_loopback();
        if is_loopback && !(to.ip().is_loopback() || endpoint::at_host(to) != to) {
            return Err(Errno::EINVAL);
        }
        let host = self.host_to_send(caller)?;
        let at_host = endpoint::at_host(to);
        let translated = (at_host != to).then(|| format(self.domain, at_host));
        let message = Outgoing {
            address: translated
                .as_ref()
                .map_or(message.address, |address| Some(address.as_bytes())),
            ..message
        };
        self.send_through(host, from, message, how, caller)
    }

    fn level(&self) -> OptionLevel {
        datagram::level(self.domain)
    }

    fn ttl(&self) -> u8 {
        let name = match self.domain {
            AddressFamily::AF_INET => Ipv4Option::IP_TTL.0,
            _ => Ipv6Option::IPV6_UNICAST_HOPS.0,
        };
        let ttl = self.options.number(self.level(), name).unwrap_or(options::TTL);
        u8::try_from(ttl).unwrap_or(options::TTL as u8)
    }

    fn tos(&self) -> u8 {
        let name = match self.domain {
            AddressFamily::AF_INET => Ipv4Option::IP_TOS.0,
            _ => Ipv6Option::IPV6_TCLASS.0,
        };
        self.options.number(self.level(), name).unwrap_or(0) as u8
    }

    fn segment(&self, sending: Sending) -> Option<u16> {
        let set = || {
            self.options
                .number(OptionLevel::SOL_UDP, UdpOption::UDP_SEGMENT.0)
        };
        let size = sending.segment.or_else(|| set().map(|size| size as u16));
        size.filter(|&size| size != 0)
    }

    pub(super) fn receive_message(
        &self,
        to: &mut dyn Sink,
        flags: MessageFlags,
        how: How,
    ) -> Result<Received> {
        if let Some(host) = self.only_host() {
            return self.received_of_host(host.receive(to, flags, how)?);
        }
        let nonblocking = how.nonblocking || flags.contains(MessageFlags::MSG_DONTWAIT);
        let deadline = self.timeouts.receive_deadline(nonblocking);
        match &self.inside {
            Inside::Tcp(stream) => self.receive_stream(stream, to, flags, deadline),
            Inside::Udp(datagrams) => self.receive_datagram(datagrams, to, flags, deadline),
        }
    }

    fn receive_stream(
        &self,
        stream: &Stream,
        to: &mut dyn Sink,
        flags: MessageFlags,
        deadline: Option<u64>,
    ) -> Result<Received> {
        if flags.contains(MessageFlags::MSG_ERRQUEUE) {
            return Err(Errno::EAGAIN);
        }
        let Some(connection) = stream.connection() else {
            return match stream.progress() {
                Progress::UnderWay => {
                    wait(&self.queue, PollEvents::all(), deadline, || {
                        match stream.progress() {
                            Progress::UnderWay if stream.connection().is_none() => Err(Errno::EAGAIN),
                            _ => Ok(()),
                        }
                    })?;
                    self.receive_stream(stream, to, flags, deadline)
                }
                // As on Linux, its failure was the end.
                Progress::Over => Ok(Received::default()),
                _ => Err(stream.take_error().unwrap_or(Errno::ENOTCONN)),
            };
        };
        if flags.contains(MessageFlags::MSG_OOB) {
            return connection.receive_urgent(to, flags);
        }
        let mut received = connection.receive(to, flags, stream.least(), deadline)?;
        let tells_left = self.options.number(OptionLevel::SOL_TCP, TcpOption::TCP_INQ.0);
        if tells_left.is_some_and(|tells| tells != 0) {
            received.ancillary.network.push(Control {
                level: OptionLevel::SOL_TCP,
                kind: TcpOption::TCP_INQ.0,
                data: (connection.unread() as u32).to_ne_bytes().to_vec(),
            });
        }
        Ok(received)
    }

    fn receive_datagram(
        &self,
        datagrams: &Datagrams,
        to: &mut dyn Sink,
        flags: MessageFlags,
        deadline: Option<u64>,
    ) -> Result<Received> {
        if flags.contains(MessageFlags::MSG_ERRQUEUE) {
            return match (datagrams.receive_error(self.domain, to), self.host.get()) {
                (Err(Errno::EAGAIN), Some(host)) => {
                    self.received_of_host(host.receive(to, flags, How::PLAIN)?)
                }
                (done, _) => done,
            };
        }
        let may_wait = deadline != NOW;
        let Some(host) = self.polled_host() else {
            return wait(
                &self.queue,
                PollEvents::READABLE | PollEvents::POLLERR,
                deadline,
                || datagrams.receive(self.domain, to, flags, may_wait),
            );
        };
        let at_once = How {
            nonblocking: true,
            ..How::PLAIN
        };
        if !may_wait {
            return match datagrams.receive(self.domain, to, flags, may_wait) {
                Err(Errno::EAGAIN) => self.received_of_host(host.receive(to, flags, at_once)?),
                done => done,
            };
        }
        let waiter = Waiter::new();
        let events = PollEvents::READABLE | PollEvents::POLLERR;
        let _subscription = self.queue.subscribe(events, waiter.observer());
        loop {
            waiter.reset();
            match datagrams.receive(self.domain, to, flags, may_wait) {
                Err(Errno::EAGAIN) => {}
                done => return done,
            }
            let limit = remaining(deadline);
            let wait = match limit {
                Ok(limit) if !thread::is_pending() => limit,
                _ => Wait::NONE,
            };
            if wait_at(host, wait)? {
                match host.receive(to, flags, at_once) {
                    Err(Errno::EAGAIN) => {}
                    received => return self.received_of_host(received?),
                }
            } else if limit.is_err() {
                return Err(Errno::EAGAIN);
            } else if thread::is_pending() && !waiter.is_notified() {
                return Err(Errno::EINTR);
            }
        }
    }

    /// What has come from the host, as programs are told of it.
    fn received_of_host(&self, received: Received) -> Result<Received> {
        let address = match received.address {
            Some(claimed) if self.transport == Transport::Udp => Some(self.seen(claimed)?),
            address => address,
        };
        Ok(Received { address, ..received })
    }
}

/// Waits until the host says that there is something to receive, for so long, or for no reason; whether there is.
fn wait_at(host: &InetSocket, wait: Wait) -> Result<bool> {
    let entry = PollEntry {
        fd: host.descriptor(),
        events: PollEvents::POLLIN.bits() as u16,
        happened: 0,
    };
    call::staging().part(0, PollEntry::SIZE).write(&entry.to_bytes());
    Ok(call_once(&Poll { count: 1, wait }, wait)?.is_some_and(|count| count > 0))
}

/// The one of several sockets at the same place that gets a datagram from this sender: who is connected to it, or else one of those who
/// hear everybody, always the same.
fn choose(servers: &[Arc<IpSocket>], from: SocketAddr) -> Option<(&Arc<IpSocket>, &Datagrams)> {
    let heard = |server: &Arc<IpSocket>| server.datagrams().map_or(0, |theirs| theirs.hears(from));
    let most = servers.iter().map(heard).max().filter(|&most| most > 0)?;
    let count = servers.iter().filter(|server| heard(server) == most).count();
    let mut best = servers.iter().filter(|server| heard(server) == most);
    let chosen = best.nth(usize::from(from.port()) % count.max(1))?;
    Some((chosen, chosen.datagrams()?))
}
