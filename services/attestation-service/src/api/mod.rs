//! The types of the HTTP interface: bodies and parts of paths.

pub(crate) mod attest;
pub(crate) mod base64;
pub(crate) mod json;
pub(crate) mod version;

pub use attest::{AttestRequest, AttestationType, Data, DataType};
pub(crate) use version::ApiVersion;
