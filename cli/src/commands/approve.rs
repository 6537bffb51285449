//! `nacre approve`: shows policies that wait for approvals, and agrees to one.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};

use crate::flags::broker::{BrokerFlags, name, text, time, unless_refused};
use crate::output;

/// Show the policies of a deployment that wait for approvals, or agree to one
///
/// Look at what it says first: `nacre policy get --pending DIGEST` prints it, and `nacre policy diff` compares.
#[derive(Args, Debug)]
pub struct Approve {
    /// The deployment
    #[arg(value_name = "DEPLOYMENT", value_parser = name)]
    deployment: String,

    /// The digest of the policy to agree to; without it, those that wait are listed
    #[arg(value_name = "DIGEST")]
    digest: Option<String>,

    #[command(flatten)]
    broker: BrokerFlags,
}

impl Approve {
    pub fn run(self) -> Result<ExitCode> {
        let client = self.broker.client()?;
        let path = format!("/v1/deployments/{}/approvals", self.deployment);
        let Some(digest) = &self.digest else {
            let pending: Result<Value, String> = client.get(&path)?;
            return unless_refused(pending, |pending| {
                for policy in pending["pending"].as_array().into_iter().flatten() {
                    let names: Vec<_> = policy["approved_by"]
                        .as_array()
                        .into_iter()
                        .flatten()
                        .map(text)
                        .collect();
                    output::line(format_args!(
                        "{} proposed {} by {}; {} of {} approvals{}{}",
                        text(&policy["digest"]),
                        time(&policy["time"]),
                        text(&policy["proposed_by"]),
                        names.len(),
                        policy["required"],
                        if names.is_empty() { "" } else { ": " },
                        names.join(", ")
                    ))?;
                }
                Ok(())
            });
        };
        let answer = client.ask("POST", &path, json!({ "digest": digest }).to_string().as_bytes())?;
        unless_refused(answer, |answer| super::policy::show_applied(&answer))
    }
}
