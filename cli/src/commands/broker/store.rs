//! The flags that name a broker's store.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use broker_store::{Backend, Postgresql, Sqlite};
use clap::Args;
use zeroize::Zeroizing;

use crate::input;

/// More than a password has.
const MAX_PASSWORD_SIZE: u64 = 4 << 10;

#[derive(Args, Debug)]
pub struct StoreFlags {
    /// The store: a file (SQLite), or postgresql://USER@HOST[:PORT]/DATABASE, which several replicas can share
    #[arg(long, value_name = "FILE|URL")]
    store: String,

    /// The file with the password for PostgreSQL
    #[arg(long, value_name = "FILE")]
    store_password: Option<PathBuf>,
}

impl StoreFlags {
    /// A database for a new store.
    pub fn create(&self) -> Result<Box<dyn Backend>> {
        match self.postgresql()? {
            Some(database) => Ok(database),
            None => Ok(Box::new(Sqlite::create(Path::new(&self.store))?)),
        }
    }

    /// The database of a store that is there.
    pub fn open(&self) -> Result<Box<dyn Backend>> {
        match self.postgresql()? {
            Some(database) => Ok(database),
            None => Ok(Box::new(Sqlite::open(Path::new(&self.store))?)),
        }
    }

    /// Takes away the file that [`Self::create`] has made, after a failure. PostgreSQL takes back by itself what failed.
    pub fn discard(&self) {
        if !self.is_postgresql() {
            let _ = std::fs::remove_file(&self.store);
        }
    }

    fn is_postgresql(&self) -> bool {
        self.store.starts_with("postgresql://") || self.store.starts_with("postgres://")
    }

    fn postgresql(&self) -> Result<Option<Box<dyn Backend>>> {
        if !self.is_postgresql() {
            return Ok(None);
        }
        let password = match &self.store_password {
            Some(path) => {
                let bytes = input::read(path, MAX_PASSWORD_SIZE)?;
                let text = String::from_utf8(bytes).map(Zeroizing::new);
                Some(text.with_context(|| format!("{} is not text in UTF-8", path.display()))?)
            }
            None => None,
        };
        let password = password.as_ref().map(|password| password.trim_end_matches('\n'));
        Ok(Some(Box::new(Postgresql::connect(&self.store, password)?)))
    }
}
