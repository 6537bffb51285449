//! `nacre collateral export`: writes collateral to a file, for machines without a network.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use collateral_cache::{Bundle, CacheDir, CacheError, Freshness, Shelf};
use dcap_quote::UnixTime;

use crate::flags::collateral_dir::CollateralCacheFlags;
use crate::flags::platform::PlatformFlags;
use crate::{clock, input, output};

/// Write collateral to a file
///
/// For one platform, it writes what `nacre verify quote --collateral` reads: JSON with the members of
/// `sgx_ql_qve_collateral_t`. With --all, it writes a bundle of everything, for `nacre collateral import`.
#[derive(Args, Debug)]
pub struct Export {
    #[command(flatten)]
    platform: PlatformFlags,

    /// Export everything in the directory, as a bundle
    #[arg(long, conflicts_with_all = ["quote", "fmspc", "tee", "ca"])]
    all: bool,

    /// The file to write, or `-` for standard output
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    #[command(flatten)]
    directory: CollateralCacheFlags,
}

impl Export {
    pub fn run(self) -> Result<()> {
        let cache = self.directory.open()?;
        let now = clock::now()?;
        let json = if self.all {
            serde_json::to_string(&bundle(&cache, now)?)?
        } else {
            self.one(&cache, now)?
        };
        write(&self.out, &json)
    }

    fn one(&self, cache: &CacheDir, now: UnixTime) -> Result<String> {
        if self.platform.is_empty() {
            bail!("name a platform with --quote FILE or --fmspc HEX, or export --all");
        }
        let mut found = Vec::new();
        let mut missing = None;
        for wanted in self.platform.all()? {
            match cache.collateral(&wanted, now, &Freshness::default()) {
                Ok(fresh) => found.push(fresh.collateral),
                Err(error @ CacheError::Missing { .. }) => missing = Some(error),
                Err(error) => return Err(error).context("fetch it again: nacre collateral fetch"),
            }
        }
        match (found.as_slice(), missing) {
            ([one], _) => Ok(serde_json::to_string_pretty(one)?),
            ([], Some(error)) => Err(error).context("fetch it first: nacre collateral fetch"),
            _ => bail!(
                "the directory has the collateral of both CAs; choose one with --ca processor or --ca platform"
            ),
        }
    }
}

/// All collateral, and the early editions, which announce TCB recoveries.
fn bundle(cache: &CacheDir, now: UnixTime) -> Result<Bundle> {
    let edition = cache.in_use()?;
    let mut current = Vec::new();
    for wanted in cache.platforms(edition)? {
        let fresh = cache.collateral(&wanted, now, &Freshness::default());
        let fresh =
            fresh.with_context(|| format!("cannot export the collateral for {wanted}; fetch it again"))?;
        current.push(fresh.collateral);
    }
    let mut early = Vec::new();
    if edition != Shelf::Early {
        for wanted in cache.platforms(Shelf::Early)? {
            early.extend(cache.early(&wanted, now)?);
        }
    }
    if current.is_empty() {
        bail!("there is no collateral in {}", cache.path().display());
    }
    Ok(Bundle::new(Some(edition), current, early))
}

/// Writes another file first, so that no reader finds half of it.
fn write(path: &Path, json: &str) -> Result<()> {
    if input::is_standard(path) {
        return output::line(json);
    }
    let name = || format!("cannot write {}", path.display());
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(parent.unwrap_or(Path::new("."))).with_context(name)?;
    writeln!(file, "{json}").with_context(name)?;
    file.as_file().sync_all().with_context(name)?;
    // It is public, unlike the directory that it comes from.
    let public = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    fs::set_permissions(file.path(), public).with_context(name)?;
    file.persist(path)
        .map_err(|error| error.error)
        .with_context(name)?;
    Ok(())
}
