//! The quote in a certificate: *Interoperable RA-TLS X.509 Cert and Evidence Formats*, with one claim, the hash of the key.

use alloc::vec::Vec;

use minicbor::Encoder;
use minicbor::data::Tag;
use sha2::{Digest, Sha256};

/// CBOR tag of Intel's quotes (IANA).
const INTEL_QUOTE: u64 = 60_000;
/// SHA-256 in IANA's *Named Information Hash Algorithm Registry*.
const SHA_256: u8 = 1;

/// The claims about the key with this SubjectPublicKeyInfo: `{"pubkey-hash": << [1, SHA-256] >>}`.
pub fn claims(info: &[u8]) -> Vec<u8> {
    let (mut hash, mut claims) = (Encoder::new(Vec::new()), Encoder::new(Vec::new()));
    // Writing to memory cannot fail.
    let _ = hash
        .array(2)
        .and_then(|entry| entry.u8(SHA_256)?.bytes(&Sha256::digest(info)));
    let _ = claims
        .map(1)
        .and_then(|claims| claims.str("pubkey-hash")?.bytes(hash.writer()));
    claims.into_writer()
}

/// The report data that vouches for the claims: their SHA-256, and zeros.
pub fn report_data(claims: &[u8]) -> [u8; 64] {
    let mut data = [0; 64];
    for (byte, hashed) in data.iter_mut().zip(Sha256::digest(claims)) {
        *byte = hashed;
    }
    data
}

/// The extension's value: `60000([quote, claims])`.
pub fn evidence(quote: &[u8], claims: &[u8]) -> Vec<u8> {
    let mut evidence = Encoder::new(Vec::new());
    // Writing to memory cannot fail.
    let _ = evidence
        .tag(Tag::new(INTEL_QUOTE))
        .and_then(|tagged| tagged.array(2)?.bytes(quote)?.bytes(claims));
    evidence.into_writer()
}
