//! What deployments give each other.

use super::Problems;
use crate::document::{Document, Name, Scope, SecretKind};
use crate::limits::MAX_NAMED;

pub(super) fn check(document: &Document, problems: &mut Problems) {
    for (name, import) in &document.imports {
        let path = format!("imports.{name}");
        let is_secret = document.secrets.get(name.as_str()).is_some();
        problems.add_if(
            is_secret,
            &path,
            "there is a secret of this name: call the import otherwise",
        );
        let is_own = import.deployment == document.name;
        problems.add_if(
            is_own,
            format_args!("{path}.deployment"),
            "that is this deployment",
        );
    }
    for (name, export) in &document.exports {
        let path = format!("exports.{name}");
        match document.secrets.get(name.as_str()) {
            None => {
                let secret = name.as_str();
                let known = document.secrets.keys().map(Name::as_str);
                problems.unknown(&path, "secret", secret, known);
            }
            Some(secret) => {
                let kind = secret.value.kind();
                let is_private = matches!(kind, SecretKind::PrivateKey | SecretKind::X509);
                let message = format!(
                    "a {} cannot be exported: no private key leaves a deployment; export an x509_ca, whose certificate is given",
                    kind.name()
                );
                problems.add_if(is_private, &path, message);
                let is_per_instance = secret.scope == Scope::Instance;
                problems.add_if(
                    is_per_instance,
                    &path,
                    "each instance has its own, and no other deployment can have it",
                );
            }
        }
        problems.add_if(
            export.to.is_empty(),
            format_args!("{path}.to"),
            "name a deployment",
        );
        problems.at_most(MAX_NAMED, export.to.len(), format_args!("{path}.to"));
        for (at, to) in export.to.iter().enumerate() {
            problems.add_if(
                *to == document.name,
                format_args!("{path}.to[{at}]"),
                "that is this deployment",
            );
        }
    }
}
