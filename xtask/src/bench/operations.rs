//! Single operations, and reading a large file: C programs that time themselves on both sides.

use anyhow::{Context, Result};

use super::side::{Bench, Image, Side};
use super::table::Results;
use crate::shell;

/// The file that is read from its beginning to its end.
pub const LARGE: u64 = 256 << 20;

/// Each operation of `bench/guests/operations.c`.
pub fn single(bench: &mut Bench, results: &mut Results) -> Result<()> {
    let image = bench.guests("operations", &["operations"], 4 << 20)?;
    let batches = if bench.is_quick { "1" } else { "200" };
    for _ in 0..bench.rounds(3) {
        for side in Side::BOTH {
            let mut command = image.program(bench, side, "operations");
            match side {
                Side::Native => command.args([&image.root, bench.scratch()]),
                Side::Enclave => command.args(["/", "/tmp"]),
            };
            collect(&shell::output(command.arg(batches))?, "", side, results)?;
        }
    }
    Ok(())
}

/// Each measurement of `bench/guests/processes.c`.
pub fn processes(bench: &mut Bench, results: &mut Results) -> Result<()> {
    let image = bench.guests("processes", &["processes"], 4096)?;
    let rounds = if bench.is_quick { "1" } else { "400" };
    for _ in 0..bench.rounds(3) {
        for side in Side::BOTH {
            let mut command = image.program(bench, side, "processes");
            match side {
                Side::Native => command.arg(image.root.join("processes")),
                Side::Enclave => command.arg("/processes"),
            };
            collect(&shell::output(command.arg(rounds))?, "", side, results)?;
        }
    }
    Ok(())
}

/// The first and the second pass over a file of 256 MiB.
pub fn sequential(bench: &mut Bench, results: &mut Results) -> Result<()> {
    let image = large(bench)?;
    for _ in 0..bench.rounds(3) {
        for side in Side::BOTH {
            let mut command = image.program(bench, side, "sequential");
            let text = shell::output(command.current_dir(&image.root).arg("usr/share/bench/data"))?;
            collect(&text, "read-", side, results)?;
        }
    }
    Ok(())
}

/// An image with a large file.
pub fn large(bench: &Bench) -> Result<Image> {
    bench.guests("large", &["hello", "sequential"], bench.amount(LARGE))
}

/// Lines of a name and a number.
fn collect(text: &str, prefix: &str, side: Side, results: &mut Results) -> Result<()> {
    for line in text.lines() {
        let (name, value) = line.split_once(' ').context("a line without a number")?;
        results.add(&format!("{prefix}{name}"), side, value.parse()?);
    }
    Ok(())
}
