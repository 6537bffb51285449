//! `cargo xtask bench`: what the enclave costs, measured against Linux in the same run, and what verifying quotes costs.
//!
//! [`rows`] says what is measured and what the project promises, [`side`] starts the same program natively and in the
//! enclave, [`process`] reads what it used, [`table`] compares. The other modules measure: natively and in the enclave
//! in turns, so that a machine which grows slower or busier does so for both.
//!
//! Everything stays on this machine; servers listen on the loopback interface only.

mod attestation;
mod conversion;
mod encrypted;
mod memcached;
mod operations;
mod process;
mod provisioning;
mod python;
mod redis;
mod rows;
mod server;
mod side;
mod start_up;
mod table;
mod token;
mod verification;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::shell;
use rows::{ROWS, Row};
use side::Bench;
use table::Results;

/// What to measure.
#[derive(clap::Args)]
pub struct Options {
    /// Check only that every row can be measured: few rounds, small files, nothing written.
    #[arg(long)]
    quick: bool,

    /// Only the rows whose names contain this; nothing is written.
    #[arg(long, value_name = "ROW")]
    only: Option<String>,
}

/// Measures groups of rows that share their set-up.
type Group = fn(&mut Bench, &mut Results) -> Result<()>;

const GROUPS: &[(&str, Group)] = &[
    ("operations", operations::single),
    ("processes", operations::processes),
    ("sequential", operations::sequential),
    ("encrypted", encrypted::reading),
    ("start-up", start_up::measure),
    ("python", python::measure),
    ("redis", redis::measure),
    ("memcached", memcached::measure),
    ("conversion", conversion::measure),
    ("encrypted-conversion", encrypted::making),
    ("token", token::measure),
    ("attestation", attestation::measure),
    ("provisioning", provisioning::measure),
    ("verification", verification::measure),
];

/// Where the table is written.
const REPORT: &str = "docs/performance.md";

/// Measures, prints the table, and writes it if it is whole.
///
/// # Errors
/// When something cannot be built or run, or a row was not measured.
pub fn run(options: &Options) -> Result<()> {
    let wanted: Vec<&Row> = match &options.only {
        None => ROWS.iter().collect(),
        Some(name) => ROWS.iter().filter(|row| row.name.contains(name)).collect(),
    };
    ensure!(
        !wanted.is_empty(),
        "no row has such a name; they are: {}",
        names()
    );
    let nacre = shell::nacre()?;
    let machine = table::machine()?;
    let mut bench = Bench::new(nacre, options.quick)?;
    let mut results = Results::default();
    for (group, measure) in GROUPS {
        if wanted.iter().any(|row| row.group == *group) {
            eprintln!("bench: {group}");
            measure(&mut bench, &mut results).with_context(|| format!("cannot measure {group}"))?;
        }
    }
    let table = results.table(&wanted)?;
    print!("{table}");
    if options.quick || options.only.is_some() {
        return Ok(());
    }
    let path = shell::workspace().join(REPORT);
    let report = table::replace(&fs::read_to_string(&path).unwrap_or_default(), &machine, &table);
    write(path, report)
}

fn write(path: PathBuf, report: String) -> Result<()> {
    fs::create_dir_all(path.parent().context("no folder")?)?;
    fs::write(&path, report).with_context(|| format!("cannot write {}", path.display()))?;
    println!("\nwrote {REPORT}");
    Ok(())
}

fn names() -> String {
    ROWS.iter().map(|row| row.name).collect::<Vec<_>>().join(" ")
}
