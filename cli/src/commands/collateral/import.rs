//! `nacre collateral import`: reads collateral from files into the directory.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use collateral_cache::{Bundle, Shelf};

use crate::flags::collateral_dir::CollateralCacheFlags;
use crate::{clock, input, output};

/// Copy collateral from files into the directory
///
/// Reads bundles of `nacre collateral export --all`, and JSON with the members of `sgx_ql_qve_collateral_t`. Collateral is
/// verified, and refused if it has expired or is older than what the directory has.
#[derive(Args, Debug)]
pub struct Import {
    /// The file, or `-` for standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    #[command(flatten)]
    directory: CollateralCacheFlags,
}

impl Import {
    pub fn run(self) -> Result<()> {
        let cache = self.directory.create()?;
        for path in &self.files {
            let name = || format!("cannot import {}", path.display());
            let bundle =
                Bundle::from_json(&input::read(path, Bundle::MAX_SIZE as u64)?).with_context(name)?;
            let now = clock::now()?;
            let current = bundle
                .current
                .iter()
                .map(|collateral| (Shelf::Current, collateral));
            let early = bundle.early.iter().map(|collateral| (Shelf::Early, collateral));
            let mut written = Vec::new();
            for (shelf, collateral) in current.chain(early) {
                let inserted = cache.insert(shelf, collateral, now).with_context(name)?;
                written.extend(inserted.written);
            }
            for name in &written {
                output::line(format!("imported {name}"))?;
            }
            if written.is_empty() {
                output::line(format!("nothing new in {}", path.display()))?;
            }
        }
        Ok(())
    }
}
