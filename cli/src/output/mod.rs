//! Writes results to standard output.

#[cfg(feature = "verify")]
pub mod excerpt;
#[cfg(feature = "convert")]
pub mod progress;

use std::fmt::Display;
use std::io::{ErrorKind, Write};

use anyhow::{Context, Result};

/// Prints a line. A closed pipe (`nacre inspect IMAGE | head -1`) is not an error: the command has done its work.
pub fn line(text: impl Display) -> Result<()> {
    written(writeln!(std::io::stdout(), "{text}"))
}

/// Prints a value as JSON.
#[cfg(feature = "convert")]
pub fn json(value: &impl serde::Serialize) -> Result<()> {
    line(serde_json::to_string_pretty(value)?)
}

/// Prints bytes as they are, and otherwise as [`line`].
pub fn bytes(bytes: &[u8]) -> Result<()> {
    written(std::io::stdout().write_all(bytes))
}

fn written(result: std::io::Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.context("cannot write to standard output"),
    }
}
