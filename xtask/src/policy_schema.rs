//! `cargo xtask policy-schema`: writes the JSON schema of deployment policies from their types.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::shell;

fn path() -> PathBuf {
    shell::workspace().join("docs/deployment-policy.schema.json")
}

/// Writes the schema.
///
/// # Errors
/// When it cannot be written.
pub fn run() -> Result<()> {
    let path = path();
    fs::write(&path, text()).with_context(|| path.display().to_string())?;
    println!("wrote {}", path.display());
    Ok(())
}

/// Whether the committed schema is what [`run`] would write.
pub fn is_current() -> bool {
    fs::read_to_string(path()).is_ok_and(|written| written == text())
}

fn text() -> String {
    format!("{:#}\n", deployment_policy::document::schema())
}
