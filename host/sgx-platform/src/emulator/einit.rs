//! EINIT's checks (SDM 40.3): the enclave is the one that was signed.

use sgx_arch::{KEY_SIZE, Secs, SigStruct};
use sha2::{Digest, Sha256};

use crate::Mismatch;

/// Checks a signature against a measured enclave, and gives MRSIGNER.
pub(super) fn check(secs: &Secs, sig: &SigStruct) -> Result<[u8; 32], Mismatch> {
    const INTEL: u32 = 0x8086;
    if sig.vendor != 0 && sig.vendor != INTEL {
        return Err(Mismatch::Vendor);
    }
    if !is_signed(sig) {
        return Err(Mismatch::Signature);
    }
    if sig.enclave_hash != secs.mr_enclave {
        return Err(Mismatch::EnclaveHash);
    }
    let mask = sig.attributes_mask;
    if secs.attributes.masked(mask) != sig.attributes.masked(mask) {
        return Err(Mismatch::Attributes);
    }
    if secs.misc_select.0 & sig.misc_mask != sig.misc_select.0 & sig.misc_mask {
        return Err(Mismatch::MiscSelect);
    }
    Ok(Sha256::digest(sig.modulus).into())
}

/// RSASSA-PKCS1-v1_5 with SHA-256, exponent 3, as the processor verifies it: the signer supplies the quotients, so that
/// only multiplications are needed. `s² = q1·n + r1` and `s·r1 = q2·n + r2` make `r2` congruent to `s³`.
fn is_signed(sig: &SigStruct) -> bool {
    let [n, s, q1, q2] = [&sig.modulus, &sig.signature, &sig.q1, &sig.q2].map(Number::from_bytes);
    let Some(r1) = remainder(&s.times(&s), &q1.times(&n)) else {
        return false;
    };
    let Some(r2) = remainder(&s.times(&r1), &q2.times(&n)) else {
        return false;
    };
    r1 < n && s < n && r2 == encoded_digest(&sig.signed_bytes())
}

/// EMSA-PKCS1-v1_5 (RFC 8017, 9.2), as a number.
fn encoded_digest(signed: &[u8]) -> Number {
    const SHA256_PREFIX: [u8; 19] = [
        0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
        0x04, 0x20,
    ];
    let mut bytes = [0xff; KEY_SIZE];
    let digest_at = KEY_SIZE - 32;
    let prefix_at = digest_at - SHA256_PREFIX.len();
    bytes[0] = 0;
    bytes[1] = 1;
    bytes[prefix_at - 1] = 0;
    bytes[prefix_at..digest_at].copy_from_slice(&SHA256_PREFIX);
    bytes[digest_at..].copy_from_slice(&Sha256::digest(signed));
    bytes.reverse();
    Number::from_bytes(&bytes)
}

const LIMBS: usize = KEY_SIZE / 8;

/// A number of 3072 bits, least significant limb first.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Number([u64; LIMBS]);

/// A product of two.
type Product = [u64; 2 * LIMBS];

impl Number {
    fn from_bytes(bytes: &[u8; KEY_SIZE]) -> Self {
        let mut limbs = [0; LIMBS];
        for (limb, bytes) in limbs.iter_mut().zip(bytes.as_chunks().0) {
            *limb = u64::from_le_bytes(*bytes);
        }
        Self(limbs)
    }

    fn times(&self, other: &Self) -> Product {
        let mut product = [0; 2 * LIMBS];
        for (at, &a) in self.0.iter().enumerate() {
            let mut carry = 0;
            for (to, &b) in product[at..].iter_mut().zip(&other.0) {
                let sum = u128::from(a) * u128::from(b) + u128::from(*to) + u128::from(carry);
                *to = sum as u64;
                carry = (sum >> 64) as u64;
            }
            product[at + LIMBS] = carry;
        }
        product
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.0.iter().rev().cmp(other.0.iter().rev()))
    }
}

/// `a - b`, if it is neither negative nor longer than a number.
fn remainder(a: &Product, b: &Product) -> Option<Number> {
    let mut difference = [0; 2 * LIMBS];
    let mut borrow = false;
    for ((to, &a), &b) in difference.iter_mut().zip(a).zip(b) {
        (*to, borrow) = a.borrowing_sub(b, borrow);
    }
    let (low, high) = difference.split_at(LIMBS);
    let fits = !borrow && high.iter().all(|&limb| limb == 0);
    fits.then(|| Number(std::array::from_fn(|at| low[at])))
}
