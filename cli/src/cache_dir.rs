//! What nacre keeps between runs: the development key and images that were converted to be run.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use anyhow::{Context, Result};
use sign::{KeyError, SigningKey};

/// `$XDG_CACHE_HOME/nacre` or `~/.cache/nacre`, made if it is not there. Its owner's only.
pub fn open() -> Result<PathBuf> {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let base = base.or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
    let dir = base
        .context("there is no home directory for the cache; set XDG_CACHE_HOME")?
        .join("nacre");
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&dir)
        .with_context(|| format!("cannot make the cache directory {}", dir.display()))?;
    Ok(dir)
}

/// The key for enclaves that nobody but this user runs; made at its first use.
pub fn development_key() -> Result<SigningKey> {
    let path = open()?.join("development-key.pem");
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
