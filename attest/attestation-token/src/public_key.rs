//! Public keys: RSA from 2048 bits on, P-256 and P-384.

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::signature::{
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use der::asn1::ObjectIdentifier;
use der::{Decode as _, Encode as _};
use x509_cert::Certificate;
use x509_cert::spki::SubjectPublicKeyInfoOwned;

use crate::algorithm::{Algorithm, Family};

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");

/// Bytes of the modulus of RSA keys that are accepted.
const MODULUS_SIZES: std::ops::RangeInclusive<usize> = 256..=1024;

/// A public key, ready to verify.
#[derive(Clone)]
pub struct PublicKey {
    family: Family,
    /// For the usual algorithm of its kind.
    parsed: ParsedPublicKey,
    /// SubjectPublicKeyInfo for RSA, the uncompressed point otherwise: as aws-lc-rs takes keys of either kind.
    bytes: Vec<u8>,
    /// SubjectPublicKeyInfo in DER.
    info: Vec<u8>,
}

/// Why a public key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not DER, or not the structure.
    #[error("it is not an X.509 certificate or public key in DER")]
    Malformed,
    /// Of another kind or curve.
    #[error("it is neither RSA nor on P-256 or P-384")]
    Kind,
    /// Too short to be safe, or too long to be reasonable.
    #[error("it is RSA of less than 2048 or more than 8192 bits")]
    Size,
    /// Numbers or a point that no key can have.
    #[error("its numbers are not those of a key")]
    Numbers,
}

/// A signature is not by the key that it should be by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature is not by this key")]
pub struct BadSignature;

impl PublicKey {
    /// From RSA's modulus and exponent, big-endian, without leading zeroes.
    ///
    /// # Errors
    /// When they have leading zeroes or are no RSA key of 2048 to 8192 bits.
    pub fn from_rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyError> {
        if !MODULUS_SIZES.contains(&modulus.len()) {
            return Err(KeyError::Size);
        }
        let components = RsaPublicKeyComponents {
            n: modulus,
            e: exponent,
        };
        let parsed = components
            .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
            .map_err(|_| KeyError::Numbers)?;
        let info: PublicKeyX509Der<'_> = components.as_der().map_err(|_| KeyError::Numbers)?;
        let info = info.as_ref().to_vec();
        Ok(Self {
            family: Family::Rsa,
            parsed,
            bytes: info.clone(),
            info,
        })
    }

    /// From DER of a certificate, whose signature, dates and extensions are **not** looked at: that its key deserves trust
    /// must be known from elsewhere.
    ///
    /// # Errors
    /// When it is no certificate, or its key cannot be used.
    pub fn from_certificate(der: &[u8]) -> Result<Self, KeyError> {
        let certificate = Certificate::from_der(der).map_err(|_| KeyError::Malformed)?;
        Self::from_parsed_info(certificate.tbs_certificate().subject_public_key_info())
    }

    /// From a SubjectPublicKeyInfo in DER.
    ///
    /// # Errors
    /// When it is none, or the key cannot be used.
    pub fn from_info(der: &[u8]) -> Result<Self, KeyError> {
        let info = SubjectPublicKeyInfoOwned::from_der(der).map_err(|_| KeyError::Malformed)?;
        Self::from_parsed_info(&info)
    }

    fn from_parsed_info(info: &SubjectPublicKeyInfoOwned) -> Result<Self, KeyError> {
        let key = info.subject_public_key.as_bytes().ok_or(KeyError::Malformed)?;
        match info.algorithm.oid {
            RSA_ENCRYPTION => {
                let key = RsaPublicKey::from_der(key).map_err(|_| KeyError::Malformed)?;
                Self::from_rsa(key.modulus.as_bytes(), key.public_exponent.as_bytes())
            }
            EC_PUBLIC_KEY => {
                let curve = info.algorithm.parameters.as_ref();
                let curve = curve.and_then(|curve| curve.decode_as().ok());
                let family = match curve.ok_or(KeyError::Malformed)? {
                    P256 => Family::P256,
                    P384 => Family::P384,
                    _ => return Err(KeyError::Kind),
                };
                let parsed = ParsedPublicKey::new(family.usual().verification(), key);
                Ok(Self {
                    family,
                    parsed: parsed.map_err(|_| KeyError::Numbers)?,
                    bytes: key.to_vec(),
                    info: info.to_der().map_err(|_| KeyError::Malformed)?,
                })
            }
            _ => Err(KeyError::Kind),
        }
    }

    /// The algorithm that a key of this kind stands for when nothing else is said: RS256, ES256 or ES384.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.family.usual()
    }

    /// Its SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn info(&self) -> &[u8] {
        &self.info
    }

    /// Verifies a signature by `algorithm`; those of ECDSA are r and s, one after the other.
    ///
    /// # Errors
    /// When the signature is not by this key, or the algorithm is not one for this kind of key.
    pub fn verify(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        if algorithm.family() != self.family {
            return Err(BadSignature);
        }
        if algorithm == self.algorithm() {
            return self
                .parsed
                .verify_sig(signed, signature)
                .map_err(|_| BadSignature);
        }
        UnparsedPublicKey::new(algorithm.verification(), &self.bytes)
            .verify(signed, signature)
            .map_err(|_| BadSignature)
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.info == other.info
    }
}

impl Eq for PublicKey {}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("PublicKey").field(&self.family).finish()
    }
}

/// RSAPublicKey of RFC 8017, appendix A.1.1.
#[derive(der::Sequence)]
pub(crate) struct RsaPublicKey<'a> {
    pub(crate) modulus: der::asn1::UintRef<'a>,
    pub(crate) public_exponent: der::asn1::UintRef<'a>,
}
