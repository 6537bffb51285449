//! Makes SIGSTRUCTs, signs them or takes a signature made elsewhere, and checks them as EINIT does.

use crypto_bigint::{BoxedUint, ConcatenatingMul, ConcatenatingSquare};
use sgx_arch::{Attributes, KEY_SIZE, MiscSelect, SigStruct, Xfrm};
use sha2::{Digest, Sha256};

use crate::{Date, MrEnclave, PublicKey, SigningKey};

/// What the signer chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignOptions {
    /// Date of the build.
    pub date: Date,
    /// ISVPRODID: which of the signer's products it is.
    pub product: u16,
    /// ISVSVN: its security version; keys of a higher version are out of reach of a lower one.
    pub security_version: u16,
}

impl Default for SignOptions {
    fn default() -> Self {
        Self {
            date: Date::DEFAULT,
            product: 0,
            security_version: 0,
        }
    }
}

/// Whoever can sign enclaves: a key in a file, or one that never leaves its device.
pub trait Signer {
    /// The public half.
    fn public(&self) -> PublicKey;

    /// The signature of these bytes, by RSASSA-PKCS1-v1_5 with SHA-256: 384 bytes, big endian.
    ///
    /// # Errors
    /// The key cannot sign; the words say why.
    fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, String>;
}

impl Signer for SigningKey {
    fn public(&self) -> PublicKey {
        self.public()
    }

    fn sign(&self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let digest = Sha256::digest(bytes).into();
        self.sign(&digest).map_err(|_| "it is damaged".to_owned())
    }
}

/// A SIGSTRUCT that awaits its signature.
#[derive(Clone, Debug)]
pub struct Unsigned(SigStruct);

/// Why a SIGSTRUCT or signature is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Not an RSA-3072 signature by that key over these bytes.
    #[error("the signature does not match: it was made by another key, for another enclave, or is damaged")]
    Mismatch,
    /// Q1 or Q2 is wrong; a processor would refuse it.
    #[error("the signature's helper values Q1 and Q2 are wrong")]
    Quotients,
    /// The key cannot sign, for this reason.
    #[error("the key cannot sign: {0}")]
    Key(String),
}

/// Components that the host may choose to enable, as its processor has them: AVX and AVX-512. x87 and SSE must be on, and all
/// others off: the state of AMX would not fit the SSA frame, and a program's protection keys would be seen by the host.
const XFRM_FREE: u64 = Xfrm::AVX | Xfrm::AVX512;

impl Unsigned {
    /// The SIGSTRUCT of an enclave, `debug` as its configuration says.
    pub fn new(mr_enclave: MrEnclave, debug: bool, options: &SignOptions) -> Self {
        let debug = if debug { Attributes::DEBUG } else { 0 };
        Self(SigStruct {
            vendor: 0,
            date: options.date.to_bcd(),
            sw_defined: 0,
            modulus: [0; KEY_SIZE],
            signature: [0; KEY_SIZE],
            misc_select: MiscSelect::EXINFO,
            misc_mask: !0,
            attributes: Attributes {
                flags: Attributes::MODE64BIT | debug,
                xfrm: Xfrm::LEGACY,
            },
            attributes_mask: Attributes {
                flags: !0,
                xfrm: Xfrm(!XFRM_FREE),
            },
            enclave_hash: mr_enclave.0,
            isv_prod_id: options.product,
            isv_svn: options.security_version,
            q1: [0; KEY_SIZE],
            q2: [0; KEY_SIZE],
        })
    }

    /// The bytes to sign: RSASSA-PKCS1-v1_5 with SHA-256.
    pub fn bytes(&self) -> [u8; SigStruct::SIGNED_SIZE] {
        self.0.signed_bytes()
    }

    /// SHA-256 of [`Unsigned::bytes`].
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.bytes()).into()
    }

    /// Signs it.
    pub fn sign(self, key: &dyn Signer) -> Result<SigStruct, SignatureError> {
        let signature = key.sign(&self.bytes()).map_err(SignatureError::Key)?;
        self.with_signature(&signature, &key.public())
    }

    /// Adds a signature that was made elsewhere (384 bytes, big endian, as tools write it).
    pub fn with_signature(self, signature: &[u8], key: &PublicKey) -> Result<SigStruct, SignatureError> {
        if signature.len() != KEY_SIZE || !key.has_signed(&self.digest(), signature) {
            return Err(SignatureError::Mismatch);
        }
        let mut sig = self.0;
        sig.modulus = key.modulus();
        sig.signature.copy_from_slice(signature);
        sig.signature.reverse();
        (sig.q1, sig.q2) = quotients(&sig.signature, &sig.modulus).ok_or(SignatureError::Mismatch)?;
        Ok(sig)
    }
}

/// Checks that the key in a SIGSTRUCT has signed it. Whose key that is, `PublicKey::mr_signer` says.
pub fn verify(sig: &SigStruct) -> Result<PublicKey, SignatureError> {
    let key = PublicKey::of(sig).ok_or(SignatureError::Mismatch)?;
    let mut signature = sig.signature;
    signature.reverse();
    let digest = Sha256::digest(sig.signed_bytes()).into();
    if !key.has_signed(&digest, &signature) {
        return Err(SignatureError::Mismatch);
    }
    if quotients(&sig.signature, &sig.modulus) != Some((sig.q1, sig.q2)) {
        return Err(SignatureError::Quotients);
    }
    Ok(key)
}

type Number = [u8; KEY_SIZE];

/// Q1 and Q2 (SDM 37.14): they spare the processor two long divisions. All little endian.
fn quotients(signature: &Number, modulus: &Number) -> Option<(Number, Number)> {
    let bits = KEY_SIZE as u32 * 8;
    let signature = BoxedUint::from_le_slice(signature, bits).ok()?;
    let modulus = BoxedUint::from_le_slice(modulus, bits).ok()?;
    let modulus = modulus.as_nz_vartime()?;
    // s² = q1·n + r, so (s³ - q1·s·n) / n = s·r / n.
    let (q1, remainder) = signature.concatenating_square().div_rem_vartime(modulus);
    let (q2, _) = signature.concatenating_mul(&remainder).div_rem_vartime(modulus);
    Some((number(&q1)?, number(&q2)?))
}

/// The number's lowest 3072 bits, if it has no others.
fn number(value: &BoxedUint) -> Option<Number> {
    let bytes = value.to_le_bytes();
    let (low, high) = bytes.split_first_chunk()?;
    high.iter().all(|&byte| byte == 0).then_some(*low)
}
