//! Responses: status, header fields and body.

use dcap_quote::Document;

use crate::document::{SignedDocument, SignedDocumentError};
use crate::issuer_chain::{self, ChainError};
use crate::request::Encoding;
use crate::revocation_list::{self, ListError};

/// Header fields with the chain of whoever issued the body.
const PCK_CRL_ISSUER_CHAIN: &str = "SGX-PCK-CRL-Issuer-Chain";
const TCB_INFO_ISSUER_CHAIN: &str = "TCB-Info-Issuer-Chain";
/// The name in version 3, which some caches kept.
const TCB_INFO_ISSUER_CHAIN_V3: &str = "SGX-TCB-Info-Issuer-Chain";
const QE_IDENTITY_ISSUER_CHAIN: &str = "SGX-Enclave-Identity-Issuer-Chain";
const REQUEST_ID: &str = "Request-ID";
const WARNING: &str = "Warning";
const CONTENT_TYPE: &str = "Content-Type";

/// An HTTP response, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// 200 for an answer.
    pub status: u16,
    /// Names in any case.
    pub headers: Vec<(String, String)>,
    /// At most as long as whoever read it allowed.
    pub body: Vec<u8>,
}

/// A revocation list with its issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedList {
    /// Authority and root, as PEM.
    pub issuer_chain: String,
    /// DER in hexadecimal.
    pub list: String,
}

/// A signed document with its signer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedDocument {
    /// Signer and root, as PEM.
    pub issuer_chain: String,
    /// Text and signature.
    pub document: SignedDocument,
}

