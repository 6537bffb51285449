//! `nacre broker init`: makes a broker.

use std::path::PathBuf;

use anyhow::{Context, Result};
use broker_store::{Recovery, RecoveryKey, RootKey};
use clap::Args;
use key_broker::Broker;

use super::root_key::RootKeyFlags;
use super::store::StoreFlags;
use crate::{clock, input, output};

/// More than a certificate takes up.
const MAX_PEM_SIZE: u64 = 64 << 10;

/// Make a key broker: its store, its root key, its authority and the key of its audit log
///
/// Nothing that is there is overwritten. Prints the witness, which tells later that an old copy of the store was put in its
/// place: keep it where the host of the broker cannot change it.
#[derive(Args, Debug)]
pub struct Init {
    #[command(flatten)]
    store: StoreFlags,

    #[command(flatten)]
    root_key: RootKeyFlags,

    /// Client certificate (PEM) of an administrator; can be given several times
    #[arg(long, value_name = "FILE", required = true)]
    administrator: Vec<PathBuf>,

    /// Public key (PEM, RSA of 3072 bits or more) of somebody who keeps a share of the root key; can be given several times
    #[arg(long, value_name = "FILE", requires_all = ["recovery_threshold", "recovery_shares"])]
    recovery_key: Vec<PathBuf>,

    /// How many of the shares are needed to recover the root key
    #[arg(long, value_name = "NUMBER", requires = "recovery_key")]
    recovery_threshold: Option<u8>,

    /// The folder to write the shares to, one file for each recovery key, which it is encrypted with
    #[arg(long, value_name = "DIR", requires = "recovery_key")]
    recovery_shares: Option<PathBuf>,
}

impl Init {
    pub fn run(self) -> Result<()> {
        let administrators = self.administrator.iter().map(|path| {
            let pem = input::read(path, MAX_PEM_SIZE)?;
            Broker::certificate_hash(&pem)
                .with_context(|| format!("{} is no certificate in PEM", path.display()))
        });
        let administrators = administrators.collect::<Result<Vec<_>>>()?;
        let root = RootKey::generate()?;
        if let (Some(recovery), Some(directory)) = (self.recovery(&root)?, &self.recovery_shares) {
            recovery.save(directory)?;
        }
        let backend = self.store.create()?;
        let made = self.root_key.save(&root).and_then(|()| {
            let made = Broker::init(backend, &root, &administrators, clock::now()?)?;
            Ok(made.witness())
        });
        let witness = match made {
            Ok(witness) => witness,
            Err(error) => {
                self.store.discard();
                return Err(error);
            }
        };
        output::line(format_args!("witness {witness}"))
    }

    fn recovery(&self, root: &RootKey) -> Result<Option<Recovery>> {
        let Some(threshold) = self.recovery_threshold else {
            return Ok(None);
        };
        let keys = self.recovery_key.iter().map(|path| {
            let pem = input::read(path, MAX_PEM_SIZE)?;
            RecoveryKey::from_pem(&pem).with_context(|| path.display().to_string())
        });
        let keys = keys.collect::<Result<Vec<_>>>()?;
        Ok(Some(Recovery::split(root, threshold, &keys)?))
    }
}
