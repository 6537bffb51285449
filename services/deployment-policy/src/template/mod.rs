//! Templates: texts with places for secrets, `postgres://app:{{ secret "db.password" }}@db/app`.
//!
//! ```text
//! {{ secret "name" }}        the value of a random, password, imported or imported-from-elsewhere secret
//! {{ private_key "name" }}   the private key of a private_key, x509 or x509_ca, as PEM (PKCS #8)
//! {{ certificate "name" }}   the certificates of an x509 or x509_ca up to the deployment's authority, without it, as PEM
//! {{ ca "name" }}            the certificate of an x509_ca, or of the authority that issued an x509, as PEM
//! {{ … | base64 }}           in base64; | hex: in hexadecimal
//! {{ "{{" }}                 the text itself
//! ```

mod fill;
mod parser;

use std::fmt;
use std::str::FromStr;

pub(crate) use self::fill::{Values, fill};
use crate::document::Name;
use crate::read::Position;
use crate::similar::hint;

/// A text that was read as a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    source: String,
    parts: Vec<Part>,
}

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Text(String),
    Reference(Reference),
}

/// A place for a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// What is wanted of it.
    pub kind: ReferenceKind,
    /// Of which secret.
    pub name: Name,
    /// How it is written, one after the other.
    pub filters: Vec<Filter>,
    /// Where it stands in the template.
    pub position: Position,
}

/// What is wanted of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReferenceKind {
    /// Its value.
    Secret,
    /// Its private key.
    PrivateKey,
    /// Its certificate, and those of authorities between it and the root.
    Certificate,
    /// The certificate of an authority.
    Ca,
}

impl ReferenceKind {
    const ALL: [Self; 4] = [Self::Secret, Self::PrivateKey, Self::Certificate, Self::Ca];

    /// As templates write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::PrivateKey => "private_key",
            Self::Certificate => "certificate",
            Self::Ca => "ca",
        }
    }

    fn parse(word: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == word);
        found.ok_or_else(|| format!("unknown {word:?}{}", hint(word, Self::ALL.map(Self::name))))
    }
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// In base64 with padding (RFC 4648).
    Base64,
    /// In lower-case hexadecimal.
    Hex,
}

impl Filter {
    const ALL: [Self; 2] = [Self::Base64, Self::Hex];

    const fn name(self) -> &'static str {
        match self {
            Self::Base64 => "base64",
            Self::Hex => "hex",
        }
    }

    fn parse(word: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|filter| filter.name() == word);
        found.ok_or_else(|| format!("unknown filter {word:?}{}", hint(word, Self::ALL.map(Self::name))))
    }
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{position} of the template: {message}")]
pub struct TemplateError {
    /// Within the template's text.
    pub position: Position,
    /// What is wrong.
    pub message: String,
}

impl Template {
    /// The places for secrets, in their order.
    pub fn references(&self) -> impl Iterator<Item = &Reference> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Reference(reference) => Some(reference),
        })
    }

    /// The text as it was written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }
}

impl FromStr for Template {
    type Err = TemplateError;

    fn from_str(source: &str) -> Result<Self, TemplateError> {
        Ok(Self {
            source: source.to_owned(),
            parts: parser::parse(source)?,
        })
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

crate::document::text_type!(
    Template,
    ".*",
    "A text, in which {{ secret \"name\" }}, {{ private_key \"name\" }}, {{ certificate \"name\" }} and {{ ca \"name\" }} stand for secrets, with | base64 or | hex."
);
