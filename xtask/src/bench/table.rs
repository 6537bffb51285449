//! The table of results: medians, ratios, and verdicts against the targets.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use super::rows::{Better, Row, Target};
use super::side::Side;
use crate::shell;

/// All that was measured, by name of the row.
#[derive(Default)]
pub struct Results {
    samples: BTreeMap<String, [Vec<f64>; 2]>,
}

impl Results {
    /// Adds one measurement.
    pub fn add(&mut self, row: &str, side: Side, value: f64) {
        self.samples.entry(row.to_owned()).or_default()[side as usize].push(value);
    }

    /// The table of these rows, in Markdown.
    ///
    /// # Errors
    /// When a row has not been measured.
    pub fn table(&self, rows: &[&Row]) -> Result<String> {
        let mut text = String::from(
            "| name | what | unit | baseline | nacre | ratio | target | verdict | peer's ratio |\n\
             | --- | --- | --- | ---: | ---: | ---: | --- | --- | ---: |\n",
        );
        for row in rows {
            let samples = self.samples.get(row.name);
            let [native, enclave] = samples.with_context(|| format!("{} was not measured", row.name))?;
            let enclave =
                median(enclave).with_context(|| format!("{} was not measured in the enclave", row.name))?;
            line(&mut text, row, median(native), enclave);
        }
        Ok(text)
    }
}

fn line(text: &mut String, row: &Row, native: Option<f64>, enclave: f64) {
    let ratio = native.map(|native| enclave / native);
    let within = |limit: f64, value: f64| match row.better {
        Better::Lower => value <= limit,
        Better::Higher => value >= limit,
    };
    let sign = match row.better {
        Better::Lower => "≤",
        Better::Higher => "≥",
    };
    let (target, met) = match row.target {
        Target::Ratio(limit) => (
            format!("{sign} {limit} × baseline"),
            ratio.map(|ratio| within(limit, ratio)),
        ),
        Target::Added(limit) => (
            format!("≤ baseline + {limit} {}", row.unit),
            native.map(|native| enclave <= native + limit),
        ),
        Target::Value(limit) => (format!("{sign} {limit}"), Some(within(limit, enclave))),
        Target::Open => match row.peer {
            Some(peer) => ("beat the peer".to_owned(), ratio.map(|ratio| within(peer, ratio))),
            None => (String::new(), None),
        },
    };
    let verdict = match met {
        Some(true) => "met",
        Some(false) => "**missed**",
        None => "",
    };
    let native = native.map(number).unwrap_or_default();
    let ratio = ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
    let peer = row.peer.map(|peer| format!("{peer}")).unwrap_or_default();
    let Row {
        name, title, unit, ..
    } = row;
    // Writing to a String does not fail.
    let _ = writeln!(
        text,
        "| `{name}` | {title} | {unit} | {native} | {} | {ratio} | {target} | {verdict} | {peer} |",
        number(enclave)
    );
}

/// Three digits that matter.
fn number(value: f64) -> String {
    match value {
        100.0.. => format!("{value:.0}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// Where this was measured, in a line.
///
/// # Errors
/// When the machine does not say what it is.
pub fn machine() -> Result<String> {
    let read = |path: &str| fs::read_to_string(path).with_context(|| path.to_owned());
    let field = |text: &str, name: &str| -> Option<String> {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let cpu = field(&read("/proc/cpuinfo")?, "model name").unwrap_or_default();
    let cores = std::thread::available_parallelism()?;
    let memory = field(&read("/proc/meminfo")?, "MemTotal").unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease")?;
    let load = read("/proc/loadavg")?;
    let commit = shell::output(
        Command::new("git")
            .args(["log", "-1", "--format=%h of %cs"])
            .current_dir(shell::workspace()),
    )?;
    Ok(format!(
        "Commit {}; {cores} cores of {cpu}, {memory} of memory, Linux {}, load {} when it began; emulated enclave.",
        commit.trim(),
        kernel.trim(),
        load.split(' ').next().unwrap_or_default(),
    ))
}

const BEGIN: &str = "<!-- written by `cargo xtask bench` -->\n";
const END: &str = "<!-- end of what `cargo xtask bench` writes -->\n";

/// The report with a new table; what people wrote around it stays.
pub fn replace(report: &str, machine: &str, table: &str) -> String {
    let (before, after) = match (report.split_once(BEGIN), report.split_once(END)) {
        (Some((before, _)), Some((_, after))) => (before, after),
        _ => ("# Performance\n\n", ""),
    };
    format!("{before}{BEGIN}{machine}\n\n{table}{END}{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_words_stay() {
        let first = replace("", "one", "table\n");
        let report = format!("{first}Reasons.\n");
        let second = replace(&report, "two", "other\n");
        assert_eq!(
            second,
            format!("# Performance\n\n{BEGIN}two\n\nother\n{END}Reasons.\n")
        );
    }

    #[test]
    fn verdicts_follow_the_target() {
        let row = |target, better| Row {
            name: "n",
            group: "g",
            title: "t",
            unit: "ms",
            better,
            target,
            peer: Some(2.0),
        };
        let verdict = |target, better, native, enclave| {
            let mut text = String::new();
            line(&mut text, &row(target, better), native, enclave);
            text.split('|').nth(8).unwrap().trim().to_owned()
        };
        assert_eq!(verdict(Target::Ratio(1.0), Better::Lower, Some(2.0), 2.0), "met");
        assert_eq!(
            verdict(Target::Ratio(1.0), Better::Higher, Some(2.0), 1.9),
            "**missed**"
        );
        assert_eq!(
            verdict(Target::Added(15.0), Better::Lower, Some(2.0), 17.1),
            "**missed**"
        );
        assert_eq!(verdict(Target::Value(2.1), Better::Lower, None, 2.1), "met");
        assert_eq!(verdict(Target::Open, Better::Lower, Some(1.0), 1.9), "met");
    }
}
