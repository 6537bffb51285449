//! The wire: paths' parts and bodies, as typed values.

pub(crate) mod attest;
pub(crate) mod base64;
pub(crate) mod json;
pub(crate) mod version;

pub use attest::{AttestRequest, AttestationType, Data, DataType};
pub(crate) use version::ApiVersion;
