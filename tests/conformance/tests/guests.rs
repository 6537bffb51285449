//! `native::…`: each guest passes on this Linux, so that it is fit to be an oracle.
//! `enclave::…`: it prints the same and ends the same way in the enclave.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use harness::{Differences, Guest, Outcome};
use libtest_mimic::{Arguments, Trial};

fn main() -> Result<ExitCode> {
    let guests = Guest::all()?;
    let mut trials = vec![Trial::test(
        "known_differences_name_guests",
        known_differences_name_guests,
    )];
    for guest in guests {
        let twin = guest.clone();
        trials.push(Trial::test(format!("native::{guest}"), move || {
            told(native(&twin).map(drop))
        }));
        trials.push(Trial::test(format!("enclave::{guest}"), move || {
            told(enclave(&guest))
        }));
    }
    Ok(libtest_mimic::run(&Arguments::from_args(), trials).exit_code())
}

fn cache() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

fn known_differences() -> Result<Differences> {
    Differences::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("known-differences.toml"))
}

fn told(result: Result<()>) -> Result<(), libtest_mimic::Failed> {
    result.map_err(|error| format!("{error:#}").into())
}

fn native(guest: &Guest) -> Result<Outcome> {
    let outcome = Outcome::native(guest, &guest.build(cache())?)?;
    ensure!(
        !outcome.stdout.contains("not ok "),
        "Linux itself differs, so the guest is wrong: {outcome}"
    );
    ensure!(
        outcome.status == guest.status,
        "Linux itself ends otherwise, so the guest is wrong: {outcome}"
    );
    Ok(outcome)
}

fn enclave(guest: &Guest) -> Result<()> {
    let native = native(guest)?;
    let outcome = Outcome::enclave(guest, &guest.image(&guest.build(cache())?)?)?;
    let wrong = known_differences()?.compare(guest, &native, &outcome);
    ensure!(
        wrong.is_empty(),
        "{}\nIn the enclave: {outcome}",
        wrong.join("\n")
    );
    Ok(())
}

fn known_differences_name_guests() -> Result<(), libtest_mimic::Failed> {
    told((|| {
        let differences = known_differences()?;
        let guests = Guest::all()?;
        let strays = differences.strays(&guests);
        ensure!(
            strays.is_empty(),
            "known-differences.toml names guests that do not exist: {strays:?}"
        );
        Ok(())
    })())
}
