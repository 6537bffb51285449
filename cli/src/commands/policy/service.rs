//! `nacre policy get`, `set` and `reset`: the policies of a service that runs.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use attestation_client::{Client, Policies, PolicyKind};
use attestation_policy::{Policy, policy_hash};
use clap::Args;

use super::MAX_POLICY_SIZE;
use crate::commands::attestation::unless_refused;
use crate::flags::service::ServiceFlags;
use crate::{input, output};

/// More than a token has.
const MAX_TOKEN_SIZE: u64 = 64 << 10;

/// Show the policy of an attestation service (--service), or of a deployment (--broker)
///
/// Prints its text. Ends with status 1 if the service or the broker refuses, and with 125 if there was no answer.
#[derive(Args, Debug)]
// One of the two is needed, and clap asks for both.
#[command(mut_args(|arg| arg.required(false)))]
pub struct Get {
    #[cfg(feature = "key-broker")]
    #[command(flatten)]
    deployment: super::deployment::OfDeployment,

    #[command(flatten)]
    place: Place,
}

/// Set the policy of an attestation service
///
/// The policy is checked first, and set only if it is valid; warnings are as of nacre policy check. Ends with status 1 if it
/// is not valid or the service refuses, and with 125 if there was no answer.
#[derive(Args, Debug)]
pub struct Set {
    /// The policy, or `-` for standard input; where policies must be signed, a JSON Web Signature of it
    #[arg(value_name = "FILE")]
    policy: PathBuf,

    #[command(flatten)]
    place: Place,
}

/// Go back to the default policy of an attestation service
///
/// The default permits every quote that the service accepts, of debug enclaves, too. Ends with status 1 if the service refuses,
/// and with 125 if there was no answer.
#[derive(Args, Debug)]
pub struct Reset {
    /// Where policies must be signed: a JSON Web Signature over nothing
    #[arg(long, value_name = "FILE")]
    signed: Option<PathBuf>,

    #[command(flatten)]
    place: Place,
}

/// Which policy of which service, and who asks.
#[derive(Args, Debug)]
struct Place {
    #[command(flatten)]
    service: ServiceFlags,

    /// What the policy is for: SgxEnclave, OpenEnclave or TdxVm
    #[arg(long = "type", value_name = "TYPE", default_value = "SgxEnclave", value_parser = kind)]
    kind: PolicyKind,

    /// File with the admin token of the service (its option --admin-token)
    #[arg(long, value_name = "FILE")]
    admin_token: Option<PathBuf>,
}

fn kind(text: &str) -> Result<PolicyKind, String> {
    let found = PolicyKind::ALL.into_iter().find(|kind| kind.name() == text);
    found.ok_or_else(|| "there are SgxEnclave, OpenEnclave and TdxVm".to_owned())
}

impl Place {
    /// Asks the service something about its policies.
    fn ask<T>(
        &self,
        ask: impl FnOnce(&Policies<'_>) -> Result<T, attestation_client::ClientError>,
    ) -> Result<Option<T>> {
        let admin = match &self.admin_token {
            Some(path) => Some(text(path, MAX_TOKEN_SIZE)?),
            None => None,
        };
        let client: Client = self.service.client()?;
        unless_refused(ask(&client.policies(admin.as_deref().map(str::trim))))
    }
}

impl Get {
    pub fn run(self) -> Result<ExitCode> {
        #[cfg(feature = "key-broker")]
        if self.deployment.is_named() {
            return self.deployment.run();
        }
        let policy = self.place.ask(|policies| policies.get(self.place.kind))?;
        let Some(policy) = policy else {
            return Ok(ExitCode::FAILURE);
        };
        output::line(policy.trim_end())?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Set {
    pub fn run(self) -> Result<ExitCode> {
        let text = text(&self.policy, MAX_POLICY_SIZE)?;
        ensure!(!text.trim().is_empty(), "{} is empty", self.policy.display());
        // A signed one is for the service to judge.
        let is_signed = !text.contains(['=', ';', '{']);
        let body = if is_signed { text.trim() } else { &text };
        if !is_signed {
            let policy = Policy::parse(&text).and_then(|policy| policy.check_properties().map(|()| policy));
            match policy {
                Ok(policy) => {
                    for warning in policy.warnings() {
                        eprintln!("nacre: warning: {warning}");
                    }
                }
                Err(error) => {
                    eprintln!(
                        "nacre: {}: {error} (see nacre policy check)",
                        self.policy.display()
                    );
                    return Ok(ExitCode::FAILURE);
                }
            }
        }
        let kind = self.place.kind;
        let set = self.place.ask(|policies| {
            policies.set(kind, body)?;
            policies.get(kind)
        })?;
        let Some(in_force) = set else {
            return Ok(ExitCode::FAILURE);
        };
        if !is_signed && in_force != text {
            bail!("the service says that the policy is set, but shows another one");
        }
        output::line(format_args!(
            "set: {}, policy hash {}",
            kind.name(),
            policy_hash(&in_force)
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Reset {
    pub fn run(self) -> Result<ExitCode> {
        let signed = match &self.signed {
            Some(path) => Some(text(path, MAX_POLICY_SIZE)?),
            None => None,
        };
        let kind = self.place.kind;
        let reset = self.place.ask(|policies| {
            policies.reset(kind, signed.as_deref().map(str::trim))?;
            policies.get(kind)
        })?;
        let Some(in_force) = reset else {
            return Ok(ExitCode::FAILURE);
        };
        output::line(format_args!(
            "reset to the default: {}, policy hash {}",
            kind.name(),
            policy_hash(&in_force)
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn text(path: &Path, max_size: u64) -> Result<String> {
    String::from_utf8(input::read(path, max_size)?)
        .with_context(|| format!("{} is not text in UTF-8", path.display()))
}
