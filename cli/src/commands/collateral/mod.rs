//! `nacre collateral`: fetches, keeps and serves what Intel publishes about platforms.

mod export;
mod fetch;
mod import;
mod serve;
mod status;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

/// Fetch, keep and serve collateral: what Intel publishes about platforms
#[derive(Args, Debug)]
pub struct Collateral {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Fetch(fetch::Fetch),
    Export(export::Export),
    Import(import::Import),
    Status(status::ShowStatus),
    Serve(serve::Serve),
}

impl Collateral {
    pub fn run(self) -> Result<ExitCode> {
        match self.command {
            Command::Fetch(fetch) => fetch.run()?,
            Command::Export(export) => export.run()?,
            Command::Import(import) => import.run()?,
            Command::Status(status) => return status.run(),
            Command::Serve(serve) => serve.run()?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
