//! `nacre policy explain`: who gets what.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::deployment_file;
use crate::output;

/// Say in English who gets what by a deployment policy
#[derive(Args, Debug)]
pub struct Explain {
    /// The policy, or `-` for standard input
    #[arg(value_name = "FILE")]
    policy: PathBuf,
}

impl Explain {
    pub fn run(self) -> Result<ExitCode> {
        let (_, policy) = deployment_file::load(&self.policy)?;
        output::line(deployment_policy::explain(&policy).trim_end())?;
        Ok(ExitCode::SUCCESS)
    }
}
