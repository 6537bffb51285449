//! A program that runs in the background of a test.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

/// A command that runs until this is dropped.
pub struct Running(Child);

impl Running {
    /// Starts it, and waits for the first line that it prints.
    ///
    /// # Errors
    /// When it does not start, or ends without a line.
    pub fn start(command: &mut Command) -> Result<(Self, String)> {
        let name = command.get_program().display().to_string();
        let child = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn();
        // From here on it is killed whatever happens.
        let mut running = Self(child.with_context(|| format!("cannot start {name}"))?);
        let stdout = running.0.stdout.take().context("no pipe")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let line = line.strip_suffix('\n').with_context(|| format!("{name} ended"))?;
        Ok((running, line.to_owned()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
