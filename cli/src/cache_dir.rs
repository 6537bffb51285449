//! What nacre keeps between runs: the development key, images that were converted to be run, and collateral.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use sgx_sign::{KeyError, SigningKey};

/// `$XDG_CACHE_HOME/nacre` or `~/.cache/nacre`.
///
/// # Errors
/// When there is no home directory.
pub fn path() -> Result<PathBuf> {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let base = base.or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
    let base = base.context("there is no home directory for the cache; set XDG_CACHE_HOME")?;
    Ok(base.join("nacre"))
}

/// As [`path`], made if it is not there. Its owner's only.
pub fn open() -> Result<PathBuf> {
    let dir = path()?;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&dir)
        .with_context(|| format!("cannot make the cache directory {}", dir.display()))?;
    Ok(dir)
}

/// The key for enclaves that nobody but this user runs; made at its first use.
pub fn development_key() -> Result<SigningKey> {
    let path = open()?.join("development-key.pem");
    match SigningKey::load(&path) {
        Err(KeyError::Read(_, error)) if error.kind() == std::io::ErrorKind::NotFound => {
            let key = SigningKey::generate()?;
            match key.save_new(&path) {
                Ok(()) => Ok(key),
                // Another nacre was faster.
                Err(KeyError::Exists(_)) => Ok(SigningKey::load(&path)?),
                Err(error) => Err(error.into()),
            }
        }
        loaded => Ok(loaded?),
    }
}

/// How many converted images stay; each new version of an image or of nacre makes another one.
const CONVERTED_MAX: usize = 32;

/// The directory of images that were converted to be run.
pub fn converted() -> Result<PathBuf> {
    let dir = open()?.join("converted");
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    Ok(dir)
}

/// Notes that a converted image has been used now. If that fails, it only looks older than it is.
pub fn note_use(path: &Path) {
    if let Ok(file) = fs::File::open(path) {
        let _ = file.set_modified(SystemTime::now());
    }
}

/// Removes the converted images that have not been used for longest, beyond the number that stays. A container that
/// runs from one keeps its open file. What cannot be removed stays.
pub fn remove_old(dir: &Path) {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut images: Vec<_> = entries
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    images.sort();
    for (_, path) in images.iter().rev().skip(CONVERTED_MAX) {
        let _ = fs::remove_file(path);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_least_recently_used_go_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = |index: u64| dir.path().join(format!("{index}.tar"));
        for index in 0..CONVERTED_MAX as u64 + 3 {
            let file = fs::File::create(path(index)).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(index))
                .unwrap();
        }
        note_use(&path(1));
        remove_old(dir.path());
        let left: Vec<_> = (0..5).filter(|index| path(*index).exists()).collect();
        assert_eq!(left, [1, 4]);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), CONVERTED_MAX);
    }
}
