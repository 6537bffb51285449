//! Keys derived from a seed, so that a platform is the same whenever it is made again.

use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use sha2::{Digest as _, Sha256};

/// A P-256 key whose signatures depend on nothing but the message (RFC 6979).
///
/// There is no secret in it: whoever knows the seed has it.
pub(crate) struct Key(SigningKey);

impl Key {
    /// The key with this role on the platform with this seed.
    pub(crate) fn derive(seed: &[u8; 32], role: &str) -> Self {
        // All but one in 2^32 hashes are below the order of the curve.
        let keys = (0_u8..).map(|attempt| SigningKey::from_slice(&derive(seed, role, attempt)));
        Self(
            keys.flatten()
                .next()
                .expect("256 hashes in a row above the order of P-256"),
        )
    }

    /// Coordinates x and y, big-endian.
    pub(crate) fn coordinates(&self) -> [u8; 64] {
        let point = self.0.verifying_key().to_sec1_point(false);
        let mut coordinates = [0; 64];
        coordinates.copy_from_slice(&point.as_bytes()[1..]);
        coordinates
    }

    /// r and s, big-endian.
    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        let signature: Signature = self.0.sign(message);
        signature.to_bytes().into()
    }

    pub(crate) fn sign_der(&self, message: &[u8]) -> Vec<u8> {
        let signature: Signature = self.0.sign(message);
        signature.to_der().as_bytes().to_vec()
    }
}

/// Thirty-two bytes for a purpose.
pub(crate) fn derive(seed: &[u8; 32], purpose: &str, attempt: u8) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(b"nacre simulated platform\0");
    hash.update(seed);
    hash.update([attempt]);
    hash.update(purpose.as_bytes());
    hash.finalize().into()
}
