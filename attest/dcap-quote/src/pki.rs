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
    pub(crate) ca: PckCa,
    certificate: Certificate,
    revoked: RevocationList,
}

/// The authorities that certify PCKs; each has a revocation list of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PckCa {
    /// Of platforms with one processor.
    Processor,
    /// Of platforms that register, as all with several processors do.
    Platform,
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

    /// Whether these are the bytes of the certificate (DER).
    pub(crate) fn is(&self, der: &[u8]) -> bool {
        der == self.certificate.der()
    }

    /// Checks that another chain's last certificate (DER) is this root too, and says when it is valid. Intel has published
    /// more than one certificate for its one root key, so it need not be the same bytes.
    pub(crate) fn check_same(&self, der: &[u8]) -> Result<Validity, CertificateError> {
        if self.is(der) {
            return Ok(self.certificate.validity());
        }
        let certificate = Certificate::parse(der)?;
        self.trusted.check(&certificate)?;
        self.revoked.check(certificate.serial_number())?;
        Ok(certificate.validity())
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
        let ca = Self::check(&certificate, root).map_err(AuthorityError::Certificate)?;
        let revoked = RevocationList::accept(list, &certificate).map_err(AuthorityError::RevocationList)?;
        Ok(Self {
            ca,
            certificate,
            revoked,
        })
    }

    /// Whether these are the bytes of the certificate (DER).
    pub(crate) fn is(&self, der: &[u8]) -> bool {
        der == self.certificate.der()
    }

    /// Checks that the intermediate certificate (DER) of a quote is this authority's, and says when it is valid. It need
    /// not be the same bytes, as with the root.
    pub(crate) fn check_same(&self, der: &[u8], root: &Root) -> Result<Validity, CertificateError> {
        if self.is(der) {
            return Ok(self.certificate.validity());
        }
        let certificate = Certificate::parse(der)?;
        if certificate.key() != self.certificate.key() || certificate.subject() != self.certificate.subject()
        {
            return Err(CertificateError::OtherAuthority);
        }
        Self::check(&certificate, root)?;
        Ok(certificate.validity())
    }

    pub(crate) fn dates(&self) -> [Dated; 2] {
        [
            Dated::new(Item::PckAuthorityCertificate, self.certificate.validity()),
            Dated::new(Item::PckRevocationList, self.revoked.validity),
        ]
    }

    fn check(certificate: &Certificate, root: &Root) -> Result<PckCa, CertificateError> {
        let usage = Usage::Authority { path_length: Some(0) };
        let has_role = |ca: PckCa| certificate.check_role(&root.trust().subject(ca.role()), usage);
        let ca = if has_role(PckCa::Processor).is_ok() {
            PckCa::Processor
        } else {
            has_role(PckCa::Platform)?;
            PckCa::Platform
        };
        root.check_issued(certificate)?;
        Ok(ca)
    }
}

impl PckCa {
    /// Both authorities.
    pub const ALL: [Self; 2] = [Self::Processor, Self::Platform];

    /// As in `ca=`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Processor => "processor",
            Self::Platform => "platform",
        }
    }

    /// End of the common name of its certificate.
    const fn role(self) -> &'static str {
        match self {
            Self::Processor => "SGX PCK Processor CA",
            Self::Platform => "SGX PCK Platform CA",
        }
    }

    /// By the common name of a certificate that nobody has verified.
    pub(crate) fn claimed_by(certificate: &Certificate) -> Option<Self> {
        let name = certificate.common_name()?;
        Self::ALL.into_iter().find(|ca| name.ends_with(ca.role()))
    }
}

impl std::fmt::Display for PckCa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
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
