//! The known differences between Linux and the enclave. The list only shrinks: what is listed and passes is a
//! failure too, so that nobody forgets to strike it out.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::{Guest, Outcome};

/// A list of known differences, as `tests/conformance/known-differences.toml` holds it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Differences {
    #[serde(default)]
    difference: Vec<Difference>,
}

/// One check that fails in the enclave.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Difference {
    /// The guest's name, for all its linkages.
    guest: String,
    /// The check's name: the text behind `ok N `.
    check: String,
    /// Why it differs. Never read, always written.
    #[serde(rename = "reason")]
    _reason: String,
}

impl Differences {
    /// Reads the list from a file.
    ///
    /// # Errors
    /// When the file is not there, or an entry lacks its reason.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        toml::from_str(&text).with_context(|| path.display().to_string())
    }

    /// Entries about guests that do not exist.
    pub fn strays(&self, guests: &[Guest]) -> Vec<&str> {
        let names = self.difference.iter().map(|entry| entry.guest.as_str());
        names
            .filter(|name| !guests.iter().any(|guest| guest.name == *name))
            .collect()
    }

    /// What is wrong with the enclave's outcome, one line each; empty when the two agree.
    pub fn compare(&self, guest: &Guest, native: &Outcome, enclave: &Outcome) -> Vec<String> {
        let known: Vec<&str> = self
            .difference
            .iter()
            .filter(|entry| entry.guest == guest.name)
            .map(|entry| entry.check.as_str())
            .collect();
        let mut wrong = Vec::new();
        let want = Checks::parse(&native.stdout);
        let got = Checks::parse(&enclave.stdout);
        for (check, passes) in &want.checks {
            match (got.checks.get(check), known.contains(check)) {
                (Some(same), false) if same == passes => {}
                (Some(same), true) if same != passes => {}
                (Some(_), false) => wrong.push(format!("differs: {check}")),
                (Some(_), true) => wrong.push(format!("no longer differs, strike it from the list: {check}")),
                // The guest names what it found, and found something else in its place.
                (None, true) if got.checks.len() == want.checks.len() => {}
                (None, _) => wrong.push(format!("never came to: {check}")),
            }
        }
        for check in known.iter().filter(|check| !want.checks.contains_key(**check)) {
            wrong.push(format!("listed, but there is no such check: {check}"));
        }
        if want.text != got.text {
            wrong.push("prints something else".to_owned());
        }
        // A guest with a failed check ends with 1.
        let fails = known.iter().any(|&check| got.checks.get(check) == Some(&false));
        let status = if fails { 1 } else { native.status };
        if enclave.status != status {
            wrong.push(format!("ends with status {}, not {status}", enclave.status));
        }
        wrong
    }
}

/// A guest's output: the checks by name, and all other lines.
struct Checks<'a> {
    checks: BTreeMap<&'a str, bool>,
    text: Vec<&'a str>,
}

impl<'a> Checks<'a> {
    fn parse(stdout: &'a str) -> Self {
        let mut parsed = Self {
            checks: BTreeMap::new(),
            text: Vec::new(),
        };
        for line in stdout.lines() {
            match parse_check(line) {
                // A check that is made several times passes when it passes each time.
                Some((name, passes)) => *parsed.checks.entry(name).or_insert(true) &= passes,
                None => parsed.text.push(line),
            }
        }
        parsed
    }
}

/// `ok 3 name` or `not ok 3 name # detail`.
fn parse_check(line: &str) -> Option<(&str, bool)> {
    let (rest, passes) = match line.strip_prefix("not ok ") {
        Some(rest) => (rest, false),
        None => (line.strip_prefix("ok ")?, true),
    };
    let (number, name) = rest.split_once(' ')?;
    number.parse::<u32>().ok()?;
    Some((name.split(" # ").next().unwrap_or(name), passes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(stdout: &str, status: i32) -> Outcome {
        Outcome {
            stdout: stdout.to_owned(),
            status,
            stderr: String::new(),
        }
    }

    fn guest() -> Guest {
        Guest::all()
            .unwrap()
            .into_iter()
            .find(|guest| guest.name == "hello")
            .unwrap()
    }

    fn listed(check: &str) -> Differences {
        toml::from_str(&format!(
            "[[difference]]\nguest = 'hello'\ncheck = '{check}'\nreason = 'r'"
        ))
        .unwrap()
    }

    #[test]
    fn equal_outcomes_agree() {
        let run = outcome("ok 1 a\nok 2 b\nhi\n", 0);
        assert_eq!(
            Differences::default().compare(&guest(), &run, &run),
            Vec::<String>::new()
        );
    }

    #[test]
    fn every_kind_of_difference_is_told() {
        let native = outcome("ok 1 a\nok 2 b\nhi\n", 0);
        let none = Differences::default();
        for (stdout, status, what) in [
            ("ok 1 a\nnot ok 2 b # got 3\nhi\n", 0, "differs: b"),
            ("ok 1 a\nhi\n", 0, "never came to: b"),
            ("ok 1 a\nok 2 b\nho\n", 0, "prints something else"),
            ("ok 1 a\nok 2 b\nhi\n", 139, "ends with status 139, not 0"),
        ] {
            assert_eq!(none.compare(&guest(), &native, &outcome(stdout, status)), [what]);
        }
    }

    #[test]
    fn a_known_difference_must_differ() {
        let native = outcome("ok 1 a\n", 0);
        let differs = outcome("not ok 1 a\n", 1);
        assert!(listed("a").compare(&guest(), &native, &differs).is_empty());
        assert!(!listed("a").compare(&guest(), &native, &native).is_empty());
        let finds_another = outcome("ok 1 b\n", 0);
        assert!(listed("a").compare(&guest(), &native, &finds_another).is_empty());
        let stops = outcome("", 0);
        assert_eq!(
            listed("a").compare(&guest(), &native, &stops),
            ["never came to: a"]
        );
        assert!(!listed("z").compare(&guest(), &native, &differs).is_empty());
    }
}
