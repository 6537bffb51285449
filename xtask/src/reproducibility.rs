//! `cargo xtask reproducibility`: the same commit gives the same enclave, from any directory.
//!
//! It copies the checkout into two directories whose names differ in length, builds the enclave's binary in each,
//! and compares. MRENCLAVE is a function of these bytes and of the configuration.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use conformance::archive::hex;
use sha2::{Digest, Sha256};

use crate::shell;

/// Builds twice and compares.
///
/// # Errors
/// When a build fails, or the two differ; then the two binaries are kept.
pub fn run() -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let mut digests = Vec::new();
    for name in ["a", "another-directory"] {
        let binary = build(&scratch.path().join(name))?;
        let digest = hex(&Sha256::digest(fs::read(&binary)?));
        println!("{digest}  {}", binary.display());
        digests.push(digest);
    }
    if digests[0] != digests[1] {
        let kept = scratch.keep();
        bail!(
            "the enclave depends on where it is built; compare the two in {}",
            kept.display()
        );
    }
    println!("reproducibility: two directories, one enclave");
    Ok(())
}

fn build(directory: &Path) -> Result<PathBuf> {
    copy_checkout(directory)?;
    let target = directory.join("target");
    shell::run(
        shell::cargo()
            .current_dir(directory)
            .env("CARGO_TARGET_DIR", &target)
            .args(["build", "--quiet", "--locked", "--package", "enclave-image"])
            .args(["--features", "image", "--profile", "enclave"]),
    )?;
    Ok(target.join("enclave/enclave-image"))
}

/// What git knows, as it is now: an uncommitted change is tested too.
fn copy_checkout(directory: &Path) -> Result<()> {
    let list = shell::output(
        Command::new("git")
            .current_dir(shell::workspace())
            .args(["ls-files", "-z"]),
    )?;
    for file in list.split('\0').filter(|file| !file.is_empty()) {
        let from = shell::workspace().join(file);
        if !from.exists() {
            continue; // Deleted, not yet committed.
        }
        let to = directory.join(file);
        fs::create_dir_all(to.parent().context("a file has a folder")?)?;
        fs::copy(from, &to).with_context(|| file.to_owned())?;
    }
    Ok(())
}
