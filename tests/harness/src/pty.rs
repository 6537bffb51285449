//! A command on a terminal, as a user has it.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};

/// How long what is waited for may take. It ends a test that fails; none depends on it otherwise.
const PATIENCE: Duration = Duration::from_secs(60);

/// A command that runs on a terminal of its own, until this is dropped.
pub struct Pty {
    master: File,
    /// Keeps the terminal when the command has ended.
    slave: File,
    child: Child,
    /// What was shown and not yet expected.
    shown: Vec<u8>,
}

impl Pty {
    /// Starts a command in a session of its own, on a terminal with this many rows and columns.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(command: &Command, rows: u16, columns: u16) -> Result<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let name = ptsname(&master, Vec::new())?;
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let slave = File::from(rustix::fs::open(&*name, flags, Mode::empty())?);
        let mut pty = Command::new("setsid");
        pty.arg("--ctty")
            .arg(command.get_program())
            .args(command.get_args());
        for (variable, value) in command.get_envs() {
            match value {
                Some(value) => pty.env(variable, value),
                None => pty.env_remove(variable),
            };
        }
        let stream = || -> Result<Stdio> { Ok(slave.try_clone()?.into()) };
        pty.stdin(stream()?).stdout(stream()?).stderr(stream()?);
        let master = File::from(master);
        let size = window(rows, columns);
        tcsetwinsize(&master, size)?;
        let child = pty
            .spawn()
            .context("cannot run setsid; install the package util-linux")?;
        Ok(Self {
            master,
            slave,
            child,
            shown: Vec::new(),
        })
    }

    /// Types keys.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn press(&mut self, keys: &str) -> Result<()> {
        Ok(self.master.write_all(keys.as_bytes())?)
    }

    /// Waits until this has been shown; gives what was shown before it, since the last time.
    ///
    /// # Errors
    /// When it is not shown: with what is.
    pub fn expect(&mut self, text: &str) -> Result<String> {
        let end = Instant::now() + PATIENCE;
        loop {
            let found = self
                .shown
                .windows(text.len())
                .position(|part| part == text.as_bytes());
            if let Some(at) = found {
                let shown: Vec<u8> = self.shown.drain(..at + text.len()).collect();
                return Ok(String::from_utf8_lossy(&shown[..at]).into_owned());
            }
            if !self.read()? && Instant::now() >= end {
                let shown = String::from_utf8_lossy(&self.shown);
                bail!("{text:?} is not shown, but {shown:?}");
            }
        }
    }

    /// Gives the terminal another size.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn resize(&mut self, rows: u16, columns: u16) -> Result<()> {
        Ok(tcsetwinsize(&self.master, window(rows, columns))?)
    }

    /// The terminal's settings now.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn settings(&self) -> Result<Termios> {
        Ok(tcgetattr(&self.slave)?)
    }

    /// The terminal's settings when the command has ended.
    ///
    /// # Errors
    /// When it does not end.
    pub fn settings_at_end(&mut self) -> Result<Termios> {
        let end = Instant::now() + PATIENCE;
        while self.child.try_wait()?.is_none() {
            self.read()?;
            if Instant::now() >= end {
                bail!("it does not end");
            }
        }
        self.settings()
    }

    /// The command's process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the command's end; gives how it ended, and what was shown and not expected.
    ///
    /// # Errors
    /// When it does not end.
    pub fn end(mut self) -> Result<(ExitStatus, String)> {
        let end = Instant::now() + PATIENCE;
        loop {
            let status = self.child.try_wait()?;
            while self.read()? {}
            let shown = String::from_utf8_lossy(&self.shown).into_owned();
            match status {
                Some(status) => return Ok((status, shown)),
                None if Instant::now() >= end => bail!("it does not end, and shows {shown:?}"),
                None => {}
            }
        }
    }

    /// Reads what is shown within a moment; whether there was something.
    fn read(&mut self) -> Result<bool> {
        let moment = Timespec {
            tv_sec: 0,
            tv_nsec: 100_000_000,
        };
        let mut entries = [PollFd::new(&self.master, PollFlags::IN)];
        if poll(&mut entries, Some(&moment))? == 0 {
            return Ok(false);
        }
        let mut bytes = [0; 4096];
        let count = self.master.read(&mut bytes)?;
        self.shown.extend_from_slice(&bytes[..count]);
        Ok(count > 0)
    }
}

fn window(rows: u16, columns: u16) -> Winsize {
    Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
