//! The canonical form of a policy, and its digest: the address by which the policy is known.
//!
//! The form is JSON as RFC 8785 has it (members sorted, no spaces, one way to write each string and number), of the document
//! that was read: what is written by default and what is left out are the same, and comments and order do not count.

use std::fmt;
use std::str::FromStr;

use dcap_quote::Bytes;
use sha2::{Digest as _, Sha256};

use crate::document::Document;
use crate::document::{NotOfThatForm, text_type};

/// SHA-256 of a policy's canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyDigest(pub Bytes<32>);

impl PolicyDigest {
    /// Of a canonical form.
    pub(crate) fn of(canonical: &str) -> Self {
        Self(Bytes(Sha256::digest(canonical).into()))
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0.0
    }
}

impl FromStr for PolicyDigest {
    type Err = NotOfThatForm;

    fn from_str(text: &str) -> Result<Self, NotOfThatForm> {
        let must = "is no digest of a policy: 64 hexadecimal digits, as nacre policy check shows them";
        Bytes::from_hex(text)
            .map(Self)
            .ok_or_else(|| NotOfThatForm::new(text, must))
    }
}

impl fmt::Display for PolicyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text_type!(
    PolicyDigest,
    "^([0-9a-f]{64}|[0-9A-F]{64})$",
    "SHA-256 of a policy's canonical form, in hexadecimal."
);

/// The canonical form.
pub(crate) fn canonical(document: &Document) -> Result<String, serde_json::Error> {
    serde_json_canonicalizer::to_string(document)
}

#[cfg(test)]
mod tests {
    use crate::policy::Policy;

    const YAML: &str = r#"
# A comment.
services:
  web:
    enclaves: [83D719E77DEACA1470F6BAF62A4D774303C899DB69020F9C70EE1DFC08C7CE9E]
    environment: { B: "2", A: 'é{{ secret "pw" }}' }
    tolerate: [{ what: OutOfDate, until: 2027-06-30 }]
secrets: { pw: { kind: password, scope: shared, lifetime: 48h } }
name: shop
"#;
    const JSON: &str = r#"{"name": "shop", "secrets": {"pw": {"kind": "password", "lifetime": "2d", "length": 32}},
        "services": {"web": {"environment": {"A": "\u00e9{{ secret \"pw\" }}", "B": "2"}, "files": {},
        "tolerate": [{"what": "OutOfDate", "until": "2027-07-01T01:59:59+02:00"}],
        "enclaves": ["83d719e77deaca1470f6baf62a4d774303c899db69020f9c70ee1dfc08c7ce9e"]}}}"#;
    const CANONICAL: &str = r#"{"name":"shop","secrets":{"pw":{"kind":"password","length":32,"lifetime":"2d"}},"services":{"web":{"enclaves":["83d719e77deaca1470f6baf62a4d774303c899db69020f9c70ee1dfc08c7ce9e"],"environment":{"A":"é{{ secret \"pw\" }}","B":"2"},"tolerate":[{"until":"2027-06-30T23:59:59Z","what":"OutOfDate"}]}}}"#;

    #[test]
    fn one_meaning_has_one_digest() {
        let yaml = Policy::parse(YAML).unwrap();
        assert_eq!(yaml.canonical(), CANONICAL);
        // printf %s CANONICAL | sha256sum
        assert_eq!(
            yaml.digest().to_string(),
            "0e5bfe9e2673698369bd1aace474526bd4b934378087a02ca19fd733f2744116"
        );
        for text in [JSON, CANONICAL] {
            let other = Policy::parse(text).unwrap();
            assert_eq!(
                (other.canonical(), other.digest()),
                (yaml.canonical(), yaml.digest())
            );
        }
        let other = Policy::parse(&YAML.replace("48h", "49h")).unwrap();
        assert_ne!(other.digest(), yaml.digest());
    }
}
