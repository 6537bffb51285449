//! Intel's SGX public-key infrastructure, a type per role. A value of such a type is a certificate that was verified up
//! to the trusted root and is on no revocation list; only its validity in time is left to ask.
//!
//! ```text
//! Root ─┬─ PckAuthority (processor or platform) ── Pck ── attestation keys, through the quoting enclave's report
//!       └─ TcbSigner ── TCB info, QE identity
//! ```

use crate::certificate::{Certificate, CertificateError, Usage};
use crate::pck::Platform;
use crate::revocation::RevocationList;
use crate::root::{Trust, TrustedRoot};

/// The trusted root's own certificate, and what it has revoked.
#[derive(Debug)]
pub(crate) struct Root {
    certificate: Certificate,
    revoked: RevocationList,
    trust: Trust,
}

/// An authority that certifies PCKs, and what it has revoked.
#[derive(Debug)]
pub(crate) struct PckAuthority {
    certificate: Certificate,
    revoked: RevocationList,
}

/// Who signs TCB info and QE identity.
#[derive(Debug)]
pub(crate) struct TcbSigner {
    certificate: Certificate,
}

/// A platform's certification key.
#[derive(Debug)]
pub(crate) struct Pck {
    pub(crate) certificate: Certificate,
    pub(crate) platform: Platform,
}

impl Root {
    pub(crate) fn accept(
        certificate: Certificate,
        trusted: &TrustedRoot,
        revocation_list: &[u8],
    ) -> Result<Self, RootError> {
        trusted.check(&certificate).map_err(RootError::Certificate)?;
        let revoked =
            RevocationList::accept(revocation_list, &certificate).map_err(RootError::RevocationList)?;
        revoked
            .check(certificate.serial_number())
            .map_err(RootError::Certificate)?;
        Ok(Self {
            certificate,
            revoked,
            trust: trusted.trust(),
        })
    }

    /// Checks that another chain's last certificate is this root too. Intel has published more than one certificate
    /// for its one root key, so it need not be the same bytes.
    pub(crate) fn check(
        &self,
        certificate: &Certificate,
        trusted: &TrustedRoot,
    ) -> Result<(), CertificateError> {
        if certificate.der() != self.certificate.der() {
            trusted.check(certificate)?;
            self.revoked.check(certificate.serial_number())?;
        }
        Ok(())
    }

    pub(crate) const fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    pub(crate) const fn revoked(&self) -> &RevocationList {
        &self.revoked
    }

    fn check_issued(&self, certificate: &Certificate) -> Result<(), CertificateError> {
        certificate.check_issuer(&self.certificate)?;
        self.revoked.check(certificate.serial_number())
    }
}

/// What was wrong with the root: its certificate or its list.
pub(crate) enum RootError {
    Certificate(CertificateError),
    RevocationList(CertificateError),
}

impl PckAuthority {
    /// Checks the authority's certificate.
    pub(crate) fn check(certificate: &Certificate, root: &Root) -> Result<(), CertificateError> {
        let usage = Usage::Authority { path_length: Some(0) };
        // Single-socket platforms are certified by one, platforms that register by the other.
        let role = certificate.check_role(&root.trust.subject("SGX PCK Processor CA"), usage);
        if role.is_err() {
            certificate.check_role(&root.trust.subject("SGX PCK Platform CA"), usage)?;
        }
        root.check_issued(certificate)
    }

    /// Takes a certificate that was checked together with the authority's list.
    pub(crate) const fn with_list(certificate: Certificate, revoked: RevocationList) -> Self {
        Self { certificate, revoked }
    }

    pub(crate) const fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    pub(crate) const fn revoked(&self) -> &RevocationList {
        &self.revoked
    }

    /// Checks that `certificate` is the same authority's: also these have been published more than once.
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

    /// Verifies a PCK certificate.
    pub(crate) fn accept(&self, certificate: Certificate, trust: Trust) -> Result<Pck, CertificateError> {
        certificate.check_role(&trust.subject("SGX PCK Certificate"), Usage::EndEntity)?;
        certificate.check_issuer(&self.certificate)?;
        self.revoked.check(certificate.serial_number())?;
        let platform = Platform::of(&certificate)?;
        Ok(Pck {
            certificate,
            platform,
        })
    }
}

impl TcbSigner {
    pub(crate) fn accept(certificate: Certificate, root: &Root) -> Result<Self, CertificateError> {
        certificate.check_role(&root.trust.subject("SGX TCB Signing"), Usage::EndEntity)?;
        root.check_issued(&certificate)?;
        Ok(Self { certificate })
    }

    pub(crate) const fn certificate(&self) -> &Certificate {
        &self.certificate
    }
}
