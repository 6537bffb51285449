//! Whose the loopback addresses are: 127.0.0.0/8 and `::1`.

use alloc::vec::Vec;
use core::fmt;

/// Where traffic to and from loopback addresses goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loopback {
    /// It stays in the enclave, but for some ports.
    OfContainer(HostPorts),
    /// To the host's loopback interface, as in a container that shares the network of its host: the host carries what
    /// programs of the container send to each other.
    OfHost,
}

/// The ports of the loopback addresses that lead to the host. Each list is sorted and distinct.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostPorts {
    /// A server of the container that has one of these is reached from the host's loopback interface, too.
    pub published: Vec<Port>,
    /// If no program of the container has one of these, clients are connected to the host's.
    pub reached: Vec<Port>,
}

/// A port of a protocol, not 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port {
    /// Whose port.
    pub protocol: Transport,
    /// Its number.
    pub number: u16,
}

/// A protocol that has ports, as its number that of IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transport {
    /// TCP.
    Tcp = 6,
    /// UDP.
    Udp = 17,
}

impl Loopback {
    /// All of it stays in the enclave.
    pub const INSIDE: Self = Self::OfContainer(HostPorts {
        published: Vec::new(),
        reached: Vec::new(),
    });
}

/// `80`, or `53/udp`.
impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.protocol {
            Transport::Tcp => write!(f, "{}", self.number),
            Transport::Udp => write!(f, "{}/udp", self.number),
        }
    }
}

impl Port {
    /// As one number: that of the protocol, then that of the port.
    pub(crate) fn to_raw(self) -> u32 {
        (self.protocol as u32) << 16 | u32::from(self.number)
    }

    /// `None` if it is no port.
    pub(crate) fn from_raw(raw: u32) -> Option<Self> {
        let protocol = match raw >> 16 {
            6 => Transport::Tcp,
            17 => Transport::Udp,
            _ => return None,
        };
        let number = (raw & 0xffff) as u16;
        Some(Self { protocol, number })
    }
}
