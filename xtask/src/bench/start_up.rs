//! The time from `nacre run` to the end of a program that does nothing.

use std::process::Command;
use std::time::Instant;

use anyhow::Result;

use super::operations::large;
use super::side::{Bench, Side};
use super::table::Results;
use crate::shell;

pub fn measure(bench: &mut Bench, results: &mut Results) -> Result<()> {
    let small = bench.guests("small", &["hello"], 0)?;
    let large = large(bench)?;
    let python = bench.packages("python", "usr/bin/python3")?;
    for round in 0..bench.rounds(21) {
        for side in Side::BOTH {
            results.add(
                "hello",
                side,
                milliseconds(&mut small.program(bench, side, "hello"))?,
            );
            results.add(
                "hello-large",
                side,
                milliseconds(&mut large.program(bench, side, "hello"))?,
            );
            if round % 2 == 0 {
                let mut command = python.command(bench, side);
                results.add("python-pass", side, milliseconds(command.args(["-c", "pass"]))?);
            }
        }
    }
    Ok(())
}

fn milliseconds(command: &mut Command) -> Result<f64> {
    let start = Instant::now();
    shell::output(command)?;
    Ok(start.elapsed().as_secs_f64() * 1e3)
}
