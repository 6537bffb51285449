//! The directory where nacre keeps files between runs: the development key, converted images,
//! unpacked layers and collateral.

#[cfg(feature = "run")]
pub mod converted_images;
#[cfg(feature = "convert")]
pub mod development_key;
#[cfg(feature = "convert")]
pub mod retention;
#[cfg(feature = "convert")]
pub mod unpacked_layers;

#[cfg(feature = "convert")]
use std::fs;
#[cfg(feature = "convert")]
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use anyhow::{Context, Result};

/// `$XDG_CACHE_HOME/nacre` or `~/.cache/nacre`.
///
/// # Errors
/// When there is no home directory.
pub fn path() -> Result<PathBuf> {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let base = base.or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
    let base = base.context("there is no home directory for the cache; set XDG_CACHE_HOME")?;
    Ok(base.join("nacre"))
}

/// The directory at [`path`], which is made if it does not exist. Only its owner may enter it.
///
/// # Errors
/// When it cannot be made, or nothing can be written there.
#[cfg(feature = "convert")]
pub fn open() -> Result<PathBuf> {
    let dir = path()?;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&dir)
        .with_context(|| format!("cannot make the cache directory {}", dir.display()))?;
    // It may be there, and not be ours to write to.
    tempfile::tempfile_in(&dir)
        .with_context(|| format!("cannot write to the cache directory {}", dir.display()))?;
    Ok(dir)
}
