//! The key that signs an enclave: in a file, or in a PKCS #11 token.

use std::path::Path;

use anyhow::Result;
use sgx_sign::{Signer, SigningKey};
use token_signer::{TokenKey, TokenUri};

/// The key that a user names: a PEM file, or a PKCS #11 URI.
///
/// # Errors
/// It cannot be used.
pub fn open(key: &Path) -> Result<Box<dyn Signer>> {
    match key.to_str().and_then(TokenUri::parse) {
        Some(uri) => Ok(Box::new(TokenKey::open(&uri?)?)),
        None => Ok(Box::new(SigningKey::load(key)?)),
    }
}

/// Whether what stands in the place of a file's name is a PKCS #11 URI.
pub fn is_uri(key: &Path) -> bool {
    key.to_str().is_some_and(|text| TokenUri::parse(text).is_some())
}
