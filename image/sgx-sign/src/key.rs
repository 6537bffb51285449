//! RSA-3072 keys with exponent 3, the only kind that SGX takes, in PEM files.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crypto_bigint::BoxedUint;
use rsa::pkcs1::{DecodeRsaPrivateKey, DecodeRsaPublicKey};
use rsa::pkcs1v15::Pkcs1v15Sign;
use rsa::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey, LineEnding};
use rsa::traits::PublicKeyParts;
use sgx_arch::{KEY_SIZE, SigStruct};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use crate::MrSigner;

const BITS: u32 = 3072;
const EXPONENT: u64 = 3;

/// A key that signs enclaves. It is wiped from memory when dropped.
pub struct SigningKey(rsa::PrivateKey);

/// The public half: what the world knows a signer by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(rsa::PublicKey);

/// Why a key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("cannot read the key {0}: {1}")]
    Read(PathBuf, io::Error),
    /// The file cannot be written.
    #[error("cannot write the key {0}: {1}")]
    Write(PathBuf, io::Error),
    /// The file exists.
    #[error("{0} already exists, and keys are never overwritten; choose another name, or remove it yourself")]
    Exists(PathBuf),
    /// The file holds no key of the kind asked for.
    #[error("{0} is not an RSA {1} key in PEM form (PKCS#8 or PKCS#1, without a passphrase): it {2}")]
    Format(PathBuf, &'static str, &'static str),
    /// An RSA key that SGX does not take.
    #[error(
        "{0} has {1} bits and exponent {2}; SGX takes RSA keys of 3072 bits with exponent 3 only (make one with `nacre keygen`)"
    )]
    Kind(PathBuf, u32, String),
    /// The system gives no randomness, or arithmetic failed.
    #[error("cannot generate a key: {0}")]
    Generate(rsa::Error),
}

impl SigningKey {
    /// A new key, from the system's randomness.
    pub fn generate() -> Result<Self, KeyError> {
        rsa::PrivateKey::new_with_exp(&mut getrandom::SysRng, BITS as usize, BoxedUint::from(EXPONENT))
            .map(Self)
            .map_err(KeyError::Generate)
    }

    /// Reads a PEM file, PKCS#8 or PKCS#1.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let pem = read_pem(path, "private")?;
        let key = rsa::PrivateKey::from_pkcs8_pem(&pem)
            .or_else(|_| rsa::PrivateKey::from_pkcs1_pem(&pem))
            .map_err(|_| KeyError::Format(path.into(), "private", what_it_is(&pem)))?;
        check_kind(path, &key)?;
        Ok(Self(key))
    }

    /// Writes a new PEM file (PKCS#8) that only its owner can read. An existing file is left alone.
    pub fn save_new(&self, path: &Path) -> Result<(), KeyError> {
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::AlreadyExists => KeyError::Exists(path.into()),
            _ => KeyError::Write(path.into(), error),
        };
        let pem = self
            .0
            .to_pkcs8_pem(LineEnding::LF)
            .map_err(|error| failed(io::Error::other(error)))?;
        let directory = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        // A temporary file is its owner's only (mode 0600), and is whole when it gets its name.
        let mut file = NamedTempFile::new_in(directory).map_err(failed)?;
        file.write_all(pem.as_bytes())
            .and_then(|()| file.as_file().sync_all())
            .map_err(failed)?;
        file.persist_noclobber(path)
            .map_err(|error| failed(error.error))?;
        Ok(())
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.to_public_key())
    }

    /// RSASSA-PKCS1-v1_5 of a SHA-256 digest, big endian. Deterministic; blinded against timing.
    pub(crate) fn sign(&self, digest: &[u8; 32]) -> Result<Vec<u8>, rsa::Error> {
        self.0.sign(Pkcs1v15Sign::new::<Sha256>(), digest)
    }
}

