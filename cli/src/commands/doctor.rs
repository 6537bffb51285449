//! `nacre doctor`: says what this machine, its kernel and this container allow, and what to do about the rest.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use sgx_platform::survey::{self, Facts};

use crate::output;

/// Say whether this machine can run enclaves, and what is missing
///
/// Each line that begins with "!" names something that stands in the way, with the remedy below it. The status is 0 if nothing
/// stands in the way of SGX, and 1 otherwise.
#[derive(Args, Debug)]
pub struct Doctor {}

impl Doctor {
    pub fn run(self) -> Result<ExitCode> {
        let findings = survey::findings(&Facts::gather());
        for finding in &findings {
            let mark = if finding.remedy.is_some() { '!' } else { ' ' };
            output::line(format_args!("{mark} {:<18}{}", finding.subject, finding.found))?;
            if let Some(remedy) = finding.remedy {
                output::line(format_args!("  {:<18}-> {remedy}", ""))?;
            }
        }
        let is_good = findings.iter().all(|finding| finding.remedy.is_none());
        Ok(ExitCode::from(u8::from(!is_good)))
    }
}
