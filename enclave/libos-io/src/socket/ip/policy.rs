//! Which loopback ports lead to the host: the measured configuration's word.

use enclave_config::{HostPorts, Loopback, Port};
use kobject::Once;

use super::Transport;

static LOOPBACK: Once<Loopback> = Once::new();

/// Says whose the loopback addresses are, once, before the first socket.
pub fn install(loopback: Loopback) {
    LOOPBACK.get_or_make(|| loopback);
}

/// Whether the loopback addresses are the container's own.
pub(in crate::socket) fn is_inside() -> bool {
    ports().is_some()
}

fn ports() -> Option<&'static HostPorts> {
    match LOOPBACK.get()? {
        Loopback::OfContainer(ports) => Some(ports),
        Loopback::OfHost => None,
    }
}

/// Whether the host's programs reach servers of the container that have this port.
pub(super) fn is_published(protocol: Transport, number: u16) -> bool {
    let port = Port { protocol, number };
    ports().is_some_and(|ports| ports.published.binary_search(&port).is_ok())
}

/// Whether programs of the container reach the host's servers that have this port.
pub(super) fn is_reached(protocol: Transport, number: u16) -> bool {
    let port = Port { protocol, number };
    ports().is_some_and(|ports| ports.reached.binary_search(&port).is_ok())
}
