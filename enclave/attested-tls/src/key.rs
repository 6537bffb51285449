//! The key, and its two forms: a SubjectPublicKeyInfo for everybody, and PKCS #8 for the enclave's programs.

use alloc::vec::Vec;

use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::elliptic_curve::zeroize::Zeroize as _;

use crate::pem;

/// A key on P-256 that the enclave has made. It is overwritten when it goes.
pub struct TlsKey(SigningKey);

/// Bytes of a scalar, and of a point that is not compressed.
const SCALAR_SIZE: usize = 32;
const POINT_SIZE: usize = 65;

/// What stands before the point in a SubjectPublicKeyInfo (RFC 5480): id-ecPublicKey on prime256v1, and a bit string.
const INFO_HEAD: &[u8; 26] = b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00";
/// What stands before the scalar in PKCS #8 (RFC 5958) with an ECPrivateKey (RFC 5915) of version 1.
const PRIVATE_HEAD: &[u8; 36] = b"\x30\x81\x87\x02\x01\x00\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x04\x6d\x30\x6b\x02\x01\x01\x04\x20";
/// What stands between scalar and point: `[1]` with a bit string.
const PRIVATE_MIDDLE: &[u8; 5] = b"\xa1\x44\x03\x42\x00";

impl TlsKey {
    /// Makes a key of these random bytes.
    pub fn generate(mut random: impl FnMut(&mut [u8])) -> Self {
        let mut scalar = [0; SCALAR_SIZE];
        // All but one in 2^32 is a key.
        let key = loop {
            random(&mut scalar);
            if let Ok(key) = SigningKey::from_slice(&scalar) {
                break key;
            }
        };
        scalar.zeroize();
        Self(key)
    }

    /// SubjectPublicKeyInfo in DER.
    pub fn info(&self) -> Vec<u8> {
        [&INFO_HEAD[..], &self.point()].concat()
    }

    /// The private key in PKCS #8, as PEM. The caller overwrites it.
    pub fn to_pem(&self) -> Vec<u8> {
        let mut scalar = self.0.to_bytes();
        let mut der =
            Vec::with_capacity(PRIVATE_HEAD.len() + SCALAR_SIZE + PRIVATE_MIDDLE.len() + POINT_SIZE);
        der.extend_from_slice(PRIVATE_HEAD);
        der.extend_from_slice(&scalar);
        scalar.zeroize();
        der.extend_from_slice(PRIVATE_MIDDLE);
        der.extend_from_slice(&self.point());
        let text = pem::encode("PRIVATE KEY", &der);
        der.zeroize();
        text
    }

    /// Signs a message by ECDSA with SHA-256, as X.509 has it.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature: DerSignature = self.0.sign(message);
        signature.as_bytes().to_vec()
    }

    fn point(&self) -> Vec<u8> {
        self.0.verifying_key().to_sec1_point(false).as_bytes().to_vec()
    }
}

impl core::fmt::Debug for TlsKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("TlsKey").finish_non_exhaustive()
    }
}
