//! Documents in the bodies of responses: `{"tcbInfo":{…},"signature":"…"}`.
//!
//! The signature covers the exact bytes of the inner object, so they are cut out and never written anew.

use dcap_quote::Document;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Bytes of the largest body that is read; Intel's take up some twenty kilobytes.
const MAX_SIZE: usize = 1 << 20;

/// A document and its signature, unverified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedDocument {
    /// The document, byte by byte as it was signed.
    pub json: String,
    /// r and s in hexadecimal.
    pub signature: String,
}

/// Why a body is no signed document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignedDocumentError {
    /// Too large.
    #[error("the body has {0} bytes, and a document has at most {MAX_SIZE}")]
    TooLarge(usize),
    /// Not JSON of this form, or a member is missing, unknown or there twice.
    #[error("the body is not {form}: {error}", form = form(*.document))]
    Json {
        /// What it should be.
        document: Document,
        /// What the parser says.
        error: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TcbInfoBody<'a> {
    #[serde(borrow, rename = "tcbInfo")]
    document: &'a RawValue,
    signature: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QeIdentityBody<'a> {
    #[serde(borrow, rename = "enclaveIdentity")]
    document: &'a RawValue,
    signature: String,
}

impl SignedDocument {
    /// Cuts the document out of a body.
    ///
    /// # Errors
    /// When the body is anything else.
    pub fn parse(document: Document, body: &[u8]) -> Result<Self, SignedDocumentError> {
        if body.len() > MAX_SIZE {
            return Err(SignedDocumentError::TooLarge(body.len()));
        }
        let parsed = match document {
            Document::TcbInfo => {
                serde_json::from_slice(body).map(|TcbInfoBody { document, signature }| (document, signature))
            }
            Document::QeIdentity => serde_json::from_slice(body)
                .map(|QeIdentityBody { document, signature }| (document, signature)),
        };
        let error = |error| SignedDocumentError::Json { document, error };
        let (json, signature) = parsed.map_err(|problem| error(problem.to_string()))?;
        if !json.get().starts_with('{') {
            return Err(error("the document is not an object".to_owned()));
        }
        Ok(Self {
            json: json.get().to_owned(),
            signature,
        })
    }

    /// The body that says it. The signature must be hexadecimal, which needs no escapes.
    #[must_use]
    pub fn body(&self, document: Document) -> String {
        let name = name(document);
        let Self { json, signature } = self;
        format!(r#"{{"{name}":{json},"signature":"{signature}"}}"#)
    }
}

const fn name(document: Document) -> &'static str {
    match document {
        Document::TcbInfo => "tcbInfo",
        Document::QeIdentity => "enclaveIdentity",
    }
}

fn form(document: Document) -> String {
    format!(r#"{{"{}":{{…}},"signature":"…"}}"#, name(document))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exact_bytes_are_cut_out() {
        let json = r#"{"a" : 1.0,"b":"\u0041}\"{","a":2 }"#;
        let body = format!("\n {{ \"signature\":\"00ff\" , \"tcbInfo\" :  {json} }}\t");
        let document = SignedDocument::parse(Document::TcbInfo, body.as_bytes()).unwrap();
        assert_eq!(document.json, json);
        assert_eq!(document.signature, "00ff");
        let again = SignedDocument::parse(Document::TcbInfo, document.body(Document::TcbInfo).as_bytes());
        assert_eq!(again, Ok(document));
    }

    #[test]
    fn anything_else_is_none() {
        let deep = format!(
            r#"{{"tcbInfo":{}1{},"signature":"00"}}"#,
            "[".repeat(100_000),
            "]".repeat(100_000)
        );
        for body in [
            "",
            "{}",
            r#"{"tcbInfo":{}}"#,
            r#"{"tcbInfo":[],"signature":"00"}"#,
            r#"{"tcbInfo":{},"signature":0}"#,
            r#"{"tcbInfo":{},"signature":"00","more":1}"#,
            r#"{"tcbInfo":{},"signature":"00","signature":"01"}"#,
            r#"{"tcbInfo":{},"tcbInfo":{},"signature":"00"}"#,
            r#"{"enclaveIdentity":{},"signature":"00"}"#,
            r#"{"tcbInfo":{},"signature":"00"}{}"#,
            r#"{"tcbInfo":{,"signature":"00"}"#,
            &deep,
        ] {
            let parsed = SignedDocument::parse(Document::TcbInfo, body.as_bytes());
            assert!(
                matches!(parsed, Err(SignedDocumentError::Json { .. })),
                "{body:.60}"
            );
        }
        let large = vec![b' '; MAX_SIZE + 1];
        assert_eq!(
            SignedDocument::parse(Document::QeIdentity, &large),
            Err(SignedDocumentError::TooLarge(MAX_SIZE + 1))
        );
    }
}
