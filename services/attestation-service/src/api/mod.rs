//! The wire: paths' parts and bodies, as typed values.

pub(crate) mod attest;
pub(crate) mod base64;
pub(crate) mod json;
pub(crate) mod version;

pub(crate) use attest::{AttestRequest, AttestationType};
pub(crate) use version::ApiVersion;
