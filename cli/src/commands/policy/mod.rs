//! `nacre policy`: checks policies of attestation services and of deployments, explains and changes the latter, and shows and
//! changes those of an attestation service that runs.

mod attestation_check;
mod check;
mod claims;
mod deployment_check;
pub mod deployment_file;
pub mod diff;
mod explain;
mod language;
#[cfg(feature = "convert")]
mod pin;
mod service;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Subcommand};

/// More than a policy of either kind can have, so that the one that has too much is told so.
const MAX_POLICY_SIZE: u64 = 2 << 20;

/// Check, explain, compare and pin deployment policies; check, show and change attestation policies
#[derive(Args, Debug)]
pub struct PolicyCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    Check(check::Check),
    Explain(explain::Explain),
    Diff(diff::Diff),
    #[cfg(feature = "convert")]
    Pin(pin::Pin),
    Get(service::Get),
    Set(service::Set),
    Reset(service::Reset),
}

impl PolicyCommand {
    pub fn run(self) -> Result<ExitCode> {
        match self.what {
            What::Check(check) => check.run(),
            What::Explain(explain) => explain.run(),
            What::Diff(diff) => diff.run(),
            #[cfg(feature = "convert")]
            What::Pin(pin) => pin.run(),
            What::Get(get) => get.run(),
            What::Set(set) => set.run(),
            What::Reset(reset) => reset.run(),
        }
    }
}
