//! What an image may name as its program, the message when it cannot be run, and the exit status: 127 for
//! what is not there, 126 for what cannot be run, as with other container engines.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use harness::archive::{self, Config, Entry};
use harness::{Guest, Linkage, Outcome, nacre};
use tempfile::TempDir;

/// A guest as `/guest`, and what else an image holds.
struct Image {
    dir: TempDir,
    program: Vec<u8>,
}

impl Image {
    fn new(guest: &str, linkage: Linkage) -> Self {
        let guests = Guest::all().unwrap();
        let guest = guests
            .iter()
            .find(|one| one.name == guest && one.linkage == linkage)
            .unwrap();
        let program = guest.build(Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap();
        Self::of(fs::read(program).unwrap())
    }

    fn of(program: Vec<u8>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { dir, program }
    }

    fn run(&self, config: Config, entries: Vec<Entry<'_>>) -> Outcome {
        self.run_converted(config, entries, &[])
    }

    /// Runs it; with `flags`, after converting it with them.
    fn run_converted(&self, config: Config, entries: Vec<Entry<'_>>, flags: &[&str]) -> Outcome {
        let guest = Entry::file("guest", 0o755, &self.program[..]);
        let layer = archive::layer([guest].into_iter().chain(entries)).unwrap();
        let path = self.dir.path().join("image.tar");
        let mut file = fs::File::create(&path).unwrap();
        archive::write(&mut file, "image:latest", &config, &layer).unwrap();
        file.flush().unwrap();
        let plain = format!("docker-archive:{}", path.display());
        let mut command = Command::new(nacre().unwrap());
        if flags.is_empty() {
            command.args(["run", &plain]);
            return Outcome::of(command, b"").unwrap();
        }
        let converted = format!("oci-archive:{}", self.dir.path().join("converted.tar").display());
        command.args(["convert", &plain, &converted]).args(flags);
        let conversion = Outcome::of(command, b"").unwrap();
        assert_eq!(conversion.status, 0, "{conversion}");
        let mut command = Command::new(nacre().unwrap());
        command.args(["run", &converted]);
        Outcome::of(command, b"").unwrap()
    }
}

fn words(words: &str) -> Vec<String> {
    words.split(' ').map(str::to_owned).collect()
}

fn entry_point(entrypoint: &str) -> Config {
    Config {
        entrypoint: words(entrypoint),
        env: words("PATH=/bin COLOUR=x EMPTY="),
        working_dir: "/".to_owned(),
        ..Config::default()
    }
}

#[test]
fn scripts_are_run_by_their_interpreters() {
    let image = Image::new("arguments", Linkage::Static);
    let script = |path| Entry::file(path, 0o755, &b"#!/guest -e  two \nanything\n"[..]);
    for (path, name, shown) in [
        ("/bin", "/script", "/script"),
        ("/bin", "script", "/bin/script"),
        // An empty element is the current directory.
        ("/none::/bin", "script", "./script"),
    ] {
        let entries = vec![
            script("script"),
            Entry::directory("bin", 0o755),
            script("bin/script"),
        ];
        let config = Config {
            env: vec![format!("PATH={path}")],
            ..entry_point(&format!("{name} --flag last"))
        };
        let outcome = image.run(config, entries);
        let arguments: Vec<_> = outcome
            .stdout
            .lines()
            .filter(|line| line.starts_with("argv"))
            .collect();
        let expected = ["/guest", "-e  two", shown, "--flag", "last"];
        let expected: Vec<_> = (0..)
            .zip(expected)
            .map(|(i, arg)| format!("argv[{i}] = {arg}"))
            .collect();
        assert_eq!(arguments, expected, "{outcome}");
    }
}

/// An entry point in the manner of the official images: it completes the arguments and ends in `exec "$@"`.
#[test]
fn an_entry_point_that_ends_in_exec_becomes_the_program() {
    const SCRIPT: &str = r#"#!/bin/sh
set -e
# Only options: they are the server's.
if [ "${1#-}" != "$1" ]; then
    set -- /guest "$@"
fi
COLOUR=blue
export COLOUR
umask 0077
cd /tmp
exec "$@"
"#;
    let image = Image::new("arguments", Linkage::Dynamic);
    let shell = Path::new("/bin/dash");
    let mut entries = Linkage::Dynamic.libraries(shell).unwrap();
    entries.push(Entry::file("bin/sh", 0o755, fs::read(shell).unwrap()));
    entries.push(Entry::file("entrypoint.sh", 0o755, SCRIPT.as_bytes()));
    entries.push(Entry::directory("tmp", 0o1777));
    for (arguments, program) in [
        ("--two=2 one three", "/guest"),
        ("/guest one --two=2 three", "/guest"),
    ] {
        let outcome = image.run(
            entry_point(&format!("/entrypoint.sh {arguments}")),
            entries.clone(),
        );
        assert_eq!(outcome.status, 0, "{outcome}");
        assert!(
            outcome.stdout.contains(&format!("argv[0] = {program}\n")),
            "{outcome}"
        );
        assert!(outcome.stdout.contains("environ: COLOUR=blue\n"), "{outcome}");
        assert!(outcome.stdout.contains("environ: PWD=/tmp\n"), "{outcome}");
    }
}

/// What the entry point executes cannot be run: the shell says so, with the usual status.
#[test]
fn an_entry_point_learns_what_cannot_be_executed() {
    let image = Image::new("hello", Linkage::Static);
    let shell = Path::new("/bin/dash");
    let mut entries = Linkage::Dynamic.libraries(shell).unwrap();
    entries.push(Entry::file("bin/sh", 0o755, fs::read(shell).unwrap()));
    entries.push(Entry::file("plain", 0o644, &b"text"[..]));
    for (program, status, word) in [
        ("/no/such", 127, "not found"),
        ("/plain", 126, "ermission denied"),
    ] {
        let config = Config {
            entrypoint: vec![
                "/bin/sh".to_owned(),
                "-c".to_owned(),
                format!("exec {program} argument"),
            ],
            env: words("PATH=/bin"),
            working_dir: "/".to_owned(),
            ..Config::default()
        };
        let outcome = image.run(config, entries.clone());
        assert_eq!(outcome.status, status, "{outcome}");
        assert!(outcome.stderr.contains(word), "{outcome}");
    }
}

#[test]
fn what_cannot_be_run_is_told_in_one_line() {
    let image = Image::new("hello", Linkage::Dynamic);
    let elf = image.program.clone();
    let patched = |at: usize, byte: u8| {
        let mut program = elf.clone();
        program[at] = byte;
        program
    };
    let file = |bytes: Vec<u8>| vec![Entry::file("file", 0o755, bytes)];
    let text = |text: &str| file(text.as_bytes().to_vec());
    let nothing = Vec::new;
    let cases: Vec<(&str, Vec<Entry>, i32, &str)> = vec![
        ("/no/such", nothing(), 127, "/no/such: it is not in the image"),
        (
            "none",
            nothing(),
            127,
            "none: it is in no directory of the image's PATH",
        ),
        (
            "/guest",
            nothing(),
            127,
            "/guest: /lib64/ld-linux-x86-64.so.2, which it needs, is not in the image",
        ),
        (
            "/file",
            text("#!/bin/none\n"),
            127,
            "/file: /bin/none, which it needs, is not in the image",
        ),
        (
            "/file",
            vec![Entry::file("file", 0o644, elf.clone())],
            126,
            "/file: it is not executable",
        ),
        (
            "/file",
            vec![Entry::directory("file", 0o755)],
            126,
            "/file: it is a directory",
        ),
        (
            "/file",
            text("Just text.\n"),
            126,
            "/file: it is neither a program",
        ),
        ("/file", text(""), 126, "/file: it is neither a program"),
        // ELFCLASS32, EM_AARCH64.
        (
            "/file",
            file(patched(4, 1)),
            126,
            "/file: it is neither a program",
        ),
        (
            "/file",
            file(patched(18, 0xb7)),
            126,
            "/file: it is neither a program",
        ),
        ("/file", text("#!/file\n"), 126, "/file: it is a script or"),
    ];
    for (name, entries, status, line) in cases {
        let outcome = image.run(entry_point(name), entries);
        let lines: Vec<_> = outcome
            .stderr
            .lines()
            .filter(|line| !line.contains("plain image") && !line.contains("emulated enclave"))
            .collect();
        let [said] = lines[..] else {
            panic!("{name}: {outcome}")
        };
        assert!(
            said.starts_with(&format!("nacre: cannot run {line}")) && outcome.status == status,
            "{line}: {outcome}"
        );
    }
}

/// An image of a C program of tests/images.
fn compiled(source: &str) -> Image {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../images")
        .join(source);
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("program");
    let gcc = Command::new("gcc")
        .args(["-static", "-O2", "-o"])
        .args([&program, &source])
        .status();
    assert!(gcc.unwrap().success(), "install the packages gcc and libc6-dev");
    Image::of(fs::read(program).unwrap())
}

/// A fork bomb stops at the enclave's threads, is told so, and harms nobody.
#[test]
fn a_program_that_takes_all_threads_is_told() {
    let image = compiled("exhaust_threads.c");
    let outcome = image.run_converted(entry_point("/guest"), Vec::new(), &["--threads", "12"]);
    assert_eq!(
        (outcome.stdout.as_str(), outcome.status),
        ("told\nand goes on\n", 0),
        "{outcome}"
    );
    assert_eq!(outcome.stderr.matches("larger --threads").count(), 1, "{outcome}");
}

#[test]
fn a_program_that_takes_all_memory_is_told() {
    let image = compiled("exhaust_memory.c");
    let outcome = image.run_converted(entry_point("/guest"), Vec::new(), &["--enclave-size", "64M"]);
    assert_eq!(
        (outcome.stdout.as_str(), outcome.status),
        ("told each time\n", 0),
        "{outcome}"
    );
    let line = "nacre: guest cannot get more memory: the 64 MiB of the enclave are used up. Convert with a larger --enclave-size";
    assert_eq!(outcome.stderr.matches(line).count(), 1, "{outcome}");
    for size in ["4K", "1M"] {
        let outcome = image.run_converted(entry_point("/guest"), Vec::new(), &["--enclave-size", size]);
        assert!(
            outcome.status >= 125 && outcome.stderr.contains("larger --enclave-size"),
            "{outcome}"
        );
    }
}
