//! `nacre policy diff`: what changes, and for whom.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Args;
use deployment_policy::{Change, Policy, diff};
use printable_text::printable;
use serde::Serialize;

use super::deployment_file;
use crate::input::is_standard;
use crate::output;

/// Say what changes from one deployment policy to another, and for whom
///
/// A line that begins with + grants something, with - withdraws something, and with ~ changes something.
#[derive(Args, Debug)]
pub struct Diff {
    /// The policy before, or `-` for standard input
    #[arg(value_name = "OLD")]
    old: PathBuf,

    /// The policy after, or `-` for standard input
    #[arg(value_name = "NEW")]
    new: PathBuf,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is shown. The names of the fields are those of the JSON.
#[derive(Serialize)]
struct Report {
    old: String,
    new: String,
    changes: Vec<Change>,
}

impl Diff {
    pub fn run(self) -> Result<ExitCode> {
        ensure!(
            !is_standard(&self.old) || !is_standard(&self.new),
            "the two policies cannot both come from standard input"
        );
        let (_, old) = deployment_file::load(&self.old)?;
        let (_, new) = deployment_file::load(&self.new)?;
        if self.json {
            let report = Report {
                old: old.digest().to_string(),
                new: new.digest().to_string(),
                changes: diff(&old, &new),
            };
            output::line(serde_json::to_string_pretty(&report)?)?;
        } else {
            output::line(words(&old, &new))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The changes, a line each, or that there is none.
pub fn words(old: &Policy, new: &Policy) -> String {
    let changes: Vec<_> = diff(old, new)
        .iter()
        .map(|change| printable(&change.to_string()))
        .collect();
    match changes.as_slice() {
        [] => "nothing changes for anybody".to_owned(),
        changes => changes.join("\n"),
    }
}
