//! The address and port that a socket has: `bind`, and what comes in its place.

use alloc::sync::Arc;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use kobject::{Errno, Result};
use linux_abi::AddressFamily;

use super::endpoint::{format, parse, with_family};
use super::policy::is_published;
use super::ports::{self, Claim, Lease, Role};
use super::stream::Progress;
use super::{IpSocket, Place};
use crate::socket::inet::InetSocket;
use crate::socket::{Caller, Socket};

/// How often a port that the host has taken is exchanged for another.
const ATTEMPTS: usize = 64;

/// The address and port that a socket has.
#[derive(Default)]
pub(super) struct Binding {
    pub lease: Option<Arc<Lease>>,
    /// Its program called `bind`; otherwise it has a port because it needed one.
    pub is_asked: bool,
    /// The host's socket is bound, too.
    pub is_of_host: bool,
}

impl Binding {
    pub fn endpoint(&self, domain: AddressFamily) -> SocketAddr {
        let unbound = || SocketAddr::new(unspecified(domain), 0);
        self.lease.as_ref().map_or_else(unbound, |lease| lease.endpoint())
    }

    /// Where a socket is that is not connected.
    pub fn place(&self) -> Place {
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
            None if self.domain == AddressFamily::AF_INET => match with_family(bytes)? {
                Some(wanted) if wanted.ip().is_unspecified() => wanted,
                _ => return Err(Errno::EAFNOSUPPORT),
            },
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
    pub(super) fn lease_of_both(&self, wanted: SocketAddr, caller: Caller<'_>) -> Result<Arc<Lease>> {
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
}
