//! What must hold in a document beyond its form.

mod access;
mod exchange;
mod secrets;
mod services;
mod templates;

use std::fmt;

use serde::Serialize;

use crate::document::Document;
use crate::limits::{MAX_NAMED, MAX_PROBLEMS};
use crate::similar::hint;

/// Something in a document that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{path}: {message}")]
pub struct Problem {
    /// The field, such as `services.web.files./etc/app.conf`.
    pub path: String,
    /// What is wrong, and what to do.
    pub message: String,
}

/// What was found so far.
#[derive(Default)]
struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, path: impl fmt::Display, message: impl fmt::Display) {
        if self.0.len() < MAX_PROBLEMS {
            self.0.push(Problem {
                path: path.to_string(),
                message: message.to_string(),
            });
        }
    }

    fn add_if(&mut self, condition: bool, path: impl fmt::Display, message: impl fmt::Display) {
        if condition {
            self.add(path, message);
        }
    }

    /// A name that stands for nothing. What may be meant is looked for in the first few: that takes time.
    fn unknown<'a>(
        &mut self,
        path: impl fmt::Display,
        what: &str,
        name: &str,
        known: impl IntoIterator<Item = &'a str> + Clone,
    ) {
        if self.0.len() < MAX_PROBLEMS {
            self.add(
                path,
                format_args!("there is no {what} {name:?}{}", hint(name, known)),
            );
        }
    }

    /// No more of something than anybody needs.
    fn at_most(&mut self, most: usize, count: usize, path: impl fmt::Display) {
        if count > most {
            self.add(
                path,
                format_args!("{count} entries are too many; there may be {most}"),
            );
        }
    }
}

/// Everything that does not fit, in the order of the fields; at most 50.
pub(crate) fn check(document: &Document) -> Vec<Problem> {
    let mut problems = Problems::default();
    for (path, count) in [
        ("services", document.services.len()),
        ("secrets", document.secrets.len()),
        ("volumes", document.volumes.len()),
        ("access.people", document.access.people.len()),
        ("imports", document.imports.len()),
        ("exports", document.exports.len()),
    ] {
        problems.at_most(MAX_NAMED, count, path);
    }
    if !problems.0.is_empty() {
        return problems.0;
    }
    problems.add_if(
        document.services.is_empty(),
        "services",
        "there is no service: name one, and its enclave",
    );
    services::check(document, &mut problems);
    secrets::check(document, &mut problems);
    if let Some(platforms) = &document.platforms {
        services::check_platforms(platforms, "platforms", &mut problems);
    }
    access::check(&document.access, &mut problems);
    exchange::check(document, &mut problems);
    problems.0
}

#[cfg(test)]
mod tests {
    use crate::policy::{Policy, PolicyError};

    const ENCLAVE: &str = "83d719e77deaca1470f6baf62a4d774303c899db69020f9c70ee1dfc08c7ce9e";

    /// The problems of a policy with these lines beside a service `web`, whose own lines are indented by four spaces.
    fn problems(service: &str, rest: &str) -> String {
        let text = format!("name: shop\nservices:\n  web:\n    enclaves: [{ENCLAVE}]\n{service}\n{rest}\n");
        match Policy::parse(&text) {
            Ok(_) => String::new(),
            Err(error @ PolicyError::Problems(_)) => error.to_string(),
            Err(error) => panic!("{error}\n{text}"),
        }
    }

