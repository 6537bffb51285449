//! `cargo xtask bare-numbers`: no system call matches a number that has no name.
//!
//! Linux's numbers stand in `abi/linux-abi`, where a test compares them with Linux's headers. A number in a match arm of a
//! system call would be one that nobody compares.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::shell;

/// Where system calls are answered.
const SYSTEM_CALLS: &str = "enclave/libos/src/syscall";

/// Looks at every match arm of every system call.
///
/// # Errors
/// With every arm that is a bare number, one a line.
pub fn run() -> Result<()> {
    let folder = shell::workspace().join(SYSTEM_CALLS);
    let mut found = Vec::new();
    let mut files = 0;
    for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let source = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            found.extend(bare_arms(&path, &source));
            files += 1;
        }
    }
    if files == 0 {
        bail!(
            "{SYSTEM_CALLS} has no source files: say in xtask/src/bare_numbers.rs where system calls are now"
        );
    }
    if found.is_empty() {
        println!("bare-numbers: {files} files of system calls match names only");
        return Ok(());
    }
    found.sort();
    bail!(
        "match arms that are bare numbers; give them Linux's names in abi/linux-abi:\n  {}",
        found.join("\n  ")
    )
}

/// The lines outside of tests that match bare numbers, with where they are.
fn bare_arms(path: &Path, source: &str) -> Vec<String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    source
        .lines()
        .enumerate()
        .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
        .filter(|(_, line)| is_bare(line))
        .map(|(index, line)| format!("{SYSTEM_CALLS}/{name}:{}: {}", index + 1, line.trim()))
        .collect()
}

/// Whether a line has a pattern that is a number: in an arm, in an alternative on a line of its own, or in `matches!`.
fn is_bare(line: &str) -> bool {
    let line = line.trim();
    if line.starts_with("//") {
        return false;
    }
    let arm = line.split_once("=>").map(|(pattern, _)| pattern);
    let alternative = line.strip_prefix('|').filter(|rest| !rest.starts_with('|'));
    let matched = line
        .split_once("matches!(")
        .and_then(|(_, rest)| Some(rest.split_once(", ")?.1));
    [arm, alternative, matched].into_iter().flatten().any(has_number)
}

/// Whether one of the alternatives of a pattern is a number or a range of numbers.
fn has_number(pattern: &str) -> bool {
    let pattern = pattern.split(" if ").next().unwrap_or_default();
    pattern.split('|').any(|alternative| {
        let number = alternative
            .trim()
            .trim_start_matches("..")
            .trim_start_matches(['=', '-']);
        number.starts_with(|first: char| first.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_where_patterns_are() {
        for line in [
            "        0 | 1030 => {",
            "        -1 => true,",
            "        0x5356_4d41 => Ok(0),",
            "        5..=7 => Ok(0),",
            "        ..=7 if argument => Ok(0),",
            "        Command::A | 4 => Ok(0),",
            "        | 25",
            "    let allowed = matches!(command, 0..=3 | 1030);",
        ] {
            assert!(is_bare(line), "{line}");
        }
        for line in [
            "        Command::F_GETFD => Ok(0),",
            "        // 0 => Ok(0),",
            "        Some(0) => Ok(0),",
            "        flags if flags & 1 == 0 => Ok(0),",
            "            || thread.tid == 1",
            "    let x = matches!(result, Err(Errno::EINTR));",
            "    Row::full(72, \"fcntl\", sys_fcntl, \"ddx\"),",
        ] {
            assert!(!is_bare(line), "{line}");
        }
    }

    #[test]
    fn tests_may_match_numbers() {
        let source = "match x {\n    1 => a,\n}\n#[cfg(test)]\nmatch x {\n    2 => b,\n}\n";
        let found = bare_arms(Path::new("sys_read.rs"), source);
        assert_eq!(found, ["enclave/libos/src/syscall/sys_read.rs:2: 1 => a,"]);
    }
}
