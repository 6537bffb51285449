//! The `nacre` command in a directory of its own, with a cache and a simulated platform of its own.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use oci_image::{ContainerConfig, ImageConfig, ImageRef, LayerFile, NewImage};
use tempfile::TempDir;

pub struct Workplace {
    dir: TempDir,
}

impl Workplace {
    pub fn new() -> Self {
        let dir = TempDir::new().unwrap();
        // Making a key takes seconds in a debug build: each cache begins with the tests' one.
        let cache = dir.path().join("cache/nacre");
        fs::create_dir_all(&cache).unwrap();
        fs::copy(test_key(), cache.join("development-key.pem")).unwrap();
        fs::create_dir(dir.path().join("work")).unwrap();
        Self { dir }
    }

    /// The directory that `nacre` runs in: only what the test and `nacre` write is there.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("work").join(name)
    }

    /// Where `nacre` keeps what it must not lose.
    pub fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("")).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    pub fn nacre<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Output {
        self.command(args).output().expect("nacre starts")
    }

    pub fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nacre"));
        command
            .current_dir(self.path(""))
            .env("XDG_CACHE_HOME", self.dir.path().join("cache"))
            .env("XDG_STATE_HOME", self.state());
        command.env_remove("SOURCE_DATE_EPOCH").env_remove("TMPDIR");
        command.args(args);
        command
    }

    /// Standard output of a success.
    pub fn succeed<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> String {
        let output = self.nacre(args);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// The one line of a failure of nacre's own.
    pub fn fail<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> String {
        let output = self.nacre(args);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(125), "{stderr}");
        let notice = |line: &&str| !line.contains("development key") && !line.contains("plain image");
        let lines: Vec<_> = stderr.lines().filter(notice).collect();
        let [line] = lines[..] else {
            panic!("not one line: {stderr}")
        };
        line.strip_prefix("nacre: ")
            .expect("it says who speaks")
            .to_owned()
    }

    /// Writes a plain image, `plain.tar`, whose program is none.
    pub fn plain_image(&self) -> &'static str {
        self.plain_image_with(&[0x7f; 20_000])
    }

    /// Writes a plain image, `plain.tar`, with these bytes for a program.
    pub fn plain_image_with(&self, program: &[u8]) -> &'static str {
        let config = ContainerConfig {
            entrypoint: vec!["/bin/hello".into()],
            cmd: vec!["world".into()],
            ..ContainerConfig::default()
        };
        self.plain_image_of(config, program)
    }

    /// Writes a plain image, `plain.tar`, of this configuration, whose program is `/bin/hello`.
    pub fn plain_image_of(&self, config: ContainerConfig, program: &[u8]) -> &'static str {
        let place: ImageRef = format!("docker-archive:{}", self.path("plain.tar").display())
            .parse()
            .unwrap();
        let image = NewImage {
            config: ImageConfig {
                config,
                ..ImageConfig::default()
            },
            annotations: Default::default(),
            files: vec![LayerFile::from_bytes("bin/hello", 0o755, program)],
        };
        oci_image::write(&place, image, &mut |_| ()).unwrap();
        "docker-archive:plain.tar"
    }

    /// Writes a confidential image, `out.tar`.
    pub fn confidential_image(&self) -> &'static str {
        let plain = self.plain_image();
        self.succeed(["convert", plain, "oci-archive:out.tar"]);
        "oci-archive:out.tar"
    }
}

pub fn test_key() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../image/sgx-sign/tests/keys/test-only.pem")
}
