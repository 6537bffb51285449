//! `nacre policy check`: checks a policy for an attestation service, and tries it on claims.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use attestation_policy::{
    Claim, Decision, Denial, MAX_VALIDITY_MINUTES, Policy, Position, Properties, Unmet, Value, Warning,
    policy_hash,
};
use clap::Args;
use printable_text::printable;
use serde::Serialize;

use super::MAX_POLICY_SIZE;
use super::claims::claims;
use crate::input::read;
use crate::output;
use crate::output::excerpt::excerpt;

const MAX_CLAIMS_SIZE: u64 = 16 << 20;

/// Check a policy, and show what it decides for some claims
///
/// Warns of what is valid and hardly meant: claims that no service makes, and values that a claim never has. Ends with status 0
/// if the policy is valid and permits the claims, 1 if it is not valid, denies or fails, and 125 if a file could not be read.
#[derive(Args, Debug)]
pub struct Check {
    /// The policy, or `-` for standard input
    #[arg(value_name = "FILE")]
    policy: PathBuf,

    /// The claims to decide for, as JSON, `{"name": value}` or `[{"type": …, "value": …, "issuer": …}]`
    #[arg(long, value_name = "FILE")]
    claims: Option<PathBuf>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is shown. The names of the fields are those of the JSON.
#[derive(Serialize, Default)]
struct Report {
    valid: bool,
    /// `permitted`, `denied` or `failed`, if there are claims.
    decision: Option<&'static str>,
    /// Why it is not valid, denies or fails.
    reason: Option<String>,
    /// Of what the reason names, or of the rule that permits.
    position: Option<Position>,
    version: Option<&'static str>,
    rules: Option<usize>,
    policy_hash: String,
    /// What is valid, and hardly meant.
    warnings: Vec<Warning>,
    /// If no rule permits: for each that would, the condition that does not hold.
    unmet: Vec<Unmet>,
    issued: Vec<Claim>,
    properties: Vec<Claim>,
    configuration: Vec<Claim>,
}

impl Check {
    pub fn run(self) -> Result<ExitCode> {
        let is_standard = |path: &Path| path == Path::new("-");
        if is_standard(&self.policy) && self.claims.as_deref().is_some_and(is_standard) {
            bail!("policy and claims cannot both come from standard input");
        }
        let text = String::from_utf8(read(&self.policy, MAX_POLICY_SIZE)?)
            .with_context(|| format!("{} is not text in UTF-8", self.policy.display()))?;
        let claims = self.claims.as_deref().map(read_claims).transpose()?;
        let report = Report::new(&text, claims.as_deref());
        if self.json {
            output::line(serde_json::to_string_pretty(&report)?)?;
        } else {
            output::line(report.words(&text))?;
        }
        Ok(match report.decision {
            None if report.valid => ExitCode::SUCCESS,
            Some("permitted") => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        })
    }
}

fn read_claims(path: &Path) -> Result<Vec<Claim>> {
    claims(&read(path, MAX_CLAIMS_SIZE)?)
        .with_context(|| format!("cannot read claims from {}", path.display()))
}

impl Report {
    fn new(text: &str, claims: Option<&[Claim]>) -> Self {
        let report = Self {
            policy_hash: policy_hash(text),
            ..Self::default()
        };
        let policy = Policy::parse(text).and_then(|policy| policy.check_properties().map(|()| policy));
        let policy = match policy {
            Ok(policy) => policy,
            Err(error) => {
                return Self {
                    reason: Some(error.problem.to_string()),
                    position: Some(error.position),
                    ..report
                };
            }
        };
        let report = Self {
            valid: true,
            version: Some(policy.version().name()),
            rules: Some(policy.rule_count()),
            warnings: policy.warnings(),
            ..report
        };
        match claims {
            Some(claims) => report.decided(&policy, claims),
            None => report,
        }
    }

    fn decided(self, policy: &Policy, claims: &[Claim]) -> Self {
        match policy.evaluate(claims) {
            Ok(Decision::Permitted(permission)) => {
                let wrong = Properties::of(&permission).err();
                Self {
                    decision: Some(if wrong.is_some() { "failed" } else { "permitted" }),
                    reason: wrong.map(|error| error.to_string()),
                    position: Some(permission.by),
                    issued: permission.issued,
                    properties: permission.properties,
                    configuration: permission.configuration,
                    ..self
                }
            }
            Ok(Decision::Denied(denial)) => Self {
                decision: Some("denied"),
                reason: Some(match denial {
                    Denial::Rule(_) => "a rule denies".to_owned(),
                    _ => denial.to_string(),
                }),
                position: match denial {
                    Denial::Rule(position) => Some(position),
                    _ => None,
                },
                // The evaluation has gone well once.
                unmet: match denial {
                    Denial::NoRulePermits => policy.unmet(claims).unwrap_or_default(),
                    _ => Vec::new(),
                },
                ..self
            },
            Err(error) => Self {
                decision: Some("failed"),
                reason: Some(error.problem.to_string()),
                position: Some(error.position),
                ..self
            },
        }
    }

    /// The verdict first, then what it is about.
    fn words(&self, text: &str) -> String {
        let verdict = match self.decision {
            None if self.valid => "VALID",
            None => "NOT VALID",
            Some("permitted") => "PERMITTED",
            Some("denied") => "DENIED",
            Some(_) => "FAILED",
        };
        let mut lines = vec![match (&self.reason, self.position) {
            (Some(reason), Some(position)) => format!("{verdict}: {position}: {reason}"),
            (Some(reason), None) => format!("{verdict}: {reason}"),
            (None, Some(position)) => format!("{verdict}: by the rule at {position}"),
            (None, None) => verdict.to_owned(),
        }];
        lines[0] = printable(&lines[0]);
        if let Some(position) = self.position {
            lines.push(excerpt(text, position));
        }
        for unmet in &self.unmet {
            lines.push(printable(&format!("{}: {}", unmet.position, unmet.message)));
            lines.push(excerpt(text, unmet.position));
        }
        for warning in &self.warnings {
            lines.push(printable(&format!("warning: {warning}")));
            lines.push(excerpt(text, warning.position));
        }
        if let (Some(version), Some(rules)) = (self.version, self.rules) {
            lines.push(format!("version        {version}, {rules} rules"));
        }
        lines.push(format!("policy hash    {}", self.policy_hash));
        for (kind, claims) in [
            ("configuration", &self.configuration),
            ("property", &self.properties),
            ("issued", &self.issued),
        ] {
            for claim in claims {
                let mut shown = format!("{kind:<14} {} = {}", claim.claim_type, claim.value);
                if is_cut(claim) {
                    let _ = write!(shown, ", which is cut to {MAX_VALIDITY_MINUTES}");
                }
                lines.push(printable(&shown));
            }
        }
        lines.join("\n")
    }
}

/// Whether it asks for a longer life of the token than there is.
fn is_cut(claim: &Claim) -> bool {
    claim.claim_type == "report_validity_in_minutes"
        && matches!(claim.value, Value::Integer(minutes) if minutes > MAX_VALIDITY_MINUTES.into())
}
