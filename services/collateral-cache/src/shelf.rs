//! Shelves: the editions of Intel's documents, each kept by itself.
//!
//! A later edition never takes an earlier one's place, so that whoever tries one can go back. One of them is in use: quotes are
//! verified by it. Which one that is, is the choice of the directory's owner and stands in a file of its own.

use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The file with the choice.
const FILE: &str = "edition";

/// An edition of documents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shelf {
    /// Intel's standard edition, in which recoveries take effect a year after they are disclosed; or whatever a service has
    /// that does not say.
    #[default]
    Standard,
    /// The early edition, in which they take effect at once. Kept beside the one in use, it tells what is to come.
    Early,
    /// Documents of this TCB recovery (`tcbEvaluationDataNumber`).
    Number(u32),
}

impl Shelf {
    /// Of the files' names.
    pub(crate) fn suffix(self) -> String {
        match self {
            Self::Standard => String::new(),
            Self::Early => "-early".to_owned(),
            Self::Number(number) => format!("-n{number}"),
        }
    }

    /// Takes a suffix off.
    pub(crate) fn split(stem: &str) -> (&str, Self) {
        if let Some(rest) = stem.strip_suffix("-early") {
            return (rest, Self::Early);
        }
        match stem.rsplit_once("-n") {
            Some((rest, number)) => match number.parse() {
                Ok(number) => (rest, Self::Number(number)),
                Err(_) => (stem, Self::Standard),
            },
            None => (stem, Self::Standard),
        }
    }

    /// For a name, with a space behind it.
    pub(crate) fn adjective(self) -> String {
        match self {
            Self::Standard => String::new(),
            Self::Early => "early ".to_owned(),
            Self::Number(number) => format!("number {number}'s "),
        }
    }
}

/// `standard`, `early`, or a number.
impl fmt::Display for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standard => f.write_str("standard"),
            Self::Early => f.write_str("early"),
            Self::Number(number) => number.fmt(f),
        }
    }
}

/// The text is none of an edition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an edition: standard, early, or a number")]
pub struct UnknownShelf;

impl FromStr for Shelf {
    type Err = UnknownShelf;

    fn from_str(text: &str) -> Result<Self, UnknownShelf> {
        match text {
            "standard" => Ok(Self::Standard),
            "early" => Ok(Self::Early),
            number => number.parse().map(Self::Number).map_err(|_| UnknownShelf),
        }
    }
}

impl Serialize for Shelf {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Shelf {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// What the owner has chosen for a directory, if anything.
///
/// # Errors
/// When the file cannot be read, or has something else in it.
pub(crate) fn chosen(dir: &Path) -> io::Result<Option<Shelf>> {
    match fs::read_to_string(dir.join(FILE)) {
        Ok(text) => {
            let shelf = text.trim_end().parse();
            shelf
                .map(Some)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Stores the choice, whole or not at all.
pub(crate) fn choose(dir: &Path, shelf: Shelf) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    writeln!(file, "{shelf}")?;
    file.as_file().sync_all()?;
    file.persist(dir.join(FILE)).map_err(|error| error.error)?;
    Ok(())
}
