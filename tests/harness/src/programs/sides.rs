//! An image on both sides: its files natively, as a container engine would run them, and in the enclave. Both sides
//! have a network of their own, with the loopback interface only.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::Outcome;
use crate::images::{self, Recipe};

/// What both sides of a comparison run from; the files go when this is dropped.
pub(super) struct Sides {
    nacre: PathBuf,
    env: Vec<String>,
    scratch: TempDir,
}

/// How a script ended on one side.
pub(super) struct Run {
    /// An error when it did not end in time.
    pub outcome: Result<Outcome>,
    /// How long it took.
    pub time: Duration,
}

impl Sides {
    /// Unpacks `image` for Linux, and converts it for the enclave.
    ///
    /// # Errors
    /// When either is not possible.
    pub(super) fn new(nacre: &Path, image: &Path, recipe: &Recipe, memory: Option<&str>) -> Result<Self> {
        let sides = Self {
            nacre: nacre.to_owned(),
            env: recipe.env().to_owned(),
            scratch: tempfile::Builder::new().prefix("nacre-program-").tempdir()?,
        };
        images::unpack(image, &sides.root()).with_context(|| image.display().to_string())?;
        // What nacre gives an image without them, and an engine likewise.
        fs::create_dir_all(sides.root().join("etc"))?;
        fs::write(
            sides.root().join("etc/hosts"),
            "127.0.0.1\tlocalhost\n127.0.0.1\tnacre\n",
        )?;
        fs::write(sides.root().join("etc/hostname"), "nacre\n")?;
        let mut convert = Command::new(nacre);
        convert
            .args(["convert", "--debug", "--allow-args", "--threads", "512"])
            .args(memory.iter().flat_map(|size| ["--enclave-size", size]))
            .arg(format!("docker-archive:{}", image.display()))
            .arg(sides.converted())
            // No options from a nacre.toml, and no key but one of its own.
            .current_dir(sides.scratch.path());
        let output = convert
            .output()
            .with_context(|| format!("cannot start {}", nacre.display()))?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(sides)
    }

    /// Runs a script natively, in namespaces of its own.
    ///
    /// # Errors
    /// When it does not start.
    pub(super) fn native(&self, script: &str, limit: Duration) -> Result<Run> {
        let mut command = isolated(&["--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child"]);
        command
            .args(["/bin/sh", "-ec", ENTER])
            .arg(self.root())
            .args(["/bin/sh", "-c", &with_prelude(script)])
            .env_clear()
            .envs(self.env.iter().filter_map(|pair| pair.split_once('=')));
        run(command, limit)
    }

    /// Runs a script in the enclave.
    ///
    /// # Errors
    /// When it does not start.
    pub(super) fn enclave(&self, script: &str, limit: Duration) -> Result<Run> {
        let mut command = isolated(&[]);
        command
            .args(["/bin/sh", "-ec", "ip link set lo up; exec \"$0\" \"$@\""])
            .arg(&self.nacre)
            .args(["run", &self.converted()])
            .args(["/bin/sh", "-c", &with_prelude(script)]);
        run(command, limit)
    }

    fn root(&self) -> PathBuf {
        self.scratch.path().join("root")
    }

    fn converted(&self) -> String {
        format!("oci-archive:{}", self.scratch.path().join("nacre.tar").display())
    }
}

/// Starts a container: `$0` is its root, `$@` its program.
const ENTER: &str = r#"
ip link set lo up
hostname nacre
cd "$0"
mkdir -p proc sys dev tmp run var/tmp root
chmod 1777 tmp var/tmp
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t tmpfs tmpfs tmp
mount -t tmpfs tmpfs dev
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
mount -t tmpfs tmpfs dev/shm
for device in null zero full random urandom; do
    touch dev/$device
    mount --bind /dev/$device dev/$device
done
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr
exec chroot . "$@"
"#;

/// Shell functions for all scripts.
const PRELUDE: &str = include_str!("../../../programs/prelude.sh");

fn with_prelude(script: &str) -> String {
    format!("{PRELUDE}\n{script}")
}

/// `unshare` with a network of its own; as an ordinary user also with a user namespace, in which that user is root.
fn isolated(options: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    if !is_root() {
        command.args(["--user", "--map-root-user", "--map-auto"]);
    }
    command.arg("--net").args(options);
    command
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

fn run(command: Command, limit: Duration) -> Result<Run> {
    let start = Instant::now();
    let outcome = Outcome::within(limit, command, b"");
    Ok(Run {
        outcome,
        time: start.elapsed(),
    })
}
