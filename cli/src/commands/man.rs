//! `nacre man`: writes the manual pages, for packages.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, Command};

/// Write the manual pages, one for each command
#[derive(Args, Debug)]
#[command(hide = true)]
pub struct Man {
    /// Where to write them; the directory is made if it does not exist
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

impl Man {
    pub fn run(self, nacre: Command) -> Result<()> {
        let name = || format!("cannot write manual pages to {}", self.dir.display());
        fs::create_dir_all(&self.dir).with_context(name)?;
        clap_mangen::generate_to(nacre, &self.dir).with_context(name)
    }
}
