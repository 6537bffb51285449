//! Images that `nacre run` converted, kept so that the next run need not convert them again.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

/// The directory of the converted images, which is made if it does not exist.
///
/// # Errors
/// When it cannot be made.
pub fn dir() -> Result<PathBuf> {
    let dir = super::open()?.join("converted");
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    Ok(dir)
}
