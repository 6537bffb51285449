//! `nacre policy check` of a policy for an attestation service: checks it, and tries it on claims.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use attestation_policy::{
    Claim, Decision, Denial, MAX_VALIDITY_MINUTES, Policy, Position, Properties, Unmet, Value, Warning,
    policy_hash,
};
use printable_text::printable;
use serde::Serialize;

use super::claims::claims;
use crate::input::read;
use crate::output;
use crate::output::excerpt::excerpt;

const MAX_CLAIMS_SIZE: u64 = 16 << 20;

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

/// Checks the policy, and decides for the claims in a file if there is one. Whether it is valid, and permits them.
pub fn check(text: &str, claims: Option<&Path>, json: bool) -> Result<bool> {
    let claims = claims.map(read_claims).transpose()?;
    let report = Report::new(text, claims.as_deref());
    if json {
        output::line(serde_json::to_string_pretty(&report)?)?;
    } else {
        output::line(report.words(text))?;
    }
    Ok(match report.decision {
        None => report.valid,
        Some(decision) => decision == "permitted",
    })
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
