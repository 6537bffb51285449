//! `bind`, `listen`, `connect` and `accept`: what decides where a socket is.

use alloc::sync::Arc;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use enclave_rt::thread;
use kobject::{Errno, How, Result, Wait, Waiter, remaining};
use linux_abi::{AddressFamily, PollEvents};

use super::endpoint::{self, destination, format, parse, source_for};
use super::policy::{is_published, is_reached};
use super::ports::{self, Claim, Lease, Role};
use super::stream::{Progress, Stream};
use super::{IpSocket, Place, Transport};
use crate::NOW;
use crate::socket::inet::InetSocket;
use crate::socket::{Caller, Socket, SocketAddress, wait};

/// How often a port that the host has taken is exchanged for another.
const ATTEMPTS: usize = 64;

/// The address and port that a socket has.
#[derive(Default)]
pub(super) struct Binding {
    lease: Option<Arc<Lease>>,
    /// Its program called `bind`; otherwise it has a port because it needed one.
    is_asked: bool,
    /// The host's socket is bound, too.
    is_of_host: bool,
}

impl Binding {
    pub fn endpoint(&self, domain: AddressFamily) -> SocketAddr {
        let unbound = || SocketAddr::new(unspecified(domain), 0);
        self.lease.as_ref().map_or_else(unbound, |lease| lease.endpoint())
    }

    /// Where a socket is that is not connected.
    fn place(&self) -> Place {
        match (&self.lease, self.is_of_host) {
            (Some(_), true) => Place::Both,
            (Some(_), false) => Place::Inside,
            (None, true) => Place::Host,
            (None, false) => Place::Nowhere,
        }
    }

    /// Gives back a port that its program has not asked for.
    pub fn release_unasked(&mut self) {
        if !self.is_asked {
            self.lease = None;
        }
    }
}

/// The address that stands for all of a family.
pub(super) fn unspecified(domain: AddressFamily) -> IpAddr {
    match domain {
        AddressFamily::AF_INET => Ipv4Addr::UNSPECIFIED.into(),
        _ => Ipv6Addr::UNSPECIFIED.into(),
    }
}

impl IpSocket {
    pub(super) fn bind_to(&self, bytes: &[u8], caller: Caller<'_>) -> Result<()> {
        let wanted = match parse(self.domain, bytes)? {
            Some(wanted) => wanted,
            // As on Linux, for old programs: all addresses, without a family.
            None if self.domain == AddressFamily::AF_INET => parse_without_family(bytes)?,
            None => return Err(Errno::EAFNOSUPPORT),
        };
        if self.domain == AddressFamily::AF_INET6 && wanted.is_ipv4() && self.claim(wanted.ip()).only_v6 {
            return Err(Errno::EINVAL);
        }
        let mut binding = self.binding.lock();
        if binding.lease.is_some() || binding.is_of_host || self.is_connecting() {
            return Err(Errno::EINVAL);
        }
        if wanted.ip().is_loopback() {
            let lease = self.lease(wanted)?;
            if is_published(self.transport, lease.port()) {
                let published = format(self.domain, lease.endpoint());
                self.host()?.bind(published.as_bytes(), caller)?;
                binding.is_of_host = true;
            }
            binding.lease = Some(lease);
        } else if wanted.ip().is_unspecified() {
            binding.lease = Some(self.lease_of_both(wanted, caller)?);
            binding.is_of_host = true;
        } else {
            self.host()?.bind(bytes, caller)?;
            binding.is_of_host = true;
        }
        binding.is_asked = true;
        let place = binding.place();
        drop(binding);
        self.set_place(place);
        Ok(())
    }

    fn is_connecting(&self) -> bool {
        self.stream()
            .is_some_and(|stream| stream.progress() != Progress::Idle)
            || self.only_host().is_some()
    }

    fn lease(&self, wanted: SocketAddr) -> Result<Arc<Lease>> {
        ports::of(self.transport).bind(wanted.port(), self.claim(wanted.ip()), &self.this)
    }

