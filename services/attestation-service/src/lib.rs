//! An attestation service that speaks the protocol of Microsoft Azure Attestation.
#![forbid(unsafe_code)]
mod api;
mod collateral;
mod error;
mod evidence;
mod hex;
mod store;
pub use error::{ApiError, ErrorCode};
