//! A key broker under load, by `cargo bench -p key-broker`.

use anyhow::{Context, Result};
use serde::Deserialize;

use super::side::{Bench, Side};
use super::table::Results;
use crate::shell;

/// What the benchmark prints with `--json`.
#[derive(Deserialize)]
struct Report {
    per_second: f64,
    p99_ms: f64,
    cpu_us: f64,
}

pub fn measure(bench: &mut Bench, results: &mut Results) -> Result<()> {
    for _ in 0..bench.rounds(3) {
        let mut command = shell::cargo();
        command.args("bench --package key-broker --bench provisioning -- --json".split(' '));
        let text = shell::output(&mut command)?;
        let report: Report = serde_json::from_str(&text).context("the benchmark's answer")?;
        results.add("provision-64", Side::Enclave, report.per_second);
        results.add("provision-64-p99", Side::Enclave, report.p99_ms);
        results.add("provision-64-cpu", Side::Enclave, report.cpu_us);
    }
    Ok(())
}
