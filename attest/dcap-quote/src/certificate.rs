//! X.509 certificates in the profile of Intel's SGX public-key infrastructure, and nothing beyond it.
//!
//! Source: *Intel SGX PCK Certificate and Certificate Revocation List Profile Specification*, over RFC 5280: version 3,
//! ECDSA P-256 with SHA-256, critical key usage and basic constraints, no other critical extensions.

use der::asn1::{BitStringRef, ObjectIdentifier};
use der::{Decode as _, Reader as _, SliceReader};
use x509_cert::certificate::TbsCertificate;
use x509_cert::ext::Extensions;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::AlgorithmIdentifierOwned;

use crate::p256::{BadSignature, PublicKey};
use crate::time::{UnixTime, Validity};

const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");

/// A certificate that is well-formed and in the profile; its signature is not verified yet.
#[derive(Debug)]
pub(crate) struct Certificate {
    content: TbsCertificate,
    signed: Signed,
    key: PublicKey,
    usage: Usage,
}

/// What the owner of the certified key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Usage {
    /// Sign certificates and revocation lists.
    Authority {
        /// How many authorities may follow below.
        path_length: Option<u8>,
    },
    /// Sign other things.
    EndEntity,
}

/// Why a certificate or a revocation list is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// Not DER, or not the structure.
    #[error("it is not well-formed DER")]
    Malformed,
    /// Something that Intel's profile does not have.
    #[error("it is outside of the profile: {0}")]
    Profile(&'static str),
    /// The subject's common name is that of another role.
    #[error("its subject should be {expected:?}, and is {found:?}")]
    Subject {
        /// By the place in the chain.
        expected: String,
        /// In the certificate.
        found: String,
    },
    /// The names of issuer and subject do not chain.
    #[error("it names another issuer than the certificate that follows it")]
    Issuer,
    /// A PCK certificate's authority is not the one whose revocation list is at hand.
    #[error("it is of another authority (processor or platform) than pck_crl")]
    OtherAuthority,
    /// The signature is not the issuer's.
    #[error("its signature is not by its issuer")]
    Signature,
    /// On the issuer's revocation list.
    #[error("it is revoked")]
    Revoked,
    /// The root is not the one that is trusted.
    #[error("its key is not that of the trusted root")]
    UntrustedRoot,
}

impl From<der::Error> for CertificateError {
    fn from(_: der::Error) -> Self {
        Self::Malformed
    }
}

impl From<BadSignature> for CertificateError {
    fn from(_: BadSignature) -> Self {
        Self::Signature
    }
}

impl Certificate {
    /// Reads DER that takes up all of `der`.
    pub(crate) fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        let signed = Signed::parse(der)?;
        let content = TbsCertificate::from_der(&signed.content)?;
        signed.check_algorithm(content.signature())?;
        if content.version() != x509_cert::Version::V3 {
            return Err(CertificateError::Profile("the version is not 3"));
        }
        let extensions = content
            .extensions()
            .ok_or(CertificateError::Profile("no extensions"))?;
        check_extensions(extensions, &[KEY_USAGE, BASIC_CONSTRAINTS])?;
        let key = public_key(&content)?;
        let usage = usage(&content)?;
        Ok(Self {
            content,
            signed,
            key,
            usage,
        })
    }

    /// The whole certificate.
    pub(crate) fn der(&self) -> &[u8] {
        &self.signed.der
    }

    pub(crate) const fn key(&self) -> &PublicKey {
        &self.key
    }

    pub(crate) fn subject(&self) -> &Name {
        self.content.subject()
    }

    pub(crate) fn issuer(&self) -> &Name {
        self.content.issuer()
    }

    pub(crate) fn serial_number(&self) -> &SerialNumber {
        self.content.serial_number()
    }

    /// Contents of the one extension of this kind.
    pub(crate) fn extension(&self, id: ObjectIdentifier) -> Option<&[u8]> {
        let extension = self
            .content
            .extensions()?
            .iter()
            .find(|extension| extension.extn_id == id)?;
        Some(extension.extn_value.as_bytes())
    }

    pub(crate) fn validity(&self) -> Validity {
        let validity = self.content.validity();
        Validity {
            from: UnixTime(validity.not_before.to_unix_duration().as_secs()),
            until: UnixTime(validity.not_after.to_unix_duration().as_secs()),
        }
    }

    /// The subject's common name; none when there is none that can be read.
    pub(crate) fn common_name(&self) -> Option<String> {
        let name = self.content.subject().common_name().ok()??;
        Some(name.value().into_owned())
    }

    /// Checks the subject's common name and what the key may be used for.
    pub(crate) fn check_role(&self, name: &str, usage: Usage) -> Result<(), CertificateError> {
        let found = self.content.subject().common_name()?;
        let found = found
            .as_ref()
            .map(|name| name.value().into_owned())
            .unwrap_or_default();
        if found != name {
            return Err(CertificateError::Subject {
                expected: name.to_owned(),
                found,
            });
        }
        if self.usage != usage {
            return Err(CertificateError::Profile(
                "basic constraints are not those of its role",
            ));
        }
        Ok(())
    }

    /// Checks that the certificate names this issuer and is signed by it. The issuer's role is the caller's to check.
    pub(crate) fn check_issuer(&self, issuer: &Self) -> Result<(), CertificateError> {
        if self.content.issuer() != issuer.subject() {
            return Err(CertificateError::Issuer);
        }
        self.signed.check_signature(&issuer.key)
    }
}

