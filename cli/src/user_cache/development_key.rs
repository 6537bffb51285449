//! The key that signs enclaves which only this user runs.

use anyhow::Result;
use sgx_sign::{KeyError, SigningKey};

/// This user's development key, which is made at its first use.
///
/// # Errors
/// When it cannot be read, made or kept.
pub fn development_key() -> Result<SigningKey> {
    let path = super::open()?.join("development-key.pem");
    match SigningKey::load(&path) {
        Err(KeyError::Read(_, error)) if error.kind() == std::io::ErrorKind::NotFound => {
            let key = SigningKey::generate()?;
            match key.save_new(&path) {
                Ok(()) => Ok(key),
                // Another nacre was faster.
                Err(KeyError::Exists(_)) => Ok(SigningKey::load(&path)?),
                Err(error) => Err(error.into()),
            }
        }
        loaded => Ok(loaded?),
    }
}