    #[test]
    fn what_does_not_fit() {
        for (service, rest, expected) in [
            ("", "", ""),
            // Services.
            ("  api: {}", "", "services.api: which enclave is this?"),
            ("  api: { image: 'docker://r/x:1' }", "", ""),
            (
                "    files: { /a: {} }",
                "",
                "services.web.files./a: it has no content",
            ),
            (
                "    files: { /a: { content: x, content_base64: eA== } }",
                "",
                "services.web.files./a: it has two contents",
            ),
            (
                "    files: { /proc/x: { content: x } }",
                "",
                "services.web.files./proc/x: nothing can be put below /proc",
            ),
            (
                "    files: { /a: { content: x }, /a/b: { content: x } }",
                "",
                "services.web.files./a/b: /a is a file",
            ),
            (
                "    files: { /: { content: x } }",
                "",
                "services.web.files./: a file needs a name",
            ),
            (
                "    files: { /d/a: { content: x } }\n    volumes: { /d: { volume: d } }",
                "volumes: { d: {} }",
                "services.web.files./d/a: /d is a volume",
            ),
            (
                "    volumes: { /d: { volume: d } }",
                "volumes: { data: {} }",
                "services.web.volumes./d: there is no volume \"d\"; there are data",
            ),
            (
                "    volumes: { /d: { volume: dtaa } }",
                "volumes: { data: {} }",
                "did you mean \"data\"?",
            ),
            (
                "    volumes: { /d: { volume: d }, /d/e: { volume: d } }",
                "volumes: { d: {} }",
                "services.web.volumes./d/e: it lies in the volume at /d",
            ),
            (
                "    arguments: []",
                "",
                "services.web.arguments: the program's name is missing",
            ),
            (
                "    limits: { instances: 0 }",
                "",
                "services.web.limits.instances: no instance could run",
            ),
            (
                &format!("    tolerate: [{{ what: debug, reason: {} }}]", "x".repeat(1001)),
                "",
                "services.web.tolerate[0].reason: it is longer than 1000",
            ),
            (
                "    tolerate: [{ what: debug }, { what: debug }]",
                "",
                "services.web.tolerate[1]: debug is tolerated twice",
            ),
            (
                "    tls: { identity: web }",
                "",
                "services.web.tls.identity: there is no secret \"web\"",
            ),
            (
                "    tls: { identity: pw }",
                "secrets: { pw: { kind: password } }",
                "services.web.tls.identity: \"pw\" is of the kind password, and an identity is of the kind x509",
            ),
            (
                "    tls: { identity: c, accept: [wbe] }",
                "secrets: { c: { kind: x509, common_name: c } }",
                "services.web.tls.accept[0]: there is no service \"wbe\"",
            ),
            (
                "    tls: { identity: c, accept: [other/wbe, shop/web] }",
                "secrets: { c: { kind: x509, common_name: c } }",
                "",
            ),
            (
                &format!(
                    "    tls: {{ identity: c }}\n  api: {{ enclaves: [{ENCLAVE}], tls: {{ identity: c }} }}"
                ),
                "secrets: { c: { kind: x509, common_name: c } }",
                "services.web.tls.identity: \"c\" is also the identity of api",
            ),
            (
                "    platforms: {}",
                "",
                "services.web.platforms: no machine is named",
            ),
            (
                "",
                "platforms: { nodes: [{ name: a }] }",
                "platforms.nodes[0]: it has neither ppid nor platform_instance_id",
            ),
            (
                "",
                "platforms: { registry_max_age: 1d, nodes: [{ ppid: 00000000000000000000000000000000 }] }",
                "platforms.registry_max_age: there is no registry",
            ),
            // Templates.
            (
                "    environment: { A: '{{ secret \"pw\" }}' }",
                "",
                "services.web.environment.A: line 1, column 1 of the template: there is no secret \"pw\"; there are none",
            ),
            (
                "    environment: { A: '{{ secret \"other\" }}' }",
                "secrets: { pw: { kind: password } }",
                "there is no secret \"other\"; there are pw",
            ),
            (
                "    environment: { A: 'x{{ secret \"r\" }}' }",
                "secrets: { r: { kind: random } }",
                "column 2 of the template: random bytes are no text: add | base64 or | hex",
            ),
            (
                "    environment: { A: '{{ secret \"r\" | hex }}' }\n    files: { /r: { content: '{{ secret \"r\" }}' } }",
                "secrets: { r: { kind: random } }",
                "",
            ),
            (
                "    arguments: [a, '{{ certificate \"pw\" }}']",
                "secrets: { pw: { kind: password } }",
                "services.web.arguments[1]: line 1, column 1 of the template: \"pw\" is of the kind password; write {{ secret \"pw\" }}",
            ),
            (
                "    arguments: ['{{ secret \"k\" }}']",
                "secrets: { k: { kind: private_key } }",
                "write {{ private_key \"k\" }}",
            ),
            (
                "    arguments: ['{{ secret \"c\" }}']",
                "secrets: { c: { kind: x509, common_name: c } }",
                "write {{ private_key \"c\" }}, {{ certificate \"c\" }} or {{ ca \"c\" }}",
            ),
            (
                "    arguments: ['{{ ca \"i\" }}']",
                "imports: { i: { deployment: d, kind: value } }",
                "write {{ secret \"i\" }}",
            ),
            (
                "    arguments: ['{{ secret \"i\" }}']",
                "imports: { i: { deployment: d, kind: ca } }",
                "write {{ ca \"i\" }}",
            ),
            (
                "    arguments: ['{{ ca \"c\" }}{{ private_key \"c\" }}{{ certificate \"c\" }}']",
                "secrets: { c: { kind: x509, common_name: c } }",
                "",
            ),
            (
                "    environment: { A: \"a\\0\" }",
                "",
                "services.web.environment.A: it contains a zero byte",
            ),
            // Secrets.
            (
                "",
                "secrets: { a: { kind: x509, common_name: a, issuer: b } }",
                "secrets.a.issuer: there is no secret \"b\"",
            ),
            (
                "",
                "secrets: { a: { kind: x509, common_name: a, issuer: b }, b: { kind: password } }",
                "secrets.a.issuer: \"b\" is of the kind password, and only an x509_ca can issue",
            ),
            (
                "",
                "secrets: { a: { kind: x509_ca, common_name: a, issuer: a } }",
                "secrets.a.issuer: the authorities go round in a circle: a, a",
            ),
            (
                "",
                "secrets: { a: { kind: x509_ca, common_name: a, issuer: b }, b: { kind: x509_ca, common_name: b, issuer: c }, c: { kind: x509_ca, common_name: c, issuer: b } }",
                "in a circle: b, c, b",
            ),
            // Access.
            (
                "",
                "access: { update: [alice] }",
                "access.update[0]: there is no person \"alice\"; there are none",
            ),
            (
                "",
                "access: { people: { alice: {} } }",
                "access.people.alice: whose certificate or public_key is it",
            ),
            (
                "",
                &format!(
                    "access: {{ people: {{ a: {{ certificate: {ENCLAVE} }}, b: {{ certificate: {ENCLAVE} }} }} }}"
                ),
                "access.people.b: it has the certificate of a",
            ),
            (
                "",
                &format!(
                    "access: {{ people: {{ a: {{ certificate: {ENCLAVE} }} }}, approve: {{ by: [a], required: 2 }} }}"
                ),
                "access.approve.required: 2 of 1 people cannot approve",
            ),
            (
                "",
                &format!(
                    "access: {{ people: {{ a: {{ certificate: {ENCLAVE} }} }}, approve: {{ by: [a], required: 0 }} }}"
                ),
                "access.approve.required: nobody would have to approve",
            ),
            (
                "",
                &format!(
                    "access: {{ people: {{ a: {{ certificate: {ENCLAVE} }} }}, approve: {{ by: [a, a], required: 2 }} }}"
                ),
                "access.approve.by[1]: \"a\" is there twice",
            ),
            // Exchange.
            (
                "",
                "exports: { a: { to: [d] } }",
                "exports.a: there is no secret \"a\"",
            ),
            (
                "",
                "secrets: { a: { kind: private_key } }\nexports: { a: { to: [d] } }",
                "exports.a: a private_key cannot be exported",
            ),
            (
                "",
                "secrets: { a: { kind: random, scope: instance } }\nexports: { a: { to: [d] } }",
                "exports.a: each instance has its own",
            ),
            (
                "",
                "secrets: { a: { kind: random } }\nexports: { a: { to: [shop] } }",
                "exports.a.to[0]: that is this deployment",
            ),
            (
                "",
                "secrets: { a: { kind: random } }\nexports: { a: { to: [] } }",
                "exports.a.to: name a deployment",
            ),
            (
                "",
                "secrets: { a: { kind: random } }\nimports: { a: { deployment: d, kind: value } }",
                "imports.a: there is a secret of this name",
            ),
            (
                "",
                "imports: { a: { deployment: shop, kind: value } }",
                "imports.a.deployment: that is this deployment",
            ),
        ] {
            let found = problems(service, rest);
            let fits = if expected.is_empty() {
                found.is_empty()
            } else {
                found.contains(expected)
            };
            assert!(fits, "expected {expected:?}, found {found:?}\n{service}\n{rest}");
        }
    }