impl PublicKey {
    /// Reads a PEM file: SubjectPublicKeyInfo or PKCS#1.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let pem = read_pem(path, "public")?;
        let key = rsa::PublicKey::from_public_key_pem(&pem)
            .or_else(|_| rsa::PublicKey::from_pkcs1_pem(&pem))
            .map_err(|_| KeyError::Format(path.into(), "public", what_it_is(&pem)))?;
        check_kind(path, &key)?;
        Ok(Self(key))
    }

    /// The key that a SIGSTRUCT names; `None` if that cannot be one. Whether it signed is for [`crate::verify`] to say.
    pub fn of(sig: &SigStruct) -> Option<Self> {
        Self::of_modulus(BoxedUint::from_le_slice(&sig.modulus, BITS).ok()?)
    }

    /// The key with this modulus and exponent, both big endian; `None` if it is none that SGX takes.
    pub fn from_parts(modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        let exponent = BoxedUint::from_be_slice(exponent, BITS).ok()?;
        let key = Self::of_modulus(BoxedUint::from_be_slice(modulus, BITS).ok()?)?;
        (exponent == BoxedUint::from(EXPONENT)).then_some(key)
    }

    fn of_modulus(modulus: BoxedUint) -> Option<Self> {
        let full = modulus.bit_width() == BITS;
        let key = rsa::PublicKey::new(modulus, BoxedUint::from(EXPONENT)).ok()?;
        full.then_some(Self(key))
    }

    /// The key as PEM (SubjectPublicKeyInfo).
    pub fn to_pem(&self) -> Option<String> {
        self.0.to_public_key_pem(LineEnding::LF).ok()
    }

    /// The modulus, little endian.
    pub fn modulus(&self) -> [u8; KEY_SIZE] {
        let mut bytes = [0; KEY_SIZE];
        bytes
            .iter_mut()
            .zip(self.0.n().to_le_bytes())
            .for_each(|(to, from)| *to = from);
        bytes
    }

    /// MRSIGNER of enclaves that this key signs.
    pub fn mr_signer(&self) -> MrSigner {
        MrSigner(Sha256::digest(self.modulus()).into())
    }

    /// Whether `signature` (big endian) is this key's for the digest.
    pub(crate) fn has_signed(&self, digest: &[u8; 32], signature: &[u8]) -> bool {
        self.0
            .verify(Pkcs1v15Sign::new::<Sha256>(), digest, signature)
            .is_ok()
    }
}

/// Longest key file that is read, in bytes.
const MAX_PEM_LEN: u64 = 64 << 10;

fn read_pem(path: &Path, kind: &'static str) -> Result<Zeroizing<String>, KeyError> {
    // All of it at once: growing would leave copies behind.
    let mut text = Zeroizing::new(String::with_capacity(MAX_PEM_LEN as usize + 1));
    let read = File::open(path).and_then(|file| file.take(MAX_PEM_LEN + 1).read_to_string(&mut text));
    match read {
        Ok(len) if len as u64 <= MAX_PEM_LEN => Ok(text),
        Ok(_) => Err(KeyError::Format(path.into(), kind, "is too long")),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(KeyError::Format(path.into(), kind, "is not text"))
        }
        Err(error) => Err(KeyError::Read(path.into(), error)),
    }
}

/// What the label of a PEM file that cannot be used says (RFC 7468).
fn what_it_is(pem: &str) -> &'static str {
    if pem.contains("ENCRYPTED") {
        "has a passphrase (remove it: openssl pkey -in FILE -out NEW)"
    } else if pem.contains("-----BEGIN PUBLIC KEY") || pem.contains("-----BEGIN RSA PUBLIC KEY") {
        "holds a public key"
    } else if pem.contains("-----BEGIN EC ") {
        "holds a key for elliptic curves"
    } else if pem.contains("PRIVATE KEY-----") {
        "holds a private key of another kind, or a damaged one"
    } else {
        "holds no key"
    }
}

fn check_kind(path: &Path, key: &impl PublicKeyParts) -> Result<(), KeyError> {
    let bits = key.n().bit_width();
    if bits == BITS && *key.e() == BoxedUint::from(EXPONENT) {
        return Ok(());
    }
    Err(KeyError::Kind(
        path.into(),
        bits,
        key.e().to_string_radix_vartime(10),
    ))
}
