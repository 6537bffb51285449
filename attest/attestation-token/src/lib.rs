//! Attestation tokens: JSON Web Tokens about an enclave or a trust domain, as Azure Attestation
//! issues them.
//!
//! Sans-IO: bytes, keys and the time are arguments. A service signs with a [`SigningKey`]; who relies on a token asks a
//! [`Validator`], with the service's [`KeySet`] and a [`ClaimPolicy`]:
//!
//! ```no_run
//! # fn example(token: &str, keys: &[u8], data: &[u8], now: u64) -> Result<(), Box<dyn std::error::Error>> {
//! use attestation_token::{ClaimPolicy, KeySet, UnixTime, Validator};
//!
//! let keys = KeySet::parse(keys)?; // once: what {issuer}/certs answers
//! let policy = ClaimPolicy::default()
//!     .require_mrenclave([0x5a; 32])
//!     .require_runtime_data(data);
//! let claims = Validator::new("https://attest.example")
//!     .validate(token, &keys, &policy, UnixTime(now))?;
//! println!("{}", claims.sgx()?.svn);
//! # Ok(()) }
//! ```
//!
//! The adversary chooses the token. So its header chooses nothing but which of the known keys is tried: the algorithm is one that
//! the validator was told, `none` and the symmetric ones do not exist here, and keys inside of headers are data, never trust.
//! The payload is parsed only after its signature was verified. Trusted are the key set (whoever fetches it must know from
//! whom) and the time. Signatures are aws-lc-rs's; X.509 is read by RustCrypto's `x509-cert`.
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

mod algorithm;
mod base64;
mod claims;
mod json;
mod jws;
mod key_set;
mod policy;
mod public_key;
mod signing_key;
mod validator;

pub use algorithm::Algorithm;
pub use claims::{AttestationType, ClaimError, Claims, SIMULATED, SgxClaims};
pub use dcap_quote::UnixTime;
pub use json::JsonError;
pub use jws::{Header, Jws, JwsError};
pub use key_set::{KeyMemberError, KeySet, KeySetError};
pub use policy::{ClaimPolicy, Objection};
pub use public_key::{BadSignature, KeyError, PublicKey};
pub use signing_key::{HeaderFields, KeySize, SigningError, SigningKey};
pub use validator::{Refusal, Validator};
