//! `nacre exec`, `nacre top` and `nacre ps`: what can be done with running containers.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Args;
use host_runtime::control::{self, Question};
use host_runtime::terminal::{self, RawMode};

use super::run::variable;
use crate::running;

/// Run a program in a running container (debug enclaves only)
///
/// The program runs as the image's user, in its working directory, beside the container's own programs. An enclave that was
/// not converted with --debug refuses: its host must not run anything in it.
///
/// Ends with the program's status.
#[derive(Args, Debug)]
pub struct Exec {
    /// Set an environment variable; NAME alone takes its value from the environment of nacre
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    env: Vec<OsString>,

    /// Keep standard input open
    #[arg(short, long)]
    interactive: bool,

    /// Give the program a terminal, in the enclave
    #[arg(short, long)]
    tty: bool,

    /// The container (see nacre ps)
    container: String,

    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<OsString>,
}

impl Exec {
    /// Ends as the program does.
    pub fn run(self) -> Result<ExitCode> {
        let path = running::find(&self.container)?;
        if self.tty && self.interactive && !terminal::input_is_terminal() {
            bail!("the input device is not a TTY: leave out -t");
        }
        if !self.interactive {
            terminal::close_input().context("cannot open /dev/null")?;
        }
        let question = match self.tty {
            true => Question::ExecuteOnTerminal,
            false => Question::Execute,
        };
        let args: Vec<_> = self.command.into_iter().map(OsString::into_vec).collect();
        let env: Vec<_> = self.env.into_iter().filter_map(variable).collect();
        let raw = self.tty.then(RawMode::enter).transpose();
        let raw = raw.context("cannot put the terminal into raw mode")?;
        let answer = control::ask(&path, question, &args, &env);
        drop(raw);
        let (status, text) = answer.with_context(|| format!("{} has ended", self.container))?;
        if !text.is_empty() {
            eprintln!(
                "nacre: {}: {}",
                self.container,
                String::from_utf8_lossy(&text).trim_end()
            );
        }
        Ok(exit_code(status))
    }
}

/// A status as `wait` gives it, as shells show it.
fn exit_code(status: u16) -> ExitCode {
    let signal = (status & 0x7f) as u8;
    let [_, code] = status.to_le_bytes();
    ExitCode::from(if signal == 0 { code } else { 128 + signal })
}

/// Show the processes of a running container (debug enclaves only)
#[derive(Args, Debug)]
pub struct Top {
    /// The container (see nacre ps)
    container: String,
}

impl Top {
    /// Prints them.
    pub fn run(self) -> Result<()> {
        let path = running::find(&self.container)?;
        let (status, text) = control::ask(&path, Question::ListProcesses, &[], &[])
            .with_context(|| format!("{} has ended", self.container))?;
        let text = String::from_utf8_lossy(&text);
        if status != 0 {
            bail!("{}: {}", self.container, text.trim_end());
        }
        print!("{text}");
        Ok(())
    }
}

/// List the containers that run
#[derive(Args, Debug)]
pub struct Ps {}

impl Ps {
    /// Prints them.
    pub fn run(self) -> Result<()> {
        println!("{:<20} {:>7}  {:<6} IMAGE", "NAME", "PID", "DEBUG");
        for (name, description) in running::list()? {
            let mut parts = description.splitn(3, '\t');
            let mut part = || parts.next().unwrap_or_default();
            let (pid, debug, image) = (part(), part(), part());
            println!("{name:<20} {pid:>7}  {debug:<6} {image}");
        }
        Ok(())
    }
}
