//! The ports of the container: who has which, and who listens.
//!
//! One table for TCP and one for UDP. A socket has a port for as long as it keeps its [`Lease`]. The host is not asked:
//! who wants the port outside, too, binds the host's socket while it has the lease.

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use core::ops::RangeInclusive;

use enclave_rt::processor;
use kobject::{Errno, Mutex, Result};

use super::{IpSocket, Transport};

/// The ports that are given to who asks for none (net.ipv4.ip_local_port_range).
const EPHEMERAL: RangeInclusive<u16> = 32_768..=60_999;

/// What others need to know of a socket that has a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    /// Unspecified for all addresses.
    pub address: IpAddr,
    /// IPV6_V6ONLY: `::` is not all IPv4 addresses, too.
    pub only_v6: bool,
    /// SO_REUSEADDR.
    pub reuse_address: bool,
    /// SO_REUSEPORT, and of which user.
    pub reuse_port: Option<u32>,
    /// What it does with it.
    pub role: Role,
}

/// What a socket does with its port. The order is that in which they are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// Accepts connections.
    Listens,
    /// Is bound: receives datagrams, or does nothing yet.
    Bound,
    /// Is connected: accepted, or given its port by `connect`.
    Connected,
}

/// Who has which port.
pub(super) struct Ports {
    transport: Transport,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    holders: BTreeMap<Key, Holder>,
    next: u64,
}

/// Port, role, and a number that tells holders apart: who listens is found without a look at the connections.
type Key = (u16, Role, u64);

struct Holder {
    claim: Claim,
    socket: Weak<IpSocket>,
}

static TCP: Ports = Ports::new(Transport::Tcp);
static UDP: Ports = Ports::new(Transport::Udp);

/// The ports of a protocol.
pub(super) fn of(transport: Transport) -> &'static Ports {
    match transport {
        Transport::Tcp => &TCP,
        Transport::Udp => &UDP,
    }
}

/// A port that a socket has. It ends when dropped.
pub(super) struct Lease {
    ports: &'static Ports,
    port: u16,
    number: u64,
    role: Mutex<Role>,
    pub address: IpAddr,
}

impl Ports {
    const fn new(transport: Transport) -> Self {
        Self {
            transport,
            table: Mutex::new(Table {
                holders: BTreeMap::new(),
                next: 0,
            }),
        }
    }

    /// Gives `socket` a port: `wanted`, or for 0 one that nobody has. EADDRINUSE.
    pub fn bind(&'static self, wanted: u16, claim: Claim, socket: &Weak<IpSocket>) -> Result<Arc<Lease>> {
        let mut table = self.table.lock();
        let port = match wanted {
            0 => self.free(&table, &claim)?,
            wanted if self.conflicts(&table, wanted, &claim, None) => return Err(Errno::EADDRINUSE),
            wanted => wanted,
        };
        Ok(self.give(&mut table, port, claim, socket))
    }

    /// Gives `socket`, which was accepted, the port of its listener, whoever else has it.
    pub fn share(&'static self, port: u16, claim: Claim, socket: &Weak<IpSocket>) -> Arc<Lease> {
        self.give(&mut self.table.lock(), port, claim, socket)
    }

    fn give(
        &'static self,
        table: &mut Table,
        port: u16,
        claim: Claim,
        socket: &Weak<IpSocket>,
    ) -> Arc<Lease> {
        let number = table.next;
        table.next += 1;
        let socket = socket.clone();
        let holder = Holder { claim, socket };
        table.holders.insert((port, claim.role, number), holder);
        Arc::new(Lease {
            ports: self,
            port,
            number,
            role: Mutex::new(claim.role),
            address: claim.address,
        })
    }

    /// A port that nobody has, not even one who would share it: from one by chance on, all are tried.
    fn free(&self, table: &Table, claim: &Claim) -> Result<u16> {
        let alone = Claim {
            reuse_address: false,
            reuse_port: None,
            ..*claim
        };
        let (first, count) = (*EPHEMERAL.start(), EPHEMERAL.len() as u64);
        let start = processor::random_word() % count;
        (0..count)
            .map(|step| first + ((start + step) % count) as u16)
            .find(|&port| !self.conflicts(table, port, &alone, None))
            .ok_or(Errno::EADDRINUSE)
    }

    /// Whether a holder but `but` keeps others from having this port, too (`inet_csk_bind_conflict` and `inet_rcv_saddr_equal` of the
    /// kernel).
    fn conflicts(&self, table: &Table, port: u16, claim: &Claim, but: Option<u64>) -> bool {
        let holders = table.holders.range(holders_of(port));
        holders
            .filter(|((_, _, number), _)| Some(*number) != but)
            .any(|(_, holder)| {
                let other = &holder.claim;
                let listens = other.role == Role::Listens;
                let shares = claim.reuse_address && other.reuse_address && !listens
                    || claim.reuse_port.is_some() && claim.reuse_port == other.reuse_port;
                overlap(claim, other) && !shares
            })
    }

    /// The sockets that listen, or receive datagrams, at an address: the ones that fit best.
    pub fn find(&self, to: SocketAddr) -> Vec<Arc<IpSocket>> {
        let mut found: Vec<(u32, Arc<IpSocket>)> = Vec::new();
        {
            let table = self.table.lock();
            for ((_, role, _), holder) in table.holders.range(holders_of(to.port())) {
                let takes = match self.transport {
                    Transport::Tcp => *role == Role::Listens,
                    Transport::Udp => true,
                };
                let fit = fit(&holder.claim, to.ip());
                if takes && fit > 0 {
                    found.extend(holder.socket.upgrade().map(|socket| (fit, socket)));
                }
            }
        }
        // Not under the lock: a socket that is dropped here gives its port back.
        let best = found.iter().map(|(fit, _)| *fit).max();
        found.retain(|(fit, _)| Some(*fit) == best);
        found.into_iter().map(|(_, socket)| socket).collect()
    }
}

