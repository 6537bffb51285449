//! The binding of a directory to one root. Simulated and genuine collateral never share a
//! directory.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use dcap_quote::{Trust, TrustedRoot};
use printable_text::printable;

/// The file that says it.
const FILE: &str = "root";
/// Characters of a foreign file that an error repeats.
const MAX_SHOWN: usize = 120;

/// Why the directory cannot be used with this root.
#[derive(Debug, thiserror::Error)]
pub enum BindingError {
    /// It is bound to another one.
    #[error("it is bound to {found}, and {wanted} is to be trusted; use another directory")]
    Other {
        /// As the file says.
        found: String,
        /// As the caller says.
        wanted: String,
    },
    /// There is no file that says what it is bound to.
    #[error("it is no cache of collateral; use another directory")]
    Foreign,
    /// It could not be read or written.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Checks the binding.
pub(crate) fn check(dir: &Path, root: &TrustedRoot) -> Result<(), BindingError> {
    let wanted = line(root);
    match fs::read_to_string(dir.join(FILE)) {
        Ok(found) if found == wanted => Ok(()),
        Ok(found) => Err(BindingError::Other {
            found: first_line(&found),
            wanted: wanted.trim_end().to_owned(),
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(BindingError::Foreign),
        Err(error) => Err(error.into()),
    }
}

/// Binds an empty directory. One that is bound already stays as it is.
pub(crate) fn bind(dir: &Path, root: &TrustedRoot) -> Result<(), BindingError> {
    if dir.join(FILE).try_exists()? {
        return Ok(());
    }
    let names = fs::read_dir(dir)?.flatten().map(|entry| entry.file_name());
    if names.into_iter().any(|name| name != crate::cache_dir::LOCK) {
        return Err(BindingError::Foreign);
    }
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(line(root).as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(dir.join(FILE)).map_err(|error| error.error)?;
    Ok(())
}

/// One line that no two roots share.
fn line(root: &TrustedRoot) -> String {
    let whose = match root.trust() {
        Trust::Intel => "Intel's root",
        Trust::Simulated => "the simulated root",
    };
    format!("{whose} with the key of SHA-256 {}\n", root.fingerprint())
}

/// The beginning of what somebody else wrote.
fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    printable(line).chars().take(MAX_SHOWN).collect()
}
