//! What is valid in a policy, and hardly meant, or too weak for production.

use std::collections::BTreeSet;

use dcap_quote::UnixTime;
use serde::Serialize;

use crate::document::{Document, Name, PeerName, Platforms, Service, Tolerance, Tolerated};
use crate::grant::templates;
use crate::policy::Policy;
use crate::template::{ReferenceKind, Template};

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

/// Tolerances that end within this time, in seconds, are worth a warning: two weeks.
const SOON: u64 = 14 * 86_400;

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

    fn service(&mut self, document: &Document, name: &Name, service: &Service) {
        let path = format!("services.{name}");
        if service.enclaves.is_empty() && service.signers.is_empty() {
            let message = "no enclave can be this service: run nacre policy pin, which resolves its image";
            self.add(Severity::Error, "not-pinned", format!("{path}.image"), message);
        }
        for (at, tolerance) in service.tolerate.iter().enumerate() {
            self.tolerance(&format!("{path}.tolerate[{at}]"), tolerance);
        }
        for (at, signer) in service
            .signers
            .iter()
            .enumerate()
            .filter(|(_, signer)| signer.min_svn == 0)
        {
            let message = format!(
                "every version of product {} is accepted, those with known weaknesses, too; raise min_svn with each fix",
                signer.product_id
            );
            self.warn("any-version", format!("{path}.signers[{at}].min_svn"), message);
        }
        if let Some(platforms) = &service.platforms {
            self.nodes(platforms, &format!("{path}.platforms"));
        }
        self.identity(&path, service);
        self.one_sided(document, name, service);
    }

    fn tolerance(&mut self, path: &str, tolerance: &Tolerance) {
        let what = &tolerance.what;
        match what {
            Tolerated::Debug => {
                self.weak(
                    "debug",
                    path,
                    "the host can read and change the service with a debugger",
                );
            }
            Tolerated::Simulated => {
                self.weak("simulated", path, "simulated platforms protect nothing");
            }
            Tolerated::AnyAdvisory => {
                let message =
                    "every known weakness is tolerated, those of tomorrow, too; name the advisories";
                self.weak("any-advisory", path, message);
            }
            Tolerated::Status(_) | Tolerated::Advisory(_) => {}
        }
        let reason = tolerance.reason.as_deref().unwrap_or_default();
        if reason.trim().is_empty() {
            self.weak(
                "no-reason",
                path,
                format!("why is {what} acceptable? write a reason"),
            );
        }
        match tolerance.until {
            None => {
                let message = format!("{what} is tolerated for ever; write until when");
                self.weak("no-expiry", path, message);
            }
            Some(until) if until.is_past(self.now) => {
                let message =
                    format!("{what} was tolerated until {until}, and is not any more; remove or renew it");
                self.weak("expired", path, message);
            }
            Some(until) if until.0.0.saturating_sub(self.now.0) < SOON => {
                let message = format!("{what} will be tolerated until {until} only");
                self.warn("expires-soon", path, message);
            }
            Some(_) => {}
        }
    }

    fn platforms(&mut self, document: &Document) {
        match &document.platforms {
            Some(platforms) => self.nodes(platforms, "platforms"),
            None => {
                let any: Vec<_> = document
                    .services
                    .iter()
                    .filter(|(_, service)| service.platforms.is_none())
                    .map(|(name, _)| name.as_str())
                    .collect();
                if !any.is_empty() {
                    let message = format!(
                        "{} may run on anybody's machine: whoever has a machine in hand can read out its keys (WireTap, TEE.fail); \
                         name nodes or a registry",
                        any.join(", ")
                    );
                    self.warn("any-platform", "platforms", message);
                }
            }
        }
    }

    fn nodes(&mut self, platforms: &Platforms, path: &str) {
        let mut seen = BTreeSet::new();
        for (at, node) in platforms.nodes.iter().enumerate() {
            if !seen.insert((node.ppid, node.platform_instance_id)) {
                self.warn(
                    "twice",
                    format!("{path}.nodes[{at}]"),
                    "this machine is there twice",
                );
            }
        }
    }

    /// An identity that the service does not find anywhere.
    fn identity(&mut self, path: &str, service: &Service) {
        let Some(tls) = &service.tls else { return };
        let has = |kind| {
            let mut references = templates(service).flat_map(Template::references);
            references.any(|reference| reference.kind == kind && reference.name == tls.identity)
        };
        if !has(ReferenceKind::PrivateKey) || !has(ReferenceKind::Certificate) {
            let identity = &tls.identity;
            let message = format!(
                "it is not given to the service: write {{{{ certificate \"{identity}\" }}}} and {{{{ private_key \"{identity}\" }}}} \
                 into its files"
            );
            self.warn("identity-not-given", format!("{path}.tls.identity"), message);
        }
    }

    /// A connection that one side names and the other does not.
    fn one_sided(&mut self, document: &Document, name: &Name, service: &Service) {
        let Some(tls) = &service.tls else { return };
        let is_me = |peer: &PeerName| {
            peer.service == *name
                && peer
                    .deployment
                    .as_ref()
                    .is_none_or(|other| *other == document.name)
        };
        for (field, other_field, peers) in [
            ("accept", "connect", &tls.accept),
            ("connect", "accept", &tls.connect),
        ] {
            for (at, peer) in peers.iter().enumerate() {
                let is_here = peer
                    .deployment
                    .as_ref()
                    .is_none_or(|other| *other == document.name);
                let Some(other) = document.services.get(peer.service.as_str()).filter(|_| is_here) else {
                    continue;
                };
                let names = other.tls.as_ref().map(|tls| match field {
                    "accept" => &tls.connect,
                    _ => &tls.accept,
                });
                if !names.is_some_and(|names| names.iter().any(is_me)) {
                    let path = format!("services.{name}.tls.{field}[{at}]");
                    let message = format!("{peer} does not name {name} in its {other_field}");
                    self.warn("one-sided", path, message);
                }
            }
        }
    }

    /// What nothing refers to.
    fn unused(&mut self, document: &Document) {
        let mut used = BTreeSet::new();
        for service in document.services.values() {
            used.extend(
                templates(service)
                    .flat_map(|template| template.references())
                    .map(|reference| &reference.name),
            );
            used.extend(service.tls.iter().map(|tls| &tls.identity));
        }
        used.extend(document.exports.keys());
        used.extend(
            document
                .secrets
                .values()
                .filter_map(|secret| secret.value.issuer()),
        );
        for name in document.secrets.keys().filter(|name| !used.contains(name)) {
            self.warn("unused", format!("secrets.{name}"), "no service gets it");
        }
        for name in document.imports.keys().filter(|name| !used.contains(name)) {
            self.warn("unused", format!("imports.{name}"), "no service gets it");
        }
        let mounts = document
            .services
            .values()
            .flat_map(|service| service.volumes.values());
        let mounted: BTreeSet<_> = mounts.map(|mount| &mount.volume).collect();
        for name in document.volumes.keys().filter(|name| !mounted.contains(name)) {
            self.warn("unused", format!("volumes.{name}"), "no service mounts it");
        }
    }

    fn access(&mut self, document: &Document) {
        let access = &document.access;
        if access.update.is_empty() {
            let message = "nobody is named who may change this policy; only the broker's administrators can";
            self.warn("no-updater", "access.update", message);
        }
        let approvers = access
            .approve
            .as_ref()
            .map_or([].as_slice(), |approve| approve.by.as_slice());
        for name in access.people.keys() {
            if ![&access.read, &access.update]
                .iter()
                .any(|names| names.contains(name))
                && !approvers.contains(name)
            {
                self.warn(
                    "unused",
                    format!("access.people.{name}"),
                    "this person may do nothing",
                );
            }
        }
        if let Some(approve) = &access.approve
            && approve.required == 1
            && approve.by.iter().all(|name| access.update.contains(name))
        {
            let message = "whoever proposes a policy can approve it alone; require 2";
            self.warn("self-approval", "access.approve.required", message);
        }
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
