//! `nacre policy check` of a deployment policy.

use anyhow::Result;
use dcap_quote::UnixTime;
use deployment_policy::{Finding, Policy, PolicyError, Position, Problem, Profile, Severity, lint};
use printable_text::printable;
use serde::Serialize;

use crate::output;
use crate::output::excerpt::excerpt;

/// What is shown. The names of the fields are those of the JSON.
#[derive(Serialize, Default)]
struct Report {
    /// It can be read, fits together, and has no errors among the findings.
    valid: bool,
    name: Option<String>,
    digest: Option<String>,
    services: Vec<String>,
    /// Why it cannot be read, or does not fit together.
    problems: Vec<Problem>,
    /// Where it cannot be read.
    position: Option<Position>,
    findings: Vec<Finding>,
}

/// Checks a deployment policy. Whether it is valid.
pub fn check(text: &str, production: bool, at: UnixTime, json: bool) -> Result<bool> {
    let report = Report::new(text, production, at);
    if json {
        output::line(serde_json::to_string_pretty(&report)?)?;
    } else {
        output::line(report.words(text))?;
    }
    Ok(report.valid)
}

impl Report {
    fn new(text: &str, production: bool, at: UnixTime) -> Self {
        let policy = match Policy::parse(text) {
            Ok(policy) => policy,
            Err(PolicyError::Read(error)) => {
                return Self {
                    position: error.position,
                    problems: vec![Problem {
                        path: error.path,
                        message: error.message,
                    }],
                    ..Self::default()
                };
            }
            Err(PolicyError::Problems(problems)) => {
                return Self {
                    problems,
                    ..Self::default()
                };
            }
        };
        let profile = if production {
            Profile::Production
        } else {
            Profile::Development
        };
        let findings = lint(&policy, profile, at);
        Self {
            valid: findings.iter().all(|finding| finding.severity != Severity::Error),
            name: Some(policy.name().to_string()),
            digest: Some(policy.digest().to_string()),
            services: policy
                .document()
                .services
                .keys()
                .map(ToString::to_string)
                .collect(),
            findings,
            ..Self::default()
        }
    }

    /// The verdict first, then what it is about.
    fn words(&self, text: &str) -> String {
        let verdict = if self.valid { "VALID" } else { "NOT VALID" };
        let mut lines = Vec::new();
        match (self.problems.as_slice(), self.position) {
            ([], _) => lines.push(verdict.to_owned()),
            (problems, position) => {
                for problem in problems {
                    let place = position.map_or_else(String::new, |position| format!("{position}: "));
                    let path = match problem.path.as_str() {
                        "" => String::new(),
                        path => format!("{path}: "),
                    };
                    lines.push(printable(&format!("{verdict}: {place}{path}{}", problem.message)));
                }
                if let Some(Position { line, column }) = position {
                    lines.push(excerpt(text, attestation_policy::Position { line, column }));
                }
            }
        }
        lines.extend(
            self.findings
                .iter()
                .map(|finding| printable(&finding.to_string())),
        );
        if let (Some(name), Some(digest)) = (&self.name, &self.digest) {
            lines.push(format!("deployment     {name}"));
            lines.push(format!("services       {}", self.services.join(", ")));
            lines.push(format!("policy digest  {digest}"));
        }
        lines.join("\n")
    }
}
