//! A TLS key of the enclave's own, and certificates of it that carry a quote (RA-TLS), made inside of the enclave.
//!
//! [`TlsKey`] is a key on P-256, the one curve that all TLS libraries take. Its [certificate](TlsKey::certificate) is in the
//! interoperable format: the quote's report data is the hash of claims that have the hash of the key. The crate `ra-tls`, which
//! relying parties use, reads it.
//!
//! Randomness, time and quotes come from the caller. Nothing here takes bytes from the host but the quote, which is put into the
//! certificate as it is: whoever relies on it verifies it.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

extern crate alloc;

mod certificate;
mod der;
mod evidence;
mod key;
mod pem;
mod time;

pub use certificate::{Name, Request};
pub use key::TlsKey;
pub use time::Validity;