/// Why a response is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    /// The service says no.
    #[error("the service answers {status}: {meaning}{}", request_id_of(.request_id.as_deref()), meaning = meaning(*.status))]
    Status {
        /// Of HTTP.
        status: u16,
        /// By which the service's people find the request in their logs.
        request_id: Option<String>,
    },
    /// The issuer's chain is not there.
    #[error("the answer has no header field {0}")]
    MissingHeader(&'static str),
    /// The issuer's chain is wrong.
    #[error("the header field {name} is {error}")]
    Header {
        /// The name of the field.
        name: &'static str,
        /// What it is instead.
        error: ChainError,
    },
    /// The body is no list.
    #[error(transparent)]
    List(#[from] ListError),
    /// The body is no document.
    #[error(transparent)]
    Document(#[from] SignedDocumentError),
}

impl Response {
    /// Reads the answer to `pckcrl`.
    ///
    /// # Errors
    /// When it is none.
    pub fn pck_crl(&self) -> Result<IssuedList, ResponseError> {
        self.check_status()?;
        Ok(IssuedList {
            issuer_chain: self.issuer_chain(&[PCK_CRL_ISSUER_CHAIN])?,
            list: revocation_list::to_hex(&self.body)?,
        })
    }

    /// Reads the root's list: DER in hexadecimal comes back.
    ///
    /// # Errors
    /// When it is none.
    pub fn root_ca_crl(&self) -> Result<String, ResponseError> {
        self.check_status()?;
        Ok(revocation_list::to_hex(&self.body)?)
    }

    /// Reads the answer to `tcb` or `qe/identity`.
    ///
    /// # Errors
    /// When it is none.
    pub fn document(&self, document: Document) -> Result<IssuedDocument, ResponseError> {
        self.check_status()?;
        let names: &[&'static str] = match document {
            Document::TcbInfo => &[TCB_INFO_ISSUER_CHAIN, TCB_INFO_ISSUER_CHAIN_V3],
            Document::QeIdentity => &[QE_IDENTITY_ISSUER_CHAIN],
        };
        Ok(IssuedDocument {
            issuer_chain: self.issuer_chain(names)?,
            document: SignedDocument::parse(document, &self.body)?,
        })
    }

    /// Answers `pckcrl`.
    ///
    /// # Errors
    /// When the list is in no known form.
    pub fn with_pck_crl(list: &IssuedList, encoding: Encoding) -> Result<Self, ListError> {
        let der = revocation_list::der(&list.list)?;
        let (kind, body) = match encoding {
            Encoding::Pem => ("application/x-pem-file", revocation_list::pem(&der).into_bytes()),
            Encoding::Der => ("application/pkix-crl", der),
        };
        let chain = issuer_chain::encode(&list.issuer_chain);
        Ok(Self::ok(kind, body).with_header(PCK_CRL_ISSUER_CHAIN, chain))
    }

    /// Answers `rootcacrl` as PCCS does, in hexadecimal: Intel's library expects that of a cache.
    ///
    /// # Errors
    /// When the list is in no known form.
    pub fn with_root_ca_crl(list: &str) -> Result<Self, ListError> {
        let der = revocation_list::der(list)?;
        Ok(Self::ok(
            "text/plain",
            base16ct::lower::encode_string(&der).into_bytes(),
        ))
    }

    /// Answers `tcb` or `qe/identity`.
    #[must_use]
    pub fn with_document(document: Document, issued: &IssuedDocument) -> Self {
        let name = match document {
            Document::TcbInfo => TCB_INFO_ISSUER_CHAIN,
            Document::QeIdentity => QE_IDENTITY_ISSUER_CHAIN,
        };
        let body = issued.document.body(document).into_bytes();
        Self::ok("application/json", body).with_header(name, issuer_chain::encode(&issued.issuer_chain))
    }

    /// Says something for a person to read; mostly no, with the reason.
    #[must_use]
    pub fn text(status: u16, reason: &str) -> Self {
        Self {
            status,
            headers: vec![(CONTENT_TYPE.to_owned(), "text/plain; charset=utf-8".to_owned())],
            body: format!("{reason}\n").into_bytes(),
        }
    }

    /// Adds the name by which the request is found in logs.
    #[must_use]
    pub fn with_request_id(self, id: &str) -> Self {
        self.with_header(REQUEST_ID, id.to_owned())
    }

    /// What the service wants people to know, for instance that it will change; cut and cleaned for a terminal.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let text = self.header(WARNING)?.chars();
        let text = text.filter(|character| character.is_ascii_graphic() || *character == ' ');
        Some(text.take(200).collect())
    }

    /// The value of a header field.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.headers.iter();
        let field = fields.find(|(found, _)| found.eq_ignore_ascii_case(name));
        field.map(|(_, value)| value.as_str())
    }

    fn ok(content_type: &str, body: Vec<u8>) -> Self {
        Self {
            status: 200,
            headers: vec![(CONTENT_TYPE.to_owned(), content_type.to_owned())],
            body,
        }
    }

    fn with_header(mut self, name: &str, value: String) -> Self {
        self.headers.push((name.to_owned(), value));
        self
    }

    fn check_status(&self) -> Result<(), ResponseError> {
        if self.status == 200 {
            return Ok(());
        }
        // It goes to a terminal, and comes from a stranger.
        let is_plain = |id: &&str| {
            id.len() <= 64
                && id
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        Err(ResponseError::Status {
            status: self.status,
            request_id: self.header(REQUEST_ID).filter(is_plain).map(str::to_owned),
        })
    }

    fn issuer_chain(&self, names: &[&'static str]) -> Result<String, ResponseError> {
        let found = names.iter().find_map(|name| Some((*name, self.header(name)?)));
        let missing = names.first().copied().unwrap_or_default();
        let (name, field) = found.ok_or(ResponseError::MissingHeader(missing))?;
        issuer_chain::decode(field).map_err(|error| ResponseError::Header { name, error })
    }
}

fn request_id_of(id: Option<&str>) -> String {
    id.map(|id| format!(" (its Request-ID is {id})"))
        .unwrap_or_default()
}

/// What a status means here, by Intel's documentation.
const fn meaning(status: u16) -> &'static str {
    match status {
        300..=399 => "it points elsewhere, where nobody is asked; give the address that it means",
        400 => "it does not understand the question",
        401 | 403 => "it does not let this machine ask",
        404 => "it has nothing of the kind; check the FMSPC, and SGX or TDX",
        410 => "it no longer has that number of TCB evaluation data; ask for a later one",
        429 => "too many questions; ask again later",
        500..=599 => "it is in trouble itself; ask again later",
        _ => "which is no answer",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_it_means_and_where_to_look() {
        let mut response = Response::text(404, "no").with_request_id("3c1b-77");
        let refused = response.pck_crl().unwrap_err().to_string();
        assert!(
            refused.contains("404") && refused.contains("FMSPC") && refused.contains("3c1b-77"),
            "{refused}"
        );
        response.headers[1].1 = "\x1b[31mred".to_owned();
        let refused = response.root_ca_crl().unwrap_err().to_string();
        assert!(!refused.contains("red"), "{refused}");
    }

    #[test]
    fn a_warning_is_shown_and_does_not_reach_the_terminal() {
        let response = Response::text(200, "").with_header(WARNING, "299 - \"ends \x1b[2Jsoon\"".to_owned());
        assert_eq!(response.warning().as_deref(), Some("299 - \"ends [2Jsoon\""));
        assert_eq!(Response::text(200, "").warning(), None);
    }

    #[test]
    fn the_chain_must_be_there() {
        let response = Response::ok("application/json", br#"{"tcbInfo":{},"signature":"00"}"#.to_vec());
        let missing = response.document(Document::TcbInfo);
        assert_eq!(missing, Err(ResponseError::MissingHeader(TCB_INFO_ISSUER_CHAIN)));
        let chain = issuer_chain::encode("-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n");
        for name in ["tcb-info-issuer-chain", "SGX-TCB-INFO-ISSUER-CHAIN"] {
            let response = response.clone().with_header(name, chain.clone());
            response.document(Document::TcbInfo).unwrap();
        }
        let wrong = response.with_header(TCB_INFO_ISSUER_CHAIN, "none".to_owned());
        let refused = wrong.document(Document::TcbInfo);
        assert!(
            matches!(refused, Err(ResponseError::Header { .. })),
            "{refused:?}"
        );
    }
}
