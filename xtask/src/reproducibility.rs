//! `cargo xtask reproducibility`: the same commit gives the same MRENCLAVE, from any directory.
//!
//! It copies the sources into two directories whose names differ in length, builds `nacre` in each, converts the same
//! image with both and compares the results, byte by byte.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use harness::Guest;

use crate::shell;

/// Builds twice, converts twice and compares.
///
/// # Errors
/// When something fails on the way, or the two differ; then both are kept.
pub fn run() -> Result<()> {
    let scratch = tempfile::Builder::new()
        .prefix("nacre-reproducibility-")
        .tempdir()?;
    let guests = Guest::all()?;
    let guest = guests
        .iter()
        .find(|guest| guest.name == "hello")
        .context("there is no guest called hello")?;
    let image = guest.image(&guest.build(scratch.path())?)?;
    let key = scratch.path().join("key.pem");
    let first = build(&scratch.path().join("a"))?;
    shell::run(Command::new(&first).arg("keygen").arg(&key))?;
    let second = build(&scratch.path().join("another-directory"))?;
    let mut results = Vec::new();
    for nacre in [&first, &second] {
        let result = nacre.with_extension("tar");
        shell::run(
            Command::new(nacre)
                .arg("convert")
                .arg(format!("docker-archive:{}", image.display()))
                .arg(format!("oci-archive:{}", result.display()))
                .arg("--key")
                .arg(&key)
                // With the program that asks a broker, which is measured as well.
                .arg("--broker-ca")
                .arg(shell::workspace().join("tests/images/authority.pem")),
        )?;
        results.push(result);
    }
    if fs::read(&results[0])? != fs::read(&results[1])? {
        bail!(
            "the result depends on where nacre is built; compare the two in {}",
            scratch.keep().display()
        );
    }
    println!("reproducibility: two directories, one MRENCLAVE, the same image to the byte");
    Ok(())
}

/// Builds `nacre` from a copy of the sources in `directory`.
fn build(directory: &Path) -> Result<PathBuf> {
    copy_sources(directory)?;
    let target = directory.join("target");
    let mut cargo = shell::cargo();
    cargo.current_dir(directory).env("CARGO_TARGET_DIR", &target);
    cargo.args(["build", "--quiet", "--locked", "--package", "nacre"]);
    // All that makes images, and half of the crates.
    shell::run(cargo.args(["--no-default-features", "--features", "convert"]))?;
    Ok(target.join("debug/nacre"))
}

/// The sources as they are now: an uncommitted change is tested too.
fn copy_sources(directory: &Path) -> Result<()> {
    let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let list = shell::output(Command::new("git").current_dir(shell::workspace()).args(list))?;
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
