//! The parts of collateral: from the responses of a service to collateral, and back.

use dcap_quote::Collateral;

use crate::document::SignedDocument;
use crate::response::{IssuedDocument, IssuedList};

/// What has to be asked for one by one to get the collateral of a platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// `pckcrl`.
    pub pck_crl: IssuedList,
    /// `rootcacrl`: DER in hexadecimal.
    pub root_ca_crl: String,
    /// `tcb`.
    pub tcb_info: IssuedDocument,
    /// `qe/identity`.
    pub qe_identity: IssuedDocument,
}

impl From<Parts> for Collateral {
    fn from(parts: Parts) -> Self {
        Self {
            pck_crl_issuer_chain: parts.pck_crl.issuer_chain,
            root_ca_crl: parts.root_ca_crl,
            pck_crl: parts.pck_crl.list,
            tcb_info_issuer_chain: parts.tcb_info.issuer_chain,
            tcb_info: parts.tcb_info.document.json,
            tcb_info_signature: parts.tcb_info.document.signature,
            qe_identity_issuer_chain: parts.qe_identity.issuer_chain,
            qe_identity: parts.qe_identity.document.json,
            qe_identity_signature: parts.qe_identity.document.signature,
        }
    }
}

impl From<Collateral> for Parts {
    fn from(collateral: Collateral) -> Self {
        Self {
            pck_crl: IssuedList {
                issuer_chain: collateral.pck_crl_issuer_chain,
                list: collateral.pck_crl,
            },
            root_ca_crl: collateral.root_ca_crl,
            tcb_info: IssuedDocument {
                issuer_chain: collateral.tcb_info_issuer_chain,
                document: SignedDocument {
                    json: collateral.tcb_info,
                    signature: collateral.tcb_info_signature,
                },
            },
            qe_identity: IssuedDocument {
                issuer_chain: collateral.qe_identity_issuer_chain,
                document: SignedDocument {
                    json: collateral.qe_identity,
                    signature: collateral.qe_identity_signature,
                },
            },
        }
    }
}
