//! Refusals: why a quote or its collateral proves nothing.

use crate::certificate::CertificateError;
use crate::document::DocumentError;
use crate::pem::PemError;
use crate::pki::AuthorityError;
use crate::qe_identity::QeMismatch;
use crate::quote::Tee;
use crate::report::Bytes;
use crate::tcb_info::ModuleMismatch;
use crate::time::UnixTime;
use crate::verdict::{Dated, Item};

/// A broken link between the quote and the trusted root.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// A chain of certificates is not text in PEM.
    #[error("{chain}: {error}")]
    Pem {
        /// The chain.
        chain: Chain,
        /// The error.
        error: PemError,
    },
    /// A chain has too many or too few certificates.
    #[error(
        "{chain}: there are {found} certificates, where {expected} are needed, from the leaf to the root"
    )]
    ChainLength {
        /// The chain.
        chain: Chain,
        /// Certificates in it.
        found: usize,
        /// As it should be.
        expected: usize,
    },
    /// A certificate of a chain.
    #[error("{chain}, certificate {number}: {error}")]
    Certificate {
        /// The chain.
        chain: Chain,
        /// Counted from 1, the leaf.
        number: usize,
        /// The error.
        error: CertificateError,
    },
    /// A revocation list.
    #[error("{list}: {error}")]
    RevocationList {
        /// The list.
        list: List,
        /// The error.
        error: CertificateError,
    },
    /// A revocation list is neither hexadecimal DER nor PEM.
    #[error("{0}: neither DER in hexadecimal (of one case) nor PEM")]
    RevocationListText(List),
    /// A document's signature is not that of its signer.
    #[error("{0}: its signature is not by the certified signer")]
    DocumentSignature(Document),
    /// A document that is signed as it must be, but not understood.
    #[error("{document}: {error}")]
    Document {
        /// The document.
        document: Document,
        /// The error.
        error: DocumentError,
    },
    /// TCB info and QE identity are for different environments.
    #[error("the collateral mixes TCB info for {tcb_info} with a QE identity for {qe_identity}")]
    MixedCollateral {
        /// Of the TCB info.
        tcb_info: Tee,
        /// Of the QE identity.
        qe_identity: Tee,
    },
    /// The collateral is for another environment.
    #[error("the quote is of {quote}, and the collateral for {collateral}")]
    WrongTee {
        /// Of the quote.
        quote: Tee,
        /// Of the collateral.
        collateral: Tee,
    },
    /// The collateral is for another kind of platform.
    #[error(
        "the quote's platform is FMSPC {quote_fmspc} with PCE {quote_pce_id}, the TCB info is for {fmspc} with {pce_id}"
    )]
    WrongPlatform {
        /// In the PCK certificate.
        quote_fmspc: Bytes<6>,
        /// In the PCK certificate.
        quote_pce_id: Bytes<2>,
        /// In the TCB info.
        fmspc: Bytes<6>,
        /// In the TCB info.
        pce_id: Bytes<2>,
    },
    /// The quoting enclave has another vendor than the trusted root's.
    #[error("the quoting enclave's vendor id is {}, which does not belong to the trusted root", Bytes(*.0))]
    Vendor([u8; 16]),
    /// The quoting enclave's report is not signed by the platform's PCK.
    #[error("the quoting enclave's report is not signed by the platform's PCK")]
    QeReportSignature,
    /// The quoting enclave does not vouch for the attestation key.
    #[error("the quoting enclave's report does not vouch for the attestation key")]
    AttestationKey,
    /// Not a quoting enclave of the vendor.
    #[error("the quoting enclave is not the vendor's: {0}")]
    QuotingEnclave(QeMismatch),
    /// Not a TDX module of Intel's.
    #[error("the TDX module is not Intel's: {0}")]
    TdxModule(ModuleMismatch),
    /// The quote is not signed by the attestation key.
    #[error("the quote is not signed by its attestation key")]
    QuoteSignature,
    /// Something is not valid yet, or not any more.
    #[error("the {} {}: it is valid from {} until {}, and the quote is verified for {at}", .dated.what,
        if *.at < .dated.validity.from { "is not valid yet" } else { "has expired" },
        .dated.validity.from, .dated.validity.until)]
    NotValid {
        /// What is not valid, with its dates.
        dated: Dated,
        /// The time of verification.
        at: UnixTime,
    },
}

/// Where certificates come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chain {
    /// The quote's certification data.
    Pck,
    /// `pck_crl_issuer_chain`.
    PckRevocationListIssuer,
    /// `tcb_info_issuer_chain`.
    TcbInfoIssuer,
    /// `qe_identity_issuer_chain`.
    QeIdentityIssuer,
}

impl Chain {
    /// Says in which certificate, counted from 1, something is wrong.
    pub(crate) fn at(self, number: usize) -> impl Fn(CertificateError) -> Refusal {
        move |error| Refusal::Certificate {
            chain: self,
            number,
            error,
        }
    }

    /// Says whether it is the certificate or the list of an authority in which something is wrong.
    pub(crate) fn at_authority(self, number: usize, list: List) -> impl Fn(AuthorityError) -> Refusal {
        move |error| match error {
            AuthorityError::Certificate(error) => self.at(number)(error),
            AuthorityError::RevocationList(error) => Refusal::RevocationList { list, error },
        }
    }
}

impl std::fmt::Display for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Pck => "PCK certificate chain of the quote",
            Self::PckRevocationListIssuer => "pck_crl_issuer_chain",
            Self::TcbInfoIssuer => "tcb_info_issuer_chain",
            Self::QeIdentityIssuer => "qe_identity_issuer_chain",
        })
    }
}

/// A revocation list of the collateral.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// `root_ca_crl`.
    Root,
    /// `pck_crl`.
    Pck,
}

impl std::fmt::Display for List {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Root => "root_ca_crl",
            Self::Pck => "pck_crl",
        })
    }
}

/// A signed document of the collateral.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// `tcb_info`.
    TcbInfo,
    /// `qe_identity`.
    QeIdentity,
}

impl Document {
    pub(crate) const fn chain(self) -> Chain {
        match self {
            Self::TcbInfo => Chain::TcbInfoIssuer,
            Self::QeIdentity => Chain::QeIdentityIssuer,
        }
    }

    /// The signer's certificate, and the document itself.
    pub(crate) const fn items(self) -> (Item, Item) {
        match self {
            Self::TcbInfo => (Item::TcbInfoSignerCertificate, Item::TcbInfo),
            Self::QeIdentity => (Item::QeIdentitySignerCertificate, Item::QeIdentity),
        }
    }
}

impl std::fmt::Display for Document {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::TcbInfo => "tcb_info",
            Self::QeIdentity => "qe_identity",
        })
    }
}
