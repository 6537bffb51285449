//! A host that lies: the program gets an error that Linux could give, or the enclave stops and says so.
//!
//! The table of lies is in `src/lies`. Each is told to a real program in an enclave, which holds all that it sees against what
//! Linux promises.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use adversary::liar::status;
use adversary::lies::{self, End, Lie};
use adversary::sample::{self, Workplace};
use anyhow::{Context, Result, bail, ensure};
use harness::Outcome;
use harness::archive::Entry;

/// Runs that go on at the same time.
const WORKERS: usize = 2;

fn tell_all(family: &str) -> Result<()> {
    let lies: Vec<&Lie> = lies::all().filter(|lie| lie.name.starts_with(family)).collect();
    ensure!(!lies.is_empty(), "no lies of the family {family}");
    let place = Workplace::new()?;
    let guests: BTreeSet<&str> = lies.iter().map(|lie| lie.guest).collect();
    guests.into_iter().try_for_each(|guest| provide(&place, guest))?;
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    let work = || {
        while let Some(lie) = lies.get(next.fetch_add(1, Ordering::Relaxed)) {
            match tell(&place, lie) {
                Ok(end) => println!("{}: {end:?}", lie.name),
                Err(error) => wrong
                    .lock()
                    .expect("no panic")
                    .push(format!("{}: {error:#}", lie.name)),
            }
        }
    };
    std::thread::scope(|scope| (0..WORKERS).for_each(|_| drop(scope.spawn(work))));
    let wrong = wrong.into_inner().expect("no panic");
    ensure!(
        wrong.is_empty(),
        "{} of {} lies:\n{}",
        wrong.len(),
        lies.len(),
        wrong.join("\n")
    );
    Ok(())
}

/// Converts the image of a guest and unpacks it.
fn provide(place: &Workplace, guest: &str) -> Result<()> {
    let program = sample::build_guest("gcc", guest, &place.path(""))?;
    let entries = vec![
        Entry::file("guest", 0o755, program),
        Entry::directory("tmp", 0o1777),
    ];
    let image = format!("oci-archive:{guest}.tar");
    // The others talk to themselves through the host.
    let choices: &[&str] = match guest {
        "loopback" => &[],
        _ => &["--allow-loopback"],
    };
    place.convert(entries, &image, choices)?;
    sample::unpack(place, &image, &format!("{guest}.parts"))
}

fn tell(place: &Workplace, lie: &Lie) -> Result<End> {
    // Whoever may starve is not waited for long.
    let seconds = match lie.ends {
        [End::Starved] => "1",
        ends if ends.contains(&End::Starved) => "4",
        _ => "25",
    };
    let mut command = Command::new(env!("CARGO_BIN_EXE_lying-host"));
    command
        .arg(lie.name)
        .arg(place.path(&format!("{}.parts", lie.guest)))
        .arg(seconds);
    let outcome = Outcome::of(command, &sample::noise(40_000, 1))?;
    let end = judge(&outcome).with_context(|| shown(&outcome))?;
    ensure!(
        lie.ends.contains(&end),
        "{end:?} is not among {:?}: {}",
        lie.ends,
        shown(&outcome)
    );
    Ok(end)
}

fn shown(outcome: &Outcome) -> String {
    let mut outcome = outcome.clone();
    outcome.stdout.clear();
    outcome.to_string()
}

fn judge(outcome: &Outcome) -> Result<End> {
    let is_told = |what: &str| {
        outcome
            .stderr
            .lines()
            .any(|line| line.starts_with("nacre: ") && line.contains(what))
    };
    match outcome.status {
        0 | 3 => Ok(End::Right),
        125..=127 => {
            let lines = outcome.stderr.lines().filter(|line| line.starts_with("nacre: "));
            let words = lines.filter(|line| !line.contains("emulated enclave")).count();
            ensure!(words == 1, "not refused with one line");
            Ok(End::Refused)
        }
        // SIGABRT after a word, or EX_SOFTWARE.
        134 | 70 => {
            ensure!(
                is_told("failed") || is_told("cannot enter"),
                "stopped without a word"
            );
            Ok(End::Stopped)
        }
        status::STARVED => Ok(End::Starved),
        status::SPINS => bail!("the enclave computes for ever"),
        status::BETRAYED => bail!("the enclave has handed out a secret"),
        status::BROKEN => bail!("the program saw what no Linux shows"),
        129.. => Ok(End::Killed),
        _ => bail!("an end that nothing explains"),
    }
}

#[test]
fn streams() -> Result<()> {
    tell_all("streams/")
}

#[test]
fn sockets() -> Result<()> {
    tell_all("sockets/")
}

#[test]
fn loopback() -> Result<()> {
    tell_all("loopback/")
}

#[test]
fn clocks() -> Result<()> {
    tell_all("clocks/")
}

#[test]
fn poll() -> Result<()> {
    tell_all("poll/")
}

#[test]
fn boot() -> Result<()> {
    tell_all("boot/")
}

#[test]
fn threads() -> Result<()> {
    tell_all("threads/")
}

#[test]
fn memory() -> Result<()> {
    tell_all("memory/")
}

#[test]
fn pages() -> Result<()> {
    tell_all("pages/")
}

#[test]
fn steps() -> Result<()> {
    tell_all("steps/")
}

#[test]
fn registers() -> Result<()> {
    tell_all("registers/")
}

#[test]
fn quotes() -> Result<()> {
    tell_all("quotes/")
}

#[test]
fn chaos() -> Result<()> {
    tell_all("chaos/")
}

/// The search for the secret finds it where it is.
#[test]
fn a_secret_that_is_sent_is_seen() -> Result<()> {
    let place = Workplace::new()?;
    provide(&place, "betrayal")?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_lying-host"));
    command
        .arg("boot/truth")
        .arg(place.path("betrayal.parts"))
        .arg("25");
    let outcome = Outcome::of(command, b"")?;
    ensure!(outcome.status == status::BETRAYED, "{}", shown(&outcome));
    Ok(())
}

/// All is well with a host that tells the truth, also when its quoting enclave is started anew: errors are what lies lead to.
#[test]
fn honest_quotes_reach_the_program() -> Result<()> {
    let place = Workplace::new()?;
    provide(&place, "attestation")?;
    for lie in ["boot/truth", "quotes/not-ready-at-first"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lying-host"));
        command.arg(lie).arg(place.path("attestation.parts")).arg("25");
        let outcome = Outcome::of(command, b"")?;
        ensure!(outcome.status == 0, "{lie}: {}", shown(&outcome));
    }
    Ok(())
}

/// The programs hold against this Linux what they hold against the LibOS.
#[test]
fn linux_keeps_its_promises() -> Result<()> {
    let place = Workplace::new()?;
    for guest in [
        "streams",
        "sockets",
        "poll",
        "clocks",
        "threads",
        "unsupported",
        "crowd",
        "registers",
        "pages",
    ] {
        let program = place.path(guest);
        fs::write(&program, sample::build_guest("gcc", guest, &place.path(""))?)?;
        let outcome = Outcome::of(Command::new(&program), &sample::noise(40_000, 1))?;
        ensure!(judge(&outcome)? == End::Right, "{guest}: {}", shown(&outcome));
    }
    Ok(())
}
