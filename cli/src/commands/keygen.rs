//! `nacre keygen`: makes a key that signs enclaves.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use sgx_sign::{KeyError, SigningKey};

use crate::flags::notices::Notices;
use crate::output;

/// Make a key that signs enclaves
#[derive(Args, Debug)]
pub struct Keygen {
    /// Where to write the private key (PEM); an existing file is never overwritten
    file: PathBuf,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    notices: Notices,
}

impl Keygen {
    pub fn run(self) -> Result<()> {
        // Making a key takes a second or two, so check first. (Writing it checks again.)
        if self.file.symlink_metadata().is_ok() {
            return Err(KeyError::Exists(self.file).into());
        }
        let key = SigningKey::generate()?;
        key.save_new(&self.file)?;
        let mr_signer = key.public().mr_signer().to_string();
        if self.json {
            output::json(&serde_json::json!({ "mr_signer": mr_signer, "file": self.file }))?;
        } else {
            output::line(format_args!("MRSIGNER {mr_signer}"))?;
        }
        self.notices.say(format_args!(
            "wrote {}; anyone who has this file can sign enclaves in your name",
            self.file.display()
        ));
        Ok(())
    }
}
