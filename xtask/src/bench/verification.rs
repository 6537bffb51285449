//! Verifying quotes: against dcap-qvl, and against the signatures that cannot be avoided. One core, all in one process and in
//! turns: `attest/dcap-quote/benches/verification.rs` measures.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use super::side::{Bench, Side};
use super::table::Results;
use crate::shell;

/// Verifications of P-256 signatures that a quote of a new attestation key takes: PCK certificate, QE report, quote.
const SIGNATURES: f64 = 3.0;

pub fn measure(bench: &mut Bench, results: &mut Results) -> Result<()> {
    for _ in 0..bench.rounds(3) {
        let mut command = shell::cargo();
        command.args([
            "bench",
            "--quiet",
            "--package",
            "dcap-quote",
            "--bench",
            "verification",
        ]);
        command.args(["--", "--rows"]);
        if bench.is_quick {
            command.arg("--quick");
        }
        let text = shell::output(&mut command)?;
        let seconds = seconds(&text)?;
        let each = |name: &str| {
            let seconds = seconds.get(name).copied();
            seconds.with_context(|| format!("{name} was not measured"))
        };
        let mut compare = |row, baseline, ours| {
            results.add(row, Side::Native, baseline);
            results.add(row, Side::Enclave, ours);
        };
        let (theirs, signature) = (each("dcap-qvl")?, each("p256")?);
        for (rate, cost, ours, least) in [
            ("verify-known", "verify-known-cost", each("known-key")?, signature),
            (
                "verify-new",
                "verify-new-cost",
                each("new-key")?,
                SIGNATURES * signature,
            ),
        ] {
            compare(rate, 1.0 / theirs, 1.0 / ours);
            compare(cost, least * 1e6, ours * 1e6);
        }
    }
    Ok(())
}

/// Lines of a name and seconds.
fn seconds(text: &str) -> Result<BTreeMap<&str, f64>> {
    let lines = text.lines().map(|line| {
        let (name, seconds) = line.split_once(' ').context("a line without a number")?;
        Ok((name, seconds.parse()?))
    });
    lines.collect()
}
