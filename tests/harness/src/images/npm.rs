//! Packages of npm, which run nothing when they are unpacked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail, ensure};

use crate::archive::Entry;

/// Fetches one package, and gives the path of a file of it.
pub(super) fn unpack(package: &str, path: &str, scratch: &Path) -> Result<PathBuf> {
    let printed = npm(&["pack", "--silent", package], scratch)?;
    let archive = scratch.join(printed.trim());
    let unpacked = Command::new("tar")
        .arg("xzf")
        .arg(&archive)
        .current_dir(scratch)
        .status()?;
    ensure!(unpacked.success(), "{} cannot be unpacked", archive.display());
    Ok(scratch.join("package").join(path))
}

/// The packages with all that they depend on, in `/app/node_modules`.
pub(super) fn files(packages: &[String], scratch: &Path) -> Result<Vec<Entry<'static>>> {
    if packages.is_empty() {
        return Ok(Vec::new());
    }
    let folder = scratch.join("npm");
    fs::create_dir(&folder)?;
    let mut args = vec![
        "install",
        "--silent",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
    ];
    args.extend(packages.iter().map(String::as_str));
    npm(&args, &folder)?;
    Entry::folder("app/node_modules", &folder.join("node_modules"))
}

/// What npm prints.
fn npm(args: &[&str], folder: &Path) -> Result<String> {
    let Ok(output) = Command::new("npm").args(args).current_dir(folder).output() else {
        bail!("cannot run npm; install the package npm")
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "npm {}: {errors}", args.join(" "));
    Ok(String::from_utf8(output.stdout)?)
}
