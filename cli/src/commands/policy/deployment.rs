//! `nacre policy apply` and `history`, and `get` of a deployment: the policies of a key broker.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use deployment_policy::{Policy, PolicyDigest};
use serde_json::Value;

use super::MAX_POLICY_SIZE;
use crate::flags::broker::{Answer, BrokerFlags, name, text, time, unless_refused};
use crate::{input, output};

/// Propose a policy to a key broker
///
/// It comes into force at once, or when enough people have approved it (nacre approve). Ends with status 1 if the broker
/// refuses.
#[derive(Args, Debug)]
pub struct Apply {
    /// The policy, in YAML or JSON, or `-` for standard input
    #[arg(value_name = "FILE")]
    policy: PathBuf,

    /// The digest of the policy that it replaces, if the file does not say so itself (`predecessor`)
    #[arg(long, value_name = "DIGEST")]
    replaces: Option<PolicyDigest>,

    #[command(flatten)]
    broker: BrokerFlags,
}

/// Show the policies that a deployment has had
#[derive(Args, Debug)]
pub struct History {
    /// The deployment
    #[arg(value_name = "DEPLOYMENT", value_parser = name)]
    deployment: String,

    #[command(flatten)]
    broker: BrokerFlags,
}

/// The policy of a deployment at a key broker.
#[derive(Args, Debug)]
pub struct OfDeployment {
    /// The deployment, at a key broker
    #[arg(value_name = "DEPLOYMENT", value_parser = name, requires = "broker")]
    deployment: Option<String>,

    /// An old policy, by its number in the history
    #[arg(long, value_name = "NUMBER", conflicts_with = "pending")]
    number: Option<u64>,

    /// A policy that waits for approvals, by its digest
    #[arg(long, value_name = "DIGEST")]
    pending: Option<PolicyDigest>,

    #[command(flatten)]
    broker: BrokerFlags,
}

impl Apply {
    pub fn run(self) -> Result<ExitCode> {
        let text = String::from_utf8(input::read(&self.policy, MAX_POLICY_SIZE)?);
        let text = text.with_context(|| format!("{} is not text in UTF-8", self.policy.display()))?;
        let mut policy = match Policy::parse(&text) {
            Ok(policy) => policy,
            Err(error) => {
                eprintln!("nacre: {}: {error}", self.policy.display());
                return Ok(ExitCode::FAILURE);
            }
        };
        if let Some(replaces) = self.replaces {
            let mut document = policy.document().clone();
            document.predecessor = Some(replaces);
            policy = Policy::new(document)?;
        }
        let path = format!("/v1/deployments/{}", policy.name());
        let answer = self
            .broker
            .client()?
            .ask("PUT", &path, policy.canonical().as_bytes())?;
        unless_refused(answer, |answer| show_applied(&answer))
    }
}

impl History {
    pub fn run(self) -> Result<ExitCode> {
        let path = format!("/v1/deployments/{}/history", self.deployment);
        let history: Result<Value, String> = self.broker.client()?.get(&path)?;
        unless_refused(history, |history| {
            for policy in history["history"].as_array().into_iter().flatten() {
                let approved = policy["approved_by"].as_array().map_or(0, Vec::len);
                output::line(format_args!(
                    "{} {} since {}, proposed by {}, {approved} approvals",
                    policy["number"],
                    text(&policy["digest"]),
                    time(&policy["time"]),
                    text(&policy["proposed_by"])
                ))?;
            }
            Ok(())
        })
    }
}

impl OfDeployment {
    /// Whether a deployment is asked for, and not an attestation service.
    pub const fn is_named(&self) -> bool {
        self.deployment.is_some()
    }

    pub fn run(self) -> Result<ExitCode> {
        let client = self.broker.client()?;
        let deployment = self.deployment.context("name the deployment")?;
        let path = format!("/v1/deployments/{deployment}");
        let policy: Result<Value, String> = match (self.number, self.pending) {
            (Some(number), _) => client.get(&format!("{path}/history/{number}"))?,
            (None, Some(digest)) => {
                let pending: Result<Value, String> = client.get(&format!("{path}/approvals"))?;
                pending.and_then(|pending| {
                    let mut policies = pending["pending"].as_array().into_iter().flatten();
                    let found = policies.find(|policy| policy["digest"] == digest.to_string());
                    let missing = || format!("no policy {digest} of {deployment} waits");
                    found.map(|found| found["policy"].clone()).ok_or_else(missing)
                })
            }
            (None, None) => client.get(&path)?,
        };
        unless_refused(policy, |policy| {
            let checked = Policy::parse(&policy.to_string()).context("the broker's answer is no policy")?;
            eprintln!("nacre: digest {}", checked.digest());
            output::line(serde_json::to_string_pretty(&policy)?)
        })
    }
}

/// What became of a policy.
pub fn show_applied(answer: &Answer) -> Result<()> {
    let applied: Value = serde_json::from_slice(&answer.body).context("the broker's answer is not JSON")?;
    let digest = text(&applied["digest"]);
    match answer.status {
        202 => output::line(format_args!(
            "pending: {digest}, {} of {} approvals (nacre approve)",
            applied["approved_by"].as_array().map_or(0, Vec::len),
            applied["required"]
        )),
        _ => output::line(format_args!("in force: {digest}")),
    }
}
