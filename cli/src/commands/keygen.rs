//! `nacre keygen`: makes a key that signs enclaves.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use sgx_sign::{KeyError, SigningKey};

use crate::output;

/// Make a key that signs enclaves
#[derive(Args, Debug)]
pub struct Keygen {
    /// Where to write the private key (PEM); an existing file is never overwritten
    file: PathBuf,
}

impl Keygen {
    pub fn run(self) -> Result<()> {
        // Making a key takes a second or two, so check first. (Writing it checks again.)
        if self.file.symlink_metadata().is_ok() {
            return Err(KeyError::Exists(self.file).into());
        }
        let key = SigningKey::generate()?;
        key.save_new(&self.file)?;
        output::line(format_args!("MRSIGNER {}", key.public().mr_signer()))?;
        eprintln!(
            "nacre: wrote {}; anyone who has this file can sign enclaves in your name",
            self.file.display()
        );
        Ok(())
    }
}
