//! Python environments in the target directory, for what tests run that is Python's.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use crate::shell;

/// An environment.
pub struct PythonEnvironment {
    /// Its folder in the target directory.
    name: &'static str,
    /// What is installed, to the last version.
    requirements: &'static str,
}

/// Microsoft's client of Azure Attestation, which the attestation service's tests run.
pub const AZURE_CLIENT: PythonEnvironment = PythonEnvironment {
    name: "azure-client",
    requirements: "services/attestation-service/tests/azure/requirements.txt",
};

/// A validator of JSON schemas and a canonicalizer of JSON, which judge deployment policies.
pub const POLICY_JUDGES: PythonEnvironment = PythonEnvironment {
    name: "policy-judges",
    requirements: "services/deployment-policy/tests/judges/requirements.txt",
};

/// The validator of SPDX documents.
pub const SPDX_TOOLS: PythonEnvironment = PythonEnvironment {
    name: "spdx-tools",
    requirements: "image/image-provenance/tests/spdx-tools/requirements.txt",
};

/// Makes an environment, unless it is there and of these requirements.
///
/// # Errors
/// When Python's venv is missing, or the packages cannot be had.
pub fn provide(environment: &PythonEnvironment) -> Result<()> {
    let requirements = shell::workspace().join(environment.requirements);
    let wanted = fs::read(&requirements).with_context(|| requirements.display().to_string())?;
    let environment = shell::target_directory()?.join(environment.name);
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
