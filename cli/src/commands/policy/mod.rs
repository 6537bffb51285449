//! `nacre policy`: checks policies of attestation services and of deployments, explains and changes the latter, and shows and
//! changes those of an attestation service or a key broker that runs.

mod attestation_check;
mod check;
mod claims;
#[cfg(feature = "key-broker")]
mod deployment;
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

#[cfg(feature = "key-broker")]
pub use self::deployment::show_applied;

/// More than a policy of either kind can have, so that the one that has too much is told so.
const MAX_POLICY_SIZE: u64 = 2 << 20;

/// Check, explain, compare and pin deployment policies, and give them to a key broker; check, show and change attestation policies
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
    #[cfg(feature = "key-broker")]
    Apply(deployment::Apply),
    #[cfg(feature = "key-broker")]
    History(deployment::History),
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
            #[cfg(feature = "key-broker")]
            What::Apply(apply) => apply.run(),
            #[cfg(feature = "key-broker")]
            What::History(history) => history.run(),
            What::Get(get) => get.run(),
            What::Set(set) => set.run(),
            What::Reset(reset) => reset.run(),
        }
    }
}
