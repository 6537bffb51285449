//! The signature of a self-signed certificate.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ED25519,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, UnparsedPublicKey,
    VerificationAlgorithm,
};
use der::asn1::ObjectIdentifier;
use x509_cert::spki::SubjectPublicKeyInfoOwned;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
/// Key and signature alike.
const EDDSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const RSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const RSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
const RSA_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");

/// Kinds of keys in certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyKind {
    Rsa,
    P256,
    P384,
    Ed25519,
}

impl KeyKind {
    pub(crate) fn of(info: &SubjectPublicKeyInfoOwned) -> Option<Self> {
        let curve = || info.algorithm.parameters.as_ref()?.decode_as().ok();
        match info.algorithm.oid {
            RSA => Some(Self::Rsa),
            EDDSA => Some(Self::Ed25519),
            EC => match curve()? {
                P256 => Some(Self::P256),
                P384 => Some(Self::P384),
                _ => None,
            },
            _ => None,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Rsa => "RSA",
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::Ed25519 => "Ed25519",
        }
    }

    /// Whether `signature`, of the kind `algorithm`, is by this key.
    pub(crate) fn has_signed(
        self,
        key: &[u8],
        algorithm: ObjectIdentifier,
        signed: &[u8],
        signature: &[u8],
    ) -> bool {
        let algorithm: &'static dyn VerificationAlgorithm = match (self, algorithm) {
            (Self::P256, ECDSA_SHA256) => &ECDSA_P256_SHA256_ASN1,
            (Self::P256, ECDSA_SHA384) => &ECDSA_P256_SHA384_ASN1,
            // Gramine's.
            (Self::P384, ECDSA_SHA256) => &ECDSA_P384_SHA256_ASN1,
            (Self::P384, ECDSA_SHA384) => &ECDSA_P384_SHA384_ASN1,
            (Self::Ed25519, EDDSA) => &ED25519,
            (Self::Rsa, RSA_SHA256) => &RSA_PKCS1_2048_8192_SHA256,
            (Self::Rsa, RSA_SHA384) => &RSA_PKCS1_2048_8192_SHA384,
            (Self::Rsa, RSA_SHA512) => &RSA_PKCS1_2048_8192_SHA512,
            _ => return false,
        };
        UnparsedPublicKey::new(algorithm, key)
            .verify(signed, signature)
            .is_ok()
    }
}
