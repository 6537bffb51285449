//! Quotes of SGX enclaves and TDX trust domains: parsing and verification against Intel's collateral.
//!
//! Sans-IO: bytes and the time are arguments, a [`Verdict`] or a [`Refusal`] comes back. Nothing here fetches, stores or
//! reads a clock.
//!
//! ```no_run
//! # fn example(collateral: &[u8], quote: &[u8], now: u64) -> Result<(), Box<dyn std::error::Error>> {
//! use dcap_quote::{CheckedCollateral, Collateral, Policy, Quote, TrustedRoot, UnixTime, verify};
//!
//! let collateral = Collateral::from_json(collateral)?;
//! let checked = CheckedCollateral::check(&collateral, &TrustedRoot::intel())?; // once
//! let verdict = verify(&Quote::parse(quote)?, &checked, UnixTime(now))?; // for each quote
//! let objections = Policy::default().objections(&verdict); // none: acceptable
//! # Ok(()) }
//! ```
//!
//! The way of trust, each step a module: [`TrustedRoot`] → the certificates by their roles (`pki`) and what is revoked
//! (`revocation`) → [`CheckedCollateral`] with TCB info and QE identity → the PCK's platform (`pck`), its quoting enclave
//! and its attestation key (`certification`) → the quote (`verify`) → what its versions are worth (`tcb`, `tcb_info`) →
//! [`Verdict`]. Whether that is good enough is asked of a [`Policy`].
//!
//! Everything is a claim until it is verified: quote, certificates in it and the collateral come from the adversary. Signed
//! JSON is parsed only after its signature was verified. Trusted is the root alone: Intel's is built in, a simulated
//! platform's has to be named ([`TrustedRoot::dangerous_simulated`]). Signatures are verified by aws-lc-rs; DER is read by
//! RustCrypto's `der` and `x509-cert`.
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

mod bytes;
mod certificate;
mod certification;
mod checked;
mod collateral;
mod document;
mod forecast;
mod hex;
mod identity;
mod lack;
mod other_file;
mod p256;
mod pck;
mod pck_chain;
mod pem;
mod piece;
mod pki;
mod platform_policy;
mod policy;
mod qe_identity;
mod quote;
mod refusal;
mod report;
mod revocation;
mod root;
mod tcb;
mod tcb_info;
mod time;
mod verdict;
mod verify;

pub use certificate::CertificateError;
pub use checked::CheckedCollateral;
pub use collateral::{Collateral, CollateralError};
pub use document::DocumentError;
pub use forecast::{Concerned, Forecast, forecast};
pub use identity::{Domain, Identity, Mismatch};
pub use lack::{Lack, Remedy, ends_servicing};
pub use other_file::OtherFile;
pub use pck::{Configuration, Platform, SgxType};
pub use pem::PemError;
pub use piece::{About, CheckedPiece, Piece};
pub use pki::PckCa;
pub use platform_policy::{AcceptedPlatform, PlatformPolicy, PlatformPolicyError};
pub use policy::{Objection, Policy};
pub use qe_identity::QeMismatch;
pub use quote::{Header, Quote, QuoteError, Report, Tee};
pub use refusal::{Chain, Document, List, Refusal};
pub use report::{Bytes, SgxReport, Td15, Td15Ex, TdAttributes, TdReport};
pub use root::{INTEL_QE_VENDOR, SIMULATED_QE_VENDOR, Trust, TrustedRoot};
pub use tcb::{Component, Rating, Shortfall, TcbStatus, UnknownStatus};
pub use tcb_info::ModuleMismatch;
pub use time::{UnixTime, Validity};
pub use verdict::{
    Dated, EvaluationDataNumbers, Gap, Item, LevelTcb, ModuleTcb, PartTcb, PlatformTcb, Verdict,
};
pub use verify::verify;
