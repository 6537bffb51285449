//! Secrets: who issues certificates.

use super::Problems;
use crate::document::{Document, Name, SecretKind};
use crate::limits::MAX_ISSUERS;

pub(super) fn check(document: &Document, problems: &mut Problems) {
    for (name, secret) in &document.secrets {
        let Some(issuer) = secret.value.issuer() else {
            continue;
        };
        let path = format!("secrets.{name}.issuer");
        match document
            .secrets
            .get(issuer.as_str())
            .map(|secret| secret.value.kind())
        {
            None => {
                let issuer = issuer.as_str();
                let known = document.secrets.keys().map(Name::as_str);
                problems.unknown(&path, "secret", issuer, known);
            }
            Some(SecretKind::X509Ca) => check_chain(document, name, &path, problems),
            Some(kind) => {
                let issuer = issuer.as_str();
                let kind = kind.name();
                problems.add(
                    &path,
                    format_args!("{issuer:?} is of the kind {kind}, and only an x509_ca can issue"),
                );
            }
        }
    }
}

/// Up to an authority that the broker's own has issued.
fn check_chain(document: &Document, name: &Name, path: &str, problems: &mut Problems) {
    let mut chain = vec![name];
    let mut at = name;
    while let Some(issuer) = document
        .secrets
        .get(at.as_str())
        .and_then(|secret| secret.value.issuer())
    {
        if let Some(start) = chain.iter().position(|seen| *seen == issuer) {
            let circle: Vec<_> = chain.iter().skip(start).map(|name| name.as_str()).collect();
            let circle = circle.join(", ");
            problems.add(
                path,
                format_args!("the authorities go round in a circle: {circle}, {issuer}"),
            );
            return;
        }
        if chain.len() > MAX_ISSUERS {
            problems.add(
                path,
                format_args!("more than {MAX_ISSUERS} authorities stand above each other"),
            );
            return;
        }
        chain.push(issuer);
        at = issuer;
    }
}
