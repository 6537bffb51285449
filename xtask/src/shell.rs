//! Running other programs.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The root of the checkout.
pub fn workspace() -> PathBuf {
    let mut path = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    path.pop();
    path
}

/// The cargo that runs this command, in the workspace.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace());
    command
}

/// Where cargo builds.
///
/// # Errors
/// When cargo does not say.
pub fn target_directory() -> Result<PathBuf> {
    let metadata = cargo_metadata::MetadataCommand::new()
        .current_dir(workspace())
        .no_deps()
        .exec()?;
    Ok(metadata.target_directory.into())
}

/// `$NACRE`, or nacre as it ships, which is built first.
///
/// # Errors
/// When it cannot be built, or `$NACRE` is not there.
pub fn nacre() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("NACRE") {
        return std::fs::canonicalize(&path).with_context(|| format!("NACRE is {}", path.display()));
    }
    run(cargo().args(["build", "--release", "--package", "nacre"]))?;
    Ok(target_directory()?.join("release/nacre"))
}

/// Runs it, showing what it prints.
///
/// # Errors
/// When it does not start or does not succeed.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot start {command:?}"))?;
    ensure!(status.success(), "failed ({status}): {command:?}");
    Ok(())
}

/// Runs it and returns what it prints.
///
/// # Errors
/// When it does not start or does not succeed; then with what it said on standard error.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("cannot start {command:?}"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "failed ({}): {command:?}\n{errors}",
        output.status
    );
    Ok(String::from_utf8(output.stdout)?)
}

/// Whether a program of this name can be started.
pub fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| Path::new(&dir).join(program).is_file())
}
