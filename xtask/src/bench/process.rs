//! CPU time and memory of a process, as the kernel counts them.

use std::fs;
use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// The kernel counts CPU time in ticks of this length, on every x86-64 Linux.
const TICK: f64 = 0.01;

/// User and system time of all the process's threads, in seconds; also of one that ended and was not waited for.
pub fn cpu_seconds(pid: u32) -> Result<f64> {
    let fields = stat(pid)?;
    let ticks = |index: usize| -> Result<f64> { Ok(fields.get(index).context("no such field")?.parse()?) };
    // proc_pid_stat(5): utime and stime are the fields 14 and 15; these begin with the third.
    Ok((ticks(11)? + ticks(12)?) * TICK)
}

/// A line like `VmRSS:  1234 kB` of a file below /proc/PID, in MiB.
pub fn memory(pid: u32, file: &str, field: &str) -> Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}"))?;
    let line = text
        .lines()
        .find(|line| line.split(':').next() == Some(field))
        .with_context(|| format!("no {field}"))?;
    let kib: f64 = line.split_whitespace().nth(1).context("no number")?.parse()?;
    Ok(kib / 1024.0)
}

/// What a process that ran to its end used.
pub struct Usage {
    pub cpu_seconds: f64,
    /// The largest resident set that was seen, in MiB.
    pub peak_memory: f64,
}

/// Watches a process until it ends well.
///
/// # Errors
/// When it fails.
pub fn watch(mut child: Child) -> Result<Usage> {
    let mut peak_memory = 0.0;
    // A zombie still has its times, and no memory: so the last look before it ends counts.
    while stat(child.id())?.first().map(String::as_str) != Some("Z") {
        peak_memory = memory(child.id(), "status", "VmHWM").unwrap_or(peak_memory);
        std::thread::sleep(Duration::from_millis(2));
    }
    let cpu_seconds = cpu_seconds(child.id())?;
    let status = child.wait()?;
    ensure!(status.success(), "failed: {status}");
    Ok(Usage {
        cpu_seconds,
        peak_memory,
    })
}

/// Waits until `is_true`, a minute at most.
///
/// # Errors
/// When that is over, or `is_true` fails.
pub fn wait_until(what: &str, mut is_true: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_true()? {
        ensure!(Instant::now() < deadline, "{what}: not within a minute");
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// The fields of /proc/PID/stat behind the program's name, which may hold spaces: the first is the state.
fn stat(pid: u32) -> Result<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, rest) = text.rsplit_once(") ").context("/proc/PID/stat has no name")?;
    Ok(rest.split_whitespace().map(str::to_owned).collect())
}
