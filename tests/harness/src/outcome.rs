//! Runs a guest, and records its output and exit status.

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::{Guest, Loopback};

/// No guest needs longer, not even on a slow machine that runs others beside it.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// What a run printed and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Standard output.
    pub stdout: String,
    /// The exit status, or 128 plus the number of the signal that killed it, as a shell says it.
    pub status: i32,
    /// Standard error: shown when something is wrong, never compared.
    pub stderr: String,
}

impl Outcome {
    /// Runs `program` on this Linux, in an empty folder, as an image would run it.
    ///
    /// # Errors
    /// When it does not start, or does not end in time.
    pub fn native(guest: &Guest, program: &Path) -> Result<Self> {
        let scratch = tempfile::tempdir_in(program.parent().context("no folder")?)?;
        let mut command = Command::new(program);
        command
            .arg0("/guest")
            .args(&guest.args)
            .current_dir(scratch.path())
            .env_clear();
        command.envs(guest.env.iter().filter_map(|pair| pair.split_once('=')));
        Self::of(command, &guest.stdin)
    }

    /// Runs the image in the enclave.
    ///
    /// # Errors
    /// When `nacre` is missing, or does not end in time.
    pub fn enclave(guest: &Guest, image: &Path) -> Result<Self> {
        let nacre = crate::nacre()?;
        let plain = format!("docker-archive:{}", image.display());
        let scratch = tempfile::tempdir()?;
        let image = match guest.loopback {
            Loopback::OfHost => plain,
            Loopback::Inside => {
                let converted = format!("oci-archive:{}", scratch.path().join("image.tar").display());
                let mut command = Command::new(&nacre);
                command.args(["convert", "--debug", &plain, &converted]);
                // No options from a nacre.toml.
                command.current_dir(scratch.path());
                let outcome = Self::of(command, b"")?;
                ensure!(outcome.status == 0, "nacre convert: {outcome}");
                converted
            }
        };
        let mut command = Command::new(nacre);
        command.args(["run", &image]);
        Self::of(command, &guest.stdin)
    }

    /// Runs any command to its end, or kills it when the time is up.
    ///
    /// # Errors
    /// When it does not start, or does not end in time.
    pub fn of(command: Command, stdin: &[u8]) -> Result<Self> {
        Self::within(TIME_LIMIT, command, stdin)
    }

    /// As [`Self::of`], with another limit.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub fn within(limit: Duration, mut command: Command, stdin: &[u8]) -> Result<Self> {
        // Files rather than pipes for input and errors: nobody has to read them while it runs.
        let mut input = tempfile::tempfile()?;
        input.write_all(stdin)?;
        input.rewind()?;
        let mut errors = tempfile::tempfile()?;
        let mut child = command
            .stdin(Stdio::from(input))
            .stdout(Stdio::piped())
            .stderr(Stdio::from(errors.try_clone()?))
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        let mut pipe = child.stdout.take().context("no pipe")?;
        let reader = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            pipe.read_to_end(&mut bytes)
                .map(|_| String::from_utf8_lossy(&bytes).into_owned())
        });
        let deadline = Instant::now() + limit;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if Instant::now() > deadline {
                child.kill()?;
                child.wait()?;
                let stdout = reader
                    .join()
                    .map_err(|_| anyhow::anyhow!("the reader panicked"))??;
                bail!("still runs after {limit:?}\n{stdout}\n{}", read(&mut errors)?);
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        Ok(Self {
            stdout: reader
                .join()
                .map_err(|_| anyhow::anyhow!("the reader panicked"))??,
            status: status
                .code()
                .or_else(|| status.signal().map(|signal| 128 + signal))
                .context("neither")?,
            stderr: read(&mut errors)?,
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "status {}\n--- stdout\n{}--- stderr\n{}",
            self.status, self.stdout, self.stderr
        )
    }
}

fn read(file: &mut File) -> Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
