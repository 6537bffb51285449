//! An attestation service that speaks the protocol of Microsoft Azure Attestation.
#![forbid(unsafe_code)]
mod api;
mod error;
pub use error::{ApiError, ErrorCode};
