//! Writes results to standard output.

pub mod excerpt;
pub mod progress;

use std::fmt::Display;
use std::io::{ErrorKind, Write};

use anyhow::{Context, Result};

/// Prints a line. That nobody reads any more (`nacre inspect IMAGE | head -1`) is no failure: what the command is for has
/// been done.
pub fn line(text: impl Display) -> Result<()> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write to standard output"),
    }
}
