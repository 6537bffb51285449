//! RA-TLS: certificates that carry a quote, so that a TLS handshake proves with what enclave it was made.
//!
//! An enclave makes a key pair that never leaves it and asks for a quote whose report data vouches for the public key; both go
//! into a self-signed certificate ([`Request`]). Whoever it connects with verifies certificate, quote and the bond between
//! the two ([`Verifier`]), in the handshake itself by [`RaTlsVerifier`], which serves rustls on both sides.
//!
//! Two formats, each an extension of the certificate ([`Format`]):
//! - *interoperable* ([CCC]): OID 2.23.133.5.4.9, CBOR `60000([quote, claims])`, where the report data is the SHA-256 of the
//!   claims, and these have the hash of the key;
//! - *legacy* (Gramine): OID 0.6.9.42.840.113741.1337.6, the plain quote, whose report data is the SHA-256 of the key.
//!
//! A peer's certificate is a claim. Trusted are the root that the collateral was checked against, and the time; what an
//! enclave must be to be trusted is said by an [`Identity`], which has no default. The certificate's names prove nothing and
//! are not looked at: whoever has the right enclave may run it under any name.
//!
//! No I/O here but TLS's own, which is the caller's: quotes come from a function, collateral from a [`CollateralSource`].
//!
//! [CCC]: https://github.com/CCC-Attestation/interoperable-ra-tls
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

mod certificate;
mod claims;
mod evidence;
mod request;
mod self_signature;
mod tls;
mod verifier;

pub use certificate::{CertificateError, RaTlsCertificate};
pub use claims::{Claims, KeyHash};
pub use dcap_quote::{Identity, Mismatch, UnixTime};
pub use evidence::{BindingError, Evidence, EvidenceError, Format};
pub use request::{Attested, Formats, MakeError, Request};
pub use tls::{ConfigError, RaTlsVerifier, client_config, refusal, server_config, verify_handshake};
pub use verifier::{
    CollateralSource, FixedCollateral, Proof, Refusal, SourceError, Verifier, dangerous_prove,
};
