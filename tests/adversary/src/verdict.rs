//! Compares a run of a changed image with the honest run.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use harness::Outcome;

/// What came of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// `nacre` or the enclave refused before the program's first output: status 125 to 127 and one clear line.
    Refused,
    /// The program met EIO, or SIGBUS in a mapping, where the change is; all else that it read is right. The user is told.
    IoError,
    /// The program's own code was changed: it was killed by SIGBUS before it printed. The user is told.
    Killed,
    /// The output is that of the honest run, and the user is told that something was changed.
    Noticed,
    /// The output is that of the honest run, and nobody has noticed.
    Unaffected,
}

/// How many changes had which verdict.
pub type Tally = BTreeMap<Verdict, usize>;

/// The notice at the end of a run that met a changed block.
const NOTICE: &str = "nacre: the image was changed, or is damaged";
/// What every emulated run says.
const EMULATED: &str = "nacre: emulated enclave: ";

/// An honest run of the reader.
pub struct Honest {
    stdout: String,
}

impl Honest {
    /// From its outcome.
    ///
    /// # Errors
    /// When it was not flawless: nothing could be held against it.
    pub fn new(outcome: Outcome) -> Result<Self> {
        let is_whole = outcome.stdout.ends_with("\nend 0\n") && outcome.stdout.lines().count() > 500;
        ensure!(outcome.status == 0 && is_whole, "the honest run: {outcome}");
        ensure!(
            notices(&outcome).is_empty(),
            "the honest run has something to say: {outcome}"
        );
        Ok(Self {
            stdout: outcome.stdout,
        })
    }

    /// Judges a run of the same image with a change.
    ///
    /// # Errors
    /// When the change had an effect that it must not have: other output, a crash, or silence.
    pub fn judge(&self, outcome: &Outcome) -> Result<Verdict> {
        let notices = notices(outcome);
        let is_told = notices.iter().any(|line| line.starts_with(NOTICE));
        match outcome.status {
            0 => {
                ensure!(
                    outcome.stdout == self.stdout,
                    "other output, and no error: {}",
                    first_difference(&outcome.stdout, &self.stdout)
                );
                match notices[..] {
                    [] => Ok(Verdict::Unaffected),
                    [line] if line.starts_with(NOTICE) => Ok(Verdict::Noticed),
                    _ => bail!("unknown words"),
                }
            }
            // As the reader ends after errors.
            5 => {
                ensure!(is_told, "an error inside, and the user is not told");
                self.check_errors(&outcome.stdout)?;
                Ok(Verdict::IoError)
            }
            // SIGBUS.
            135 => {
                ensure!(is_told, "killed, and the user is not told");
                ensure!(outcome.stdout.is_empty(), "output before it was killed");
                Ok(Verdict::Killed)
            }
            125..=127 => {
                ensure!(outcome.stdout.is_empty(), "output of a run that was refused");
                let [first, ref rest @ ..] = notices[..] else {
                    bail!("refused without a word")
                };
                let is_clear = first.starts_with("nacre: ") && first.len() < 500;
                let rest_is_notice = rest.iter().all(|line| line.starts_with(NOTICE)) && rest.len() <= 1;
                ensure!(is_clear && rest_is_notice, "not one clear line");
                Ok(Verdict::Refused)
            }
            _ => bail!("an end that no change may cause"),
        }
    }

