//! Intel's SGX public-key infrastructure, a type per role. A value of such a type is a certificate that was verified up
//! to the trusted root and is on no revocation list; only its validity in time is left to ask.
//!
//! ```text
//! Root ─┬─ PckAuthority (processor or platform) ── Pck ── attestation keys, through the quoting enclave's report
//!       └─ TcbSigner ── TCB info, QE identity
//! ```

use crate::certificate::{Certificate, CertificateError, Usage};
use crate::p256::PublicKey;
use crate::pck::Platform;
use crate::revocation::RevocationList;
use crate::root::{Trust, TrustedRoot};
use crate::time::Validity;
use crate::verdict::{Dated, Item};

/// The trusted root's own certificate, and what it has revoked.
#[derive(Debug)]
pub(crate) struct Root {
    trusted: TrustedRoot,
    certificate: Certificate,
    revoked: RevocationList,
}

/// An authority that certifies PCKs, and what it has revoked.
#[derive(Debug)]
pub(crate) struct PckAuthority {
    certificate: Certificate,
    revoked: RevocationList,
}

/// Who signs TCB info and QE identity.
#[derive(Debug)]
pub(crate) struct TcbSigner(Certificate);

/// A platform's certification key.
#[derive(Debug)]
pub(crate) struct Pck {
    pub(crate) key: PublicKey,
    pub(crate) platform: Platform,
}

/// What is wrong with an authority: its certificate or its list.
pub(crate) enum AuthorityError {
    Certificate(CertificateError),
    RevocationList(CertificateError),
}

impl Root {
    pub(crate) fn accept(
        certificate: Certificate,
        list: &[u8],
        trusted: &TrustedRoot,
    ) -> Result<Self, AuthorityError> {
        trusted.check(&certificate).map_err(AuthorityError::Certificate)?;
        let revoked = RevocationList::accept(list, &certificate).map_err(AuthorityError::RevocationList)?;
        revoked
            .check(certificate.serial_number())
            .map_err(AuthorityError::Certificate)?;
        Ok(Self {
            trusted: trusted.clone(),
            certificate,
            revoked,
        })
    }

    /// Checks that another chain's last certificate is this root too. Intel has published more than one certificate
    /// for its one root key, so it need not be the same bytes.
    pub(crate) fn check_same(&self, certificate: &Certificate) -> Result<(), CertificateError> {
        if certificate.der() == self.certificate.der() {
            return Ok(());
        }
        self.trusted.check(certificate)?;
        self.revoked.check(certificate.serial_number())
    }

    pub(crate) const fn trust(&self) -> Trust {
        self.trusted.trust()
    }

    pub(crate) fn dates(&self) -> [Dated; 2] {
        [
            Dated::new(Item::RootCertificate, self.certificate.validity()),
            Dated::new(Item::RootRevocationList, self.revoked.validity),
        ]
    }

    fn check_issued(&self, certificate: &Certificate) -> Result<(), CertificateError> {
        certificate.check_issuer(&self.certificate)?;
        self.revoked.check(certificate.serial_number())
    }
}

impl PckAuthority {
    pub(crate) fn accept(certificate: Certificate, list: &[u8], root: &Root) -> Result<Self, AuthorityError> {
        Self::check(&certificate, root).map_err(AuthorityError::Certificate)?;
        let revoked = RevocationList::accept(list, &certificate).map_err(AuthorityError::RevocationList)?;
        Ok(Self { certificate, revoked })
    }

    /// Checks that the intermediate certificate of a quote is this authority's. It need not be the same bytes, as with
    /// the root.
    pub(crate) fn check_same(&self, certificate: &Certificate, root: &Root) -> Result<(), CertificateError> {
        if certificate.der() == self.certificate.der() {
            return Ok(());
        }
        if certificate.key() != self.certificate.key() || certificate.subject() != self.certificate.subject()
        {
            return Err(CertificateError::OtherAuthority);
        }
        Self::check(certificate, root)
    }

    pub(crate) fn dates(&self) -> [Dated; 2] {
        [
            Dated::new(Item::PckAuthorityCertificate, self.certificate.validity()),
            Dated::new(Item::PckRevocationList, self.revoked.validity),
        ]
    }

    fn check(certificate: &Certificate, root: &Root) -> Result<(), CertificateError> {
        let usage = Usage::Authority { path_length: Some(0) };
        // Platforms with one processor are certified by one, platforms that register by the other.
        let role = certificate.check_role(&root.trust().subject("SGX PCK Processor CA"), usage);
        if role.is_err() {
            certificate.check_role(&root.trust().subject("SGX PCK Platform CA"), usage)?;
        }
        root.check_issued(certificate)
    }
}

impl Pck {
    pub(crate) fn accept(
        certificate: &Certificate,
        authority: &PckAuthority,
        trust: Trust,
    ) -> Result<Self, CertificateError> {
        certificate.check_role(&trust.subject("SGX PCK Certificate"), Usage::EndEntity)?;
        certificate.check_issuer(&authority.certificate)?;
        authority.revoked.check(certificate.serial_number())?;
        Ok(Self {
            key: *certificate.key(),
            platform: Platform::of(certificate)?,
        })
    }
}

impl TcbSigner {
    pub(crate) fn accept(certificate: Certificate, root: &Root) -> Result<Self, CertificateError> {
        certificate.check_role(&root.trust().subject("SGX TCB Signing"), Usage::EndEntity)?;
        root.check_issued(&certificate)?;
        Ok(Self(certificate))
    }

    pub(crate) const fn key(&self) -> &PublicKey {
        self.0.key()
    }

    pub(crate) fn validity(&self) -> Validity {
        self.0.validity()
    }
}
