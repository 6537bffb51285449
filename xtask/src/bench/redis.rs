//! Redis, loaded by its own redis-benchmark.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::process::memory;
use super::server::{Server, free_port};
use super::side::{Bench, Image, Side};
use super::table::Results;
use crate::shell;

/// Name in a row, commands that wait for their answers together, and how many requests.
const LOADS: &[(&str, &str, u64)] = &[("1", "1", 100_000), ("16", "16", 1_000_000)];

pub fn measure(bench: &mut Bench, results: &mut Results) -> Result<()> {
    let image = bench.packages("redis", "usr/bin/redis-server")?;
    let native = start(&mut image.command(bench, Side::Native))?;
    let enclave = start(&mut image.command(bench, Side::Enclave))?;
    let servers = [(Side::Native, native), (Side::Enclave, enclave)];
    // Threads that were only needed at the start are gone by then.
    std::thread::sleep(Duration::from_secs(1));
    for (side, server) in &servers {
        results.add("redis-rss", *side, memory(server.id(), "smaps_rollup", "Rss")?);
        results.add("redis-pss", *side, memory(server.id(), "smaps_rollup", "Pss")?);
    }
    for _ in 0..bench.rounds(3) {
        for (name, pipeline, count) in LOADS {
            for command in ["set", "get"] {
                let count = bench.amount(*count);
                for (side, server) in &servers {
                    let (cost, rate) = server.cost(count, || load(server, command, pipeline, count))?;
                    results.add(&format!("redis-{command}-{name}"), *side, rate);
                    results.add(&format!("redis-{command}-{name}-cpu"), *side, cost);
                }
            }
        }
    }
    drop(servers);
    let count = bench.amount(100_000);
    let idle = exits(bench, &image, 0)?;
    let loaded = exits(bench, &image, count)?;
    results.add("redis-exits", Side::Enclave, (loaded - idle) / count as f64);
    Ok(())
}

fn start(command: &mut Command) -> Result<Server> {
    let port = free_port()?;
    // No background save: that forks.
    let arguments = [
        "--save",
        "",
        "--appendonly",
        "no",
        "--bind",
        "0.0.0.0",
        "--protected-mode",
        "no",
        "--port",
    ];
    Server::start(command.args(arguments).arg(port.to_string()), port)
}

/// Requests per second of 50 clients.
fn load(server: &Server, command: &str, pipeline: &str, count: u64) -> Result<f64> {
    let mut benchmark = Command::new("redis-benchmark");
    benchmark
        .args(["-h", "127.0.0.1", "-p", &server.port().to_string()])
        .args(["-c", "50", "-P", pipeline, "-n", &count.to_string()])
        .args(["-t", command, "--csv"]);
    let text = shell::output(&mut benchmark).context("redis-benchmark is in the package redis-tools")?;
    // A line of titles, then "GET","52356.02",…
    let line = text.lines().last().context("redis-benchmark printed nothing")?;
    let rate = line.split(',').nth(1).context("no rate")?;
    Ok(rate.trim_matches('"').parse()?)
}

/// How often a server left the enclave in a life with so many requests.
fn exits(bench: &Bench, image: &Image, count: u64) -> Result<f64> {
    let server = start(&mut image.enclave(bench, &["--stats"]))?;
    if count > 0 {
        load(&server, "get", "1", count)?;
    }
    let text = server.terminate()?;
    // Each time in ends with a time out: by EEXIT, or by an exception (AEX).
    let entries = ["enclave entries (EENTER)", "resumptions (ERESUME)"].map(|name| {
        let line = text.lines().find(|line| line.contains(name));
        let number = line.and_then(|line| line.split_whitespace().next());
        number
            .and_then(|number| number.parse::<f64>().ok())
            .unwrap_or(0.0)
    });
    Ok(entries.iter().sum())
}
