//! Files with deployment policies.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use deployment_policy::{MAX_POLICY_SIZE, Policy};
use printable_text::printable;

use crate::input::read;

/// Reads a policy, and its text.
///
/// # Errors
/// When it cannot be read, or is not valid.
pub fn load(path: &Path) -> Result<(String, Policy)> {
    let text = String::from_utf8(read(path, MAX_POLICY_SIZE as u64)?)
        .with_context(|| format!("{} is not text in UTF-8", path.display()))?;
    let policy = parse(&text, path)?;
    Ok((text, policy))
}

/// Reads a policy in a text of this file.
///
/// # Errors
/// When it is not valid.
pub fn parse(text: &str, path: &Path) -> Result<Policy> {
    Policy::parse(text).map_err(|error| {
        let problems: Vec<_> = error.to_string().lines().map(printable).collect();
        anyhow!(
            "{} is no valid deployment policy: {} (see nacre policy check)",
            path.display(),
            problems.join("; ")
        )
    })
}

/// Puts another text into a file, at once: whoever reads it meanwhile gets the old one or the new one. Its mode stays.
///
/// # Errors
/// When it cannot be written; the old one is there then.
#[cfg(feature = "convert")]
pub fn replace(path: &Path, text: &str) -> Result<()> {
    use std::io::Write as _;

    let failed = || format!("cannot write {}", path.display());
    // Where a link leads to, so that the link stays.
    let path = path.canonicalize().with_context(failed)?;
    let folder = path.parent().with_context(failed)?;
    let permissions = std::fs::metadata(&path).with_context(failed)?.permissions();
    let mut file = tempfile::NamedTempFile::new_in(folder).with_context(failed)?;
    file.write_all(text.as_bytes()).with_context(failed)?;
    file.as_file().set_permissions(permissions).with_context(failed)?;
    file.as_file().sync_all().with_context(failed)?;
    file.persist(&path).with_context(failed)?;
    Ok(())
}
