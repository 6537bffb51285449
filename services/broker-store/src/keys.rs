//! The root key, and the keys that are derived from it (HKDF-SHA256).

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use zeroize::Zeroizing;

/// The one secret of a store: 32 bytes.
pub struct RootKey(Zeroizing<[u8; 32]>);

/// Why there is no root key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RootKeyError {
    /// The file system says so.
    #[error("cannot {what} the root key {}: {error}", path.display())]
    Io {
        /// The operation.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        error: io::Error,
    },
    /// Others can read it.
    #[error("the root key {} can be read or written by others (mode {mode:04o}); chmod 600 it, and make a new broker if others may have read it", path.display())]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Not 32 bytes in hexadecimal.
    #[error("{} is no root key: it must have 64 hexadecimal digits", .0.display())]
    Form(PathBuf),
    /// Sealed by another enclave, or changed.
    #[error("the root key {} cannot be opened: it was sealed by another signer's or product's enclave, on another processor, or was changed; recover it from shares (nacre broker recover)", .0.display())]
    Sealed(PathBuf),
    /// No randomness.
    #[error("the system gives no random bytes")]
    Random,
}

impl RootKey {
    /// A new one.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn generate() -> Result<Self, RootKeyError> {
        let mut key = Zeroizing::new([0; 32]);
        aws_lc_rs::rand::fill(key.as_mut()).map_err(|_| RootKeyError::Random)?;
        Ok(Self(key))
    }

    /// One that is known.
    #[must_use]
    pub const fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// The key itself, to be wrapped or shared.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads a file that only its owner can read: 64 hexadecimal digits.
    ///
    /// # Errors
    /// When there is none, others can read it, or it is of another form.
    pub fn load(path: &Path) -> Result<Self, RootKeyError> {
        let io_error = |what| {
            let path = path.to_owned();
            move |error| RootKeyError::Io { what, path, error }
        };
        let mode = fs::metadata(path).map_err(io_error("read"))?.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(RootKeyError::Mode {
                path: path.to_owned(),
                mode,
            });
        }
        let text = Zeroizing::new(fs::read_to_string(path).map_err(io_error("read"))?);
        let mut key = Zeroizing::new([0; 32]);
        match base16ct::mixed::decode(text.trim(), key.as_mut()) {
            Ok(bytes) if bytes.len() == 32 => Ok(Self(key)),
            _ => Err(RootKeyError::Form(path.to_owned())),
        }
    }

    /// Writes a new file of mode 0600.
    ///
    /// # Errors
    /// When there is one already, or it cannot be written to the disk.
    pub fn save(&self, path: &Path) -> Result<(), RootKeyError> {
        let write = || {
            let mut options = OpenOptions::new();
            let mut file = options.write(true).create_new(true).mode(0o600).open(path)?;
            let text = Zeroizing::new(base16ct::lower::encode_string(self.0.as_ref()));
            file.write_all(text.as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()
        };
        write().map_err(|error| RootKeyError::Io {
            what: "write",
            path: path.to_owned(),
            error,
        })
    }

    /// A key for one purpose in one store.
    pub(crate) fn derive(&self, store_id: &[u8; 16], purpose: &str) -> Option<Zeroizing<[u8; 32]>> {
        expand(
            &Salt::new(HKDF_SHA256, store_id).extract(self.0.as_ref()),
            &[purpose.as_bytes()],
        )
    }
}

/// Never shows the key.
impl std::fmt::Debug for RootKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RootKey")
    }
}

/// 32 bytes of HKDF-Expand.
pub(crate) fn expand(prk: &Prk, info: &[&[u8]]) -> Option<Zeroizing<[u8; 32]>> {
    struct Key;
    impl KeyType for Key {
        fn len(&self) -> usize {
            32
        }
    }
    let mut key = Zeroizing::new([0; 32]);
    prk.expand(info, Key).ok()?.fill(key.as_mut()).ok()?;
    Some(key)
}
