//! Linux is the oracle: every program under `tests/guests` runs on this Linux and in the enclave, and what it
//! prints and how it ends must agree.
//!
//! [`Guest`] is one program built one way ([`Linkage`]), [`archive`] makes a `docker-archive` of it, [`Outcome`] is
//! what a run printed and how it ended, [`Differences`] holds the known differences with their reasons. The tests
//! themselves are in `tests/`. [`images`] builds images of real
//! programs.
//!
//! Nothing here is trusted by anybody: this crate runs on a developer's machine only.
#![forbid(unsafe_code)]

pub mod archive;
mod differences;
mod guest;
pub mod images;
mod outcome;
mod running;

pub use differences::Differences;
pub use guest::{Guest, Linkage};
pub use outcome::Outcome;
pub use running::Running;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The folder of the guests' sources.
pub fn guests_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../guests")
}

/// The `nacre` command to test: `$NACRE`, else the one that cargo built beside this test.
///
/// # Errors
/// When there is none. A conformance run without it is a failure, never a skip.
pub fn nacre() -> Result<PathBuf> {
    match std::env::var_os("NACRE") {
        Some(path) => Ok(path.into()),
        None => built("nacre").context("or set NACRE"),
    }
}

/// A program that cargo built beside this test.
///
/// # Errors
/// When there is none.
pub fn built(program: &str) -> Result<PathBuf> {
    // A test lives in <target>/<profile>/deps.
    let test = std::env::current_exe().context("where does this test live?")?;
    let profile = test
        .ancestors()
        .nth(2)
        .context("the test is not in a target folder")?;
    let others = ["release", "debug"].map(|name| profile.with_file_name(name));
    let places: Vec<PathBuf> = [profile.to_owned()]
        .into_iter()
        .chain(others)
        .map(|dir| dir.join(program))
        .collect();
    match places.iter().find(|path| path.is_file()) {
        Some(path) => Ok(path.clone()),
        None => bail!(
            "there is no `{program}` in {}: run `cargo build --workspace --bins` first",
            profile.display()
        ),
    }
}
