//! That templates name what exists, and what fits.

use std::fmt;

use super::Problems;
use crate::document::{Document, ImportKind, SecretKind};
use crate::limits::MAX_ARGUMENT;
use crate::similar::hint;
use crate::template::{Reference, ReferenceKind, Template};

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
        if let Err(message) = check_reference(reference, document) {
            problems.add(
                path,
                format_args!("{} of the template: {message}", reference.position),
            );
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

fn check_reference(reference: &Reference, document: &Document) -> Result<(), String> {
    let name = reference.name.as_str();
    let Some(named) = Named::find(document, name) else {
        let known: Vec<_> = document.secrets.keys().chain(document.imports.keys()).collect();
        let known = known.iter().map(|known| known.as_str());
        return Err(format!("there is no secret {name:?}{}", hint(name, known)));
    };
    if named.offers().contains(&reference.kind) {
        return Ok(());
    }
    let offers: Vec<_> = named
        .offers()
        .iter()
        .map(|kind| format!("{{{{ {} {name:?} }}}}", kind.name()))
        .collect();
    let offers = match offers.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    };
    Err(format!(
        "{name:?} is of the kind {}; write {offers}",
        named.what()
    ))
}
