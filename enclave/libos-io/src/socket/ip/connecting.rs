//! `connect`: inside, or through the host.

use core::net::SocketAddr;

use kobject::{Errno, How, Result};
use linux_abi::{AddressFamily, PollEvents};

use super::endpoint::{self, destination, format, parse, source_for};
use super::policy::is_reached;
use super::ports::{self, Role};
use super::stream::{Progress, Stream};
use super::{IpSocket, Place, Transport};
use crate::socket::address::family;
use crate::socket::{Caller, Socket, SocketAddress, wait};

impl IpSocket {
    pub(super) fn connect_to(&self, bytes: &[u8], how: How, caller: Caller<'_>) -> Result<()> {
        let is_v4_in_v6 = self.transport == Transport::Udp && family(bytes)? == AddressFamily::AF_INET;
        let domain = match is_v4_in_v6 {
            true => AddressFamily::AF_INET,
            false => self.domain,
        };
        let Some(to) = parse(domain, bytes)? else {
            return self.disconnect(bytes, how, caller);
        };
        let to = destination(to);
        self.check_version(to)?;
        match self.transport {
            Transport::Tcp => self.connect_stream(to, bytes, how, caller),
            Transport::Udp => self.connect_datagrams(to, bytes, how, caller),
        }
    }

    /// ENETUNREACH for an address of IPv4 where IPV6_V6ONLY is set.
    pub(super) fn check_version(&self, to: SocketAddr) -> Result<()> {
        match self.domain == AddressFamily::AF_INET6 && to.is_ipv4() && self.claim(to.ip()).only_v6 {
            true => Err(Errno::ENETUNREACH),
            false => Ok(()),
        }
    }

    fn connect_stream(&self, to: SocketAddr, bytes: &[u8], how: How, caller: Caller<'_>) -> Result<()> {
        let stream = self.stream().ok_or(Errno::EOPNOTSUPP)?;
        if stream.is_listening() {
            return Err(Errno::EISCONN);
        }
        match stream.progress() {
            Progress::Done => return Err(Errno::EISCONN),
            Progress::UnderWay if stream.connection().is_some() => {
                stream.set_progress(Progress::Done);
                return Ok(());
            }
            Progress::UnderWay if how.nonblocking => return Err(Errno::EALREADY),
            Progress::UnderWay => return self.await_connection(stream, how),
            Progress::Failed(error) => {
                stream.set_progress(Progress::Idle);
                return Err(error);
            }
            Progress::Over => {
                stream.set_progress(Progress::Idle);
                return Err(Errno::ECONNABORTED);
            }
            Progress::Idle => {}
        }
        let is_outside = !to.ip().is_loopback();
        if let Some(host) = self.only_host() {
            // It is the host's already: connected, or on its way.
            if is_outside || host.peer_address().is_ok() {
                return self.connect_outside(to, bytes, how, caller);
            }
        }
        let servers = match is_outside {
            true => alloc::vec::Vec::new(),
            false => ports::of(Transport::Tcp).find(to),
        };
        if is_outside || servers.is_empty() && is_reached(Transport::Tcp, to.port()) {
            return self.connect_outside(to, bytes, how, caller);
        }
        let lease = self.lease_for(source_for(to.ip()), Role::Connected)?;
        let local = match lease.address.is_unspecified() {
            true => SocketAddr::new(source_for(to.ip()), lease.port()),
            false => lease.endpoint(),
        };
        if !stream.begin() {
            // Another thread was faster.
            return Err(Errno::EALREADY);
        }
        // As on Linux, those who share a port share the connections.
        let chosen = servers.get(usize::from(local.port()) % servers.len().max(1));
        let is_taken = match (chosen, self.this.upgrade()) {
            (Some(server), Some(this)) => server
                .stream()
                .is_some_and(|stream| stream.enqueue(server, &this, lease, local, to)),
            _ => false,
        };
        if !is_taken {
            self.refuse(Errno::ECONNREFUSED);
        }
        self.set_place(Place::Inside);
        if how.nonblocking {
            return Err(Errno::EINPROGRESS);
        }
        self.await_connection(stream, how)
    }

    /// Waits until a connection inside is made.
    fn await_connection(&self, stream: &Stream, how: How) -> Result<()> {
        let deadline = self.timeouts.send_deadline(how.nonblocking);
        let done = wait(&self.queue, PollEvents::WRITABLE, deadline, || {
            match (stream.connection(), stream.progress()) {
                (Some(_), _) => Ok(()),
                (None, Progress::Failed(error)) => Err(error),
                (None, _) => Err(Errno::EAGAIN),
            }
        });
        match done {
            Ok(()) => stream.set_progress(Progress::Done),
            Err(Errno::EAGAIN) => return Err(Errno::EINPROGRESS),
            Err(Errno::EINTR) => return Err(Errno::EINTR),
            Err(_) => {
                stream.set_progress(Progress::Idle);
                self.return_to_binding();
            }
        }
        done
    }

    pub(super) fn connect_outside(
        &self,
        to: SocketAddr,
        bytes: &[u8],
        how: How,
        caller: Caller<'_>,
    ) -> Result<()> {
        {
            let mut binding = self.binding.lock();
            binding.release_unasked();
            if binding
                .lease
                .as_ref()
                .is_some_and(|lease| lease.address.is_loopback())
                && !is_reached(self.transport, to.port())
            {
                return Err(Errno::EINVAL);
            }
        }
        let host = self.host()?.clone();
        let to_host = endpoint::at_host(to);
        let translated = (to_host != to).then(|| format(self.domain, to_host));
        let before = self.place();
        self.set_place(Place::Host);
        let told = format(self.domain, to);
        *self.host_peer.lock() = Some(told);
        let bytes = translated.as_ref().map_or(bytes, SocketAddress::as_bytes);
        let done = host.connect(bytes, how, caller);
        match done {
            Ok(()) | Err(Errno::EINPROGRESS | Errno::EALREADY | Errno::EISCONN | Errno::EINTR) => {}
            Err(_) if before != Place::Host => self.return_to_binding(),
            Err(_) => {}
        }
        done
    }

    fn connect_datagrams(&self, to: SocketAddr, bytes: &[u8], how: How, caller: Caller<'_>) -> Result<()> {
        let datagrams = self.datagrams().ok_or(Errno::EOPNOTSUPP)?;
        let is_inside = to.ip().is_loopback()
            && (!is_reached(Transport::Udp, to.port()) || !ports::of(Transport::Udp).find(to).is_empty());
        if !is_inside {
            self.connect_outside(to, bytes, how, caller)?;
            datagrams.connect(None, true);
            return Ok(());
        }
        if let Some(host) = self.only_host().filter(|_| datagrams.is_connected_outside()) {
            host.connect(&AddressFamily::AF_UNSPEC.0.to_ne_bytes(), how, caller)?;
        }
        self.lease_for(source_for(to.ip()), Role::Bound)?;
        datagrams.connect(Some(to), false);
        self.set_place(Place::Inside);
        Ok(())
    }

    /// `connect` to AF_UNSPEC.
    fn disconnect(&self, bytes: &[u8], how: How, caller: Caller<'_>) -> Result<()> {
        if let Some(host) = self.only_host() {
            host.connect(bytes, how, caller)?;
        }
        match (self.stream(), self.datagrams()) {
            (Some(stream), _) => {
                stream.stop_listening();
                stream.forget();
            }
            (None, Some(datagrams)) => datagrams.connect(None, false),
            (None, None) => {}
        }
        *self.host_peer.lock() = None;
        self.return_to_binding();
        Ok(())
    }
}
