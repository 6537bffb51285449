//! Certification of an attestation key: from the root over PCK certificate and quoting enclave.

use crate::certificate::Certificate;
use crate::checked::CheckedCollateral;
use crate::p256::{PublicKey, sha256};
use crate::pck::Platform;
use crate::pck_chain;
use crate::pki::Pck;
use crate::quote::Certification;
use crate::refusal::{Chain, Refusal};
use crate::report::SgxReport;
use crate::verdict::{Dated, Item, PartTcb};

/// An attestation key that a genuine quoting enclave on a certified platform vouches for.
#[derive(Debug)]
pub(crate) struct Certified {
    pub attestation_key: PublicKey,
    pub platform: Platform,
    pub quoting_enclave: PartTcb,
    /// Of the certificates of the quote.
    pub dates: Vec<Dated>,
    evidence: Evidence,
}

/// All bytes that were verified.
#[derive(Debug)]
struct Evidence {
    attestation_key: [u8; 64],
    qe_report: [u8; SgxReport::SIZE],
    qe_report_signature: [u8; 64],
    qe_authentication_data: Vec<u8>,
    pck_chain: String,
}

impl Certified {
    pub(crate) fn verify(
        certification: &Certification<'_>,
        collateral: &CheckedCollateral,
    ) -> Result<Self, Refusal> {
        let chain = Chain::Pck;
        let CheckedCollateral {
            root, pck_authority, ..
        } = collateral;
        let mut blocks = pck_chain::blocks(certification.pck_chain)?;
        // To sort them, they are parsed; most are sorted and known.
        let [_, authority, top] = &blocks;
        if !root.is(top) || !pck_authority.is(authority) {
            blocks = pck_chain::in_order(blocks);
        }
        let [pck, authority, top] = blocks;
        let top = root.check_same(&top).map_err(chain.at(3))?;
        let authority = pck_authority.check_same(&authority, root).map_err(chain.at(2))?;
        let pck = Certificate::parse(&pck).map_err(chain.at(1))?;
        let dates = vec![
            Dated::new(Item::PckCertificate, pck.validity()),
            Dated::new(Item::PckAuthorityCertificate, authority),
            Dated::new(Item::RootCertificate, top),
        ];
        let pck = Pck::accept(&pck, pck_authority, root.trust()).map_err(chain.at(1))?;
        check_platform(&pck.platform, collateral)?;

        let verified = pck
            .key
            .verify(certification.qe_report, certification.qe_report_signature);
        verified.map_err(|_| Refusal::QeReportSignature)?;
        let report = SgxReport::parse(certification.qe_report).map_err(|_| Refusal::AttestationKey)?;
        let hash = sha256(
            certification.attestation_key,
            certification.qe_authentication_data,
        );
        if report.report_data.0 != vouching_report_data(&hash) {
            return Err(Refusal::AttestationKey);
        }
        let quoting_enclave = collateral
            .qe_identity
            .rate(&report)
            .map_err(Refusal::QuotingEnclave)?;
        Ok(Self {
            attestation_key: PublicKey::from_coordinates(certification.attestation_key),
            platform: pck.platform,
            quoting_enclave,
            dates,
            evidence: Evidence::new(certification),
        })
    }

    /// Whether it was verified from exactly these bytes.
    pub(crate) fn is_of(&self, certification: &Certification<'_>) -> bool {
        self.evidence.borrow() == *certification
    }
}

/// The TCB info must be for this kind of platform.
fn check_platform(platform: &Platform, collateral: &CheckedCollateral) -> Result<(), Refusal> {
    let tcb_info = &collateral.tcb_info;
    if platform.fmspc != tcb_info.fmspc || platform.pce_id != tcb_info.pce_id {
        return Err(Refusal::WrongPlatform {
            quote_fmspc: platform.fmspc,
            quote_pce_id: platform.pce_id,
            fmspc: tcb_info.fmspc,
            pce_id: tcb_info.pce_id,
        });
    }
    Ok(())
}

/// Hash of attestation key and authentication data, then zeroes.
fn vouching_report_data(hash: &[u8; 32]) -> [u8; 64] {
    let mut report_data = [0; 64];
    for (byte, hash) in report_data.iter_mut().zip(hash) {
        *byte = *hash;
    }
    report_data
}

impl Evidence {
    fn new(certification: &Certification<'_>) -> Self {
        Self {
            attestation_key: *certification.attestation_key,
            qe_report: *certification.qe_report,
            qe_report_signature: *certification.qe_report_signature,
            qe_authentication_data: certification.qe_authentication_data.to_vec(),
            pck_chain: certification.pck_chain.to_owned(),
        }
    }

    fn borrow(&self) -> Certification<'_> {
        Certification {
            attestation_key: &self.attestation_key,
            qe_report: &self.qe_report,
            qe_report_signature: &self.qe_report_signature,
            qe_authentication_data: &self.qe_authentication_data,
            pck_chain: &self.pck_chain,
        }
    }
}
