//! The private key that signs tokens.

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use der::Decode as _;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::algorithm::Algorithm;
use crate::base64;
use crate::public_key::{PublicKey, RsaPublicKey};

/// An RSA key that signs by RS256. Its memory is cleared when it is dropped (by AWS-LC).
pub struct SigningKey {
    key: KeyPair,
    public: PublicKey,
    /// Big-endian, without leading zeroes.
    modulus: Vec<u8>,
    exponent: Vec<u8>,
    kid: String,
}

/// Bits of a new key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeySize {
    /// As Azure Attestation's: the fastest to verify.
    Rsa2048,
    /// As strong as 128 bits.
    Rsa3072,
    /// Stronger still.
    Rsa4096,
}

/// What the issuer puts into a header besides `alg` and `kid`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeaderFields<'a> {
    /// Where the issuer's keys are to be found, for Azure Attestation `{issuer}/certs`.
    pub jku: Option<&'a str>,
    /// What the payload is, usually `JWT`.
    pub typ: Option<&'a str>,
}

/// Why a key is none, or did not sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SigningError {
    /// Not a private key in PKCS#8, or not RSA of 2048 to 8192 bits.
    #[error("it is not a private RSA key of 2048 to 8192 bits in PKCS#8 (DER); make a new one")]
    Key,
    /// The cryptographic library failed, for want of memory or randomness.
    #[error("the cryptographic library failed")]
    Library,
}

impl SigningKey {
    /// Makes a new one with the system's randomness.
    ///
    /// # Errors
    /// When the cryptographic library fails.
    pub fn generate(size: KeySize) -> Result<Self, SigningError> {
        use aws_lc_rs::rsa::KeySize as Bits;
        let size = match size {
            KeySize::Rsa2048 => Bits::Rsa2048,
            KeySize::Rsa3072 => Bits::Rsa3072,
            KeySize::Rsa4096 => Bits::Rsa4096,
        };
        Self::new(KeyPair::generate(size).map_err(|_| SigningError::Library)?)
    }

    /// Reads an unencrypted private key in PKCS#8 (DER).
    ///
    /// # Errors
    /// When it is none, or not RSA of 2048 to 8192 bits.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, SigningError> {
        Self::new(KeyPair::from_pkcs8(der).map_err(|_| SigningError::Key)?)
    }

    fn new(key: KeyPair) -> Result<Self, SigningError> {
        let public = RsaPublicKey::from_der(key.public_key().as_ref()).map_err(|_| SigningError::Key)?;
        let modulus = public.modulus.as_bytes().to_vec();
        let exponent = public.public_exponent.as_bytes().to_vec();
        Ok(Self {
            public: PublicKey::from_rsa(&modulus, &exponent).map_err(|_| SigningError::Key)?,
            kid: thumbprint(&modulus, &exponent),
            modulus,
            exponent,
            key,
        })
    }

    /// The private key in PKCS#8 (DER), unencrypted.
    ///
    /// # Errors
    /// When the cryptographic library fails.
    pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, SigningError> {
        let der: Pkcs8V1Der<'static> = self.key.as_der().map_err(|_| SigningError::Library)?;
        Ok(Zeroizing::new(der.as_ref().to_vec()))
    }

    /// Its public half.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Its name: the thumbprint of RFC 7638.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Its public half as a JSON Web Key for signatures, with these certificates (DER, its own first) as `x5c`; without, that
    /// member is missing.
    #[must_use]
    pub fn jwk(&self, certificates: &[&[u8]]) -> Value {
        let mut key = json!({
            "kty": "RSA",
            "use": "sig",
            "alg": Algorithm::Rs256.name(),
            "kid": self.kid,
            "n": base64::encode_url(&self.modulus),
            "e": base64::encode_url(&self.exponent),
        });
        if !certificates.is_empty() {
            let certificates = certificates.iter().map(|der| base64::encode_standard(der));
            let certificates: Value = certificates.collect();
            if let Some(members) = key.as_object_mut() {
                members.insert("x5c".to_owned(), certificates);
            }
        }
        key
    }

    /// Signs `payload`: a JSON Web Signature in compact form.
    ///
    /// # Errors
    /// When the cryptographic library fails.
    pub fn sign(&self, fields: &HeaderFields<'_>, payload: &[u8]) -> Result<String, SigningError> {
        let mut header = json!({ "alg": Algorithm::Rs256.name(), "kid": self.kid });
        if let Some(members) = header.as_object_mut() {
            for (name, value) in [("jku", fields.jku), ("typ", fields.typ)] {
                if let Some(value) = value {
                    members.insert(name.to_owned(), value.into());
                }
            }
        }
        let mut text = base64::encode_url(header.to_string().as_bytes());
        text.push('.');
        text.push_str(&base64::encode_url(payload));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                text.as_bytes(),
                &mut signature,
            )
            .map_err(|_| SigningError::Library)?;
        text.push('.');
        text.push_str(&base64::encode_url(&signature));
        Ok(text)
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

/// RFC 7638: the hash of the required members in the order of their names, without white space.
fn thumbprint(modulus: &[u8], exponent: &[u8]) -> String {
    let members = format!(
        r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#,
        base64::encode_url(exponent),
        base64::encode_url(modulus)
    );
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, members.as_bytes());
    base64::encode_url(hash.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7638, section 3.1.
    #[test]
    fn thumbprint_of_the_rfc() {
        let modulus = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let (modulus, exponent) = (
            base64::decode_url(modulus).unwrap(),
            base64::decode_url("AQAB").unwrap(),
        );
        assert_eq!(
            thumbprint(&modulus, &exponent),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
        );
    }
}
