//! A certificate with evidence: self-signed, read from DER, its quotes unverified.

use aws_lc_rs::digest::{SHA256, digest};
use base16ct::lower::encode_string;
use dcap_quote::{UnixTime, Validity};
use der::asn1::{BitStringRef, ObjectIdentifier};
use der::{Decode as _, Encode as _, Reader as _, SliceReader};
use x509_cert::certificate::TbsCertificate;
use x509_cert::spki::AlgorithmIdentifierOwned;

use crate::evidence::{Evidence, EvidenceError, Format};
use crate::self_signature::KeyKind;

/// A well-formed certificate that is signed with its own key and carries evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RaTlsCertificate {
    subject: String,
    serial_number: String,
    fingerprint: String,
    validity: Validity,
    key_kind: KeyKind,
    info: Vec<u8>,
    evidence: Vec<Evidence>,
}

/// Why bytes are not such a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// Larger than is ever of use.
    #[error("it has {0} bytes, and at most {max} are read", max = RaTlsCertificate::MAX_SIZE)]
    TooLarge(usize),
    /// Not DER, or not the structure.
    #[error("it is not an X.509 certificate in DER")]
    Malformed,
    /// Something that such certificates do not have.
    #[error("it is not as RFC 5280 says: {0}")]
    Profile(&'static str),
    /// The names of issuer and subject differ.
    #[error("it names another issuer than itself; only self-signed certificates are supported")]
    Issuer,
    /// A kind of key that TLS has no use for, or that is not supported.
    #[error("its key is neither RSA nor on P-256, P-384 or Ed25519")]
    Key,
    /// Changed, or signed by somebody else.
    #[error("it is not signed with its own key")]
    Signature,
    /// An ordinary certificate.
    #[error("it carries no quote: neither 2.23.133.5.4.9 nor 1.2.840.113741.1337.6 is among its extensions")]
    NoEvidence,
    /// Evidence that cannot be read.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
}

impl From<der::Error> for CertificateError {
    fn from(_: der::Error) -> Self {
        Self::Malformed
    }
}

/// Extensions that may be critical: basic constraints, key usage, extended key usage, alternative names.
const UNDERSTOOD: [ObjectIdentifier; 4] = [
    ObjectIdentifier::new_unwrap("2.5.29.19"),
    ObjectIdentifier::new_unwrap("2.5.29.15"),
    ObjectIdentifier::new_unwrap("2.5.29.37"),
    ObjectIdentifier::new_unwrap("2.5.29.17"),
];

impl RaTlsCertificate {
    /// Bytes of the largest certificate that is read.
    pub const MAX_SIZE: usize = 64 << 10;

    /// Reads DER that takes up all of `der`.
    ///
    /// # Errors
    /// When it is too large, not a certificate of version 3, not signed with its own key, has an extension twice or a
    /// critical one that is not known, or no evidence.
    pub fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > Self::MAX_SIZE {
            return Err(CertificateError::TooLarge(der.len()));
        }
        let signed = Signed::parse(der)?;
        let content = TbsCertificate::from_der(signed.content)?;
        if content.version() != x509_cert::Version::V3 {
            return Err(CertificateError::Profile("the version is not 3"));
        }
        if *content.signature() != signed.algorithm {
            return Err(CertificateError::Profile("it names two signature algorithms"));
        }
        if content.issuer() != content.subject() {
            return Err(CertificateError::Issuer);
        }
        let info = content.subject_public_key_info();
        let key_kind = KeyKind::of(info).ok_or(CertificateError::Key)?;
        let info_der = info.to_der()?;
        // aws-lc-rs takes RSA keys as a SubjectPublicKeyInfo, and points as they are.
        let key = info
            .subject_public_key
            .as_bytes()
            .ok_or(CertificateError::Malformed)?;
        let key = if key_kind == KeyKind::Rsa { &info_der } else { key };
        if !key_kind.has_signed(key, signed.algorithm.oid, signed.content, signed.signature) {
            return Err(CertificateError::Signature);
        }
        let validity = content.validity();
        Ok(Self {
            subject: content.subject().to_string(),
            serial_number: encode_string(content.serial_number().as_bytes()),
            fingerprint: encode_string(digest(&SHA256, der).as_ref()),
            validity: Validity {
                from: UnixTime(validity.not_before.to_unix_duration().as_secs()),
                until: UnixTime(validity.not_after.to_unix_duration().as_secs()),
            },
            key_kind,
            evidence: evidence(&content)?,
            info: info_der,
        })
    }

    /// Subject by RFC 4514: what the certificate calls itself, which proves nothing.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Serial number in hexadecimal.
    #[must_use]
    pub fn serial_number(&self) -> &str {
        &self.serial_number
    }

    /// SHA-256 of the certificate in hexadecimal.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// When it may be used.
    #[must_use]
    pub const fn validity(&self) -> Validity {
        self.validity
    }

    /// `RSA`, `P-256`, `P-384` or `Ed25519`.
    #[must_use]
    pub const fn key_kind(&self) -> &'static str {
        self.key_kind.name()
    }

    /// SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn info(&self) -> &[u8] {
        &self.info
    }

    /// The evidence that it carries: one, or two with the interoperable one first.
    #[must_use]
    pub fn evidence(&self) -> &[Evidence] {
        &self.evidence
    }
}

/// All evidence in the extensions, each of which is there once.
fn evidence(content: &TbsCertificate) -> Result<Vec<Evidence>, CertificateError> {
    let extensions = content.extensions().ok_or(CertificateError::NoEvidence)?;
    let mut seen = Vec::new();
    let mut evidence: Vec<Evidence> = Vec::new();
    for extension in extensions {
        if seen.contains(&extension.extn_id) {
            return Err(CertificateError::Profile("an extension appears twice"));
        }
        seen.push(extension.extn_id);
        let format = Format::of(extension.extn_id);
        // Evidence should be critical by DICE, although few TLS libraries take such a certificate.
        if extension.critical && !UNDERSTOOD.contains(&extension.extn_id) && format.is_none() {
            return Err(CertificateError::Profile("an unknown extension is critical"));
        }
        let Some(format) = format else { continue };
        if evidence.iter().any(|other| other.format() == format) {
            return Err(CertificateError::Profile("it has two quotes in one format"));
        }
        evidence.push(Evidence::parse(format, extension.extn_value.as_bytes())?);
    }
    if evidence.is_empty() {
        return Err(CertificateError::NoEvidence);
    }
    evidence.sort_by_key(|one| one.format() != Format::Interoperable);
    Ok(evidence)
}

/// `SEQUENCE { content, algorithm, signature }`.
struct Signed<'a> {
    /// The exact bytes that were signed.
    content: &'a [u8],
    algorithm: AlgorithmIdentifierOwned,
    signature: &'a [u8],
}

impl<'a> Signed<'a> {
    fn parse(der: &'a [u8]) -> Result<Self, CertificateError> {
        let mut reader = SliceReader::new(der)?;
        let signed = reader.sequence(|reader| -> Result<_, der::Error> {
            let content = reader.tlv_bytes()?;
            let algorithm = reader.decode()?;
            let signature: BitStringRef<'a> = reader.decode()?;
            let signature = signature.as_bytes();
            Ok(Self {
                content,
                algorithm,
                signature: signature.ok_or_else(|| reader.error(der::ErrorKind::Failed))?,
            })
        })?;
        reader.finish()?;
        Ok(signed)
    }
}
