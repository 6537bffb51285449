//! Speed and memory of a conversion.

use std::fs;
use std::process::Stdio;

use anyhow::Result;

use super::operations::large;
use super::process::{Usage, watch};
use super::side::{Bench, Image, Side};
use super::table::Results;

pub fn measure(bench: &mut Bench, results: &mut Results) -> Result<()> {
    let python = bench.packages("python", "usr/bin/python3")?;
    let large = large(bench)?;
    for _ in 0..bench.rounds(3) {
        for (row, image) in [("convert-python", &python), ("convert-large", &large)] {
            let usage = convert(bench, image)?;
            // A docker-archive holds its layers as they are, and hardly anything else.
            let megabytes = fs::metadata(&image.plain)?.len() as f64 / 1e6;
            results.add(row, Side::Enclave, megabytes / usage.cpu_seconds);
            if row == "convert-large" {
                results.add("convert-memory", Side::Enclave, usage.peak_memory);
            }
        }
    }
    Ok(())
}

fn convert(bench: &Bench, image: &Image) -> Result<Usage> {
    let (mut command, _) = bench.conversion(&image.plain, &bench.scratch().join("again.tar"));
    watch(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?)
}
