//! `cargo xtask host-calls`: writes `docs/host-calls.md` from the table in `host-abi`, so that it says what the code does.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use host_abi::{
    AHEAD_OFFSET, BOOT_INPUTS, Field, INPUTS, Input, MAX_AHEAD, MAX_CONTROL, MAX_DATA, MAX_EVENTS, MAX_HELD,
    MAX_OPTION, MAX_POLL, MAX_SOCKADDR, ROWS, Row, STAGING_SIZE,
};

use crate::shell;

fn path() -> PathBuf {
    shell::workspace().join("docs/host-calls.md")
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
    let mut page = format!(
        "\
# Host calls

<!-- Written by `cargo xtask host-calls` from abi/host-abi/src/table.rs. Do not edit. -->

This page lists everything that crosses the boundary between an enclave and its host. The host is
the adversary: it may answer anything, at any time, or not at all. So everything that it says is a
claim, which is copied into the enclave once, checked, and then used.

- **Leaves** is what the host learns: the arguments, and the bytes in the *staging buffer*,
  {staging} KiB of the host's memory that belong to one thread. All of it is public. So is what a
  thread *posts*: small pieces that it sends on a stream lie in its *outbox* until its next call,
  with which the host sends them (`abi/host-abi/src/outbox.rs`).
- **Comes back** is what the host answers. Each call may also be answered with an error, which is
  one of Linux's error numbers (1 to 133); any other number is a lie.
- **Checked** is what holds before the enclave believes the answer. An answer that fails the check
  is a lie: the program gets EIO, unless the row says otherwise.
- **A lie at most** is the worst that a host can achieve that answers dishonestly. In addition, a
  host can always refuse a call and stop a thread or the enclave for ever. Nothing protects
  availability.

Types: `HostFd` is a descriptor of the host's, below 2^30. `Wait` is a time in nanoseconds that the
call may block. `PageRange` is a range of whole pages. The other types list their values in
`abi/host-abi`.

Limits: STAGING_SIZE is {STAGING_SIZE} bytes, MAX_SOCKADDR {MAX_SOCKADDR} bytes, MAX_CONTROL
{MAX_CONTROL} bytes, MAX_DATA {MAX_DATA} bytes, MAX_OPTION {MAX_OPTION} bytes, MAX_POLL {MAX_POLL}
entries, MAX_EVENTS {MAX_EVENTS} events, MAX_AHEAD {MAX_AHEAD} bytes, MAX_HELD {MAX_HELD} members.
AHEAD_OFFSET is {AHEAD_OFFSET}.

## Calls

{count} calls.

| call | purpose | leaves | comes back | checked | a lie at most |
| --- | --- | --- | --- | --- | --- |
",
        staging = STAGING_SIZE / 1024,
        count = ROWS.len(),
    );
    ROWS.iter().for_each(|row| call(&mut page, row));
    page.push_str(
        "
## What the host says at the start

The host writes these into the first thread's staging buffer before it enters. A field that cannot be
read ends the start.

| what | checked | a lie at most |
| --- | --- | --- |
",
    );
    BOOT_INPUTS.iter().for_each(|row| input(&mut page, row));
    page.push_str(
        "
## What else the host decides

| what | checked | a lie at most |
| --- | --- | --- |
",
    );
    INPUTS.iter().for_each(|row| input(&mut page, row));
    page
}

// Writing to a string cannot fail.
fn call(page: &mut String, row: &Row) {
    let arguments = row.arguments.iter().map(argument);
    let (kind, meaning) = row.answer;
    let answer = match kind {
        "()" => meaning.to_owned(),
        kind => format!("`{kind}`: {meaning}"),
    };
    let _ = writeln!(
        page,
        "| {} ({}) | {} | {} | {} | {} | {} |",
        row.name,
        row.code,
        purpose(row),
        parts(arguments.chain(staged(row.staged))),
        parts([answer].into_iter().chain(staged(row.returned))),
        row.checked,
        row.lie
    );
}

fn input(page: &mut String, row: &Input) {
    let _ = writeln!(page, "| {} | {} | {} |", row.name, row.checked, row.lie);
}

fn argument(field: &Field) -> String {
    let range = match field.bounds.split_once("..=") {
        None => String::new(),
        Some(("", most)) => format!(", at most {most}"),
        Some((least, most)) => format!(", {least} to {most}"),
    };
    format!("`{}: {}`{range}", field.name, field.kind)
}

/// The first paragraph of the type's documentation, without links.
fn purpose(row: &Row) -> String {
    let lines = row.purpose.iter().map(|line| line.trim());
    let paragraph: Vec<&str> = lines.take_while(|line| !line.is_empty()).collect();
    paragraph.join(" ").replace("[`", "`").replace("`]", "`")
}

fn staged(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| format!("*staged:* {text}"))
}

fn parts(parts: impl Iterator<Item = String>) -> String {
    let parts: Vec<String> = parts.collect();
    match parts.is_empty() {
        true => "nothing".to_owned(),
        false => parts.join("; "),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_is_current() {
        assert!(super::is_current(), "run `cargo xtask host-calls`");
    }

    #[test]
    fn no_text_breaks_the_table() {
        let page = super::page();
        let rows = page.lines().filter(|line| line.starts_with('|'));
        for row in rows {
            assert!(matches!(row.matches('|').count(), 4 | 7), "{row}");
        }
    }
}
