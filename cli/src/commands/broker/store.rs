//! The flags that name a broker's store.

use std::path::PathBuf;

use anyhow::Result;
use broker_store::{Backend, Sqlite};
use clap::Args;

#[derive(Args, Debug)]
pub struct StoreFlags {
    /// The file of the store (SQLite)
    #[arg(long, value_name = "FILE")]
    store: PathBuf,
}

impl StoreFlags {
    /// A database for a new store.
    pub fn create(&self) -> Result<Box<dyn Backend>> {
        Ok(Box::new(Sqlite::create(&self.store)?))
    }

    /// The database of a store that is there.
    pub fn open(&self) -> Result<Box<dyn Backend>> {
        Ok(Box::new(Sqlite::open(&self.store)?))
    }

    /// Takes away what [`Self::create`] has made, after a failure.
    pub fn discard(&self) {
        let _ = std::fs::remove_file(&self.store);
    }
}