    /// A port that is this socket's inside and at the host. If it may be any, one that the host has not taken either: the enclave
    /// chooses.
    fn lease_of_both(&self, wanted: SocketAddr, caller: Caller<'_>) -> Result<Arc<Lease>> {
        for _ in 0..ATTEMPTS {
            let lease = self.lease(wanted)?;
            let address = format(self.domain, lease.endpoint());
            match self.host()?.bind(address.as_bytes(), caller) {
                Err(Errno::EADDRINUSE) if wanted.port() == 0 => {}
                done => return done.map(|()| lease),
            }
        }
        Err(Errno::EADDRINUSE)
    }

    pub(super) fn listen_for(&self, backlog: u32, caller: Caller<'_>) -> Result<()> {
        let stream = self.stream().ok_or(Errno::EOPNOTSUPP)?;
        if stream.progress() != Progress::Idle {
            return Err(Errno::EINVAL);
        }
        let mut binding = self.binding.lock();
        if binding.lease.is_none() && !binding.is_of_host {
            if self.only_host().is_some() {
                // It is connected.
                return self.host()?.listen(backlog, caller);
            }
            binding.lease = Some(self.lease_of_both(SocketAddr::new(unspecified(self.domain), 0), caller)?);
            binding.is_of_host = true;
        }
        if let Some(lease) = &binding.lease {
            lease.change(Role::Listens, self.claim(lease.address).reuse_address)?;
            stream.listen(backlog);
        }
        if binding.is_of_host
            && let Err(error) = self.host()?.listen(backlog, caller)
        {
            stream.stop_listening();
            return Err(error);
        }
        let place = binding.place();
        drop(binding);
        self.set_place(place);
        // It is polled in another way now.
        self.queue.wake(PollEvents::all());
        Ok(())
    }

    /// Accepts a connection from inside or from the host, those from inside first; the host's turn comes all the same.
    pub(super) fn accept_one(&self, how: How) -> Result<(Arc<Self>, SocketAddress)> {
        let stream = self.stream().ok_or(Errno::EOPNOTSUPP)?;
        let deadline = self.timeouts.receive_deadline(how.nonblocking);
        let accepted = self.take_or_wait(stream, deadline);
        if deadline != NOW && stream.has_waiting() {
            // One who waits was told of this connection; another one has to be told of the next.
            self.queue.wake_taker(PollEvents::READABLE);
        }
        accepted
    }

    fn take_or_wait(&self, stream: &Stream, deadline: Option<u64>) -> Result<(Arc<Self>, SocketAddress)> {
        let waiter = (deadline != NOW).then(Waiter::new);
        let _subscription = waiter.as_ref().map(|waiter| {
            self.queue
                .subscribe_to_take(PollEvents::READABLE, waiter.observer())
        });
        loop {
            if let Some(waiter) = &waiter {
                waiter.reset();
            }
            let host = self.polled_host();
            let asks_host_first = host.is_some() && stream.is_hosts_turn();
            if !asks_host_first && let Some(accepted) = self.take_inside(stream)? {
                return self.with_peer(accepted);
            }
            let Some(host) = host else {
                let waiter = waiter.as_ref().ok_or(Errno::EAGAIN)?;
                match waiter.sleep(deadline) {
                    Ok(()) => continue,
                    Err(Errno::ETIMEDOUT) => return Err(Errno::EAGAIN),
                    Err(error) => return Err(error),
                }
            };
            let limit = match &waiter {
                Some(_) if !asks_host_first && !thread::is_pending() => remaining(deadline),
                _ => Ok(Wait::NONE),
            };
            if let Some((accepted, claimed)) = host.accept_once(limit.unwrap_or(Wait::NONE))? {
                let peer = self.seen(claimed)?;
                return Ok((self.accepted_of_host(accepted, peer), peer));
            }
            if let Some(accepted) = self.take_inside(stream)? {
                return self.with_peer(accepted);
            }
            match &waiter {
                None => return Err(Errno::EAGAIN),
                Some(_) if limit.is_err() => return Err(Errno::EAGAIN),
                Some(_) if thread::is_pending() => return Err(Errno::EINTR),
                Some(_) => {}
            }
        }
    }

