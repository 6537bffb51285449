//! A root key that is sealed to an enclave: AES-256-GCM under a key that is derived from the enclave's sealing key.
//!
//! The file is text: `nacre-sealed-root-key 1 VERSION SALT SEALED`, the last three in hexadecimal. VERSION names the security
//! versions that the sealing key is of (`/dev/attestation/keys/version`), so that a newer enclave finds the key again.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use aws_lc_rs::rand;
use zeroize::Zeroizing;

use crate::keys::{RootKey, RootKeyError, expand};

const TITLE: &str = "nacre-sealed-root-key";
const FORMAT: &str = "1";
/// The key of the signer's product: also a newer version of the broker has it.
const KEY: &str = "_sgx_mrsigner";

/// The sealing keys of an enclave.
pub struct SealingKeys {
    directory: PathBuf,
    version: String,
}

impl SealingKeys {
    /// Those in a folder like `/dev/attestation/keys`.
    ///
    /// # Errors
    /// When there are none.
    pub fn at(directory: &Path) -> Result<Self, RootKeyError> {
        let path = directory.join("version");
        let version = fs::read_to_string(&path).map_err(io_error("read", &path))?;
        Ok(Self {
            directory: directory.to_owned(),
            version: version.trim().to_owned(),
        })
    }

    /// Writes a root key to a new file, sealed.
    ///
    /// # Errors
    /// When there is a file, or it cannot be written.
    pub fn seal(&self, root: &RootKey, path: &Path) -> Result<(), RootKeyError> {
        let mut salt = [0; 32];
        rand::fill(&mut salt).map_err(|_| RootKeyError::Random)?;
        let key = self.key(&self.version, &salt)?;
        let mut sealed = Zeroizing::new(root.expose().to_vec());
        key.seal_in_place_append_tag(nonce(), Aad::from(self.version.as_bytes()), &mut *sealed)
            .map_err(|_| RootKeyError::Random)?;
        let hex = |bytes: &[u8]| base16ct::lower::encode_string(bytes);
        let text = format!(
            "{TITLE} {FORMAT} {} {} {}\n",
            hex(self.version.as_bytes()),
            hex(&salt),
            hex(&sealed)
        );
        let write = || {
            let mut options = OpenOptions::new();
            let mut file = options.write(true).create_new(true).mode(0o600).open(path)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        };
        write().map_err(io_error("write", path))
    }

    /// Reads a sealed root key.
    ///
    /// # Errors
    /// When it was sealed by another enclave, on another processor, or was changed.
    pub fn open(&self, path: &Path) -> Result<RootKey, RootKeyError> {
        let text = fs::read_to_string(path).map_err(io_error("read", path))?;
        let form = || RootKeyError::Form(path.to_owned());
        let mut words = text.split_whitespace();
        if words.next() != Some(TITLE) || words.next() != Some(FORMAT) {
            return Err(form());
        }
        let mut next = || base16ct::lower::decode_vec(words.next()?).ok();
        let (version, salt, sealed) = (
            next().ok_or_else(form)?,
            next().ok_or_else(form)?,
            next().ok_or_else(form)?,
        );
        let version = String::from_utf8(version).map_err(|_| form())?;
        let is_name = !version.contains(['/', '.', '\0']) && !version.is_empty();
        if !is_name {
            return Err(form());
        }
        let key = self.key(&version, &salt)?;
        let mut sealed = Zeroizing::new(sealed);
        let plain = key.open_in_place(nonce(), Aad::from(version.as_bytes()), &mut sealed);
        let plain = plain.map_err(|_| RootKeyError::Sealed(path.to_owned()))?;
        let mut root = Zeroizing::new([0; 32]);
        if plain.len() != root.len() {
            return Err(form());
        }
        root.iter_mut()
            .zip(plain.iter())
            .for_each(|(to, from)| *to = *from);
        Ok(RootKey::from_bytes(root))
    }

    fn key(&self, version: &str, salt: &[u8]) -> Result<LessSafeKey, RootKeyError> {
        let path = match version == self.version {
            true => self.directory.join(KEY),
            false => self.directory.join("versions").join(version).join(KEY),
        };
        let sealing = Zeroizing::new(fs::read(&path).map_err(io_error("read", &path))?);
        if sealing.len() != 16 {
            return Err(RootKeyError::Form(path));
        }
        let prk = Salt::new(HKDF_SHA256, salt).extract(&sealing);
        let key = expand(&prk, &[b"nacre broker-store: sealed root key, 1"]).ok_or(RootKeyError::Random)?;
        let key = UnboundKey::new(&AES_256_GCM, key.as_ref()).map_err(|_| RootKeyError::Random)?;
        Ok(LessSafeKey::new(key))
    }
}

/// Each salt makes a key of its own.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

fn io_error(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> RootKeyError {
    let path = path.to_owned();
    move |error| RootKeyError::Io { what, path, error }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(directory: &Path, version: &str, key: u8) -> SealingKeys {
        fs::create_dir_all(directory.join("versions/old")).unwrap();
        fs::write(directory.join("version"), version).unwrap();
        fs::write(directory.join(KEY), [key; 16]).unwrap();
        fs::write(directory.join("versions/old").join(KEY), [1; 16]).unwrap();
        SealingKeys::at(directory).unwrap()
    }

    #[test]
    fn a_newer_enclave_opens_what_an_older_one_has_sealed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("root");
        let root = RootKey::generate().unwrap();
        let old = keys(directory.path(), "old", 1);
        old.seal(&root, &path).unwrap();
        assert!(old.seal(&root, &path).is_err(), "nothing is overwritten");
        assert_eq!(old.open(&path).unwrap().expose(), root.expose());
        let new = keys(directory.path(), "new", 2);
        assert_eq!(new.open(&path).unwrap().expose(), root.expose());
        let other = keys(directory.path(), "old", 3);
        assert!(matches!(other.open(&path), Err(RootKeyError::Sealed(_))));
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("6f6c64", "2e2e2f78")).unwrap();
        assert!(matches!(new.open(&path), Err(RootKeyError::Form(_))));
    }
}
