//! A platform for attestation without SGX or TDX. **It protects nothing**: its keys are made from a seed, and whoever knows
//! the seed can sign what it likes.
//!
//! It has what a real platform has, in the same formats, so that one verifier serves both: a root and its certificates
//! ([`SimulatedPlatform::root_certificate`]), revocation lists, TCB info and QE identity ([`SimulatedPlatform::collateral`])
//! and a quoting enclave ([`SimulatedPlatform::quote`]). All names in its certificates begin with `Simulated`, and the vendor id
//! in its quotes is [`dcap_quote::SIMULATED_QE_VENDOR`]; verifiers take it only where its root was named to them.
//!
//! Everything is made from a [`Profile`], bit for bit the same each time. Tests make platforms that are out of date,
//! revoked or [faulty](Fault) by changing the profile.
#![forbid(unsafe_code)]

mod der;
mod documents;
mod key;
mod pki;
mod profile;
mod quoting;

pub use dcap_quote::UnixTime;
use dcap_quote::{Collateral, Tee};

use crate::pki::{Keys, Pki, pem};
pub use crate::profile::{Authority, Certificate, Dates, Fault, IsvLevel, Level, Profile};

/// A platform with its keys and certificates.
pub struct SimulatedPlatform {
    profile: Profile,
    keys: Keys,
    pki: Pki,
}

/// What a quote is to be about.
#[derive(Clone, Debug)]
pub enum Body {
    /// REPORTBODY of an enclave.
    Sgx([u8; 384]),
    /// TDX 1.0 report of a trust domain.
    Td10([u8; 584]),
    /// TDX 1.5 report of a trust domain.
    Td15([u8; 648]),
    /// TDX 1.5 report of a trust domain, with extensions.
    Td15Ex(Box<[u8; 885]>),
}

impl SimulatedPlatform {
    /// Makes the platform's keys and certificates.
    #[must_use]
    pub fn new(profile: Profile) -> Self {
        let keys = Keys::derive(&profile);
        let pki = Pki::new(&profile, &keys);
        Self { profile, keys, pki }
    }

    /// The root's certificate as PEM, to be named to verifiers.
    #[must_use]
    pub fn root_certificate(&self) -> String {
        pem(&self.pki.root)
    }

    /// The root's certificate in DER.
    #[must_use]
    pub fn root_certificate_der(&self) -> &[u8] {
        &self.pki.root
    }

    /// What Intel would publish about the platform.
    #[must_use]
    pub fn collateral(&self, tee: Tee) -> Collateral {
        let tcb_info = documents::tcb_info(&self.profile, tee);
        let qe_identity = documents::qe_identity(&self.profile, tee);
        let signer = pem(&self.pki.tcb_signer) + &pem(&self.pki.root);
        Collateral {
            pck_crl_issuer_chain: pem(&self.pki.authority) + &pem(&self.pki.root),
            root_ca_crl: base16ct::lower::encode_string(&self.pki.root_list),
            pck_crl: base16ct::lower::encode_string(&self.pki.pck_list),
            tcb_info_issuer_chain: signer.clone(),
            tcb_info_signature: self.sign_document(&tcb_info),
            tcb_info,
            qe_identity_issuer_chain: signer,
            qe_identity_signature: self.sign_document(&qe_identity),
            qe_identity,
        }
    }

    /// Signs any text as if it were TCB info or QE identity: r and s in hexadecimal.
    #[must_use]
    pub fn sign_document(&self, json: &str) -> String {
        base16ct::lower::encode_string(&self.keys.tcb_signer.sign(json.as_bytes()))
    }
}

impl Body {
    pub(crate) const fn tee(&self) -> Tee {
        match self {
            Self::Sgx(_) => Tee::Sgx,
            Self::Td10(_) | Self::Td15(_) | Self::Td15Ex(_) => Tee::Tdx,
        }
    }

    pub(crate) const fn type_in_version_5(&self) -> u16 {
        match self {
            Self::Sgx(_) => 1,
            Self::Td10(_) => 2,
            Self::Td15(_) => 3,
            Self::Td15Ex(_) => 4,
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Sgx(bytes) => bytes,
            Self::Td10(bytes) => bytes,
            Self::Td15(bytes) => bytes,
            Self::Td15Ex(bytes) => bytes.as_slice(),
        }
    }
}
