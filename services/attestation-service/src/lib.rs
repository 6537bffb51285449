//! An attestation service that speaks the protocol of Microsoft Azure Attestation: quotes in, signed tokens out.
//!
//! [`run`] is the whole program, [`Server`] the same without signals. Inside, from the wire to the core:
//!
//! ```text
//! run ── server ── http ──▶ service ──▶ evidence ── claims ── policies ── keys ──▶ a token
//! (signals)  (TLS)  (routes, limits)        │             │          │
//!                                       collateral      signers    store (SQLite)
//! ```
//!
//! The core (`service`, `attest`, `management`) has no clock, no randomness and no wire: the time and each token's name are arguments.
//!
//! Nobody is trusted but the root that the service was started with: Intel's, or a simulated platform's and then nothing else. Evidence,
//! its data, drafts of policies and everything else in a request is the adversary's. A service that trusts a simulated platform
//! has another issuer, and a store that no genuine service can share. Policies are the operator's, who is told so by the admin
//! token or by signatures of policy signers.
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

mod api;
mod attest;
mod baselines;
mod claims;
mod collateral;
mod config;
mod error;
mod evidence;
mod http;
mod keys;
mod management;
mod metrics;
mod platforms;
mod policies;
mod run;
mod server;
mod service;
mod signers;
mod store;
mod tls;

pub use api::{AttestRequest, AttestationType, Data, DataType};
pub use collateral::{CollateralFileError, CollateralFiles, CollateralSource, Endorsements};
pub use config::{Config, PolicySigner, PolicySignerError, Url, UrlError};
pub use error::{ApiError, ErrorCode};
pub use http::{AdminToken, AdminTokenError, Clock};
pub use run::run;
pub use server::{Server, StartError};
pub use serving::{Limits, ListenError};
pub use tls::{TlsError, TlsFiles};
