//! The key that signs enclaves which only this user runs.

use std::io::ErrorKind;

use anyhow::Result;
use sgx_sign::{KeyError, SigningKey};

/// This user's development key, which is made at its first use. Where nothing can be kept, it is a new one each time, with
/// a line on standard error about it.
///
/// # Errors
/// When there is a file that cannot be used.
pub fn development_key() -> Result<SigningKey> {
    const NAME: &str = "development-key.pem";
    let not_kept = |why: &dyn std::fmt::Display| {
        eprintln!("nacre: {why}: this development key ends with this run, and MRSIGNER with it");
    };
    let dir = match super::path() {
        Ok(dir) => dir,
        Err(error) => {
            not_kept(&error);
            return Ok(SigningKey::generate()?);
        }
    };
    match SigningKey::load(&dir.join(NAME)) {
        Err(KeyError::Read(_, error)) if is_elsewhere(error.kind()) => {}
        loaded => return Ok(loaded?),
    }
    let key = SigningKey::generate()?;
    match super::open().map(|dir| key.save_new(&dir.join(NAME))) {
        Ok(Ok(())) => {}
        // Another nacre was faster.
        Ok(Err(KeyError::Exists(path))) => return Ok(SigningKey::load(&path)?),
        Ok(Err(error)) => not_kept(&error),
        Err(error) => not_kept(&format_args!("{error:#}")),
    }
    Ok(key)
}

/// Whether there is no key yet, or a directory of somebody else's: that of root, if only HOME was left as it was.
fn is_elsewhere(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::PermissionDenied
    )
}