/// `SEQUENCE { content, algorithm, signature }`, the shape of certificates and of revocation lists.
#[derive(Debug)]
pub(crate) struct Signed {
    der: Vec<u8>,
    /// The exact bytes that were signed.
    pub(crate) content: Vec<u8>,
    algorithm: AlgorithmIdentifierOwned,
    signature: Vec<u8>,
}

impl Signed {
    pub(crate) fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        let mut reader = SliceReader::new(der)?;
        let signed = reader.sequence(|reader| -> Result<_, der::Error> {
            let content = reader.tlv_bytes()?.to_vec();
            let algorithm = reader.decode()?;
            let signature: BitStringRef<'_> = reader.decode()?;
            let signature = signature
                .as_bytes()
                .ok_or_else(|| reader.error(der::ErrorKind::Failed))?;
            Ok(Self {
                der: der.to_vec(),
                content,
                algorithm,
                signature: signature.to_vec(),
            })
        })?;
        reader.finish()?;
        Ok(signed)
    }

    /// The algorithm inside and outside of the signed part must be the one of the profile.
    pub(crate) fn check_algorithm(&self, inside: &AlgorithmIdentifierOwned) -> Result<(), CertificateError> {
        let expected = AlgorithmIdentifierOwned {
            oid: ECDSA_WITH_SHA256,
            parameters: None,
        };
        if *inside != expected || self.algorithm != expected {
            return Err(CertificateError::Profile(
                "it is not signed with ECDSA and SHA-256",
            ));
        }
        Ok(())
    }

    pub(crate) fn check_signature(&self, key: &PublicKey) -> Result<(), CertificateError> {
        Ok(key.verify_der(&self.content, &self.signature)?)
    }
}

/// No extension twice, and none critical but those that are `understood`.
pub(crate) fn check_extensions(
    extensions: &Extensions,
    understood: &[ObjectIdentifier],
) -> Result<(), CertificateError> {
    let mut seen = Vec::with_capacity(extensions.len());
    for extension in extensions {
        if seen.contains(&extension.extn_id) {
            return Err(CertificateError::Profile("an extension appears twice"));
        }
        seen.push(extension.extn_id);
        if extension.critical && !understood.contains(&extension.extn_id) {
            return Err(CertificateError::Profile("an unknown extension is critical"));
        }
    }
    Ok(())
}

fn public_key(content: &TbsCertificate) -> Result<PublicKey, CertificateError> {
    let info = content.subject_public_key_info();
    let curve = info
        .algorithm
        .parameters
        .as_ref()
        .map(|curve| curve.decode_as::<ObjectIdentifier>());
    if info.algorithm.oid != EC_PUBLIC_KEY || curve != Some(Ok(P256)) {
        return Err(CertificateError::Profile("the key is not of P-256"));
    }
    info.subject_public_key
        .as_bytes()
        .and_then(PublicKey::from_point)
        .ok_or(CertificateError::Profile("the key is not an uncompressed point"))
}

/// Key usage and basic constraints, which must agree.
fn usage(content: &TbsCertificate) -> Result<Usage, CertificateError> {
    let (_, key_usage) = content
        .get_extension::<KeyUsage>()?
        .ok_or(CertificateError::Profile("no key usage"))?;
    let (_, constraints) = content
        .get_extension::<BasicConstraints>()?
        .ok_or(CertificateError::Profile("no basic constraints"))?;
    let signs_others = key_usage.key_cert_sign() && key_usage.crl_sign() && !key_usage.digital_signature();
    let signs_itself = key_usage.digital_signature() && !key_usage.key_cert_sign() && !key_usage.crl_sign();
    match (constraints.ca, constraints.path_len_constraint) {
        (true, path_length) if signs_others => Ok(Usage::Authority { path_length }),
        (false, None) if signs_itself => Ok(Usage::EndEntity),
        _ => Err(CertificateError::Profile(
            "key usage and basic constraints contradict each other",
        )),
    }
}
