//! `nacre broker status`.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::Value;

use crate::flags::broker::{BrokerFlags, text, unless_refused};
use crate::output;

/// Show who a broker is, and, to administrators, where its store and its audit log end
///
/// Keep the witness, and the head of the audit log, where the broker's host cannot change them.
#[derive(Args, Debug)]
pub struct Status {
    #[command(flatten)]
    broker: BrokerFlags,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Status {
    pub fn run(self) -> Result<ExitCode> {
        let status: Result<Value, String> = self.broker.client()?.get("/v1/status")?;
        unless_refused(status, |status| {
            if self.json {
                return output::line(serde_json::to_string_pretty(&status)?);
            }
            for (name, member) in [
                ("broker", "id"),
                ("version", "version"),
                ("witness", "witness"),
                ("audit head", "audit_head"),
            ] {
                if let Some(value) = status.get(member) {
                    output::line(format_args!("{name:<12} {}", text(value)))?;
                }
            }
            let attested = match status["attested"].as_bool() {
                Some(true) => "yes (nacre broker trust verifies it)",
                _ => "NO: it does not run in an enclave",
            };
            output::line(format_args!("{:<12} {attested}", "attested"))
        })
    }
}
