//! Where a broker's root key is: in a file, as it is or sealed to the enclave.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use broker_store::{RootKey, SealingKeys};
use clap::Args;

/// Where an enclave finds its sealing keys.
const SEALING_KEYS: &str = "/dev/attestation/keys";

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub struct RootKeyFlags {
    /// The file with the root key. Whoever can read it can read everything that the broker has
    #[arg(long, value_name = "FILE")]
    root_key: Option<PathBuf>,

    /// The file with the root key, sealed to the enclave's signer and product: only within an enclave
    #[arg(long, value_name = "FILE")]
    sealed_root_key: Option<PathBuf>,
}

impl RootKeyFlags {
    /// Writes a new key.
    pub fn save(&self, key: &RootKey) -> Result<()> {
        if let Some(path) = &self.root_key {
            key.save(path)?;
            eprintln!(
                "nacre: warning: the root key is in {}, and not bound to an enclave: whoever reads it can read every secret",
                path.display()
            );
        }
        if let Some(path) = &self.sealed_root_key {
            sealing_keys()?.seal(key, path)?;
        }
        Ok(())
    }

    pub fn load(&self) -> Result<RootKey> {
        match (&self.root_key, &self.sealed_root_key) {
            (_, Some(path)) => Ok(sealing_keys()?.open(path)?),
            (Some(path), None) => Ok(RootKey::load(path)?),
            (None, None) => anyhow::bail!("name the root key: --root-key or --sealed-root-key"),
        }
    }
}

fn sealing_keys() -> Result<SealingKeys> {
    let path = Path::new(SEALING_KEYS);
    SealingKeys::at(path)
        .with_context(|| format!("there are no sealing keys in {SEALING_KEYS}; is this an enclave?"))
}