fn holders_of(port: u16) -> RangeInclusive<Key> {
    (port, Role::Listens, 0)..=(port, Role::Connected, u64::MAX)
}

/// Whether an address is of both.
fn overlap(one: &Claim, other: &Claim) -> bool {
    let is_all = |claim: &Claim| claim.address.is_unspecified();
    match (one.address, other.address) {
        (IpAddr::V4(a), IpAddr::V4(b)) => a == b || a.is_unspecified() || b.is_unspecified(),
        (IpAddr::V6(a), IpAddr::V6(b)) => a == b || a.is_unspecified() || b.is_unspecified(),
        (IpAddr::V4(_), IpAddr::V6(_)) => is_all(other) && !other.only_v6,
        (IpAddr::V6(_), IpAddr::V4(_)) => is_all(one) && !one.only_v6,
    }
}

/// How well a socket fits a destination; 0 if not at all (`compute_score` of the kernel).
fn fit(claim: &Claim, to: IpAddr) -> u32 {
    match (claim.address, to) {
        (address, to) if address == to => 3,
        (IpAddr::V4(address), IpAddr::V4(_)) if address.is_unspecified() => 2,
        (IpAddr::V6(address), IpAddr::V6(_)) if address.is_unspecified() => 2,
        (IpAddr::V6(address), IpAddr::V4(_)) if address.is_unspecified() && !claim.only_v6 => 1,
        _ => 0,
    }
}

impl Lease {
    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Address and port.
    pub fn endpoint(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.port)
    }

    /// Changes what the socket does with the port. EADDRINUSE if others do not share it for that.
    pub fn change(&self, to: Role, reuse_address: bool) -> Result<()> {
        let mut table = self.ports.table.lock();
        let mut role = self.role.lock();
        let key = (self.port, *role, self.number);
        let Some(holder) = table.holders.get(&key) else {
            return Ok(());
        };
        let claim = Claim {
            role: to,
            reuse_address,
            ..holder.claim
        };
        if to == Role::Listens && self.ports.conflicts(&table, self.port, &claim, Some(self.number)) {
            return Err(Errno::EADDRINUSE);
        }
        let socket = holder.socket.clone();
        table.holders.remove(&key);
        let holder = Holder { claim, socket };
        table.holders.insert((self.port, to, self.number), holder);
        *role = to;
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let role = *self.role.lock();
        let mut table = self.ports.table.lock();
        table.holders.remove(&(self.port, role, self.number));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(address: &str) -> Claim {
        Claim {
            address: address.parse().unwrap(),
            only_v6: false,
            reuse_address: false,
            reuse_port: None,
            role: Role::Bound,
        }
    }

    fn ports(transport: Transport) -> &'static Ports {
        Box::leak(Box::new(Ports::new(transport)))
    }

    fn refuses(ports: &'static Ports, port: u16, claim: Claim) -> bool {
        ports.bind(port, claim, &Weak::new()).err() == Some(Errno::EADDRINUSE)
    }

    #[test]
    fn addresses_that_overlap_exclude_each_other() {
        for (one, other, excludes) in [
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("0.0.0.0", "127.0.0.2", true),
            ("::", "127.0.0.1", true),
            ("::", "::1", true),
            ("::1", "0.0.0.0", false),
            ("::1", "127.0.0.1", false),
        ] {
            let ports = ports(Transport::Tcp);
            let kept = ports.bind(80, claim(one), &Weak::new()).unwrap();
            assert_eq!(refuses(ports, 80, claim(other)), excludes, "{one} {other}");
            assert!(!refuses(ports, 81, claim(other)));
            drop(kept);
            assert!(!refuses(ports, 80, claim(other)), "free again");
        }
        let ports = ports(Transport::Tcp);
        let only_v6 = Claim {
            only_v6: true,
            ..claim("::")
        };
        let _kept = ports.bind(80, only_v6, &Weak::new()).unwrap();
        assert!(!refuses(ports, 80, claim("0.0.0.0")));
    }

    #[test]
    fn ports_are_shared_as_their_options_say() {
        let reuse = |address| Claim {
            reuse_address: true,
            ..claim(address)
        };
        let shared = |user| Claim {
            reuse_port: Some(user),
            ..claim("127.0.0.1")
        };
        let tcp = ports(Transport::Tcp);
        let first = tcp.bind(80, reuse("127.0.0.1"), &Weak::new()).unwrap();
        assert!(refuses(tcp, 80, claim("127.0.0.1")));
        let second = tcp.bind(80, reuse("127.0.0.1"), &Weak::new()).unwrap();
        first.change(Role::Listens, true).unwrap();
        assert_eq!(second.change(Role::Listens, true), Err(Errno::EADDRINUSE));
        assert!(refuses(tcp, 80, reuse("127.0.0.1")), "who listens does not share");
        let udp = ports(Transport::Udp);
        let _one = udp.bind(53, shared(7), &Weak::new()).unwrap();
        assert!(!refuses(udp, 53, shared(7)));
        assert!(refuses(udp, 53, shared(8)), "another user");
    }

    #[test]
    fn a_port_of_ones_own_is_chosen_from_the_range() {
        let ports = ports(Transport::Tcp);
        let mut kept = Vec::new();
        for _ in 0..100 {
            kept.push(ports.bind(0, claim("127.0.0.1"), &Weak::new()).unwrap());
        }
        let mut numbers: Vec<u16> = kept.iter().map(|lease| lease.port()).collect();
        assert!(numbers.iter().all(|port| EPHEMERAL.contains(port)));
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 100);
    }
}
