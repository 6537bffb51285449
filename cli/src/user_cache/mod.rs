//! The directory where nacre keeps files between runs: the development key, converted images,
//! unpacked layers, images from registries and collateral.

#[cfg(feature = "run")]
pub mod converted_images;
#[cfg(feature = "convert")]
pub mod development_key;
#[cfg(feature = "convert")]
pub mod known_programs;
#[cfg(feature = "convert")]
pub mod retention;
#[cfg(feature = "convert")]
pub mod unpacked_layers;

#[cfg(feature = "convert")]
use std::fs;
#[cfg(feature = "convert")]
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::PathBuf;

#[cfg(feature = "convert")]
use anyhow::bail;
use anyhow::{Context, Result};

/// The directory of what was fetched from registries, in the cache.
#[cfg(feature = "convert")]
pub const FETCHED: &str = "fetched";

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
    let own = tempfile::tempfile_in(&dir)
        .and_then(|file| file.metadata())
        .with_context(|| format!("cannot write to the cache directory {}", dir.display()))?;
    // Whoever writes there chooses what is run.
    let found = fs::metadata(&dir).with_context(|| dir.display().to_string())?;
    if found.uid() != own.uid() || found.permissions().mode() & 0o022 != 0 {
        bail!(
            "other users can change what is in the cache directory {}: set XDG_CACHE_HOME to another one, or take it with \
             chown and chmod go-w",
            dir.display()
        );
    }
    Ok(dir)
}
