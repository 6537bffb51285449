//! Limits on what peers can take up.

use std::time::Duration;

/// Limits on what peers can take up. Public servers start from the defaults.
///
/// In memory, peers can hold `max_connections` times the sum of `max_head_size` and
/// `max_body_size`. Keep `max_connections_per_peer` below `max_requests`: a connection has one
/// request at a time, so that no single peer can then take up all requests in work.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Open connections. Further ones wait in the kernel's queue until one ends.
    pub max_connections: usize,
    /// Open connections of one peer: an IPv4 address or an IPv6 network of 64 bits. Further ones
    /// are closed at once. Behind a proxy that hides its clients' addresses, all are one peer.
    pub max_connections_per_peer: usize,
    /// Requests in work. Further ones are refused with the word to come back.
    pub max_requests: usize,
    /// Bytes of a request's line and header. Hyper needs 8192 at least.
    pub max_head_size: usize,
    /// Bytes of a request's body.
    pub max_body_size: usize,
    /// For the TLS handshake.
    pub handshake_timeout: Duration,
    /// For a request's head to arrive whole, from the end of the request before.
    pub head_timeout: Duration,
    /// For a body to arrive whole.
    pub body_timeout: Duration,
    /// For the next piece of a body to arrive.
    pub body_progress_timeout: Duration,
    /// For the peer to take the next piece of what is written to it.
    pub write_timeout: Duration,
    /// For all requests of a connection. A request that is under way then may end.
    pub connection_lifetime: Duration,
    /// For a request to end when its connection or the server is to end.
    pub shutdown_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 2048,
            max_connections_per_peer: 256,
            max_requests: 512,
            max_head_size: 64 << 10,
            max_body_size: 1 << 20,
            handshake_timeout: Duration::from_secs(10),
            head_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(10),
            body_progress_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(10),
            connection_lifetime: Duration::from_secs(300),
            shutdown_timeout: Duration::from_secs(20),
        }
    }
}