    /// What has connected inside, if anything. A socket that is bound at the host alone has nobody there.
    fn take_inside(&self, stream: &Stream) -> Result<Option<Arc<Self>>> {
        match stream.take(self) {
            Ok(accepted) => Ok(Some(accepted)),
            Err(Errno::EAGAIN) => Ok(None),
            Err(Errno::EINVAL) if self.place() == Place::Host => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn with_peer(&self, accepted: Arc<Self>) -> Result<(Arc<Self>, SocketAddress)> {
        let connection = accepted
            .stream()
            .and_then(Stream::connection)
            .ok_or(Errno::ECONNABORTED)?;
        let peer = format(self.domain, connection.peer);
        Ok((accepted, peer))
    }

    pub(super) fn connect_to(&self, bytes: &[u8], how: How, caller: Caller<'_>) -> Result<()> {
        let Some(to) = parse(self.domain, bytes)? else {
            return self.disconnect(bytes, how, caller);
        };
        let to = destination(to);
        if self.domain == AddressFamily::AF_INET6 && to.is_ipv4() && self.claim(to.ip()).only_v6 {
            return Err(Errno::ENETUNREACH);
        }
        match self.transport {
            Transport::Tcp => self.connect_stream(to, bytes, how, caller),
            Transport::Udp => self.connect_datagrams(to, bytes, how, caller),
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
        stream.set_progress(Progress::UnderWay);
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

    /// The port of a socket that connects or sends inside: the one that it has, or one that nobody has at this address.
    pub(super) fn lease_for(&self, address: IpAddr, role: Role) -> Result<Arc<Lease>> {
        let mut binding = self.binding.lock();
        if let Some(lease) = &binding.lease {
            return Ok(lease.clone());
        }
        if binding.is_of_host {
            // Bound to an address that is not on the loopback interface.
            return Err(Errno::EINVAL);
        }
        let claim = Claim {
            role,
            ..self.claim(address)
        };
        let lease = ports::of(self.transport).bind(0, claim, &self.this)?;
        binding.lease = Some(lease.clone());
        Ok(lease)
    }

    /// The host's part of a socket that sends datagrams there; it has the same port.
    pub(super) fn host_to_send(&self, caller: Option<Caller<'_>>) -> Result<&Arc<InetSocket>> {
        let host = self.host()?;
        let mut binding = self.binding.lock();
        if !binding.is_of_host
            && let Some(caller) = caller
        {
            match &binding.lease {
                None => {
                    let all = SocketAddr::new(unspecified(self.domain), 0);
                    binding.lease = Some(self.lease_of_both(all, caller)?);
                }
                Some(lease) if lease.address.is_unspecified() => {
                    match host.bind(format(self.domain, lease.endpoint()).as_bytes(), caller) {
                        // Somebody else has it there: the host chooses one.
                        Err(Errno::EADDRINUSE) | Ok(()) => {}
                        Err(error) => return Err(error),
                    }
                }
                // Bound to a loopback address: the host chooses.
                Some(_) => {}
            }
            binding.is_of_host = true;
        }
        drop(binding);
        self.set_place(Place::Both);
        Ok(host)
    }

    /// Where it is when it is not connected.
    pub(super) fn return_to_binding(&self) {
        let place = {
            let mut binding = self.binding.lock();
            binding.release_unasked();
            binding.place()
        };
        self.set_place(place);
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

/// The address and port in a `sockaddr_in` without a family; EAFNOSUPPORT if it is not that of all addresses.
fn parse_without_family(bytes: &[u8]) -> Result<SocketAddr> {
    let mut with_family = AddressFamily::AF_INET.0.to_ne_bytes().to_vec();
    with_family.extend(bytes.get(2..).unwrap_or_default());
    match parse(AddressFamily::AF_INET, &with_family)? {
        Some(wanted) if wanted.ip().is_unspecified() => Ok(wanted),
        _ => Err(Errno::EAFNOSUPPORT),
    }
}
