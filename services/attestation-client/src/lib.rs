//! A client of attestation services that speak Microsoft Azure Attestation's protocol, this project's own among them.
//!
//! ```no_run
//! # fn example(quote: &[u8], ca: &[u8]) -> Result<(), attestation_client::ClientError> {
//! use attestation_client::{Client, Evidence, RuntimeData};
//! use attestation_token::ClaimPolicy;
//!
//! let client = Client::new("https://attest.example:8443", ca)?;
//! let evidence = Evidence::new(quote)
//!     .runtime_data(RuntimeData::Binary(b"what the quote's report data is the hash of"))
//!     .nonce("of this request");
//! let policy = ClaimPolicy::default().require_mrenclave([0x5a; 32]);
//! let attested = client.attest_sgx(&evidence, &policy)?;
//! println!("{}: {}", attested.claims.sgx()?.svn, attested.token);
//! # Ok(()) }
//! ```
//!
//! Blocking, over HTTPS only. Trusted is the service, as far as TLS shows that it is the one with a certificate by the
//! authority that was given; there are no other authorities. A token is validated before it is returned, by keys that
//! were fetched from the service itself: addresses inside of tokens and configurations are never followed.
#![forbid(unsafe_code)]

mod client;
mod error;
mod evidence;
mod https;
mod key_cache;
mod policies;

pub use client::{Attested, Client, OpenIdConfiguration};
pub use error::ClientError;
pub use evidence::{Evidence, RuntimeData};
pub use policies::{Policies, PolicyKind};
