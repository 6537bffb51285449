//! `nacre policy check`: checks a policy of either kind.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use dcap_quote::UnixTime;

use super::language::Language;
use super::{MAX_POLICY_SIZE, attestation_check, deployment_check};
use crate::clock;
use crate::input::{is_standard, read};

/// Check a policy of a deployment, or of an attestation service
///
/// A deployment policy is YAML or JSON: shows its digest, and warns of what is hardly meant. A policy of an attestation service
/// begins with version=: shows what it decides for some claims, and warns of claims that no service makes, and of values that a
/// claim never has. Ends with status 0 if the policy is valid (and permits the claims), 1 if it is not valid, denies or fails,
/// and 125 if a file could not be read.
#[derive(Args, Debug)]
pub struct Check {
    /// The policy, or `-` for standard input
    #[arg(value_name = "FILE")]
    policy: PathBuf,

    /// Of an attestation service: the claims to decide for, as JSON, `{"name": value}` or `[{"type": …, "value": …, "issuer": …}]`
    #[arg(long, value_name = "FILE")]
    claims: Option<PathBuf>,

    /// Of a deployment: refuse what is too weak for production
    #[arg(long, conflicts_with = "claims")]
    production: bool,

    /// Of a deployment: check for this time instead of now (RFC 3339)
    #[arg(long, value_name = "TIME", value_parser = clock::time, conflicts_with = "claims")]
    at: Option<UnixTime>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Check {
    pub fn run(self) -> Result<ExitCode> {
        if is_standard(&self.policy) && self.claims.as_deref().is_some_and(is_standard) {
            bail!("policy and claims cannot both come from standard input");
        }
        let text = String::from_utf8(read(&self.policy, MAX_POLICY_SIZE)?)
            .with_context(|| format!("{} is not text in UTF-8", self.policy.display()))?;
        let is_good = match Language::of(&text, &self.policy) {
            Language::Attestation => {
                ensure!(
                    !self.production && self.at.is_none(),
                    "--production and --at are for deployment policies; this is a policy of an attestation service"
                );
                attestation_check::check(&text, self.claims.as_deref(), self.json)?
            }
            Language::Deployment => {
                ensure!(
                    self.claims.is_none(),
                    "--claims is for policies of attestation services; this is a deployment policy"
                );
                let at = self.at.map_or_else(clock::now, Ok)?;
                deployment_check::check(&text, self.production, at, self.json)?
            }
        };
        Ok(if is_good {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}
