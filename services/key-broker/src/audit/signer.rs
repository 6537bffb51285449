//! The key that signs the log.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::SIGNATURE;
use super::entry::{Event, Line};

/// A private key on P-256.
pub struct AuditKey(EcdsaKeyPair);

/// The key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key of the audit log cannot be used")]
pub struct AuditKeyError;

impl AuditKey {
    /// A new key in PKCS #8.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn generate() -> Result<Zeroizing<Vec<u8>>, AuditKeyError> {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random);
        document
            .map(|document| Zeroizing::new(document.as_ref().to_vec()))
            .map_err(|_| AuditKeyError)
    }

    /// Reads PKCS #8.
    ///
    /// # Errors
    /// When it is not a key on P-256.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, AuditKeyError> {
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8);
        key.map(Self).map_err(|_| AuditKeyError)
    }

    /// SubjectPublicKeyInfo in DER.
    ///
    /// # Errors
    /// When the cryptographic library fails.
    pub fn public_key(&self) -> Result<Vec<u8>, AuditKeyError> {
        use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
        let info: PublicKeyX509Der<'_> = self.0.public_key().as_der().map_err(|_| AuditKeyError)?;
        Ok(info.as_ref().to_vec())
    }

    /// The line of an event, without a line feed.
    ///
    /// # Errors
    /// When the cryptographic library fails.
    pub fn line(&self, sequence: u64, previous: &[u8; 32], event: &Event) -> Result<Vec<u8>, AuditKeyError> {
        let line = Line {
            sequence,
            previous: base16ct::lower::encode_string(previous),
            event: event.clone(),
        };
        let mut line = serde_json::to_string(&line).map_err(|_| AuditKeyError)?;
        let signature = self.0.sign(&SystemRandom::new(), line.as_bytes());
        let signature = STANDARD.encode(signature.map_err(|_| AuditKeyError)?);
        // The closing brace.
        line.pop();
        line.push_str(SIGNATURE);
        line.push_str(&signature);
        line.push_str("\"}");
        Ok(line.into_bytes())
    }
}

/// Never shows the key.
impl std::fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuditKey")
    }
}
