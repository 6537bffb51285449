//! What the store knows about the database without asking it: which records there are, and in which version.

use std::collections::BTreeMap;

use crate::commit::{Change, Commit, JournalHead, Witness};
use crate::error::StoreError;
use crate::record::Table;

/// The state that the last commit describes, but for the values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    records: BTreeMap<(Table, String), Entry>,
    set: [u8; 32],
    pub journal: JournalHead,
    pub head: Option<Witness>,
}

/// A record's version, and the leaf that its row must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub version: u64,
    pub leaf: [u8; 32],
}

impl Index {
    pub fn get(&self, table: Table, name: &str) -> Option<Entry> {
        self.records.get(&(table, name.to_owned())).copied()
    }

    /// Names in a table that begin with a prefix, in order, with their versions.
    pub fn names<'a>(&'a self, table: Table, prefix: &'a str) -> impl Iterator<Item = (&'a str, u64)> {
        self.records
            .range((table, prefix.to_owned())..)
            .take_while(move |((of, name), _)| *of == table && name.starts_with(prefix))
            .map(|((_, name), entry)| (name.as_str(), entry.version))
    }

    /// Adds a record that was found in the database; false if there is one of this name.
    pub fn insert(&mut self, table: Table, name: String, entry: Entry) -> bool {
        add(&mut self.set, &entry.leaf);
        self.records.insert((table, name), entry).is_none()
    }

    pub const fn set(&self) -> [u8; 32] {
        self.set
    }

    /// The sequence of the next commit.
    pub fn next_sequence(&self) -> u64 {
        self.head.map_or(1, |head| head.sequence.saturating_add(1))
    }

    /// The commit that follows with these changes, at most one for each record. [`Self::follow`] steps on to it.
    pub fn prepare(&self, changes: Vec<Change>, journal: JournalHead) -> Commit {
        let mut set = self.set;
        for change in &changes {
            if let Some(leaf) = &change.leaf {
                add(&mut set, leaf);
            }
            // What was added once is taken away by adding it again.
            if let Some(old) = self.get(change.table, &change.name) {
                add(&mut set, &old.leaf);
            }
        }
        Commit {
            sequence: self.next_sequence(),
            predecessor: self.head.map_or([0; 32], |head| head.hash),
            set,
            journal,
            changes,
        }
    }

    /// Steps on to a commit, which this broker or another replica has made.
    pub fn follow(&mut self, commit: &Commit) -> Result<(), StoreError> {
        let predecessor = self.head.map_or([0; 32], |head| head.hash);
        if commit.sequence != self.next_sequence() || commit.predecessor != predecessor {
            return Err(StoreError::RolledBack(format!(
                "commit {} does not follow the last one that this broker knows",
                commit.sequence
            )));
        }
        self.apply(commit.sequence, &commit.changes);
        if self.set != commit.set || commit.journal.entries < self.journal.entries {
            return Err(StoreError::Damaged("a commit does not describe its own changes"));
        }
        self.journal = commit.journal;
        self.head = Some(commit.witness());
        Ok(())
    }

    fn apply(&mut self, version: u64, changes: &[Change]) {
        for change in changes {
            let key = (change.table, change.name.clone());
            let old = match change.leaf {
                Some(leaf) => {
                    add(&mut self.set, &leaf);
                    self.records.insert(key, Entry { version, leaf })
                }
                None => self.records.remove(&key),
            };
            if let Some(old) = old {
                add(&mut self.set, &old.leaf);
            }
        }
    }
}

/// XOR: the leaves are HMACs that nobody sees, so nobody can choose some whose sum is another's.
fn add(set: &mut [u8; 32], leaf: &[u8; 32]) {
    set.iter_mut().zip(leaf).for_each(|(sum, byte)| *sum ^= byte);
}
