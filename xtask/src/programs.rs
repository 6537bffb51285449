//! `cargo xtask programs`: runs real programs natively and in the enclave, and writes `docs/programs.md`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::programs::{self, Comparison, Group, Program, Verdict};

use crate::shell;

/// What to run.
#[derive(clap::Args)]
pub struct Options {
    /// Only the programs of these names; the others keep their rows on the page.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,

    /// Remove each image from the cache when its program is as it is known. All of them take 30 GB.
    #[arg(long)]
    drop_images: bool,

    /// Print the programs, and run nothing.
    #[arg(long)]
    list: bool,
}

/// Compares, prints what differs, and writes the page after each program.
///
/// # Errors
/// When a program could not be compared, or is not as it is known. All others are compared before.
pub fn run(options: &Options) -> Result<()> {
    let groups = programs::groups()?;
    if options.list {
        for program in groups.iter().flat_map(|group| &group.programs) {
            println!("{:24} {}", program.name, program.does);
        }
        return Ok(());
    }
    let all = || groups.iter().flat_map(|group| &group.programs);
    for name in &options.only {
        ensure!(
            all().any(|program| program.name == *name),
            "no program is called {name}; --list prints them all"
        );
    }
    let nacre = shell::nacre()?;
    let mut failed = Vec::new();
    for program in all().filter(|program| options.only.is_empty() || options.only.contains(&program.name)) {
        match compare(program, &nacre) {
            Ok((row, is_known)) => {
                if !is_known {
                    failed.push(program.name.as_str());
                } else if options.drop_images {
                    fs::remove_file(program.image()?)?;
                }
                // Another run may have written others meanwhile.
                let mut rows = rows(&fs::read_to_string(path()).unwrap_or_default());
                rows.insert(program.name.clone(), row);
                fs::write(path(), page(&groups, &rows)).with_context(|| path().display().to_string())?;
            }
            Err(error) => {
                println!("{:24} {error:#}", program.name);
                failed.push(program.name.as_str());
            }
        }
    }
    ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
    Ok(())
}

fn path() -> PathBuf {
    shell::workspace().join("docs/programs.md")
}

/// Runs one program on both sides. Gives its row of the page, and whether it is as it is known.
fn compare(program: &Program, nacre: &Path) -> Result<(String, bool)> {
    let comparison = program.compare(nacre)?;
    let (result, is_known) = match (&comparison.verdict, &program.known) {
        (Verdict::Same, None) => ("same".to_owned(), true),
        (Verdict::Same, Some(known)) => {
            println!("{:24} is the same, so strike its `known`: {known}", program.name);
            ("same".to_owned(), false)
        }
        (Verdict::Differs(..), Some(known)) => (format!("**{known}**"), true),
        (Verdict::Differs(line, full), None) => {
            println!("{:24} {line}\n{full}", program.name);
            (format!("**{}**", line.replace('|', "\\|")), false)
        }
    };
    println!("{:24} {result}, {}", program.name, times(&comparison));
    Ok((row(program, &comparison, &result), is_known))
}

fn row(program: &Program, comparison: &Comparison, result: &str) -> String {
    let registries = [
        ("Debian", &program.packages.debian),
        ("PyPI", &program.packages.pypi),
        ("npm", &program.packages.npm),
    ];
    // The last one that is used is where the program itself comes from; Debian then has what it needs.
    let from = registries.iter().rfind(|(_, packages)| !packages.is_empty());
    format!(
        "| {} | {} | {} | {} | {result} | {} |",
        program.name,
        comparison.version,
        from.map_or("", |(registry, _)| registry),
        program.does,
        times(comparison),
    )
}

/// Seconds on both sides.
fn times(comparison: &Comparison) -> String {
    let seconds = |time: Duration| format!("{:.1}", time.as_secs_f64());
    format!("{} → {}", seconds(comparison.native), seconds(comparison.enclave))
}

/// The rows of a page by program.
fn rows(page: &str) -> BTreeMap<String, String> {
    let row = |line: &str| {
        let name = line.strip_prefix("| ")?.split(" | ").next()?;
        Some((name.to_owned(), line.to_owned()))
    };
    page.lines().filter_map(row).collect()
}

fn page(groups: &[Group], rows: &BTreeMap<String, String>) -> String {
    let all = groups.iter().flat_map(|group| &group.programs);
    let written: Vec<&String> = all.filter_map(|program| rows.get(&program.name)).collect();
    let same = written.iter().filter(|row| row.contains(" | same | ")).count();
    let mut page = format!(
        "\
# Programs

<!-- Written by `cargo xtask programs` from tests/programs. Do not edit. -->

This page is for operators. It says which real programs were run in an enclave, and how they did:
{same} of {} behave as on Linux.

Each program comes from its registry as it is. A script runs it natively and in the enclave, from
the same files, and what it prints and its exit status are compared. A server gets a request by a
real client, which runs beside it. *Time* is of the whole script in seconds, natively → in the
software emulator; its start is part of it. Pages are brought into an enclave one by one when they
are first used, so programs that are large or end soon take longest. Each time is of one run, and
most rows were written while the machine was busy: they show the order of magnitude.

`cargo xtask programs --only NAME` repeats a row. [tests/programs](../tests/programs) has the
scripts; a program is added there.
",
        written.len()
    );
    for group in groups {
        // Writing to a string cannot fail.
        let _ = write!(
            page,
            "\n## {}\n\n| program | version | from | what is run | result | time |\n| --- | --- | --- | --- | --- | ---: |\n",
            group.title
        );
        for row in group
            .programs
            .iter()
            .filter_map(|program| rows.get(&program.name))
        {
            let _ = writeln!(page, "{row}");
        }
    }
    let open = groups.iter().flat_map(|group| &group.programs);
    let open: Vec<&str> = open
        .filter(|program| !rows.contains_key(&program.name))
        .map(|program| program.name.as_str())
        .collect();
    if !open.is_empty() {
        let _ = write!(
            page,
            "\n## Without a result\n\nThese are in the list, and have not been compared yet, or not since \
             their scripts were changed:\n\n- {}\n",
            open.join("\n- ")
        );
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_again() {
        let groups = programs::groups().unwrap();
        let program = &groups[0].programs[0];
        let line = format!("| {} | 1.0 | Debian | text | same | 0.1 → 0.2 |", program.name);
        let written = BTreeMap::from([(program.name.clone(), line)]);
        let page = page(&groups, &written);
        assert!(page.contains("1 of 1 behave"), "{page}");
        let second = &groups[0].programs[1].name;
        assert!(
            page.contains("## Without a result") && page.contains(second.as_str()),
            "{page}"
        );
        assert_eq!(rows(&page).get(&program.name), written.get(&program.name));
    }
}
