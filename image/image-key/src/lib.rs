//! Files that hold the keys of encrypted images: 64 bytes and nothing else, as a key file of `cryptsetup`.
//!
//! `nacre convert` makes them, `nacre run` reads them. Neighbour: `sector-cipher`, which has the key
//! itself. Whoever can read such a file can read the image.
#![forbid(unsafe_code)]

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use sector_cipher::{ImageKey, KEY_SIZE, NotAKey};
use zeroize::Zeroizing;

/// The bits of a file's mode that let others than its owner read it.
const READABLE_BY_OTHERS: u32 = 0o044;

/// Why a file gives no key, or could not be made.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read.
    #[error("cannot read the image key {}", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// It holds something else.
    #[error("{}", .0.display())]
    NotAKey(PathBuf, #[source] NotAKey),
    /// Its mode lets others read it.
    #[error("{}: other users can read this image key: take that away with chmod go=", .0.display())]
    Public(PathBuf),
    /// There is a file already.
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    /// It cannot be written.
    #[error("cannot write the image key {}", .0.display())]
    Write(PathBuf, #[source] io::Error),
}

fn load(path: &Path) -> Result<ImageKey, KeyFileError> {
    let failed = |error| KeyFileError::Read(path.into(), error);
    // One byte more than a key has, to see that it goes on.
    let mut bytes = Zeroizing::new(Vec::with_capacity(KEY_SIZE + 1));
    let file = File::open(path).map_err(failed)?;
    file.take(KEY_SIZE as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    ImageKey::new(&bytes).map_err(|error| KeyFileError::NotAKey(path.into(), error))
}

/// Reads a key.
///
/// # Errors
/// The file cannot be read, others than its owner may read it, or it holds something else.
pub fn load_private(path: &Path) -> Result<ImageKey, KeyFileError> {
    let metadata = fs::metadata(path).map_err(|error| KeyFileError::Read(path.into(), error))?;
    if metadata.is_file() && metadata.permissions().mode() & READABLE_BY_OTHERS != 0 {
        return Err(KeyFileError::Public(path.into()));
    }
    load(path)
}

/// Makes a key, and a file for it that only its owner can read.
///
/// # Errors
/// There is such a file, or it cannot be written; then nothing is left of it.
pub fn make(path: &Path) -> Result<ImageKey, KeyFileError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => KeyFileError::Exists(path.into()),
        _ => KeyFileError::Write(path.into(), error),
    };
    let mut bytes = Zeroizing::new([0; KEY_SIZE]);
    getrandom::fill(&mut *bytes).map_err(|error| failed(io::Error::other(error)))?;
    let key = ImageKey::new(&*bytes).map_err(|error| KeyFileError::NotAKey(path.into(), error))?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    let written = file.write_all(bytes.as_ref()).and_then(|()| file.sync_all());
    written.map_err(|error| {
        // What is left would only be taken for a key.
        let _ = fs::remove_file(path);
        failed(error)
    })?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_is_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image.key");
        let key = make(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(load_private(&path).unwrap(), key);
        assert!(matches!(make(&path), Err(KeyFileError::Exists(_))));
        assert_eq!(load(&path).unwrap(), key, "an existing key is left alone");
        assert_ne!(make(&dir.path().join("other.key")).unwrap(), key);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image.key");
        let bytes: [u8; KEY_SIZE] = std::array::from_fn(|at| at as u8);
        for (bytes, problem) in [
            (&bytes[..63], "64 bytes"),
            (&[bytes.as_slice(), b"\n"].concat(), "64 bytes"),
            (&[0; KEY_SIZE], "the same"),
        ] {
            fs::write(&path, bytes).unwrap();
            let Err(KeyFileError::NotAKey(_, error)) = load(&path) else {
                panic!("{problem}");
            };
            assert!(error.to_string().contains(problem), "{error}");
        }
        assert!(matches!(
            load(Path::new("/nowhere/key")),
            Err(KeyFileError::Read(..))
        ));
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_where_it_must_be_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image.key");
        make(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(load_private(&path), Err(KeyFileError::Public(_))));
        assert!(load(&path).is_ok());
    }
}
