//! How many connections each peer has open.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts the open connections of each peer.
#[derive(Debug)]
pub(crate) struct PeerConnections {
    max_per_peer: usize,
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// One connection of a peer, until it is dropped.
#[derive(Debug)]
pub(crate) struct PeerConnection {
    peer: IpAddr,
    peers: Arc<PeerConnections>,
}

impl PeerConnections {
    pub(crate) fn new(max_per_peer: usize) -> Arc<Self> {
        Arc::new(Self {
            max_per_peer,
            open: Mutex::default(),
        })
    }

    /// Counts one more connection; none when the peer has as many as it may.
    pub(crate) fn try_open(self: &Arc<Self>, address: IpAddr) -> Option<PeerConnection> {
        let peer = peer(address);
        let mut open = self.open();
        let count = open.get(&peer).copied().unwrap_or(0);
        if count >= self.max_per_peer {
            return None;
        }
        open.insert(peer, count.saturating_add(1));
        Some(PeerConnection {
            peer,
            peers: Arc::clone(self),
        })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        // Nothing panics while the lock is held.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for PeerConnection {
    fn drop(&mut self) {
        let mut open = self.peers.open();
        match open.get(&self.peer).copied() {
            Some(count) if count > 1 => {
                open.insert(self.peer, count.saturating_sub(1));
            }
            // Peers without a connection take no memory.
            _ => {
                open.remove(&self.peer);
            }
        }
    }
}

/// Who is behind an address: of IPv6 the network of 64 bits, since its owner has every address in
/// it.
fn peer(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_peer_has_its_own_limit() {
        let peers = PeerConnections::new(2);
        let open = |address: &str| peers.try_open(address.parse().unwrap());
        let first = open("192.0.2.1").unwrap();
        let _mapped = open("::ffff:192.0.2.1").unwrap();
        assert!(open("192.0.2.1").is_none());
        let _other = open("192.0.2.2").unwrap();
        drop(first);
        let _again = open("192.0.2.1").unwrap();
        assert!(open("192.0.2.1").is_none());
    }

    #[test]
    fn an_ipv6_network_is_one_peer() {
        let peers = PeerConnections::new(1);
        let open = |address: &str| peers.try_open(address.parse().unwrap());
        let _first = open("2001:db8::1").unwrap();
        assert!(open("2001:db8::ffff:2").is_none());
        assert!(open("2001:db8:0:1::1").is_some());
    }

    #[test]
    fn who_has_gone_is_forgotten() {
        let peers = PeerConnections::new(2);
        let both: Vec<_> = (0..2)
            .map(|_| peers.try_open("192.0.2.1".parse().unwrap()))
            .collect();
        drop(both);
        assert!(peers.open().is_empty());
    }
}
