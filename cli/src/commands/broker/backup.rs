//! `nacre broker backup` and `restore`.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use broker_store::{Sqlite, Store, Witness};
use clap::Args;

use super::root_key::RootKeyFlags;
use super::store::StoreFlags;
use crate::flags::broker::{BrokerFlags, unless_refused};
use crate::output;

/// Take a copy of the store of a broker that runs; for administrators
///
/// The copy is sealed as the store is: it is of use with the root key only.
#[derive(Args, Debug)]
pub struct Backup {
    #[command(flatten)]
    broker: BrokerFlags,

    /// The file to write, which must not be there yet
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Make a store of a copy
///
/// Everything in it is checked. What was changed since the copy was made is lost; the broker cannot know that, and brokers and
/// people who keep a later witness will refuse it.
#[derive(Args, Debug)]
pub struct Restore {
    /// The copy
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    store: StoreFlags,

    #[command(flatten)]
    root_key: RootKeyFlags,

    /// Require that the copy is not older than this witness
    #[arg(long, value_name = "WITNESS")]
    witness: Option<Witness>,
}

impl Backup {
    pub fn run(self) -> Result<ExitCode> {
        let answer = self.broker.client()?.ask("GET", "/v1/backup", b"")?;
        unless_refused(answer, |answer| {
            let mut options = OpenOptions::new();
            let file = options.write(true).create_new(true).mode(0o600).open(&self.file);
            let written = file.and_then(|mut file| {
                file.write_all(&answer.body)?;
                file.sync_all()
            });
            written.with_context(|| format!("cannot write {}", self.file.display()))
        })
    }
}

impl Restore {
    pub fn run(self) -> Result<()> {
        let root = self.root_key.load()?;
        let open = || Sqlite::open(&self.file).map(Box::new);
        let mut copy = Store::open(open()?, &root, self.witness.as_ref())?;
        copy.verify()?;
        let mut store = self.store.create()?;
        if let Err(error) = copy.copy_to(store.as_mut()) {
            self.store.discard();
            return Err(error.into());
        }
        output::line(format_args!("witness {}", copy.witness()))
    }
}
