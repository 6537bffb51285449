//! `nacre collateral import`: reads collateral from files into the directory.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use collateral_cache::{Bundle, CacheDir, Shelf};

use crate::flags::collateral_dir::CollateralCacheFlags;
use crate::flags::edition::EditionFlags;
use crate::{clock, input, output};

/// Copy collateral from files into the directory
///
/// Reads bundles of `nacre collateral export --all`, and JSON with the members of `sgx_ql_qve_collateral_t`. Collateral is
/// verified, and what is new of it is copied if it has not expired. What is newer in the directory stays, so that the order
/// of files does not matter.
#[derive(Args, Debug)]
pub struct Import {
    /// The file, or `-` for standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    #[command(flatten)]
    edition: EditionFlags,

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
            let named = self.edition.shelf();
            let shelf = match named.or(bundle.edition) {
                Some(shelf) => shelf,
                None => cache.in_use()?,
            };
            let current = bundle.current.iter().map(|collateral| (shelf, collateral));
            let early = bundle.early.iter().map(|collateral| (Shelf::Early, collateral));
            let mut written = Vec::new();
            for (shelf, collateral) in current.chain(early) {
                let inserted = cache.insert(shelf, collateral, now).with_context(name)?;
                written.extend(inserted.written);
                for kept in inserted.kept {
                    eprintln!("nacre: note: {kept}");
                }
            }
            choose(&cache, named, bundle.edition).with_context(name)?;
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

/// Takes over the edition that was named, or the bundle's where nobody has chosen yet.
fn choose(cache: &CacheDir, named: Option<Shelf>, of_bundle: Option<Shelf>) -> Result<()> {
    match (named, of_bundle) {
        (Some(named), _) => cache.choose(named)?,
        (None, Some(edition)) => match cache.chosen()? {
            None => cache.choose(edition)?,
            Some(chosen) if chosen != edition => eprintln!(
                "nacre: note: the bundle is for the edition {edition}, and quotes are verified by the edition {chosen} here; \
                 --update and --evaluation-number choose another"
            ),
            Some(_) => {}
        },
        (None, None) => {}
    }
    Ok(())
}