    /// Every line is that of the honest run, or says EIO of the same thing; and only what lies below a directory that cannot
    /// be read is missing.
    fn check_errors(&self, stdout: &str) -> Result<()> {
        let honest: BTreeMap<_, _> = self.stdout.lines().map(|line| (subject(line), line)).collect();
        let mut found = BTreeMap::new();
        let mut unreadable = Vec::new();
        for line in stdout.lines() {
            let subject = subject(line);
            let expected = honest
                .get(subject)
                .with_context(|| format!("new in the output: {line}"))?;
            if line.ends_with(" EIO") {
                unreadable.push(subject.split_once(' ').context("no path")?.1);
            } else {
                ensure!(
                    line == *expected || line == "end 1",
                    "{line} instead of {expected}"
                );
            }
            ensure!(
                found.insert(subject, line).is_none(),
                "twice in the output: {line}"
            );
        }
        ensure!(
            !unreadable.is_empty(),
            "it says that it met errors, and names none"
        );
        for (missing, line) in honest.iter().filter(|(subject, _)| !found.contains_key(*subject)) {
            let path = missing.split_once(' ').map_or("", |(_, path)| path);
            let is_below = unreadable.iter().any(|upper| {
                path.strip_prefix(upper)
                    .is_some_and(|rest| rest.is_empty() || upper.ends_with('/') || rest.starts_with('/'))
            });
            ensure!(is_below, "missing without an error above it: {line}");
        }
        Ok(())
    }
}

/// What a line of the reader is about: its kind and its path.
fn subject(line: &str) -> &str {
    let second = line.match_indices(' ').nth(1).map_or(line.len(), |(at, _)| at);
    if line.starts_with("end ") {
        "end"
    } else {
        &line[..second]
    }
}

/// The first line that differs, and what it should be.
fn first_difference(stdout: &str, honest: &str) -> String {
    let pairs = stdout.lines().zip(honest.lines());
    let found = pairs.into_iter().find(|(line, expected)| line != expected);
    found.map_or("a line more or less".to_owned(), |(line, expected)| {
        format!("{line} instead of {expected}")
    })
}

/// What is said on standard error besides what every run says.
fn notices(outcome: &Outcome) -> Vec<&str> {
    let lines = outcome.stderr.lines();
    lines.filter(|line| !line.starts_with(EMULATED)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HONEST: &str = "P / 1\nD / 2\nP /a 7\nC /a 9 ff\nP /d 1\nD /d 1\nP /d/b 8\n";

    fn honest() -> Honest {
        Honest {
            stdout: format!("{HONEST}end 0\n"),
        }
    }

    fn outcome(stdout: &str, status: i32) -> Outcome {
        let stderr = format!("{EMULATED}x\n{NOTICE}: block 7\n");
        Outcome {
            stdout: stdout.to_owned(),
            status,
            stderr,
        }
    }

    #[test]
    fn errors_in_their_place_are_right() {
        let stdout = "P / 1\nD / 2\nP /a 7\nC /a EIO\nP /d 1\nD /d EIO\nend 1\n";
        assert_eq!(honest().judge(&outcome(stdout, 5)).unwrap(), Verdict::IoError);
    }

    #[test]
    fn wrong_data_is_found() {
        for stdout in [
            // Other contents.
            "P / 1\nD / 2\nP /a 7\nC /a 9 fe\nP /d 1\nD /d EIO\nend 1\n",
            // A file less, with no error above it.
            "P / 1\nD / 2\nP /a 7\nC /a EIO\nP /d 1\nD /d 1\nend 1\n",
            // A file more.
            "P / 1\nD / 2\nP /a 7\nC /a EIO\nP /c 7\nP /d 1\nD /d 1\nP /d/b 8\nend 1\n",
            // Another error.
            "P / 1\nD / 2\nP /a 7\nC /a errno 2\nP /d 1\nD /d 1\nP /d/b 8\nend 1\n",
            // None.
            "P / 1\nD / 2\nP /a 7\nC /a 9 ff\nP /d 1\nD /d 1\nP /d/b 8\nend 1\n",
        ] {
            assert!(honest().judge(&outcome(stdout, 5)).is_err(), "{stdout}");
        }
        assert!(honest().judge(&outcome("P / 2\nend 0\n", 0)).is_err());
        assert!(honest().judge(&outcome("P / 1\n", 125)).is_err());
        assert!(honest().judge(&outcome("", 139)).is_err());
    }
}
