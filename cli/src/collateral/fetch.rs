//! `nacre collateral fetch`: from Intel or a cache of its service into the directory.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};
use collateral_cache::{CacheDir, Client, ClientOptions, Retry, Roots, Shelf, Wanted};
use pcs::{Edition, Source};

use super::place::Place;
use super::wanted::WantedPlatform;
use crate::{clock, input, output};

/// Much more than any list of authorities.
const MAX_ROOTS_SIZE: u64 = 4 << 20;

/// Fetch collateral from Intel, Azure or a cache (PCCS) into the directory
///
/// What comes is verified, and refused if it is older than what is there. The early edition of TCB info is fetched too, so
/// that `nacre collateral status` can warn of TCB recoveries before they count.
#[derive(Args, Debug)]
pub struct Fetch {
    #[command(flatten)]
    wanted: WantedPlatform,

    /// Whom to ask: intel, azure, or the address of a PCCS or of `nacre collateral serve`
    #[arg(long, value_name = "SERVICE", default_value = "intel")]
    from: Source,

    /// Trust these authorities (PEM) for the service's TLS certificate, and no others
    #[arg(long, value_name = "PEM")]
    ca_file: Option<PathBuf>,

    /// Verify quotes by this edition: early counts a TCB recovery at once, standard after a year [default: what the service
    /// gives, which is standard from Intel]
    #[arg(long)]
    update: Option<Update>,

    #[command(flatten)]
    place: Place,
}

#[derive(ValueEnum, Clone, Copy, Debug)]
enum Update {
    Early,
    Standard,
}

impl Fetch {
    pub fn run(self) -> Result<()> {
        let wanted = self.wanted.all()?;
        let cache = self.place.create()?;
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
        // Not everybody has it, and quotes can be verified without.
        if let Some(wanted) = wanted.first()
            && let Err(error) = fetch(&client, &cache, wanted, Edition::Early, Shelf::Early)
        {
            eprintln!("nacre: note: there will be no warnings of TCB recoveries: {error}");
        }
        Ok(())
    }
}

fn fetch(client: &Client, cache: &CacheDir, wanted: &Wanted, edition: Edition, shelf: Shelf) -> Result<()> {
    let collateral = client.fetch(wanted, edition)?;
    let inserted = cache.insert(shelf, &collateral, clock::now()?)?;
    for name in inserted.written {
        output::line(format!("fetched {name}"))?;
    }
    for name in inserted.unchanged {
        output::line(format!("unchanged {name}"))?;
    }
    Ok(())
}
