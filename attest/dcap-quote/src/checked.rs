//! Checked collateral: verified once, to verify many quotes with.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::certificate::Certificate;
use crate::certification::Certified;
use crate::collateral::{Collateral, SignedDocument};
use crate::pem;
use crate::pki::{PckAuthority, PckCa, Root, TcbSigner};
use crate::qe_identity::QeIdentity;
use crate::quote::{Certification, Tee};
use crate::refusal::{Chain, Document, List, Refusal};
use crate::report::Bytes;
use crate::root::TrustedRoot;
use crate::tcb_info::TcbInfo;
use crate::time::{UnixTime, Validity};
use crate::verdict::{Dated, EvaluationDataNumbers, Item};

/// Collateral whose signatures, certificates and revocation lists were verified up to the trusted root.
///
/// That does not depend on the time. The dates do, and are checked anew for each quote; so this value can be kept as
/// long as it serves, and [`validity`](Self::validity) says how long that is.
///
/// It remembers the attestation keys that were certified under it, by every byte of their certification, so that a
/// further quote of a known quoting enclave costs one verification of a signature instead of three.
#[derive(Debug)]
pub struct CheckedCollateral {
    pub(crate) root: Root,
    pub(crate) pck_authority: PckAuthority,
    pub(crate) tcb_info: TcbInfo,
    pub(crate) qe_identity: QeIdentity,
    dates: Vec<Dated>,
    known: Mutex<BTreeMap<[u8; 64], Arc<Certified>>>,
}

/// Attestation keys to remember at most, some kilobytes each. A platform makes a new one only with a new version of its
/// quoting enclave, so this is about platforms.
const MAX_KNOWN: usize = 1024;

impl CheckedCollateral {
    /// Verifies everything but the dates.
    ///
    /// # Errors
    /// With the first link that is broken.
    pub fn check(collateral: &Collateral, trusted: &TrustedRoot) -> Result<Self, Refusal> {
        let chain = Chain::PckRevocationListIssuer;
        let [authority, root] = certificates(chain, &collateral.pck_crl_issuer_chain)?;
        let root = Root::accept(root, &collateral.revocation_list(List::Root)?, trusted)
            .map_err(chain.at_authority(2, List::Root))?;
        let pck_authority = PckAuthority::accept(authority, &collateral.revocation_list(List::Pck)?, &root)
            .map_err(chain.at_authority(1, List::Pck))?;

        let signer_of = |document| DocumentSigner::accept(&collateral.document(document)?, &root);
        let tcb_info_signer = signer_of(Document::TcbInfo)?;
        // Intel signs both with one key.
        let qe_identity_signer = if collateral.qe_identity_issuer_chain == collateral.tcb_info_issuer_chain {
            &tcb_info_signer
        } else {
            &signer_of(Document::QeIdentity)?
        };
        let document = Document::TcbInfo;
        let tcb_info = TcbInfo::parse(tcb_info_signer.verify(document, collateral)?)
            .map_err(|error| Refusal::Document { document, error })?;
        let document = Document::QeIdentity;
        let qe_identity = QeIdentity::parse(qe_identity_signer.verify(document, collateral)?)
            .map_err(|error| Refusal::Document { document, error })?;
        if tcb_info.tee() != qe_identity.tee {
            return Err(Refusal::MixedCollateral {
                tcb_info: tcb_info.tee(),
                qe_identity: qe_identity.tee,
            });
        }

        let documents = [
            Dated::new(Item::RootCertificate, tcb_info_signer.root),
            Dated::new(Item::TcbInfoSignerCertificate, tcb_info_signer.signer.validity()),
            Dated::new(Item::TcbInfo, tcb_info.validity),
            Dated::new(Item::RootCertificate, qe_identity_signer.root),
            Dated::new(
                Item::QeIdentitySignerCertificate,
                qe_identity_signer.signer.validity(),
            ),
            Dated::new(Item::QeIdentity, qe_identity.validity),
        ];
        let dates = first_to_expire_first(
            root.dates()
                .into_iter()
                .chain(pck_authority.dates())
                .chain(documents),
        );
        Ok(Self {
            root,
            pck_authority,
            tcb_info,
            qe_identity,
            dates,
            known: Mutex::default(),
        })
    }

    /// What environment the collateral is for.
    #[must_use]
    pub const fn tee(&self) -> Tee {
        self.tcb_info.tee()
    }

    /// The kind of platform that the TCB info is for.
    #[must_use]
    pub const fn fmspc(&self) -> Bytes<6> {
        self.tcb_info.fmspc
    }

    /// Whose PCK certificates the revocation list is about.
    #[must_use]
    pub const fn pck_ca(&self) -> PckCa {
        self.pck_authority.ca
    }

    /// Numbers of the TCB recoveries that TCB info and QE identity take into account.
    #[must_use]
    pub const fn evaluation_data_numbers(&self) -> EvaluationDataNumbers {
        EvaluationDataNumbers {
            tcb_info: self.tcb_info.evaluation_data_number,
            qe_identity: self.qe_identity.evaluation_data_number,
        }
    }

