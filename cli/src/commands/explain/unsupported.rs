//! System calls that an image's programs mention, and that the LibOS does not have.
//!
//! A program mentions a call by its number, as a constant before a `syscall` instruction, or by importing the function
//! of that name from the image's C library. The C library itself has all of them, so what it can call says nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::finding::{Finding, Severity};
use super::image_files::{ImageFile, ImageFiles};
use super::syscall_table::{self, Row};

/// Functions of C libraries whose names are those of other system calls.
const OTHER_FUNCTIONS: [(&str, Option<&str>); 2] = [("syslog", None), ("klogctl", Some("syslog"))];

/// A call that is not supported, and who mentions it.
#[derive(Serialize)]
pub(super) struct Unsupported {
    pub(super) number: u32,
    pub(super) name: &'static str,
    /// What it gives: `ENOSYS`.
    pub(super) error: &'static str,
    pub(super) why: &'static str,
    pub(super) files: Vec<String>,
}

/// All of them, by number.
pub(super) fn find(files: &ImageFiles) -> Vec<Unsupported> {
    let missed: Vec<Row> = syscall_table::rows().filter(Row::is_missed).collect();
    let mut functions: BTreeMap<&[u8], u32> = missed
        .iter()
        .map(|row| (row.name.as_bytes(), row.number))
        .collect();
    for (function, call) in OTHER_FUNCTIONS {
        functions.remove(function.as_bytes());
        let row = call.and_then(|call| missed.iter().find(|row| row.name == call));
        functions.extend(row.map(|row| (function.as_bytes(), row.number)));
    }
    let elves = || files.files.values().filter_map(ImageFile::elf);
    let of_libc: BTreeSet<&[u8]> = elves()
        .filter(|elf| elf.is_c_library())
        .flat_map(|elf| elf.exports.iter().map(Vec::as_slice))
        .collect();

    let mut mentions: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for file in files.files.values() {
        let Some(elf) = file.elf().filter(|elf| !elf.is_c_library()) else {
            continue;
        };
        let imported = elf.imports.iter().map(Vec::as_slice);
        let imported = imported.filter(|name| of_libc.contains(name));
        let mut numbers = file.numbers.clone();
        numbers.extend(imported.filter_map(|name| functions.get(name)));
        for number in numbers {
            mentions.entry(number).or_default().push(file.path.clone());
        }
    }
    let unsupported = missed.iter().filter_map(|row| {
        Some(Unsupported {
            number: row.number,
            name: row.name,
            error: row.support,
            why: row.note,
            files: mentions.remove(&row.number)?,
        })
    });
    unsupported.collect()
}

impl Unsupported {
    pub(super) fn finding(&self) -> Finding {
        const SHOWN: usize = 3;
        let more = match self.files.len().saturating_sub(SHOWN) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let shown: Vec<_> = self.files.iter().take(SHOWN).map(String::as_str).collect();
        let problem = format!(
            "the system call gives {} ({}); mentioned in {}{more}",
            self.error,
            self.why,
            shown.join(", ")
        );
        // Container engines refuse these, too, without --privileged.
        let (severity, advice) = if self.error == "EPERM" {
            (
                Severity::Note,
                "most programs never make it in a container without privileges",
            )
        } else {
            (
                Severity::MayFail,
                "many programs go on without it; `nacre run --trace` shows whether it is made, and what follows",
            )
        };
        Finding::new(severity, self.name, problem, advice)
    }
}
