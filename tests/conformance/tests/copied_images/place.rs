//! A confidential image, and a registry on this machine.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use harness::{Guest, Linkage, Outcome, nacre};
use serde_json::Value;
use tempfile::TempDir;

/// A directory with a confidential image, `image.tar`, and a cache of its own.
pub struct Workplace {
    pub dir: TempDir,
    pub mr_enclave: String,
    pub output: String,
}

impl Workplace {
    pub fn new() -> Self {
        let guests = Guest::all().unwrap();
        let guest = guests
            .iter()
            .find(|one| one.name == "arguments" && one.linkage == Linkage::Dynamic)
            .unwrap();
        let program = guest.build(Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap();
        let plain = guest.image(&program).unwrap();
        let mut place = Self {
            dir: tempfile::tempdir().unwrap(),
            mr_enclave: String::new(),
            output: String::new(),
        };
        fs::create_dir_all(place.path("cache/nacre")).unwrap();
        let key = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../image/sgx-sign/tests/keys/test-only.pem");
        fs::copy(key, place.path("cache/nacre/development-key.pem")).unwrap();
        fs::copy(&plain, place.path("plain.tar")).unwrap();
        let plain = format!("docker-archive:{}", plain.display());
        let converted = place.nacre(&["convert", &plain, "oci-archive:image.tar:app:1"]);
        assert_eq!(converted.status, 0, "{converted}");
        place.mr_enclave = place.inspect("oci-archive:image.tar")["mr_enclave"]
            .as_str()
            .unwrap()
            .to_owned();
        place.output = place.nacre(&["run", "oci-archive:image.tar"]).stdout;
        assert!(place.output.contains("environ: "), "{}", place.output);
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.dir.path())
            .env("XDG_CACHE_HOME", self.path("cache"))
            .env("XDG_STATE_HOME", self.path("state"));
        command
    }

    pub fn nacre(&self, args: &[&str]) -> Outcome {
        let mut command = self.command(&nacre().unwrap());
        command.args(args);
        Outcome::of(command, b"").unwrap()
    }

    pub fn inspect(&self, image: &str) -> Value {
        let outcome = self.nacre(&["inspect", "--json", image]);
        assert_eq!(outcome.status, 0, "{outcome}");
        serde_json::from_str(&outcome.stdout).unwrap()
    }

    /// Runs a tool that must succeed; `false` if this machine does not have it, which CI must have.
    pub fn tool(&self, line: &str) -> bool {
        let mut words = line.split_whitespace();
        let name = words.next().unwrap();
        let mut command = self.command(Path::new(name));
        match command.args(words).output() {
            Ok(output) => {
                let errors = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{line}: {errors}");
                true
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                assert!(std::env::var_os("CI").is_none(), "{name} is missing");
                eprintln!("SKIPPED: {name} is not installed (apt-get install {name})");
                false
            }
            Err(error) => panic!("{line}: {error}"),
        }
    }

    /// The image is the same enclave, and runs the same.
    pub fn check(&self, image: &str, compression: Option<&str>) -> Value {
        let report = self.inspect(image);
        assert_eq!(report["mr_enclave"], *self.mr_enclave, "{image}");
        assert_eq!(report["compression"].as_str(), compression, "{image}");
        let outcome = self.nacre(&["run", image]);
        assert_eq!(outcome.stdout, self.output, "{image}: {outcome}");
        assert_eq!(outcome.status, 0, "{image}: {outcome}");
        let is_told = |words: &str| outcome.stderr.contains(words);
        assert_eq!(is_told("compressed"), compression.is_some(), "{outcome}");
        assert_eq!(
            is_told("outside of the enclave") || is_told("no effect in the enclave"),
            report["outside"] != Value::Array(vec![]),
            "{outcome}"
        );
        report
    }
}

/// Debian's docker-registry, for as long as this lives.
pub struct Registry {
    process: Child,
    pub address: String,
}

impl Registry {
    pub fn start(place: &Workplace) -> Option<Self> {
        Self::start_with(place, "")
    }

    /// With these lines more, the first of which belong to `http`.
    pub fn start_with(place: &Workplace, lines: &str) -> Option<Self> {
        if !place.tool("docker-registry --version") {
            return None;
        }
        // Free a moment ago; whoever takes it in the meantime makes the test fail.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let storage = place.path("registry");
        let config = format!(
            "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: {address}\n{lines}",
            storage.display()
        );
        fs::write(place.path("registry.yml"), config).unwrap();
        let process = place
            .command(Path::new("docker-registry"))
            .args(["serve", "registry.yml"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let registry = Self {
            process,
            address: address.to_string(),
        };
        let deadline = Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "the registry does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(registry)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}
