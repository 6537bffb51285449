//! `nacre broker`: makes and runs a key broker, and everything about it as a whole.

mod backup;
mod init;
mod recover;
mod root_key;
mod serve;
mod status;
mod store;
mod trust;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

/// Run a key broker, which gives secrets to attested containers; or verify one, back it up, restore it
#[derive(Args, Debug)]
pub struct Broker {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    Init(init::Init),
    Serve(Box<serve::Serve>),
    Trust(Box<trust::Trust>),
    Status(status::Status),
    Backup(backup::Backup),
    Restore(backup::Restore),
    Recover(recover::Recover),
}

impl Broker {
    pub fn run(self) -> Result<ExitCode> {
        match self.what {
            What::Init(init) => init.run()?,
            What::Serve(serve) => serve.run()?,
            What::Trust(trust) => return trust.run(),
            What::Status(status) => return status.run(),
            What::Backup(backup) => return backup.run(),
            What::Restore(restore) => restore.run()?,
            What::Recover(recover) => recover.run()?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
