//! The attestation service under load, by `cargo bench -p attestation-service`.

use anyhow::{Context, Result};
use serde::Deserialize;

use super::side::{Bench, Side};
use super::table::Results;
use crate::shell;

/// What the benchmark prints with `--json`.
#[derive(Deserialize)]
struct Report {
    verification_us: f64,
    signature_us: f64,
    loads: Vec<Load>,
}

#[derive(Deserialize)]
struct Load {
    connections: usize,
    calls_per_second: f64,
    p99_ms: f64,
    cpu_us: f64,
}

pub fn measure(bench: &mut Bench, results: &mut Results) -> Result<()> {
    for _ in 0..bench.rounds(3) {
        let mut command = shell::cargo();
        command.env("NACRE", &bench.nacre);
        command.args([
            "bench",
            "--package",
            "attestation-service",
            "--bench",
            "load",
            "--",
            "--json",
        ]);
        let text = shell::output(&mut command)?;
        let report: Report = serde_json::from_str(&text).context("the benchmark's answer")?;
        // What cannot be avoided: the quote is verified, the token is signed.
        let least = report.verification_us + report.signature_us;
        results.add("attest-signature", Side::Enclave, report.signature_us);
        for load in report.loads {
            let row = |what: &str| format!("attest-{}{what}", load.connections);
            results.add(&row(""), Side::Enclave, load.calls_per_second);
            results.add(&row("-p99"), Side::Enclave, load.p99_ms);
            results.add(&row("-core"), Side::Native, 1e6 / report.verification_us);
            results.add(&row("-core"), Side::Enclave, 1e6 / load.cpu_us);
            results.add(&row("-cpu"), Side::Native, least);
            results.add(&row("-cpu"), Side::Enclave, load.cpu_us);
        }
    }
    Ok(())
}
