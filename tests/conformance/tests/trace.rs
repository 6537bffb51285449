//! The lines of `--trace`, with strace as the judge.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use harness::{Guest, Outcome, nacre};

/// A call and the names of flags, numbers and errors in its line, in no order.
type Line = (String, BTreeSet<String>);

/// strace prints structures, which `--trace` does not.
fn outside_of_braces(text: &str) -> String {
    let mut depth = 0;
    let mut outside = String::new();
    for sign in text.chars() {
        depth += i32::from(matches!(sign, '{' | '['));
        if depth == 0 {
            outside.push(sign);
        }
        depth -= i32::from(matches!(sign, '}' | ']'));
    }
    outside
}

/// The lines between two calls of getppid.
fn lines(trace: &str) -> Vec<Line> {
    let lines = trace.lines().filter_map(|line| {
        // The thread stands in front: `[1] ` here, `17 ` there.
        let call = line.trim_start_matches(|sign: char| !sign.is_ascii_lowercase());
        // Lines without are about signals.
        let (name, rest) = call.split_once('(')?;
        // strace also explains the results of F_GETFD and F_GETFL.
        let rest = rest.split(" (flags ").next().unwrap_or(rest);
        let rest = outside_of_braces(rest);
        let words = rest.split(|sign: char| !(sign.is_ascii_alphanumeric() || sign == '_'));
        let is_name = |word: &&str| {
            let is_upper = |sign: char| sign.is_ascii_uppercase() || sign.is_ascii_digit() || sign == '_';
            word.starts_with(|sign: char| sign.is_ascii_uppercase())
                && word.chars().all(is_upper)
                && *word != "NULL"
        };
        let names = words.filter(is_name).map(str::to_owned).collect();
        Some((name.to_owned(), names))
    });
    let is_marker = |(name, _): &Line| name == "getppid";
    lines
        .skip_while(|line| !is_marker(line))
        .skip(1)
        .take_while(|line| !is_marker(line))
        .collect()
}

#[test]
fn flags_have_the_names_that_strace_gives_them() {
    let guests = Guest::all().unwrap();
    let guest = guests.iter().find(|guest| guest.name == "traced_calls").unwrap();
    let program = guest.build(Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap();
    let image = guest.image(&program).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let traced = |mut command: Command| {
        command.current_dir(dir.path());
        let outcome = Outcome::of(command, b"").unwrap();
        assert_eq!(outcome.status, 0, "{outcome}");
        let file = dir.path().join("calls");
        let trace = std::fs::read_to_string(&file).unwrap();
        std::fs::remove_file(file).unwrap();
        trace
    };
    let mut command = Command::new("strace");
    command.args(["-f", "-o", "calls"]).arg(&program);
    let native = traced(command);
    let mut command = Command::new(nacre().unwrap());
    command
        .args(["run", "--trace=calls"])
        .arg(format!("docker-archive:{}", image.display()));
    let ours = traced(command);
    let (native, ours) = (lines(&native), lines(&ours));
    assert!(native.len() > 50, "{native:#?}");
    for (native, ours) in native.iter().zip(&ours) {
        assert_eq!(native, ours);
    }
    assert_eq!(native.len(), ours.len());
}
