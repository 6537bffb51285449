//! `cargo xtask syscalls`: writes `docs/syscalls.md` from the LibOS's table, so that the page says what the code does.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use libos::syscall::table::{self, Row, Support};

use crate::shell;

fn path() -> PathBuf {
    shell::workspace().join("docs/syscalls.md")
}

/// Writes the page.
///
/// # Errors
/// When it cannot be written.
pub fn run() -> Result<()> {
    let path = path();
    fs::create_dir_all(path.with_file_name(""))?;
    fs::write(&path, page()).with_context(|| path.display().to_string())?;
    println!("wrote {}", path.display());
    Ok(())
}

/// Whether the committed page is what [`run`] would write.
pub fn is_current() -> bool {
    fs::read_to_string(path()).is_ok_and(|written| written == page())
}

fn page() -> String {
    let count = |is: fn(&Support) -> bool| table::rows().filter(|row| is(&row.support)).count();
    let full = count(|support| matches!(support, Support::Full));
    let partial = count(|support| matches!(support, Support::Partial(_)));
    let unsupported = count(|support| matches!(support, Support::Unsupported(..)));
    let last = table::COUNT - 1;
    let (gap_start, gap_end) = (table::NOT_GIVEN_OUT.start(), table::NOT_GIVEN_OUT.end());
    let mut page = format!(
        "\
# System calls

<!-- Written by `cargo xtask syscalls` from enclave/libos/src/syscall. Do not edit. -->

This page is for operators and reviewers. It lists the support of every system call of x86-64 Linux,
by number (0 to {last}; {gap_start} to {gap_end} were never assigned).

- *full*: programs find no difference from Linux.
- *partial*: programs may find the difference that the note names.
- An error such as ENOSYS: the call is not supported, and gives this error.

`nacre run` names, once each, the system calls for which a program got ENOSYS, including numbers
beyond this table. It does not name those that are marked *quiet*, because libraries ask for them in
every program.

{full} are full, {partial} partial, {unsupported} unsupported.

| number | name | support | note |
| ---: | --- | --- | --- |
"
    );
    for row in table::rows() {
        line(&mut page, row);
    }
    page
}

fn line(page: &mut String, row: &Row) {
    let (support, note) = match row.support {
        Support::Full => ("full".to_owned(), ""),
        Support::Partial(note) => ("partial".to_owned(), note),
        Support::Unsupported(errno, why) => (errno.to_string(), why),
    };
    let quiet = row
        .quiet
        .map(|why| format!(" (quiet: {why})"))
        .unwrap_or_default();
    // Writing to a string cannot fail.
    let _ = writeln!(
        page,
        "| {} | {} | {support} | {note}{quiet} |",
        row.number, row.name
    );
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_is_current() {
        assert!(super::is_current(), "run `cargo xtask syscalls`");
    }
}
