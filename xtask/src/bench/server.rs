//! A server under load, on the loopback interface.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use tempfile::NamedTempFile;

use super::process::{cpu_seconds, wait_until};

/// A running server, killed when it is dropped.
pub struct Server {
    process: Child,
    port: u16,
    output: NamedTempFile,
}

impl Server {
    /// Starts it and waits until it accepts connections at `port`, which its arguments name.
    ///
    /// # Errors
    /// When it ends instead; with what it printed.
    pub fn start(command: &mut Command, port: u16) -> Result<Self> {
        let output = NamedTempFile::new()?;
        let process = command
            .stdin(Stdio::null())
            .stdout(output.reopen()?)
            .stderr(output.reopen()?)
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let mut server = Self {
            process,
            port,
            output,
        };
        wait_until("the server accepts connections", || {
            if let Some(status) = server.process.try_wait()? {
                bail!("the server ended, {status}: {}", server.text()?);
            }
            Ok(TcpStream::connect(server.address()).is_ok())
        })?;
        Ok(server)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its address on the loopback interface.
    pub fn address(&self) -> (&'static str, u16) {
        ("127.0.0.1", self.port)
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// CPU time that the server uses during `work`, in microseconds per request.
    ///
    /// # Errors
    /// When `work` fails.
    pub fn cost<T>(&self, requests: u64, work: impl FnOnce() -> Result<T>) -> Result<(f64, T)> {
        let before = cpu_seconds(self.id())?;
        let result = work()?;
        let seconds = cpu_seconds(self.id())? - before;
        Ok((seconds * 1e6 / requests as f64, result))
    }

    /// Ends it as an administrator does, and returns what it printed.
    ///
    /// # Errors
    /// When it does not end, or not well.
    pub fn terminate(mut self) -> Result<String> {
        let killed = Command::new("kill").arg(self.id().to_string()).status()?;
        ensure!(killed.success(), "the server ended too early");
        wait_until("the server ends", || Ok(self.process.try_wait()?.is_some()))?;
        self.text()
    }

    fn text(&self) -> Result<String> {
        Ok(fs::read_to_string(self.output.path())?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended, which is as good.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that nobody listens at.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
