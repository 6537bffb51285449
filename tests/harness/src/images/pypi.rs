//! Packages of PyPI, as wheels: they run nothing when they are unpacked.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail, ensure};

use crate::archive::Entry;

/// The distribution's Python, for whose version pip chooses wheels: the image's is the same.
const PYTHON: &str = "/usr/bin/python3";

/// The packages with all that they depend on, where Debian's Python of any version finds them.
pub(super) fn files(packages: &[String], scratch: &Path) -> Result<Vec<Entry<'static>>> {
    if packages.is_empty() {
        return Ok(Vec::new());
    }
    let environment = scratch.join("python");
    run(Command::new(PYTHON).args(["-m", "venv"]).arg(&environment))?;
    let folder = scratch.join("pypi");
    let mut pip = Command::new(environment.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check"]);
    pip.args(["--only-binary", ":all:", "--no-compile", "--target"]);
    run(pip.arg(&folder).args(packages))?;
    Entry::folder("usr/lib/python3/dist-packages", &folder)
}

fn run(command: &mut Command) -> Result<()> {
    let Ok(output) = command.output() else {
        bail!("cannot run {command:?}; install the package python3-venv")
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {errors}");
    Ok(())
}