    /// Date of the newest level of the TCB info: of the recovery that it takes into account, if that concerns this kind of
    /// platform.
    #[must_use]
    pub fn newest_level(&self) -> UnixTime {
        self.tcb_info.newest_level()
    }

    /// Checks that everything in the collateral may be relied upon at this time.
    ///
    /// # Errors
    /// With what is not valid yet, or has expired.
    pub fn check_dates(&self, at: UnixTime) -> Result<(), Refusal> {
        check_dates(&self.dates, at)
    }

    /// Everything in the collateral that has a date, the first to expire first.
    #[must_use]
    pub fn dates(&self) -> &[Dated] {
        &self.dates
    }

    /// When all of the collateral may be relied upon. The dates of a quote's own certificates come on top.
    #[must_use]
    pub fn validity(&self) -> Validity {
        let all = self.dates.iter().map(|item| item.validity);
        all.fold(
            Validity {
                from: UnixTime(0),
                until: UnixTime(u64::MAX),
            },
            |all, one| Validity {
                from: all.from.max(one.from),
                until: all.until.min(one.until),
            },
        )
    }

    /// The verified way from the root to an attestation key; verified only once for the same bytes.
    pub(crate) fn certify(&self, certification: &Certification<'_>) -> Result<Arc<Certified>, Refusal> {
        // Nothing below panics while the lock is held; and entries are complete or not there.
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known().get(certification.attestation_key).map(Arc::clone);
        if let Some(certified) = found
            && certified.is_of(certification)
        {
            return Ok(certified);
        }
        let certified = Arc::new(Certified::verify(certification, self)?);
        let mut known = known();
        if known.len() >= MAX_KNOWN {
            known.clear();
        }
        known.insert(*certification.attestation_key, Arc::clone(&certified));
        Ok(certified)
    }
}

/// A verified signer of documents, and the dates of the root's certificate in its chain.
struct DocumentSigner {
    signer: TcbSigner,
    root: Validity,
}

impl DocumentSigner {
    fn accept(document: &SignedDocument<'_>, root: &Root) -> Result<Self, Refusal> {
        let chain = document.chain;
        let [signer, top] = blocks(chain, document.pem)?;
        let top = root.check_same(&top).map_err(chain.at(2))?;
        let signer = Certificate::parse(&signer).and_then(|signer| TcbSigner::accept(signer, root));
        Ok(Self {
            signer: signer.map_err(chain.at(1))?,
            root: top,
        })
    }

    /// The document's text, if this signer has signed it.
    fn verify<'a>(&self, document: Document, collateral: &'a Collateral) -> Result<&'a str, Refusal> {
        let SignedDocument { json, signature, .. } = collateral.document(document)?;
        let verified = self.signer.key().verify(json.as_bytes(), &signature);
        verified.map_err(|_| Refusal::DocumentSignature(document))?;
        Ok(json)
    }
}

/// None of them expired, and all valid already.
pub(crate) fn check_dates(dates: &[Dated], at: UnixTime) -> Result<(), Refusal> {
    match dates.iter().find(|dated| !dated.validity.contains(at)) {
        Some(dated) => Err(Refusal::NotValid { dated: *dated, at }),
        None => Ok(()),
    }
}

/// Without repetition, in the order of expiry.
pub(crate) fn first_to_expire_first(items: impl Iterator<Item = Dated>) -> Vec<Dated> {
    let mut dates = Vec::new();
    for item in items {
        if !dates.contains(&item) {
            dates.push(item);
        }
    }
    dates.sort_by_key(|item| item.validity.until);
    dates
}

/// The certificates of a chain, from the leaf to the root.
pub(crate) fn certificates<const N: usize>(chain: Chain, pem: &str) -> Result<[Certificate; N], Refusal> {
    let blocks: [Vec<u8>; N] = blocks(chain, pem)?;
    let certificates = (1..).zip(&blocks);
    let certificates = certificates.map(|(number, der)| Certificate::parse(der).map_err(chain.at(number)));
    let certificates: Vec<Certificate> = certificates.collect::<Result<_, _>>()?;
    exactly(chain, certificates)
}

/// As [`certificates`], in DER: one that is known already need not be parsed again.
fn blocks<const N: usize>(chain: Chain, pem: &str) -> Result<[Vec<u8>; N], Refusal> {
    let blocks = pem::decode(pem, "CERTIFICATE").map_err(|error| Refusal::Pem { chain, error })?;
    exactly(chain, blocks)
}

/// As many as there must be.
pub(crate) fn exactly<T, const N: usize>(chain: Chain, items: Vec<T>) -> Result<[T; N], Refusal> {
    let found = items.len();
    items.try_into().map_err(|_| Refusal::ChainLength {
        chain,
        found,
        expected: N,
    })
}
