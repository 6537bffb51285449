//! The messages of Intel's provisioning certification service (PCS, version 4), which publishes [`Collateral`], and of the
//! caches that speak as it does: Intel's PCCS, Azure's THIM, and our own.
//!
//! Sans-IO: a [`Request`] becomes a URL of a [`Source`] or is read from one, a [`Response`] is read or made. Both sides
//! are here, so that client and server cannot disagree. What comes back is *unverified*: each piece goes to
//! [`dcap_quote::CheckedCollateral`] or [`dcap_quote::Piece`], which believe nothing but a root.
//!
//! ```
//! use dcap_quote::{Bytes, Tee};
//! use pcs::{Edition, Request, Source};
//!
//! let request = Request::TcbInfo { tee: Tee::Sgx, fmspc: Bytes([0, 0x90, 0x6e, 0xd5, 0, 0]), edition: Edition::Early };
//! let url = Source::Intel.url(&request);
//! assert_eq!(url, "https://api.trustedservices.intel.com/sgx/certification/v4/tcb?fmspc=00906ED50000&update=early");
//! ```
//!
//! Source: Intel's *PCS API documentation, v4* (<https://api.portal.trustedservices.intel.com/content/documentation.html>);
//! for what PCCS does otherwise, its source.
//!
//! [`Collateral`]: dcap_quote::Collateral
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

mod document;
mod issuer_chain;
mod parts;
mod request;
mod response;
mod revocation_list;
mod source;

pub use document::{SignedDocument, SignedDocumentError};
pub use issuer_chain::ChainError;
pub use parts::Parts;
pub use request::{Edition, Encoding, Request, RequestError};
pub use response::{IssuedDocument, IssuedList, Response, ResponseError};
pub use revocation_list::ListError;
pub use source::{BaseUrl, BaseUrlError, Source};
