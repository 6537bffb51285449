//! What an enclave proves to others: to a client of its TLS server, and to an attestation service.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use harness::archive::{self, Config, Entry};
use harness::{Linkage, Running};

use super::{show, step};
use crate::shell;

/// Lines of a verdict that are shown; the rest is about dates and versions.
const LINES: usize = 14;

/// The `nacre` command, where it may leave files, and who is trusted.
pub(super) struct Proof<'a> {
    pub nacre: &'a Path,
    pub scratch: &'a Path,
}

impl Proof<'_> {
    /// Shows that `image`, and a server beside it, prove which enclave they are.
    ///
    /// # Errors
    /// When one of them does not.
    pub fn run(&self, image: &str) -> Result<()> {
        step(
            "Whom a verifier trusts: on hardware Intel, here this machine's simulated platform, by its name",
        );
        shell::run(&mut self.nacre(&["simulated-platform", "export", &self.path("trust")]))?;
        self.certificate()?;
        self.token(image)
    }

    /// A TLS server whose certificate carries a quote.
    fn certificate(&self) -> Result<()> {
        step("Who answers? A TLS server in an enclave (examples/attested-server)");
        let plain = self.server()?;
        let (source, image) = (
            format!("docker-archive:{}", plain.display()),
            format!("oci-archive:{}", self.path("server-nacre.tar")),
        );
        shell::run(&mut self.nacre(&["convert", &source, &image]))?;
        let mut run = self.nacre(&["run", &image]);
        let (_server, line) = Running::start(&mut run)?;
        println!("{line}");
        let address = line
            .strip_prefix("listening on ")
            .context("the server's address")?
            .replace("0.0.0.0", "127.0.0.1");
        let verdict = shell::output(&mut self.trusting(&["verify", "tls", &address]))?;
        println!("{}\n…", lines(&verdict));
        ensure!(
            verdict.starts_with("PROVEN"),
            "the server should have proven what it is"
        );
        Ok(())
    }

    /// A quote of the image's enclave, which the service turns into a token.
    fn token(&self, image: &str) -> Result<()> {
        step("The same for who knows no quotes: a token of an attestation service");
        let state = self.path("service");
        let mut serve = self.trusting(&[
            "attestation",
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--state",
            &state,
        ]);
        let (_service, line) = Running::start(serve.stderr(Stdio::null()))?;
        println!("{line}");
        let url = line
            .strip_prefix("serving at ")
            .and_then(|line| line.split_once(','));
        let (url, _) = url.context("the service's address")?;

        let (quote, token) = (self.path("quote"), self.path("token"));
        let mut run = self.nacre(&["run", image, "cat", "/dev/attestation/quote"]);
        let printed = run.stderr(Stdio::null()).output()?;
        ensure!(printed.status.success(), "the enclave should have given a quote");
        fs::write(&quote, printed.stdout)?;

        let certificate = format!("{state}/tls.pem");
        let service = [
            "--service",
            url,
            "--ca",
            &certificate,
            "--dangerous-accept-simulated",
        ];
        let call = |command: &[&str]| self.nacre(&[command, &service[..]].concat());
        let given = shell::output(&mut call(&["attestation", "attest", &quote]))?;
        fs::write(&token, &given)?;
        let claims = shell::output(&mut call(&["verify", "token", &token]))?;
        let about = |line: &&str| line.contains("\"x-ms-sgx-mr") || line.contains("simulated");
        println!("{}", claims.lines().filter(about).collect::<Vec<_>>().join("\n"));
        ensure!(
            claims.contains("\"x-nacre-simulated\": true"),
            "the token should say that it is simulated"
        );
        Ok(())
    }

    /// An archive with the example and its libraries.
    fn server(&self) -> Result<PathBuf> {
        let program = shell::target_directory()?.join("release/attested-server");
        let mut entries = Linkage::Dynamic.libraries(&program)?;
        entries.push(Entry::file("server", 0o755, fs::read(program)?));
        let config = Config {
            entrypoint: vec!["/server".to_owned(), "0.0.0.0:0".to_owned()],
            working_dir: "/".to_owned(),
            ..Config::default()
        };
        let path = self.scratch.join("server.tar");
        let layer = archive::layer(entries)?;
        archive::write(
            fs::File::create(&path)?,
            "attested-server:latest",
            &config,
            &layer,
        )?;
        Ok(path)
    }

    fn path(&self, name: &str) -> String {
        self.scratch.join(name).display().to_string()
    }

    fn nacre(&self, args: &[&str]) -> Command {
        let mut command = Command::new(self.nacre);
        command.args(args);
        show(&mut command);
        command
    }

    /// A command that trusts this machine's platform.
    fn trusting(&self, args: &[&str]) -> Command {
        let (collateral, root) = (self.path("trust/collateral.json"), self.path("trust/root.pem"));
        let trust = ["--collateral", &collateral, "--dangerous-trust-simulated", &root];
        self.nacre(&[args, &trust].concat())
    }
}

fn lines(text: &str) -> String {
    text.lines().take(LINES).collect::<Vec<_>>().join("\n")
}
