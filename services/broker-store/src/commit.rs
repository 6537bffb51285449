//! Commits: the chain that binds all rows of a store together.
//!
//! In its row (sealed, [`crate::seal`]) a commit is, all numbers big-endian:
//!
//! | bytes | what |
//! | ---: | --- |
//! | 8 | sequence; the first has 1 |
//! | 32 | SHA-256 of the commit before, zeroes for the first |
//! | 32 | sum of the leaves of all records (XOR) |
//! | 8, 32 | entries in the journal, SHA-256 of the last one |
//! | 4 | changes, and for each: table (1), 1 and the leaf if it was written or 0 if deleted, size of the name (2), name |

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};

use crate::record::Table;

/// A commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    pub sequence: u64,
    pub predecessor: [u8; 32],
    pub set: [u8; 32],
    pub journal: JournalHead,
    pub changes: Vec<Change>,
}

/// The end of the journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct JournalHead {
    pub entries: u64,
    pub last: [u8; 32],
}

/// A record that was written, or deleted if it has no leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub table: Table,
    pub name: String,
    pub leaf: Option<[u8; 32]>,
}

/// The head of a store's chain at some time: `SEQUENCE:SHA-256`. Whoever keeps one can tell later that an older store, or a
/// branch of it, was put in its place. It is no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Witness {
    /// Of the last commit.
    pub sequence: u64,
    /// Of the last commit.
    pub hash: [u8; 32],
}

/// Not a witness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a witness is a number, a colon, and 64 hexadecimal digits, as `nacre broker status` prints it")]
pub struct WitnessError;

impl Commit {
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        bytes.extend_from_slice(&self.predecessor);
        bytes.extend_from_slice(&self.set);
        bytes.extend_from_slice(&self.journal.entries.to_be_bytes());
        bytes.extend_from_slice(&self.journal.last);
        // A transaction is far smaller than that.
        let count = u32::try_from(self.changes.len()).unwrap_or(u32::MAX);
        bytes.extend_from_slice(&count.to_be_bytes());
        for change in &self.changes {
            bytes.push(change.table.number());
            bytes.push(u8::from(change.leaf.is_some()));
            bytes.extend_from_slice(change.leaf.as_ref().map_or(&[], <[u8; 32]>::as_slice));
            // Names were checked when their records were sealed.
            let size = u16::try_from(change.name.len()).unwrap_or(u16::MAX);
            bytes.extend_from_slice(&size.to_be_bytes());
            bytes.extend_from_slice(change.name.as_bytes());
        }
        bytes
    }

    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let mut commit = Self {
            sequence: reader.u64()?,
            predecessor: reader.take()?,
            set: reader.take()?,
            journal: JournalHead {
                entries: reader.u64()?,
                last: reader.take()?,
            },
            changes: Vec::new(),
        };
        let count = u32::from_be_bytes(reader.take()?);
        for _ in 0..count {
            let [table, written] = reader.take()?;
            let leaf = match written {
                0 => None,
                1 => Some(reader.take()?),
                _ => return None,
            };
            let size = u16::from_be_bytes(reader.take()?);
            let (name, rest) = reader.0.split_at_checked(usize::from(size))?;
            reader.0 = rest;
            commit.changes.push(Change {
                table: Table::of_number(table)?,
                name: String::from_utf8(name.to_vec()).ok()?,
                leaf,
            });
        }
        reader.0.is_empty().then_some(commit)
    }

    pub fn witness(&self) -> Witness {
        Witness {
            sequence: self.sequence,
            hash: sha256(&self.encode()),
        }
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    let digest = digest(&SHA256, bytes);
    hash.iter_mut()
        .zip(digest.as_ref())
        .for_each(|(to, from)| *to = *from);
    hash
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}",
            self.sequence,
            base16ct::lower::encode_string(&self.hash)
        )
    }
}

impl FromStr for Witness {
    type Err = WitnessError;

    fn from_str(text: &str) -> Result<Self, WitnessError> {
        let (sequence, hash) = text.trim().split_once(':').ok_or(WitnessError)?;
        let mut bytes = [0; 32];
        match base16ct::mixed::decode(hash, &mut bytes) {
            Ok(decoded) if decoded.len() == 32 => {}
            _ => return Err(WitnessError),
        }
        Ok(Self {
            sequence: sequence.parse().map_err(|_| WitnessError)?,
            hash: bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_read_as_it_was_written() {
        let commit = Commit {
            sequence: 3,
            predecessor: [1; 32],
            set: [2; 32],
            journal: JournalHead {
                entries: 9,
                last: [3; 32],
            },
            changes: vec![
                Change {
                    table: Table::Secrets,
                    name: "a/b".to_owned(),
                    leaf: Some([4; 32]),
                },
                Change {
                    table: Table::Policies,
                    name: String::new(),
                    leaf: None,
                },
            ],
        };
        let bytes = commit.encode();
        assert_eq!(Commit::decode(&bytes), Some(commit.clone()));
        for size in 0..bytes.len() {
            assert_eq!(Commit::decode(&bytes[..size]), None);
        }
        assert_eq!(Commit::decode(&[bytes.as_slice(), &[0]].concat()), None);
        let witness = commit.witness();
        assert_eq!(witness.to_string().parse(), Ok(witness));
        assert_eq!("3:abc".parse::<Witness>(), Err(WitnessError));
    }
}
