//! `nacre audit`: takes the audit log out of a broker, and verifies it.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use key_broker::audit::{self, AuditHead};

use crate::flags::broker::{BrokerFlags, name, unless_refused};
use crate::{input, output};

/// More than a public key in PEM.
const MAX_KEY_SIZE: u64 = 16 << 10;
/// Bytes of the largest log that is verified.
const MAX_LOG_SIZE: u64 = 4 << 30;

/// Export the audit log of a key broker, or verify one
#[derive(Args, Debug)]
pub struct Audit {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    Export(Export),
    Verify(Verify),
}

/// Print the audit log, a line of JSON for each entry
#[derive(Args, Debug)]
struct Export {
    /// Only the entries about this deployment; they cannot be verified as a whole
    #[arg(long, value_name = "DEPLOYMENT", value_parser = name)]
    deployment: Option<String>,

    /// Only entries from this number on; they cannot be verified as a whole
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    from: u64,

    #[command(flatten)]
    broker: BrokerFlags,
}

/// Verify an exported audit log: that nothing in it was changed, left out or added
///
/// Needs no network. Ends with status 1 if the log cannot be believed. That lines are missing at its end is found with
/// --head only.
#[derive(Args, Debug)]
struct Verify {
    /// The log, or `-` for standard input
    #[arg(value_name = "FILE")]
    log: PathBuf,

    /// The public key of the broker's audit log (PEM), which nacre broker trust --audit-key has written
    #[arg(long, value_name = "FILE")]
    key: PathBuf,

    /// The head of the log when it was last seen (nacre broker status): it must be in the log
    #[arg(long, value_name = "NUMBER:SHA-256")]
    head: Option<AuditHead>,
}

impl Audit {
    pub fn run(self) -> Result<ExitCode> {
        match self.what {
            What::Export(export) => export.run(),
            What::Verify(verify) => verify.run(),
        }
    }
}

impl Export {
    fn run(self) -> Result<ExitCode> {
        let client = self.broker.client()?;
        let deployment = self.deployment.as_ref();
        let deployment = deployment
            .map(|name| format!("&deployment={name}"))
            .unwrap_or_default();
        let mut next = Some(self.from);
        while let Some(from) = next {
            let answer = client.ask("GET", &format!("/v1/audit?from={from}{deployment}"), b"")?;
            next = answer
                .as_ref()
                .ok()
                .and_then(|answer| answer.next)
                .filter(|next| *next > from);
            let code = unless_refused(answer, |answer| output::bytes(&answer.body))?;
            if next.is_none() {
                return Ok(code);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Verify {
    fn run(self) -> Result<ExitCode> {
        let key = input::read(&self.key, MAX_KEY_SIZE)?;
        let key = audit::public_key_from_pem(&key);
        let key = key.with_context(|| format!("{} has no public key in PEM", self.key.display()))?;
        let log = String::from_utf8(input::read(&self.log, MAX_LOG_SIZE)?);
        let log = log.with_context(|| format!("{} is not text in UTF-8", self.log.display()))?;
        match audit::verify(&log, &key, self.head.as_ref()) {
            Ok(verified) => {
                output::line(format_args!("VERIFIED: {} entries", verified.head.sequence))?;
                output::line(format_args!("head {}", verified.head))?;
                Ok(ExitCode::SUCCESS)
            }
            Err(error) => {
                output::line(format_args!("NOT VERIFIED: {error}"))?;
                Ok(ExitCode::FAILURE)
            }
        }
    }
}
