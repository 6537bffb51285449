//! ECDSA over P-256 with SHA-256: the only algorithm of Intel's attestation keys, certificates and collateral.
//!
//! From aws-lc-rs: with ring the fastest verification measured (four times that of the `p256` crate), and what the TLS
//! of the services stands on too, so that one implementation is trusted and not two.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, EcdsaVerificationAlgorithm, UnparsedPublicKey,
};

/// A public key that is yet to be seen to be a point of the curve; every verification checks that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PublicKey([u8; 65]);

/// The signature is not by this key over these bytes, or the key is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadSignature;

impl PublicKey {
    /// From the coordinates x and y, big-endian.
    pub(crate) fn from_coordinates(coordinates: &[u8; 64]) -> Self {
        let mut point = [4; 65];
        point[1..].copy_from_slice(coordinates);
        Self(point)
    }

    /// From an uncompressed point (SEC 1, 2.3.4).
    pub(crate) fn from_point(point: &[u8]) -> Option<Self> {
        match <[u8; 65]>::try_from(point) {
            Ok(point) if point.starts_with(&[4]) => Some(Self(point)),
            _ => None,
        }
    }

    /// x and y, big-endian.
    pub(crate) fn coordinates(&self) -> &[u8] {
        let [_, coordinates @ ..] = &self.0;
        coordinates
    }

    /// Verifies a signature of r and s, big-endian, as quotes and collateral have it.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8; 64]) -> Result<(), BadSignature> {
        self.verify_with(&ECDSA_P256_SHA256_FIXED, message, signature)
    }

    /// Verifies a signature in DER, as certificates and revocation lists have it.
    pub(crate) fn verify_der(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        self.verify_with(&ECDSA_P256_SHA256_ASN1, message, signature)
    }

    fn verify_with(
        &self,
        algorithm: &'static EcdsaVerificationAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), BadSignature> {
        UnparsedPublicKey::new(algorithm, &self.0)
            .verify(message, signature)
            .map_err(|_| BadSignature)
    }
}

/// SHA-256 of `first` followed by `second`.
pub(crate) fn sha256(first: &[u8], second: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, &[first, second].concat()).as_ref());
    hash
}
