//! Images to attack, and the `nacre` command that converts and runs them.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use harness::Outcome;
use harness::archive::{self, Config, Entry};
use image_convert::{Package, Part};
use tempfile::TempDir;

/// A folder with a cache of its own, so that nothing of the user's is used or left behind.
pub struct Workplace {
    dir: TempDir,
}

impl Workplace {
    /// An empty one.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new() -> Result<Self> {
        Ok(Self {
            dir: tempfile::tempdir()?,
        })
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The `nacre` command, here.
    ///
    /// # Errors
    /// When there is none.
    pub fn nacre(&self) -> Result<Command> {
        let mut command = Command::new(harness::nacre()?);
        command
            .current_dir(self.dir.path())
            .env("XDG_CACHE_HOME", self.path("cache"));
        command.env_remove("SOURCE_DATE_EPOCH").env_remove("TMPDIR");
        Ok(command)
    }

    /// Writes a plain image of these entries, whose program is `/guest`, and converts it to `target` (`oci-archive:NAME`).
    ///
    /// # Errors
    /// With what `nacre` says.
    pub fn convert(&self, entries: Vec<Entry<'_>>, target: &str, choices: &[&str]) -> Result<()> {
        let config = Config {
            // What a host may replace, if it may give arguments.
            cmd: vec!["/guest".to_owned()],
            env: vec!["PATH=/bin".to_owned()],
            working_dir: "/".to_owned(),
            ..Config::default()
        };
        let plain = tempfile::NamedTempFile::new_in(self.dir.path())?;
        archive::write(
            plain.as_file(),
            "sample:latest",
            &config,
            &archive::layer(entries)?,
        )?;
        let mut command = self.nacre()?;
        command.args(["convert", "--key"]).arg(test_key());
        command
            .args(choices)
            .arg(format!("docker-archive:{}", plain.path().display()));
        let output = command.arg(target).output()?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }

    /// Runs an image (`oci-archive:NAME`).
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn run(&self, image: &str) -> Result<Outcome> {
        let mut command = self.nacre()?;
        command.args(["run", image]);
        Outcome::of(command, b"")
    }

    /// The parts of a converted image.
    ///
    /// # Errors
    /// When it is none.
    pub fn package(&self, image: &str) -> Result<Package> {
        let (transport, name) = image.split_once(':').context("no transport")?;
        let place = format!("{transport}:{}", self.path(name).display()).parse()?;
        Ok(Package::open(&place)?)
    }
}

/// The key that signs in tests.
pub fn test_key() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../image/sgx-sign/tests/keys/test-only.pem")
}

/// Builds the guest of this name (`guests/NAME.c`), static, into `dir`: `gcc` for one with glibc, `musl-gcc` for a small one.
///
/// # Errors
/// With the compiler's own words.
pub fn build_guest(compiler: &str, name: &str, dir: &Path) -> Result<Vec<u8>> {
    let program = dir.join(name);
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("guests")
        .join(name)
        .with_extension("c");
    let output = Command::new(compiler)
        .args([
            "-std=gnu17",
            "-O2",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-static",
            "-pthread",
            "-o",
        ])
        .arg(&program)
        .arg(source)
        .output()
        .with_context(|| {
            format!("cannot run {compiler}; install the packages gcc, libc6-dev and musl-tools")
        })?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(fs::read(program)?)
}

/// Writes the files of a converted image (`oci-archive:NAME`) to a new folder: those that its host runtime takes, and this.
///
/// # Errors
/// When it is none, or the folder is there.
pub fn unpack(place: &Workplace, image: &str, dir: &str) -> Result<()> {
    let package = place.package(image)?;
    fs::create_dir(place.path(dir))?;
    for part in Part::ALL {
        let Some(located) = package.locate(part) else {
            continue;
        };
        let mut bytes = vec![0; located.len as usize];
        located.open.read_exact_at(&mut bytes, located.offset)?;
        let name = Path::new(part.path()).file_name().context("no name")?;
        let file = place.path(dir).join(name);
        fs::write(&file, bytes)?;
        if part == Part::HostRuntime {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            fs::set_permissions(file, mode)?;
        }
    }
    Ok(())
}

/// A tree with everything that a root file system has, and the program that reads all of it. `seed` varies the contents.
///
/// # Errors
/// When the program cannot be built.
pub fn reader(place: &Workplace, seed: u64) -> Result<Vec<Entry<'static>>> {
    let mut entries = vec![
        Entry::file(
            "guest",
            0o755,
            build_guest("musl-gcc", "reader", &place.path(""))?,
        ),
        // Where the LibOS mounts or makes something: the root would have the time of the start if it had to make them.
        Entry::directory("dev", 0o755),
        Entry::directory("proc", 0o555),
        Entry::directory("sys", 0o555),
        Entry::directory("tmp", 0o1777),
        Entry::directory("etc", 0o755),
        // What the enclave makes where it is missing would be new at each start.
        Entry::file("etc/hosts", 0o644, &b"127.0.0.1\tlocalhost\n"[..]),
        Entry::file("etc/hostname", 0o644, &b"sample\n"[..]),
        Entry::directory("data", 0o755),
        Entry::directory("data/empty", 0o700),
        Entry::directory("many", 0o750),
        Entry::symlink("data/short", "nowhere"),
        Entry::symlink("data/long", &"long/".repeat(300)),
    ];
    for (index, len) in [0, 1, 100, 4000, 4095, 4096, 4097, 20_000, 120_000, 400_000]
        .into_iter()
        .enumerate()
    {
        let name = format!("data/file-{len}");
        entries.push(Entry::file(&name, 0o640, noise(len, seed + index as u64)));
    }
    entries.push(Entry::hard_link("data/again", "data/file-4097"));
    // More than one block of names.
    for index in 0..200 {
        let name = format!("many/{index:03}-{}", "name".repeat(index % 9));
        entries.push(Entry::file(&name, 0o600, noise(index % 50, seed ^ index as u64)));
    }
    Ok(entries)
}

/// The same bytes for the same seed (xorshift64*).
pub fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..len)
        .map(|_| {
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 56) as u8
        })
        .collect()
}
