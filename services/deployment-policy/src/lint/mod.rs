//! What is valid in a policy, and hardly meant, or too weak for production.

mod deployment;
mod service;

use dcap_quote::UnixTime;
use serde::Serialize;

use crate::policy::Policy;

/// What a policy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// What weakens it is a warning.
    Development,
    /// What weakens it is an error.
    Production,
}

/// Something to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, for programs; names never change their meaning.
    pub rule: &'static str,
    /// The field.
    pub path: String,
    /// What is wrong, and what to do.
    pub message: String,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The policy must not be used.
    Error,
    /// It may be meant.
    Warning,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let Self {
            path, message, rule, ..
        } = self;
        write!(f, "{severity}: {path}: {message} [{rule}]")
    }
}

/// Everything that there is to look at, errors first.
#[must_use]
pub fn lint(policy: &Policy, profile: Profile, now: UnixTime) -> Vec<Finding> {
    let mut findings = Findings {
        profile,
        now,
        list: Vec::new(),
    };
    let document = policy.document();
    for (name, service) in &document.services {
        findings.service(document, name, service);
    }
    findings.same_enclave(document);
    findings.platforms(document);
    findings.unused(document);
    findings.access(document);
    findings.list.sort_by_key(|finding| finding.severity);
    findings.list
}

struct Findings {
    profile: Profile,
    now: UnixTime,
    list: Vec<Finding>,
}

impl Findings {
    fn add(
        &mut self,
        severity: Severity,
        rule: &'static str,
        path: impl Into<String>,
        message: impl Into<String>,
    ) {
        self.list.push(Finding {
            severity,
            rule,
            path: path.into(),
            message: message.into(),
        });
    }

    fn warn(&mut self, rule: &'static str, path: impl Into<String>, message: impl Into<String>) {
        self.add(Severity::Warning, rule, path, message);
    }

    /// What weakens a policy.
    fn weak(&mut self, rule: &'static str, path: impl Into<String>, message: impl Into<String>) {
        let severity = match self.profile {
            Profile::Development => Severity::Warning,
            Profile::Production => Severity::Error,
        };
        self.add(severity, rule, path, message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENCLAVE: &str = "83d719e77deaca1470f6baf62a4d774303c899db69020f9c70ee1dfc08c7ce9e";
    const NOW: UnixTime = UnixTime(1_800_000_000); // 2027-01-15

    /// Rules and severities that are found; without those of a policy that says nothing more.
    fn found(service: &str, rest: &str, profile: Profile) -> Vec<(Severity, &'static str)> {
        let text = format!("name: shop\nservices:\n  web:\n    enclaves: [{ENCLAVE}]\n{service}\n{rest}\n");
        let policy = Policy::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let findings = lint(&policy, profile, NOW);
        assert!(findings.is_sorted_by_key(|finding| finding.severity));
        let usual = ["any-platform", "no-updater"];
        let findings = findings.iter().filter(|finding| !usual.contains(&finding.rule));
        findings.map(|finding| (finding.severity, finding.rule)).collect()
    }

    #[test]
    fn what_weakens_is_an_error_in_production() {
        for (tolerance, rules) in [
            (
                "what: '*', reason: x, until: 2028-01-01",
                ["any-advisory"].as_slice(),
            ),
            ("what: debug, reason: x, until: 2028-01-01", &["debug"]),
            ("what: simulated, reason: x, until: 2028-01-01", &["simulated"]),
            ("what: OutOfDate, until: 2028-01-01", &["no-reason"]),
            ("what: OutOfDate, reason: ' ', until: 2028-01-01", &["no-reason"]),
            ("what: OutOfDate, reason: x", &["no-expiry"]),
            ("what: OutOfDate, reason: x, until: 2027-01-14", &["expired"]),
            ("what: INTEL-SA-00615", &["no-reason", "no-expiry"]),
            ("what: INTEL-SA-00615, reason: x, until: 2028-01-01", &[]),
        ] {
            let service = format!("    tolerate: [{{ {tolerance} }}]");
            for (profile, severity) in [
                (Profile::Development, Severity::Warning),
                (Profile::Production, Severity::Error),
            ] {
                let expected: Vec<_> = rules.iter().map(|rule| (severity, *rule)).collect();
                assert_eq!(found(&service, "", profile), expected, "{tolerance}");
            }
        }
    }

    #[test]
    fn what_is_hardly_meant() {
        let person = format!("people: {{ a: {{ certificate: {ENCLAVE} }} }}");
        for (service, rest, rules) in [
            ("", "", [].as_slice()),
            (
                "    tolerate: [{ what: OutOfDate, reason: x, until: 2027-01-20 }]",
                "",
                &["expires-soon"],
            ),
            (
                &*format!("    signers: [{{ mrsigner: {ENCLAVE}, product_id: 1, min_svn: 0 }}]"),
                "",
                &["any-version"],
            ),
            (
                "",
                "secrets: { a: { kind: random } }\nvolumes: { v: {} }\nimports: { i: { deployment: d, kind: ca } }",
                &["unused"; 3],
            ),
            (
                "",
                "secrets: { a: { kind: random } }\nexports: { a: { to: [d] } }",
                &[],
            ),
            ("", &*format!("access: {{ {person} }}"), &["unused"]),
            (
                "",
                &*format!("access: {{ {person}, update: [a], approve: {{ by: [a], required: 1 }} }}"),
                &["self-approval"],
            ),
            (
                "    tls: { identity: c, accept: [web, x/y] }",
                "secrets: { c: { kind: x509, common_name: c } }",
                &["identity-not-given", "one-sided"],
            ),
            (
                "    tls: { identity: c, accept: [web], connect: [shop/web] }\n    files: { /c: { content: '{{ certificate \"c\" }}{{ private_key \"c\" }}' } }",
                "secrets: { c: { kind: x509, common_name: c } }",
                &[],
            ),
            (
                &*format!(
                    "    platforms: {{ nodes: [{{ ppid: {0} }}, {{ ppid: {0} }}] }}",
                    &ENCLAVE[..32]
                ),
                "",
                &["twice"],
            ),
        ] {
            for profile in [Profile::Development, Profile::Production] {
                let expected: Vec<_> = rules.iter().map(|rule| (Severity::Warning, *rule)).collect();
                assert_eq!(found(service, rest, profile), expected, "{service}\n{rest}");
            }
        }
    }

    #[test]
    fn an_image_must_be_pinned() {
        let policy = Policy::parse("name: a\nservices: { web: { image: x } }").unwrap();
        let findings = lint(&policy, Profile::Development, NOW);
        assert_eq!(
            (findings[0].severity, findings[0].rule),
            (Severity::Error, "not-pinned")
        );
        assert_eq!(
            findings[0].to_string(),
            "error: services.web.image: no enclave can be this service: run nacre policy pin, which resolves its image [not-pinned]"
        );
    }
}
