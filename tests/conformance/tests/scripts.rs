//! `native::…`: each shell script of tests/scripts runs on this Linux, so that it is fit to be an oracle.
//! `enclave::…`: it prints the same and ends the same way in the enclave, with this machine's own shells and tools.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use harness::archive::{self, Config, Entry};
use harness::{Linkage, Outcome, nacre};
use libtest_mimic::{Arguments, Trial};

/// What the scripts call.
const TOOLS: &[&str] = &[
    "awk", "bash", "cat", "chmod", "chown", "dd", "diff", "echo", "env", "envsubst", "expr", "find", "free",
    "fuser", "grep", "head", "id", "lsof", "mkdir", "mkfifo", "paste", "pgrep", "pkill", "printf", "ps",
    "readlink", "rm", "sed", "seq", "setpriv", "sh", "sleep", "sort", "stat", "tac", "tee", "top", "touch",
    "tr", "uniq", "uptime", "vmstat", "w", "wc", "xargs", "yes",
];

/// What each script is given: a program to end in, for the entry point.
const ARGUMENTS: [&str; 3] = ["sh", "-c", "id -u; id -g; id -G; echo \"ends as $0\""];

fn main() -> Result<ExitCode> {
    let mut trials = Vec::new();
    for script in scripts()? {
        let name = script
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let twin = script.clone();
        trials.push(Trial::test(format!("native::{name}"), move || {
            told(native(&twin).map(drop))
        }));
        trials.push(Trial::test(format!("enclave::{name}"), move || {
            told(enclave(&script))
        }));
    }
    Ok(libtest_mimic::run(&Arguments::from_args(), trials).exit_code())
}

fn told(result: Result<()>) -> Result<(), libtest_mimic::Failed> {
    result.map_err(|error| format!("{error:#}").into())
}

fn scripts() -> Result<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts");
    let mut scripts: Vec<PathBuf> = fs::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    scripts.sort();
    ensure!(!scripts.is_empty(), "there are no scripts");
    Ok(scripts)
}

fn native(script: &Path) -> Result<Outcome> {
    let scratch = tempfile::tempdir()?;
    // Whoever the script becomes may read it.
    let mut command = Command::new("setpriv");
    command
        .args(["--clear-groups", "--"])
        .arg(script)
        .args(ARGUMENTS)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("TMPDIR", scratch.path())
        .current_dir("/");
    let outcome = Outcome::of(command, b"")?;
    ensure!(outcome.status == 0, "Linux itself ends otherwise: {outcome}");
    Ok(outcome)
}

fn enclave(script: &Path) -> Result<()> {
    let native = native(script)?;
    let scratch = tempfile::tempdir()?;
    let image = image(script, scratch.path())?;
    let mut command = Command::new(nacre()?);
    command
        .arg("run")
        .arg(format!("docker-archive:{}", image.display()));
    let outcome = Outcome::of(command, b"")?;
    ensure!(
        (outcome.stdout.as_str(), outcome.status) == (native.stdout.as_str(), native.status),
        "differs from Linux: {native}\nIn the enclave: {outcome}"
    );
    Ok(())
}

/// An image with the script as its entry point, and the tools with their libraries.
fn image(script: &Path, folder: &Path) -> Result<PathBuf> {
    let mut files: BTreeMap<String, Entry<'_>> = BTreeMap::new();
    for tool in TOOLS {
        let program = found(tool)?;
        for library in Linkage::Dynamic.libraries(&program)? {
            files.insert(library.path().to_owned(), library);
        }
        let path = format!("bin/{tool}");
        files.insert(path.clone(), Entry::file(&path, 0o755, fs::read(&program)?));
    }
    let mut entries: Vec<Entry<'_>> = files.into_values().collect();
    entries.push(Entry::file("entry", 0o755, fs::read(script)?));
    entries.push(Entry::directory("tmp", 0o1777));
    // Who owns processes, and what top asks even if it writes to no terminal.
    let root = &b"root:x:0:0:root:/root:/bin/sh\n"[..];
    entries.push(Entry::file("etc/passwd", 0o644, root));
    let dumb = fs::read("/lib/terminfo/d/dumb").context("install the package ncurses-base")?;
    entries.push(Entry::file("lib/terminfo/d/dumb", 0o644, dumb));
    let layer = archive::layer(entries)?;
    let config = Config {
        entrypoint: ["/entry"]
            .iter()
            .chain(&ARGUMENTS)
            .map(|&word| word.to_owned())
            .collect(),
        env: vec!["PATH=/bin".to_owned(), "TMPDIR=/tmp".to_owned()],
        working_dir: "/".to_owned(),
        ..Config::default()
    };
    let path = folder.join("image.tar");
    archive::write(&mut fs::File::create(&path)?, "scripts:latest", &config, &layer)?;
    Ok(path)
}

/// Where a tool is here, with links resolved.
fn found(tool: &str) -> Result<PathBuf> {
    let places = ["/usr/bin", "/bin"].map(|folder| Path::new(folder).join(tool));
    let place = places.iter().find(|place| place.exists());
    let place = place.with_context(|| format!("{tool} is not here; install the package that has it"))?;
    Ok(fs::canonicalize(place)?)
}
