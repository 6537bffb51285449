//! Validating attestation tokens, by `cargo bench -p attestation-token`.

use anyhow::{Context, Result};
use serde::Deserialize;

use super::side::{Bench, Side};
use super::table::Results;
use crate::shell;

/// What the benchmark prints with `--json`: microseconds each, in turns.
#[derive(Deserialize)]
struct Microseconds {
    bare_us: f64,
    validation_us: f64,
}

pub fn measure(bench: &mut Bench, results: &mut Results) -> Result<()> {
    for _ in 0..bench.rounds(3) {
        let mut command = shell::cargo();
        command.args([
            "bench",
            "--package",
            "attestation-token",
            "--bench",
            "validation",
            "--",
            "--json",
        ]);
        let text = shell::output(&mut command)?;
        let one: Microseconds = serde_json::from_str(&text).context("the benchmark's answer")?;
        results.add("token-validation", Side::Native, one.bare_us);
        results.add("token-validation", Side::Enclave, one.validation_us);
    }
    Ok(())
}
