//! Real programs of far ecosystems: each runs one shell script natively and in the enclave, from the same files, and
//! must print the same and end alike.
//!
//! `tests/programs` lists them, a file for each group. [`Program::compare`] runs one; `cargo xtask programs` runs all
//! and writes the page for users.

mod sides;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::images::{self, Recipe, Registries};
use sides::Sides;

/// A file of `tests/programs`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// What its programs have in common, as a title.
    pub title: String,
    /// Its place on the page.
    order: u32,
    /// The programs, in the order of the page.
    #[serde(rename = "program")]
    pub programs: Vec<Program>,
}

/// One program, and what is run of it.
#[derive(Debug, Deserialize)]
pub struct Program {
    /// As its users call it.
    pub name: String,
    /// The packages that its image is made of.
    #[serde(flatten)]
    pub packages: Registries,
    /// A command that prints its version; the first number with a point in it counts.
    version: String,
    /// What the script does, for readers.
    pub does: String,
    /// The script: what it prints on standard output is compared.
    script: String,
    /// How long each side may take, in seconds.
    #[serde(default = "Program::default_seconds")]
    seconds: u64,
    /// The size of the enclave, as `nacre convert` takes it.
    #[serde(default)]
    memory: Option<String>,
    /// Why it is known to differ or to fail. A program that does neither may have none.
    #[serde(default)]
    pub known: Option<String>,
}

/// What a comparison found.
#[derive(Debug)]
pub struct Comparison {
    /// The program's version, as it says it itself.
    pub version: String,
    /// Whether both sides agree.
    pub verdict: Verdict,
    /// How long each side took, start and end included.
    pub native: Duration,
    /// As `native`.
    pub enclave: Duration,
}

/// Whether two sides agree.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They print the same and end alike.
    Same,
    /// They do not; how, in one line, and then in full.
    Differs(String, String),
}

/// All groups, in the order of the page.
///
/// # Errors
/// When a file cannot be read or understood.
pub fn groups() -> Result<Vec<Group>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../programs");
    let mut groups = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = fs::read_to_string(&path)?;
            let group: Group = toml::from_str(&text).with_context(|| path.display().to_string())?;
            groups.push(group);
        }
    }
    groups.sort_by_key(|group| group.order);
    Ok(groups)
}

/// The program of this name.
///
/// # Errors
/// When there is none.
pub fn program(name: &str) -> Result<Program> {
    let mut programs = groups()?.into_iter().flat_map(|group| group.programs);
    let found = programs.find(|program| program.name == name);
    found.with_context(|| format!("tests/programs has no {name}"))
}

impl Program {
    /// The image that it runs from, which is built unless it is cached.
    ///
    /// # Errors
    /// When a registry cannot be reached, or does not have a package.
    pub fn image(&self) -> Result<PathBuf> {
        images::provide(&self.recipe())
    }

    /// Runs it natively, then in the enclave, with `nacre`.
    ///
    /// # Errors
    /// When it cannot be compared: its image cannot be built or converted, or it fails natively.
    pub fn compare(&self, nacre: &Path) -> Result<Comparison> {
        let recipe = self.recipe();
        let sides = Sides::new(nacre, &images::provide(&recipe)?, &recipe, self.memory.as_deref())?;
        let limit = Duration::from_secs(self.seconds);
        let version = sides.native(&self.version, limit)?.outcome?;
        let native = sides.native(&self.script, limit)?;
        let expected = native.outcome.context("natively")?;
        anyhow::ensure!(expected.status == 0, "natively: {expected}");
        let enclave = sides.enclave(&self.script, limit)?;
        let verdict = match enclave.outcome {
            Err(error) => Verdict::Differs("does not end".to_owned(), format!("{error:#}")),
            Ok(found) => compare(&expected, &found),
        };
        Ok(Comparison {
            version: first_version(&format!("{}{}", version.stdout, version.stderr))
                .with_context(|| format!("no version in: {version}"))?,
            verdict,
            native: native.time,
            enclave: enclave.time,
        })
    }

    fn recipe(&self) -> Recipe {
        let name: String = self
            .name
            .chars()
            .map(|letter| {
                if letter.is_ascii_alphanumeric() {
                    letter.to_ascii_lowercase()
                } else {
                    '-'
                }
            })
            .collect();
        let mut packages = self.packages.clone();
        packages.debian.extend(BASE.map(str::to_owned));
        Recipe::of_registries(&format!("program-{name}"), packages)
    }

    const fn default_seconds() -> u64 {
        60
    }
}

/// What every image of the distribution has, as far as scripts and programs rely on it.
const BASE: [&str; 8] = [
    "coreutils",
    "dash",
    "findutils",
    "grep",
    "libc-bin",
    "libgcc-s1",
    "libstdc++6",
    "sed",
];

fn compare(native: &crate::Outcome, enclave: &crate::Outcome) -> Verdict {
    if (&native.stdout, native.status) == (&enclave.stdout, enclave.status) {
        return Verdict::Same;
    }
    let mut lines = native.stdout.lines().zip(enclave.stdout.lines());
    let line = match lines.find(|(native, enclave)| native != enclave) {
        Some((native, enclave)) => format!("prints `{enclave}`, not `{native}`"),
        None if enclave.status != native.status => {
            format!("ends with status {}, not {}", enclave.status, native.status)
        }
        None => "does not print the same number of lines".to_owned(),
    };
    Verdict::Differs(line, format!("natively: {native}\nin the enclave: {enclave}"))
}

/// The first word that begins with a version: numbers with points between them, perhaps behind letters (`v1.2`, `go1.2`).
/// A part may have letters behind its digits. What follows a part without digits is left out.
fn first_version(text: &str) -> Option<String> {
    let words = text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '.'));
    let versions = words.map(|word| {
        let parts = word
            .trim_start_matches(|letter: char| letter.is_ascii_alphabetic())
            .split('.');
        parts
            .take_while(|part| part.starts_with(|first: char| first.is_ascii_digit()))
            .collect::<Vec<_>>()
    });
    let found = versions.into_iter().find(|parts| parts.len() > 1);
    found.map(|parts| parts.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found() {
        for (text, version) in [
            ("Redis server v=7.0.15 sha=00000000:0", "7.0.15"),
            ("go version go1.19.8 linux/amd64", "1.19.8"),
            ("v2.6.2", "2.6.2"),
            ("PHP 8.2.29 (cli) (built: Jul  3 2025)", "8.2.29"),
            ("SBCL 2.2.9.debian", "2.2.9"),
            ("OpenSSH_9.2p1 Debian-2+deb12u7, 1.1", "9.2p1"),
        ] {
            assert_eq!(first_version(text).as_deref(), Some(version));
        }
        assert_eq!(first_version("none 2 of 1."), None);
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<String> = groups()
            .unwrap()
            .into_iter()
            .flat_map(|group| group.programs)
            .map(|program| program.recipe().name.into_owned())
            .collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
