//! `cargo xtask deny`: licences, sources, duplicates and known vulnerabilities of the dependencies.

use anyhow::Result;

use crate::shell;

/// What to check.
#[derive(clap::Args)]
pub struct Options {
    /// Also check known vulnerabilities: fetches RustSec's database, a git repository on GitHub.
    #[arg(long)]
    advisories: bool,
}

/// Runs cargo-deny with `deny.toml`, and installs it below `target/` first when it is missing (some minutes).
///
/// # Errors
/// When it finds something, or cannot be installed.
pub fn run(options: &Options) -> Result<()> {
    let tools = shell::workspace().join("target/tools");
    let mut program = tools.join("bin/cargo-deny");
    if shell::is_installed("cargo-deny") {
        program = "cargo-deny".into();
    } else if !program.is_file() {
        println!("Installing cargo-deny; this takes some minutes, once.");
        let mut install = shell::cargo();
        shell::run(
            install
                .args(["install", "--quiet", "--locked", "cargo-deny", "--root"])
                .arg(&tools),
        )?;
    }
    let deny = || {
        let mut command = std::process::Command::new(&program);
        command
            .current_dir(shell::workspace())
            .args(["--log-level", "error"]);
        command
    };
    shell::run(deny().args(["check", "bans", "licenses", "sources"]))?;
    if !options.advisories {
        println!(
            "SKIPPED: known vulnerabilities, because a build must not depend on their database: `cargo xtask deny --advisories` checks them"
        );
        return Ok(());
    }
    shell::run(deny().args(["check", "advisories"]))
}
