//! `cargo xtask`: what this project does with itself, in the same language and with the same tools on every machine.
//!
//! Each command is a module of its own; [`shell`] runs other programs, [`debian`] looks after system packages.
#![forbid(unsafe_code)]

mod azure_client;
mod bench;
mod check_deps;
mod check_features;
mod debian;
mod demo;
mod deny;
mod images;
mod reproducibility;
mod shell;
mod syscalls;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own commands.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show the main job on a real image: convert it, run it, change a byte of it.
    Demo,
    /// Test everything; install the system packages that this needs when run as root.
    Test(test::Options),
    /// Make the Python environment with Microsoft's client that the attestation service's tests use.
    AzureClient,
    /// Measure what the enclave costs, natively and in the enclave in the same run.
    Bench(bench::Options),
    /// Check that dependencies between crates follow the direction of trust.
    CheckDeps,
    /// Check that the smaller builds of nacre compile, and leave out what they should.
    CheckFeatures,
    /// Check licences and sources of dependencies, and if asked known weaknesses, with cargo-deny.
    Deny(deny::Options),
    /// Build the images of real programs from Debian packages; print where they are.
    Images(images::Options),
    /// Write docs/syscalls.md from the table of system calls.
    Syscalls,
    /// Build nacre in two directories and compare the images that the two make.
    Reproducibility,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Demo => demo::run(),
        Command::Test(options) => test::run(&options),
        Command::AzureClient => azure_client::provide(),
        Command::Bench(options) => bench::run(&options),
        Command::CheckDeps => check_deps::run(),
        Command::CheckFeatures => check_features::run(),
        Command::Deny(options) => deny::run(&options),
        Command::Images(options) => images::run(&options),
        Command::Syscalls => syscalls::run(),
        Command::Reproducibility => reproducibility::run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
