//! `nacre collateral fetch`: fetches collateral into the directory, from Intel or another service.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use collateral_cache::{CacheDir, Client, ClientOptions, Kept, Name, Retry, Roots, Shelf, Wanted};
use pcs::{Edition, Source};

use crate::flags::collateral_dir::CollateralCacheFlags;
use crate::flags::edition::EditionFlags;
use crate::flags::platform::PlatformFlags;
use crate::{clock, input, output};

/// Much more than any list of authorities.
const MAX_ROOTS_SIZE: u64 = 4 << 20;

/// Fetch collateral from Intel, Azure or a cache (PCCS) into the directory
///
/// Collateral is verified, and never takes the place of what is newer in the directory. The early edition of TCB info is
/// fetched too, so that `nacre collateral status` can warn of TCB recoveries before they take effect. Each edition is kept by
/// itself; a new choice takes effect when it was fetched for all platforms in the directory, and can be taken back.
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

    #[command(flatten)]
    edition: EditionFlags,

    #[command(flatten)]
    directory: CollateralCacheFlags,
}

impl Fetch {
    pub fn run(self) -> Result<()> {
        let (cache, mut wanted) = if self.all {
            (self.directory.open()?, Vec::new())
        } else {
            let wanted = self.platform.all()?;
            (self.directory.create()?, wanted)
        };
        let (chosen, in_use) = (self.edition.shelf(), cache.in_use()?);
        let shelf = chosen.unwrap_or(in_use);
        // A new edition is of use only when all platforms have it.
        if self.all || shelf != in_use {
            let known = cache.known_platforms()?;
            let other = known.into_iter().filter(|known| !wanted.contains(known));
            wanted.extend(other.collect::<Vec<_>>());
        }
        let roots = match &self.ca_file {
            Some(path) => Roots::Only(input::read(path, MAX_ROOTS_SIZE)?),
            None => Roots::Platform,
        };
        let edition = match shelf {
            Shelf::Early => Edition::Early,
            Shelf::Number(number) => Edition::EvaluationDataNumber(number),
            Shelf::Standard if chosen.is_some() => Edition::Standard,
            Shelf::Standard => self.from.default_edition(),
        };
        let client = Client::new(ClientOptions {
            source: self.from,
            roots,
            retry: Retry::default(),
        })?;
        let mut older = None;
        for wanted in &wanted {
            let kept = fetch(&client, &cache, wanted, edition, shelf)?;
            let is_own = |kept: &&Kept| matches!(kept.name, Name::TcbInfo(..));
            older = older.or(kept.iter().find(is_own).copied());
        }
        if let Some(chosen) = chosen {
            cache.choose(chosen)?;
        }
        if shelf != Shelf::Early {
            fetch_early(&client, &cache, &wanted);
        }
        match older {
            Some(kept) => bail!(
                "{kept}; the service is behind, or somebody plays back what was once valid. If an early edition was imported \
                 as the standard one, choose it with --update early"
            ),
            None => Ok(()),
        }
    }
}

/// What tells of recoveries to come. Some services do not have it, and quotes can be verified without it.
fn fetch_early(client: &Client, cache: &CacheDir, wanted: &[Wanted]) {
    let mut seen = Vec::new();
    for wanted in wanted {
        // It does not depend on the CA.
        if seen.contains(&(wanted.tee, wanted.fmspc)) {
            continue;
        }
        seen.push((wanted.tee, wanted.fmspc));
        if let Err(error) = fetch(client, cache, wanted, Edition::Early, Shelf::Early) {
            eprintln!("nacre: note: there will be no warnings of TCB recoveries: {error}");
        }
    }
}

/// Fetches one platform's collateral, and returns what stays since it is newer.
fn fetch(
    client: &Client,
    cache: &CacheDir,
    wanted: &Wanted,
    edition: Edition,
    shelf: Shelf,
) -> Result<Vec<Kept>> {
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
    for kept in &inserted.kept {
        eprintln!("nacre: note: {kept}");
    }
    Ok(inserted.kept)
}
