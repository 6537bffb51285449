//! Collateral as it is fetched and stored, unverified.

use serde::{Deserialize, Serialize};

use crate::hex;
use crate::pem;
use crate::refusal::{Chain, Document, List, Refusal};

/// What Intel publishes about a kind of platform, unverified: the members of `sgx_ql_qve_collateral_t`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Collateral {
    /// PCK authority and root, as PEM.
    pub pck_crl_issuer_chain: String,
    /// Revocation list of the root: DER in hexadecimal, or PEM.
    pub root_ca_crl: String,
    /// Revocation list of the PCK authority: DER in hexadecimal, or PEM.
    pub pck_crl: String,
    /// Signer of the TCB info and root, as PEM.
    pub tcb_info_issuer_chain: String,
    /// JSON, byte by byte as it was signed.
    pub tcb_info: String,
    /// r and s in hexadecimal.
    pub tcb_info_signature: String,
    /// Signer of the QE identity and root, as PEM.
    pub qe_identity_issuer_chain: String,
    /// JSON, byte by byte as it was signed.
    pub qe_identity: String,
    /// r and s in hexadecimal.
    pub qe_identity_signature: String,
}

/// Why a file is not collateral.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CollateralError {
    /// Larger than any collateral.
    #[error("it has {0} bytes, and collateral has at most {max}", max = Collateral::MAX_SIZE)]
    TooLarge(usize),
    /// One of the answers that collateral is made of.
    #[error(
        "it is one answer of a provisioning certification service, and collateral is made of several; nacre collateral fetch does so"
    )]
    Answer,
    /// Not JSON, a member is missing, unknown, of another type or there twice.
    #[error("it is not JSON with the members of sgx_ql_qve_collateral_t: {0}")]
    Json(String),
}

impl Collateral {
    /// Bytes of the largest file that is read. Intel's take up 15 to 30 KB; the revocation list is what may grow.
    pub const MAX_SIZE: usize = 4 << 20;

    /// Reads the file.
    ///
    /// # Errors
    /// When it is too large, or not JSON with exactly the members above, each once.
    pub fn from_json(json: &[u8]) -> Result<Self, CollateralError> {
        if json.len() > Self::MAX_SIZE {
            return Err(CollateralError::TooLarge(json.len()));
        }
        serde_json::from_slice(json).map_err(|error| {
            /// What tells the usual other files.
            #[derive(Deserialize)]
            struct Answer {
                #[serde(rename = "tcbInfo", alias = "enclaveIdentity")]
                _document: serde::de::IgnoredAny,
            }
            match serde_json::from_slice::<Answer>(json) {
                Ok(_) => CollateralError::Answer,
                Err(_) => CollateralError::Json(error.to_string()),
            }
        })
    }

    /// DER of a revocation list.
    pub(crate) fn revocation_list(&self, list: List) -> Result<Vec<u8>, Refusal> {
        let text = match list {
            List::Root => &self.root_ca_crl,
            List::Pck => &self.pck_crl,
        };
        revocation_list(text, list)
    }

    /// A document: where its signer's chain is to be found, its text and the signature.
    pub(crate) fn document(&self, document: Document) -> Result<SignedDocument<'_>, Refusal> {
        let (pem, json, signature) = match document {
            Document::TcbInfo => (
                &self.tcb_info_issuer_chain,
                &self.tcb_info,
                &self.tcb_info_signature,
            ),
            Document::QeIdentity => (
                &self.qe_identity_issuer_chain,
                &self.qe_identity,
                &self.qe_identity_signature,
            ),
        };
        let signature = hex::decode_array(signature).ok_or(Refusal::DocumentSignature(document))?;
        Ok(SignedDocument {
            chain: document.chain(),
            pem,
            json,
            signature,
        })
    }
}

/// DER of the list in `text`: hexadecimal, or one block of PEM.
pub(crate) fn revocation_list(text: &str, list: List) -> Result<Vec<u8>, Refusal> {
    let der = match pem::decode(text, "X509 CRL") {
        Ok(mut blocks) if blocks.len() == 1 => blocks.pop(),
        Ok(_) => None,
        Err(_) => hex::decode(text),
    };
    der.ok_or(Refusal::RevocationListText(list))
}

/// A document with what is needed to verify it.
pub(crate) struct SignedDocument<'a> {
    pub chain: Chain,
    pub pem: &'a str,
    pub json: &'a str,
    pub signature: [u8; 64],
}
