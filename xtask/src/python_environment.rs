//! Microsoft's client of Azure Attestation, which the attestation service's tests run: a Python environment of its own.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use crate::shell;

/// What is installed, to the last version.
const REQUIREMENTS: &str = "services/attestation-service/tests/azure/requirements.txt";

/// Makes the environment in the target directory, unless it is there and of these requirements.
///
/// # Errors
/// When Python's venv is missing, or the packages cannot be had.
pub fn provide() -> Result<()> {
    let requirements = shell::workspace().join(REQUIREMENTS);
    let wanted = fs::read(&requirements).with_context(|| requirements.display().to_string())?;
    let environment = shell::target_directory()?.join("azure-client");
    let stamp = environment.join("requirements.txt");
    if fs::read(&stamp).is_ok_and(|made| made == wanted) {
        return Ok(());
    }
    println!("Making {}", environment.display());
    shell::run(
        Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&environment),
    )
    .context("Python's venv is in the package python3-venv")?;
    shell::run(
        Command::new(environment.join("bin/pip"))
            .args([
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--only-binary=:all:",
                "--no-deps",
                "--requirement",
            ])
            .arg(&requirements),
    )?;
    // Last: an environment without it is made anew.
    fs::write(&stamp, wanted).with_context(|| stamp.display().to_string())
}