    #[test]
    fn all_problems_are_listed_up_to_fifty() {
        let services: String = (0..60).map(|number| format!("  s{number}: {{}}\n")).collect();
        assert_eq!(problems(&services, "").lines().count(), 50);
        assert!(
            problems(
                "",
                "secrets: { a: { kind: x509, common_name: a, issuer: b } }\naccess: { read: [x] }"
            )
            .lines()
            .count()
                == 2
        );
    }

    // Each with each would take minutes.
    #[test]
    fn many_unknown_names_are_not_all_compared() {
        let name = |number: usize| format!("{number:040}");
        let secrets: String = (0..1000)
            .map(|number| format!("  '{}': {{ kind: random }}\n", name(number)))
            .collect();
        let unknown: String = (0..8000)
            .map(|number| format!("{{{{ secret \"x{}\" }}}}", &name(number)[1..]))
            .collect();
        let files = format!("    files: {{ /a: {{ content: '{unknown}' }} }}");
        assert_eq!(
            problems(&files, &format!("secrets:\n{secrets}")).lines().count(),
            50
        );
    }

    #[test]
    fn too_many_of_something() {
        let secrets: String = (0..1001)
            .map(|number| format!("  s{number}: {{ kind: random }}\n"))
            .collect();
        assert_eq!(
            problems("", &format!("secrets:\n{secrets}")),
            "secrets: 1001 entries are too many; there may be 1000"
        );
        let files: String = (0..1001)
            .map(|number| format!("      /f{number}: {{ content: x }}\n"))
            .collect();
        assert_eq!(
            problems(&format!("    files:\n{files}"), ""),
            "services.web.files: 1001 entries are too many; there may be 1000"
        );
    }
}
