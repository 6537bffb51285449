//! The `nacre` command on a simulated platform of the test's own.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::{Outcome, nacre};
use tempfile::TempDir;

/// The simulated platform of a machine: a directory for `XDG_STATE_HOME`.
pub(crate) struct Platform(TempDir);

impl Platform {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("state")).unwrap();
        Self(dir)
    }

    pub(crate) fn command<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(nacre().unwrap());
        command
            .args(args)
            .env("XDG_STATE_HOME", self.0.path().join("state"));
        command
    }

    pub(crate) fn succeed<'a>(&self, args: impl IntoIterator<Item = &'a str>, stdin: &[u8]) -> Outcome {
        let outcome = Outcome::of(self.command(args), stdin).unwrap();
        assert_eq!(outcome.status, 0, "{outcome}");
        outcome
    }

    /// What a run prints: the first word of each line, and the rest.
    pub(crate) fn run(&self, image: &str) -> BTreeMap<String, String> {
        let outcome = self.succeed(["run", image], b"");
        assert!(!outcome.stdout.contains("not ok"), "{outcome}");
        let lines = outcome.stdout.lines().filter_map(|line| line.split_once(' '));
        lines
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// A file of the test's.
    pub(crate) fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    /// Exports what verifies this platform's quotes, and gives the flags that name it.
    pub(crate) fn trust(&self) -> [String; 4] {
        let dir = self.path("trust");
        self.succeed(["simulated-platform", "export", &dir], b"");
        [
            "--collateral".to_owned(),
            format!("{dir}/collateral.json"),
            "--dangerous-trust-simulated".to_owned(),
            format!("{dir}/root.pem"),
        ]
    }

    /// Verifies a quote by what this platform exports, with these options, and gives the verdict.
    pub(crate) fn verify(&self, quote: &[u8], options: &[&str]) -> serde_json::Value {
        let trust = self.trust();
        let verify = ["verify", "quote", "-", "--json"];
        let trust = trust.iter().map(String::as_str);
        let all = verify.into_iter().chain(trust).chain(options.iter().copied());
        let outcome = self.succeed(all, quote);
        serde_json::from_str(&outcome.stdout).unwrap()
    }

    /// Converts a plain archive with the tests' key, and gives the image and its MRENCLAVE.
    pub(crate) fn convert(&self, archive: &Path, choices: &[&str]) -> (String, String) {
        let image = format!("oci-archive:{}", self.path("converted.tar"));
        let source = format!("docker-archive:{}", archive.display());
        let key = test_key().display().to_string();
        let convert = ["convert", &source, &image, "--key", &key];
        self.succeed(convert.into_iter().chain(choices.iter().copied()), b"");
        let inspected = self.succeed(["inspect", "--json", &image], b"");
        let known: serde_json::Value = serde_json::from_str(&inspected.stdout).unwrap();
        (image, known["mr_enclave"].as_str().unwrap().to_owned())
    }
}

pub(crate) fn test_key() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../image/sgx-sign/tests/keys/test-only.pem")
}
