//! `nacre collateral fetch`: fetches collateral into the directory, from Intel or another service.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};
use collateral_cache::{CacheDir, Client, ClientOptions, Retry, Roots, Shelf, Wanted};
use pcs::{Edition, Source};

use crate::flags::collateral_dir::CollateralCacheFlags;
use crate::flags::platform::PlatformFlags;
use crate::{clock, input, output};

/// Much more than any list of authorities.
const MAX_ROOTS_SIZE: u64 = 4 << 20;

/// Fetch collateral from Intel, Azure or a cache (PCCS) into the directory
///
/// Collateral is verified, and refused if it is older than what the directory has. The early edition of TCB info is
/// fetched too, so that `nacre collateral status` can warn of TCB recoveries before they take effect.
#[derive(Args, Debug)]
pub struct Fetch {
    #[command(flatten)]
    platform: PlatformFlags,

    /// Fetch the collateral of every platform in the directory again, for use in a timer
    #[arg(long, conflicts_with_all = ["quote", "fmspc", "tee", "ca"])]
    all: bool,

    /// The service: intel, azure, or the address of a PCCS or of `nacre collateral serve`
    #[arg(long, value_name = "SERVICE", default_value = "intel")]
    from: Source,

    /// Trust only these CAs (PEM) for the service's TLS certificate, or that certificate itself, whatever its version and
    /// names
    #[arg(long, value_name = "PEM")]
    ca_file: Option<PathBuf>,

    /// The edition of TCB info: with early, a TCB recovery takes effect at once, with standard after a year [default: the
    /// service's own; Intel's is standard]
    #[arg(long)]
    update: Option<Update>,

    #[command(flatten)]
    directory: CollateralCacheFlags,
}

#[derive(ValueEnum, Clone, Copy, Debug)]
enum Update {
    Early,
    Standard,
}

impl Fetch {
    pub fn run(self) -> Result<()> {
        let (cache, wanted) = if self.all {
            let cache = self.directory.open()?;
            let wanted = cache.platforms(Shelf::Current)?;
            (cache, wanted)
        } else {
            let wanted = self.platform.all()?;
            (self.directory.create()?, wanted)
        };
        let roots = match &self.ca_file {
            Some(path) => Roots::Only(input::read(path, MAX_ROOTS_SIZE)?),
            None => Roots::Platform,
        };
        let edition = match self.update {
            Some(Update::Early) => Edition::Early,
            Some(Update::Standard) => Edition::Standard,
            None => self.from.default_edition(),
        };
        let client = Client::new(ClientOptions {
            source: self.from,
            roots,
            retry: Retry::default(),
        })?;
        for wanted in &wanted {
            fetch(&client, &cache, wanted, edition, Shelf::Current)?;
        }
        let mut seen = Vec::new();
        for wanted in &wanted {
            // It does not depend on the CA.
            if seen.contains(&(wanted.tee, wanted.fmspc)) {
                continue;
            }
            seen.push((wanted.tee, wanted.fmspc));
            // Some services do not have it, and quotes can be verified without it.
            if let Err(error) = fetch(&client, &cache, wanted, Edition::Early, Shelf::Early) {
                eprintln!("nacre: note: there will be no warnings of TCB recoveries: {error}");
            }
        }
        Ok(())
    }
}

fn fetch(client: &Client, cache: &CacheDir, wanted: &Wanted, edition: Edition, shelf: Shelf) -> Result<()> {
    let fetched = client.fetch(wanted, edition)?;
    for warning in &fetched.warnings {
        eprintln!("nacre: note: the service warns: {warning}");
    }
    let inserted = cache.insert(shelf, &fetched.collateral, clock::now()?)?;
    for name in inserted.written {
        output::line(format!("fetched {name}"))?;
    }
    for name in inserted.unchanged {
        output::line(format!("unchanged {name}"))?;
    }
    Ok(())
}
