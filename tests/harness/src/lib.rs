//! What the project's tests and its own commands share: they build images and programs, and run them.
//!
//! Linux is the oracle. A [`Guest`] is one program under `tests/guests`, built one way ([`Linkage`]). [`Outcome`] is
//! what a run printed and how it ended, natively or in the enclave; both must agree, except for the known
//! [`Differences`]. [`archive`] makes a `docker-archive` of files. [`images`] builds images of real programs.
//! [`programs`] runs such programs on both sides. [`Pty`] runs a command on a terminal, as a user does.
//! [`Running`] is a container that runs in the background.
//!
//! Nothing here is trusted: this crate runs on a developer's machine only.
#![forbid(unsafe_code)]

pub mod archive;
mod differences;
mod guest;
pub mod images;
mod outcome;
pub mod programs;
mod pty;
mod running;

pub use differences::Differences;
pub use guest::{Guest, Linkage, Loopback};
pub use outcome::Outcome;
pub use pty::Pty;
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
/// When there is none. A test run without it is a failure, never a skip.
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
