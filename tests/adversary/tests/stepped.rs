//! `stepped::…`: each guest of the conformance suite under a host that steps through it and interrupts it at any instruction. It prints
//! what it prints on Linux, and CPUID, which is illegal in an enclave, is answered by the LibOS.

use std::path::Path;
use std::process::{Command, ExitCode};

use adversary::sample::{self, Workplace};
use anyhow::{Result, ensure};
use harness::{Differences, Guest, Loopback, Outcome};
use libtest_mimic::{Arguments, Trial};

/// The truth, told step by step.
const LIE: &str = "steps/few";
/// Guests that step through themselves, or count how often something happens in a time.
const LEFT_OUT: [&str; 3] = ["cpu_time", "faults", "registers"];

/// After so many seconds a run is over.
const LIMIT: &str = "55";

fn main() -> Result<ExitCode> {
    let mut guests = Guest::all()?;
    // What differs between linkages is the start, and libc's own start-up is stepped through each time.
    guests.dedup_by(|next, first| next.name == first.name);
    guests.retain(|guest| !LEFT_OUT.contains(&guest.name.as_str()));
    let trials = guests.into_iter().map(|guest| {
        Trial::test(format!("stepped::{}", guest.name), move || {
            stepped(&guest).map_err(|error| format!("{error:#}").into())
        })
    });
    Ok(libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code())
}

fn stepped(guest: &Guest) -> Result<()> {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let program = guest.build(cache)?;
    let native = Outcome::native(guest, &program)?;
    let place = Workplace::new()?;
    let mut convert = place.nacre()?;
    convert.args(["convert", "--key"]).arg(sample::test_key());
    if guest.loopback == Loopback::OfHost {
        convert.arg("--allow-loopback");
    }
    let plain = format!("docker-archive:{}", guest.image(&program)?.display());
    let output = convert.args([&plain, "oci-archive:guest.tar"]).output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    sample::unpack(&place, "oci-archive:guest.tar", "parts")?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_lying-host"));
    command.arg(LIE).arg(place.path("parts")).arg(LIMIT);
    let outcome = Outcome::of(command, &guest.stdin)?;
    let conformance = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance");
    let known = Differences::read(&conformance.join("known-differences.toml"))?;
    let wrong = known.compare(guest, &native, &outcome);
    ensure!(wrong.is_empty(), "{}\nStep by step: {outcome}", wrong.join("\n"));
    Ok(())
}
