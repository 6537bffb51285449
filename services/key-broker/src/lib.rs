//! The key broker: it holds the policies of deployments, and gives keys, secrets and certificates to enclaves that prove to be
//! what a policy names.
//!
//! ```text
//! server ── http ──▶ Broker ──▶ Work: deployments, provision, owner_work      one transaction each
//! (tls)   (routes)               │            │            │
//!                             audit        secrets      instances ──▶ broker-store
//! ```
//!
//! Everything that decides is in [`Work`](work) and has neither clock nor wire: the time is an argument. What it decides and the
//! entry in the audit log are in one transaction, and are on the disk before anybody is answered.
//!
//! # Trust
//!
//! - **Enclaves** are believed what their quote proves (`ra-tls`), judged by the policy (`deployment-policy`).
//! - **People** are known by client certificates, which policies name; administrators were named when the broker was made.
//! - **The database** is the adversary's (`broker-store`).
//! - **Strangers** learn that there is a broker, its authority's certificate and the key of its audit log.
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

pub mod audit;
mod authority;
mod broker;
mod deployments;
mod encoding;
mod http;
mod identity;
mod instances;
mod owner_work;
mod people;
mod policies;
mod problem;
mod provision;
mod records;
mod secrets;
mod server;
mod tls;
mod work;

pub use authority::{AuthorityError, POLICY_DIGEST_OID};
pub use broker::{Broker, Heads};
pub use http::Clock;
pub use identity::IdentityError;
pub use server::{Config, Server, StartError};
pub use serving::{Limits, termination};
pub use tls::{ATTESTED_ALPN, QuoteSource, TlsError};
