//! `cargo xtask test`: everything that can be tested on this machine.

use anyhow::Result;

use crate::python_environment::{self, AZURE_CLIENT, POLICY_JUDGES, SPDX_TOOLS};
use crate::{debian, shell};

/// What to test.
#[derive(clap::Args)]
pub struct Options {
    /// Passed on to `cargo nextest run` (or `cargo test`): names of tests, flags.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Provides what the tests need, builds once, and tests.
///
/// # Errors
/// When something cannot be built, or a test fails.
pub fn run(options: &Options) -> Result<()> {
    debian::provide()?;
    for (environment, what) in [
        (&AZURE_CLIENT, "Microsoft's client"),
        (&POLICY_JUDGES, "what judges deployment policies"),
        (&SPDX_TOOLS, "SPDX's validator"),
    ] {
        if let Err(error) = python_environment::provide(environment) {
            println!("{what} cannot be installed, so the tests with it will fail: {error:#}");
        }
    }
    // The `nacre` command first: the conformance tests run it, but do not link it.
    shell::run(shell::cargo().args(["build", "--workspace", "--bins"]))?;
    let runner: &[&str] = if shell::is_installed("cargo-nextest") {
        &["nextest", "run", "--workspace", "--no-fail-fast"]
    } else {
        println!(
            "cargo-nextest is not installed (`cargo install cargo-nextest`); `cargo test` does it more slowly."
        );
        &["test", "--workspace", "--no-fail-fast"]
    };
    shell::run(shell::cargo().args(runner).args(&options.rest))
}
