//! Recovery of a root key: shares of it, each encrypted to somebody who keeps it.
//!
//! A share is text, `nacre-root-key-share 1 GROUP THRESHOLD POINT VALUES`, the numbers and bytes in hexadecimal. It is encrypted
//! by RSA-OAEP with SHA-256, so that OpenSSL and tokens decrypt it.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::rand;
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject as _;
use zeroize::Zeroizing;

use crate::keys::RootKey;
use crate::shares::{Points, join, split};

const TITLE: &str = "nacre-root-key-share";
const VERSION: &str = "1";
/// Bits of the smallest RSA key.
const MIN_KEY_BITS: usize = 3072;

/// Why a key cannot be shared or recovered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecoveryError {
    /// Not a public key for this.
    #[error("it is not an RSA public key of {MIN_KEY_BITS} bits or more in PEM (BEGIN PUBLIC KEY)")]
    Key,
    /// More shares needed than there are, or none.
    #[error("the threshold must be 1 to the number of recovery keys, which is {0}")]
    Threshold(usize),
    /// Not a decrypted share.
    #[error("it is not a decrypted share of a root key")]
    Share,
    /// Shares of different keys.
    #[error("the shares are not all of the same root key")]
    Groups,
    /// The same share twice, or too few.
    #[error("{needed} different shares are needed, and there are {given}")]
    TooFew {
        /// The threshold.
        needed: u8,
        /// Different ones.
        given: usize,
    },
    /// The library fails.
    #[error("the cryptographic library failed")]
    Crypto,
    /// The file system says so.
    #[error("cannot write {}: {error}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        error: std::io::Error,
    },
}

/// The public key of somebody who keeps a share.
pub struct RecoveryKey(OaepPublicEncryptingKey);

/// Encrypted shares.
pub struct Recovery(Vec<Vec<u8>>);

/// A decrypted share.
pub struct Share {
    group: String,
    threshold: u8,
    points: Points,
}

impl RecoveryKey {
    /// Reads a SubjectPublicKeyInfo in PEM.
    ///
    /// # Errors
    /// When it is not an RSA key that is large enough.
    pub fn from_pem(pem: &[u8]) -> Result<Self, RecoveryError> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem).map_err(|_| RecoveryError::Key)?;
        let key = PublicEncryptingKey::from_der(&der).map_err(|_| RecoveryError::Key)?;
        if key.key_size_bits() < MIN_KEY_BITS {
            return Err(RecoveryError::Key);
        }
        OaepPublicEncryptingKey::new(key)
            .map(Self)
            .map_err(|_| RecoveryError::Key)
    }

    fn encrypt(&self, plain: &[u8]) -> Result<Vec<u8>, RecoveryError> {
        let mut buffer = vec![0; self.0.ciphertext_size()];
        let written = self.0.encrypt(&OAEP_SHA256_MGF1SHA256, plain, &mut buffer, None);
        let size = written.map_err(|_| RecoveryError::Crypto)?.len();
        buffer.truncate(size);
        Ok(buffer)
    }
}

impl Recovery {
    /// Splits a root key into a share for each key.
    ///
    /// # Errors
    /// When the threshold makes no sense.
    pub fn split(root: &RootKey, threshold: u8, keys: &[RecoveryKey]) -> Result<Self, RecoveryError> {
        let wrong = RecoveryError::Threshold(keys.len());
        let Ok(count) = u8::try_from(keys.len()) else {
            return Err(wrong);
        };
        let mut group = [0; 8];
        rand::fill(&mut group).map_err(|_| RecoveryError::Crypto)?;
        let group = base16ct::lower::encode_string(&group);
        let shares = split(root.expose(), threshold, count).ok_or(wrong)?;
        let encrypted = shares.into_iter().zip(keys).map(|(points, key)| {
            let share = Share {
                group: group.clone(),
                threshold,
                points,
            };
            key.encrypt(share.text().as_bytes())
        });
        encrypted.collect::<Result<_, _>>().map(Self)
    }

    /// The encrypted shares, in the order of the keys.
    #[must_use]
    pub fn shares(&self) -> &[Vec<u8>] {
        &self.0
    }

    /// Writes the shares to `share-1`, `share-2`, … in a folder, which is made if it is not there.
    ///
    /// # Errors
    /// When one is there already, or cannot be written.
    pub fn save(&self, directory: &Path) -> Result<(), RecoveryError> {
        let error = |path: &Path| {
            let path = path.to_owned();
            move |error| RecoveryError::Write { path, error }
        };
        fs::create_dir_all(directory).map_err(error(directory))?;
        for (number, share) in (1..).zip(&self.0) {
            let path = directory.join(format!("share-{number}"));
            let write = || {
                let mut options = OpenOptions::new();
                let mut file = options.write(true).create_new(true).mode(0o600).open(&path)?;
                file.write_all(share)?;
                file.sync_all()
            };
            write().map_err(error(&path))?;
        }
        Ok(())
    }
}

impl Share {
    /// Reads a decrypted share.
    ///
    /// # Errors
    /// When it is none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RecoveryError> {
        let parse = || {
            let text = std::str::from_utf8(bytes).ok()?;
            let mut words = text.split_whitespace();
            if words.next()? != TITLE || words.next()? != VERSION {
                return None;
            }
            let group = words.next()?.to_owned();
            let (threshold, point) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
            let mut values = Zeroizing::new([0; 32]);
            let decoded = base16ct::lower::decode(words.next()?, values.as_mut()).ok()?;
            let is_whole = decoded.len() == 32 && words.next().is_none() && point != 0;
            is_whole.then_some(Self {
                group,
                threshold,
                points: Points { point, values },
            })
        };
        parse().ok_or(RecoveryError::Share)
    }

    fn text(&self) -> Zeroizing<String> {
        let values = Zeroizing::new(base16ct::lower::encode_string(self.points.values.as_ref()));
        Zeroizing::new(format!(
            "{TITLE} {VERSION} {} {} {} {}\n",
            self.group,
            self.threshold,
            self.points.point,
            values.as_str()
        ))
    }
}

impl RootKey {
    /// Puts a root key together from shares.
    ///
    /// # Errors
    /// When they are too few, or not of one key. Whether the key is right, only a store can tell.
    pub fn recover(shares: &[Share]) -> Result<Self, RecoveryError> {
        let first = shares
            .first()
            .ok_or(RecoveryError::TooFew { needed: 1, given: 0 })?;
        if shares
            .iter()
            .any(|share| (&share.group, share.threshold) != (&first.group, first.threshold))
        {
            return Err(RecoveryError::Groups);
        }
        let mut points: Vec<&Points> = shares.iter().map(|share| &share.points).collect();
        points.sort_by_key(|points| points.point);
        points.dedup_by_key(|points| points.point);
        let (needed, given) = (first.threshold, points.len());
        if given < usize::from(needed) {
            return Err(RecoveryError::TooFew { needed, given });
        }
        join(&points).map(Self::from_bytes).ok_or(RecoveryError::Groups)
    }
}
