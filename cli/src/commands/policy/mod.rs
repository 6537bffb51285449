//! `nacre policy`: checks policies for an attestation service, and shows and changes those of one that runs.

mod check;
mod claims;
mod service;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

/// More than a policy can have, so that the one that has too much is told so.
const MAX_POLICY_SIZE: u64 = 1 << 20;

/// Check policies, and show and change those of an attestation service
#[derive(Args, Debug)]
pub struct PolicyCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    Check(check::Check),
    Get(service::Get),
    Set(service::Set),
    Reset(service::Reset),
}

impl PolicyCommand {
    pub fn run(self) -> Result<ExitCode> {
        match self.what {
            What::Check(check) => check.run(),
            What::Get(get) => get.run(),
            What::Set(set) => set.run(),
            What::Reset(reset) => reset.run(),
        }
    }
}
