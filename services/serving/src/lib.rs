//! What every server of the project shares.
//!
//! A server brings an [`axum::Router`] and its [`Limits`]. This crate does the rest:
//!
//! | part | what it does |
//! | --- | --- |
//! | [`Server`] | accepts connections, over TLS or not, counts them per peer, ends them gracefully |
//! | [`Admission`] | reads a request's body within limits, and only then counts the request as in work |
//! | [`operator_routes`] | `/health`, `/health/live`, `/health/ready` and `/metrics` |
//! | [`ServerMetrics`] | connections, refused connections and answered requests, in OpenMetrics |
//! | [`termination`], [`hangup`] | the signals that end a server or have it reload |
//!
//! # Trust
//!
//! Every byte from a peer is the adversary's. A peer can take up no more than these:
//! - connections: [`Limits::max_connections_per_peer`], each for [`Limits::connection_lifetime`];
//! - memory: one head and one body for each of its connections;
//! - requests in work: one for each of its connections, and none before its body is there.
//!
//! No wait for a peer is without end: the handshake, the head, the body, each piece of the body and
//! each write have their own time.
//!
//! # Why not a library
//!
//! Libraries do the parts: `hyper` speaks HTTP, `tokio-rustls` TLS, `axum` routes,
//! `http-body-util` bounds the size of bodies, and `tokio-io-timeout` times writes. For the whole,
//! these were looked at:
//! - `axum-server` 0.9 accepts, does TLS and ends gracefully. It bounds neither connections (in
//!   total or per peer) nor their lifetime, and does not notice a peer that stops reading.
//! - `axum::serve` has no TLS, and no timeout for heads.
//! - `tower-http` has layers for timeouts and sizes of bodies. They act on requests, so they cannot
//!   see handshakes, idle connections and writes. Its limit for bodies answers in its own words,
//!   while clients of the attestation service must read Azure's form of errors.
//! - `hyper-util`'s `GracefulShutdown` hides the connection, which then cannot be ended gracefully
//!   at the end of its own lifetime. One `select!` here does both.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

mod admission;
mod body;
mod connection;
mod limits;
mod metrics;
mod operator;
mod peers;
mod request_id;
mod server;
mod signals;
mod transport;

pub use admission::{Admission, AdmissionError, Permit, Received};
pub use body::{BodyError, read_body};
pub use limits::Limits;
pub use metrics::ServerMetrics;
pub use operator::{is_operator_route, metrics_response, operator_routes};
pub use request_id::request_id;
pub use server::{ListenError, Server};
pub use signals::{hangup, termination};
pub use transport::{PeerCertificate, Transport, TransportError, tls_config};
