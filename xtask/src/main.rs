//! `cargo xtask`: the project's own commands, which work the same on every machine.
//!
//! Each command is a module of its own; [`shell`] runs other programs, [`debian`] looks after system packages.
#![forbid(unsafe_code)]

mod bare_numbers;
mod bench;
mod book;
mod check;
mod check_deps;
mod check_features;
mod debian;
mod demo;
mod deny;
mod host_calls;
mod images;
mod links;
mod policy_schema;
mod programs;
mod python_environment;
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
    /// Show the main path on a real image: convert it, run it, prove what runs, change a byte of it.
    Demo,
    /// Run all tests; as root, install the system packages that they need first.
    Test(test::Options),
    /// Make the Python environment with Microsoft's client that the attestation service's tests use.
    AzureClient,
    /// Measure what the enclave costs: every program natively and in the enclave, in the same run.
    Bench(bench::Options),
    /// Check what must hold before a commit: format, links, dependencies, generated pages, lints.
    Check,
    /// Check the relative links and anchors of the Markdown documents.
    Links,
    /// Build the documentation as a site, with mdBook.
    Book,
    /// Check that system calls match numbers by their names only.
    BareNumbers,
    /// Check that dependencies between crates follow the direction of trust.
    CheckDeps,
    /// Check that the smaller builds of nacre compile, and leave out what they should.
    CheckFeatures,
    /// Check licences and sources of dependencies with cargo-deny, and known vulnerabilities if asked.
    Deny(deny::Options),
    /// Build the images of real programs from Debian packages; print where they are.
    Images(images::Options),
    /// Run real programs natively and in the enclave, compare, and write docs/programs.md.
    Programs(programs::Options),
    /// Write docs/deployment-policy.schema.json from the types of deployment policies.
    PolicySchema,
    /// Make the Python environment that judges deployment policies.
    PolicyJudges,
    /// Make the Python environment with the validator of SPDX documents that the tests of SBOMs use.
    SpdxTools,
    /// Write docs/host-calls.md from the table of host calls.
    HostCalls,
    /// Write docs/syscalls.md from the table of system calls.
    Syscalls,
    /// Build nacre in two directories and compare the images that the two make.
    Reproducibility,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Demo => demo::run(),
        Command::Test(options) => test::run(&options),
        Command::AzureClient => python_environment::provide(&python_environment::AZURE_CLIENT),
        Command::Bench(options) => bench::run(&options),
        Command::Check => check::run(),
        Command::Links => links::run(),
        Command::Book => book::run(),
        Command::BareNumbers => bare_numbers::run(),
        Command::CheckDeps => check_deps::run(),
        Command::CheckFeatures => check_features::run(),
        Command::Deny(options) => deny::run(&options),
        Command::Images(options) => images::run(&options),
        Command::Programs(options) => programs::run(&options),
        Command::PolicySchema => policy_schema::run(),
        Command::PolicyJudges => python_environment::provide(&python_environment::POLICY_JUDGES),
        Command::SpdxTools => python_environment::provide(&python_environment::SPDX_TOOLS),
        Command::HostCalls => host_calls::run(),
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
