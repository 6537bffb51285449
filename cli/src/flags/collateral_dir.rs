//! The flag that names the directory with the collateral.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use collateral_cache::CacheDir;
use dcap_quote::{Trust as Trusted, TrustedRoot};

use super::trust::TrustFlags;
use crate::user_cache;

#[derive(Args, Debug)]
pub struct CollateralCacheFlags {
    /// The directory with the collateral [default: nacre/collateral in the user's cache]
    // Earlier versions had `--cache`.
    #[arg(long, alias = "cache", value_name = "DIR")]
    collateral_cache: Option<PathBuf>,

    #[command(flatten)]
    trust: TrustFlags,
}

impl CollateralCacheFlags {
    /// The cache, which is made if it does not exist.
    pub fn create(&self) -> Result<CacheDir> {
        let root = self.trust.root()?;
        Ok(CacheDir::create(
            &path(self.collateral_cache.as_deref(), &root)?,
            &root,
        )?)
    }

    /// The cache, which must exist.
    pub fn open(&self) -> Result<CacheDir> {
        let root = self.trust.root()?;
        let path = path(self.collateral_cache.as_deref(), &root)?;
        CacheDir::open(&path, &root).context("fill a cache first, with nacre collateral fetch or import")
    }
}

/// The directory that was named, or the user's own for this root.
///
/// # Errors
/// When there is no home directory for it.
pub fn path(named: Option<&Path>, root: &TrustedRoot) -> Result<PathBuf> {
    if let Some(path) = named {
        return Ok(path.to_owned());
    }
    let own = user_cache::path()?;
    Ok(match root.trust() {
        Trusted::Intel => own.join("collateral"),
        // Simulated roots are many, and each has its own.
        Trusted::Simulated => {
            let fingerprint = root.fingerprint().to_string();
            own.join(format!(
                "collateral-simulated-{}",
                fingerprint.get(..16).unwrap_or_default()
            ))
        }
    })
}
