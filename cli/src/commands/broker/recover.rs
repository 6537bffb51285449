//! `nacre broker recover`: puts a root key together from shares.

use std::path::PathBuf;

use anyhow::{Context, Result};
use broker_store::{RootKey, Share, Store};
use clap::Args;

use super::root_key::RootKeyFlags;
use super::store::StoreFlags;
use crate::input;

/// More than a share has.
const MAX_SHARE_SIZE: u64 = 64 << 10;

/// Put the root key of a broker together from decrypted shares
///
/// Each keeper decrypts a share, for example by openssl pkeyutl -decrypt -inkey KEY -pkeyopt rsa_padding_mode:oaep -pkeyopt
/// rsa_oaep_md:sha256 -in SHARE -out FILE. The key is written only if it opens the store.
#[derive(Args, Debug)]
pub struct Recover {
    #[command(flatten)]
    store: StoreFlags,

    #[command(flatten)]
    root_key: RootKeyFlags,

    /// A decrypted share; as many as the threshold says
    #[arg(value_name = "SHARE", required = true)]
    shares: Vec<PathBuf>,
}

impl Recover {
    pub fn run(self) -> Result<()> {
        let shares = self.shares.iter().map(|path| {
            let bytes = zeroize::Zeroizing::new(input::read(path, MAX_SHARE_SIZE)?);
            Share::from_bytes(&bytes).with_context(|| path.display().to_string())
        });
        let shares = shares.collect::<Result<Vec<_>>>()?;
        let root = RootKey::recover(&shares)?;
        let opened = Store::open(self.store.open()?, &root, None);
        drop(opened.context("the shares do not give the root key of this store")?);
        self.root_key.save(&root)
    }
}
