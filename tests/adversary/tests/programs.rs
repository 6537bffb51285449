//! Programs that were made to harm their loader: an image may come from anybody, and its programs' headers are the first
//! that the LibOS reads of it.

use std::fs;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use adversary::sample::Workplace;
use anyhow::{Context, Result, bail, ensure};
use fuzz_targets::Mutations;
use harness::Outcome;
use harness::archive::Entry;

/// Mutants of each program.
const MUTANTS: usize = 200;

/// Bytes that are mutated: the ELF header and the program headers.
const HEAD: usize = 64 + 6 * 56;

/// Writes a word and ends; without a library, so that nearly all of it is headers.
const SOURCE: &str = r#"
void _start(void) {
    static const char text[] = "alive\n";
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(1), "D"(1), "S"(text), "d"(6) : "rcx", "r11", "memory");
    __asm__ volatile("syscall" : "=a"(result) : "a"(231), "D"(42) : "rcx", "r11", "memory");
    for (;;) __asm__ volatile("ud2");
}
"#;

fn build(place: &Workplace, name: &str, flags: &[&str]) -> Result<Vec<u8>> {
    let (source, program) = (place.path("program.c"), place.path(name));
    fs::write(&source, SOURCE)?;
    let mut command = Command::new("gcc");
    command.args([
        "-O1",
        "-nostdlib",
        "-fno-stack-protector",
        "-fcf-protection=none",
        "-Wl,-z,noseparate-code",
    ]);
    let output = command.args(flags).arg("-o").arg(&program).arg(source).output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(fs::read(program)?)
}

#[test]
fn damaged_headers_harm_nobody() -> Result<()> {
    let place = Workplace::new()?;
    let fixed = build(&place, "fixed", &["-static"])?;
    let moving = build(&place, "moving", &["-static-pie", "-fPIE"])?;
    // Its own interpreter, too: a second file is loaded.
    let interpreted = build(
        &place,
        "interpreted",
        &["-fPIE", "-pie", "-Wl,--dynamic-linker=/moving"],
    )?;
    let mut entries = vec![
        Entry::file("guest", 0o755, fixed.clone()),
        Entry::file("moving", 0o755, moving.clone()),
        Entry::file("interpreted", 0o755, interpreted.clone()),
        Entry::directory("mutants", 0o755),
    ];
    let mut names = vec![
        "/guest".to_owned(),
        "/moving".to_owned(),
        "/interpreted".to_owned(),
    ];
    for (kind, program) in [("fixed", fixed), ("moving", moving), ("interpreted", interpreted)] {
        let (head, rest) = program.split_at_checked(HEAD).context("a short program")?;
        let seeds = [head.to_vec()];
        for (index, mutant) in Mutations::new(&seeds).take(MUTANTS).enumerate() {
            let name = format!("mutants/{kind}-{index}");
            names.push(format!("/{name}"));
            entries.push(Entry::file(&name, 0o755, [&mutant, rest].concat()));
        }
    }
    place.convert(entries, "oci-archive:image.tar", &["--allow-args"])?;

    let (next, ends, wrong) = (AtomicUsize::new(0), Mutex::new([0; 4]), Mutex::new(Vec::new()));
    let work = || {
        while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
            match run(&place, name) {
                Ok(end) => ends.lock().expect("no panic")[end as usize] += 1,
                Err(error) => wrong.lock().expect("no panic").push(format!("{name}: {error:#}")),
            }
        }
    };
    std::thread::scope(|scope| (0..2).for_each(|_| drop(scope.spawn(work))));
    let wrong = wrong.into_inner().expect("no panic");
    ensure!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        names.len(),
        wrong.join("\n")
    );
    let ends = ends.into_inner().expect("no panic");
    println!("alive, refused, killed, other: {ends:?}");
    ensure!(ends.iter().take(3).all(|&count| count > 20), "{ends:?}");
    Ok(())
}

/// How a program ends.
#[derive(Clone, Copy, Debug)]
enum End {
    /// As the undamaged one.
    Alive,
    /// It is not started: one line.
    Refused,
    /// By a signal, as on Linux.
    Killed,
    /// As whatever it is now ends.
    Other,
}

fn run(place: &Workplace, name: &str) -> Result<End> {
    let mut command = place.nacre()?;
    command.args(["run", "oci-archive:image.tar", name]);
    let outcome = Outcome::of(command, b"")?;
    ensure!(!outcome.stderr.contains("failed"), "{outcome}");
    Ok(match outcome.status {
        42 if outcome.stdout == "alive\n" => End::Alive,
        125..=127 => {
            let lines = outcome
                .stderr
                .lines()
                .filter(|line| line.starts_with("nacre: "))
                .count();
            ensure!(lines == 2, "not refused with one line: {outcome}");
            End::Refused
        }
        129..=160 => End::Killed,
        _ if outcome.status < 128 => End::Other,
        _ => bail!("{outcome}"),
    })
}
