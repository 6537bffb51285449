//! That templates name what exists, and what fits.

use std::fmt;

use super::Problems;
use crate::document::{Document, ImportKind, Name, SecretKind};
use crate::limits::MAX_ARGUMENT;
use crate::template::{ReferenceKind, Template};

/// What a name in a template stands for.
#[derive(Clone, Copy)]
enum Named {
    Secret(SecretKind),
    Import(ImportKind),
}

impl Named {
    fn find(document: &Document, name: &str) -> Option<Self> {
        let secret = document
            .secrets
            .get(name)
            .map(|secret| Self::Secret(secret.value.kind()));
        secret.or_else(|| document.imports.get(name).map(|import| Self::Import(import.kind)))
    }

    /// What can be wanted of it.
    const fn offers(self) -> &'static [ReferenceKind] {
        use ReferenceKind::{Ca, Certificate, PrivateKey, Secret};
        match self {
            Self::Secret(SecretKind::Random | SecretKind::Password | SecretKind::Imported)
            | Self::Import(ImportKind::Value) => &[Secret],
            Self::Secret(SecretKind::PrivateKey) => &[PrivateKey],
            Self::Secret(SecretKind::X509 | SecretKind::X509Ca) => &[PrivateKey, Certificate, Ca],
            Self::Import(ImportKind::Ca) => &[Ca],
        }
    }

    /// What can be written instead.
    fn alternatives(self, name: &str) -> String {
        let offers: Vec<_> = self
            .offers()
            .iter()
            .map(|kind| format!("{{{{ {} {name:?} }}}}", kind.name()))
            .collect();
        match offers.split_last() {
            Some((last, [])) => last.clone(),
            Some((last, others)) => format!("{} or {last}", others.join(", ")),
            None => String::new(),
        }
    }

    const fn what(self) -> &'static str {
        match self {
            Self::Secret(kind) => kind.name(),
            Self::Import(ImportKind::Value) => "value (an import)",
            Self::Import(ImportKind::Ca) => "ca (an import)",
        }
    }
}

/// A template of a file, which may hold any bytes.
pub(super) fn check_bytes(
    template: &Template,
    document: &Document,
    path: &impl fmt::Display,
    problems: &mut Problems,
) {
    for reference in template.references() {
        let name = reference.name.as_str();
        let at = format!("{path}: {} of the template", reference.position);
        match Named::find(document, name) {
            None => {
                let secrets = document.secrets.keys().map(Name::as_str);
                let known = secrets.chain(document.imports.keys().map(Name::as_str));
                problems.unknown(at, "secret", name, known);
            }
            Some(named) if named.offers().contains(&reference.kind) => {}
            Some(named) => {
                let message = format!(
                    "{name:?} is of the kind {}; write {}",
                    named.what(),
                    named.alternatives(name)
                );
                problems.add(at, message);
            }
        }
    }
}

/// A template of an argument or a variable, which Linux ends with a zero byte.
pub(super) fn check_text(
    template: &Template,
    document: &Document,
    path: &impl fmt::Display,
    problems: &mut Problems,
) {
    check_bytes(template, document, path, problems);
    problems.add_if(template.source().contains('\0'), path, "it contains a zero byte");
    problems.add_if(
        template.source().len() > MAX_ARGUMENT,
        path,
        format_args!("it has more than {MAX_ARGUMENT} bytes"),
    );
    for reference in template.references() {
        let is_random = matches!(
            Named::find(document, reference.name.as_str()),
            Some(Named::Secret(SecretKind::Random))
        );
        if is_random && reference.filters.is_empty() {
            let at = reference.position;
            problems.add(
                path,
                format_args!("{at} of the template: random bytes are no text: add | base64 or | hex"),
            );
        }
    }
}
