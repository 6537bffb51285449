//! `cargo xtask check`: what must hold before a commit, without the tests.

use anyhow::{Context, Result, ensure};

use crate::{bare_numbers, check_deps, host_calls, links, policy_schema, shell, syscalls};

/// A check: what it is called, and what it runs.
type Check = (&'static str, fn() -> Result<()>);

/// Cheapest first, so that a slip is found soon.
const CHECKS: &[Check] = &[
    ("format", format),
    ("links", links::run),
    ("check-deps", check_deps::run),
    ("bare-numbers", bare_numbers::run),
    ("generated pages", generated_pages),
    ("clippy", clippy),
    ("clippy of the enclave's binary", clippy_of_the_enclave),
];

/// Runs all checks up to the first that fails.
///
/// # Errors
/// With the name of that check, and its reason.
pub fn run() -> Result<()> {
    for (name, check) in CHECKS {
        println!("\n== {name}");
        check().with_context(|| format!("the check `{name}` failed"))?;
    }
    println!(
        "\ncheck: all {} checks pass; `cargo xtask test` runs the tests",
        CHECKS.len()
    );
    Ok(())
}

fn format() -> Result<()> {
    shell::run(shell::cargo().args(["fmt", "--all", "--check"])).context("`cargo fmt --all` fixes it")
}

fn generated_pages() -> Result<()> {
    let pages = [
        ("docs/syscalls.md", "syscalls", syscalls::is_current()),
        ("docs/host-calls.md", "host-calls", host_calls::is_current()),
        (
            "docs/deployment-policy.schema.json",
            "policy-schema",
            policy_schema::is_current(),
        ),
    ];
    for (page, command, is_current) in pages {
        ensure!(
            is_current,
            "{page} is not what the code says; `cargo xtask {command}` writes it"
        );
        println!("{page} is current");
    }
    Ok(())
}

fn clippy() -> Result<()> {
    shell::run(shell::cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ]))
}

/// The enclave's binary brings its own panic handler, so it is checked by itself.
fn clippy_of_the_enclave() -> Result<()> {
    shell::run(shell::cargo().args([
        "clippy",
        "--package",
        "enclave-image",
        "--features",
        "image",
        "--profile",
        "enclave",
        "--locked",
        "--",
        "-D",
        "warnings",
    ]))
}
