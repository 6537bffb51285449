//! One change of a store: what it reads is as of the last commit, what it writes comes into force as a whole.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use crate::backend::Backend;
use crate::commit::{JournalHead, sha256};
use crate::error::StoreError;
use crate::index::Index;
use crate::record::{Record, Table};
use crate::seal::{Place, Sealer};

/// Bytes of the largest entry of the journal.
const MAX_ENTRY: usize = 1 << 20;
/// Rows that are read at a time.
const PAGE: u32 = 256;

/// What several changes want to write; nothing of it is written yet.
#[derive(Default)]
pub(crate) struct Staged {
    /// Values to write, or nothing to delete.
    pub records: BTreeMap<(Table, String), Option<Zeroizing<Vec<u8>>>>,
    pub journal: Vec<Vec<u8>>,
}

impl Staged {
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.journal.is_empty()
    }

    /// Takes what another change wants to write after this.
    pub fn extend(&mut self, other: Self) {
        self.records.extend(other.records);
        self.journal.extend(other.journal);
    }
}

/// A change under way. Others do not see it until it is committed.
pub struct Transaction<'a> {
    pub(crate) backend: &'a mut dyn Backend,
    pub(crate) sealer: &'a Sealer,
    pub(crate) index: &'a Index,
    /// Of changes before this one that will be committed with it.
    pub(crate) before: &'a Staged,
    pub(crate) own: Staged,
    /// The first error of the store, after which nothing is committed.
    pub(crate) failed: Option<StoreError>,
}

/// An entry of the journal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JournalEntry {
    /// Its place; the first has 1.
    pub sequence: u64,
    /// What was appended.
    pub bytes: Vec<u8>,
}

impl Transaction<'_> {
    /// A record, unless there is none of this name.
    ///
    /// # Errors
    /// When the database does not have the row that the last commit names.
    pub fn get(&mut self, table: Table, name: &str) -> Result<Option<Record>, StoreError> {
        let key = (table, name.to_owned());
        let staged = self
            .own
            .records
            .get(&key)
            .or_else(|| self.before.records.get(&key));
        if let Some(value) = staged {
            let version = self.index.next_sequence();
            return Ok(value.as_ref().map(|value| Record {
                table,
                name: key.1,
                version,
                value: value.clone(),
            }));
        }
        let Some(entry) = self.index.get(table, name) else {
            return Ok(None);
        };
        let read = self.backend.record(&self.sealer.record_id(table, name));
        let read = self.check(read.map_err(StoreError::from))?;
        let is_current = |record: &crate::SealedRecord| {
            record.version == entry.version && self.sealer.leaf(record) == entry.leaf
        };
        let record = read
            .filter(is_current)
            .and_then(|sealed| self.sealer.open_record(&sealed));
        // Another replica may have written it since this change began; the commit finds that out, and the change runs again.
        self.check(
            record
                .map(Some)
                .ok_or(StoreError::Damaged("a record is not the one of the last commit")),
        )
    }

    /// The version of a record that was committed, without reading it; none if there is none, or this change or one before it
    /// has written it.
    #[must_use]
    pub fn committed_version(&self, table: Table, name: &str) -> Option<u64> {
        let key = (table, name.to_owned());
        let is_staged = self.own.records.contains_key(&key) || self.before.records.contains_key(&key);
        let entry = self.index.get(table, name).filter(|_| !is_staged);
        entry.map(|entry| entry.version)
    }

    /// Names in a table that begin with a prefix, in order.
    #[must_use]
    pub fn names(&self, table: Table, prefix: &str) -> Vec<String> {
        let stored = self
            .index
            .names(table, prefix)
            .map(|(name, _)| (name.to_owned(), true));
        let mut names: BTreeMap<String, bool> = stored.collect();
        for staged in [self.before, &self.own] {
            for ((of, name), value) in &staged.records {
                if *of == table && name.starts_with(prefix) {
                    names.insert(name.clone(), value.is_some());
                }
            }
        }
        names
            .into_iter()
            .filter_map(|(name, is_there)| is_there.then_some(name))
            .collect()
    }

    /// Writes a record.
    ///
    /// # Errors
    /// When the name or the value is too large.
    pub fn put(&mut self, table: Table, name: &str, value: &[u8]) -> Result<(), StoreError> {
        // For its limits.
        crate::record::encode(table, name, value)?;
        let value = Zeroizing::new(value.to_vec());
        self.own.records.insert((table, name.to_owned()), Some(value));
        Ok(())
    }

    /// Removes a record, if it is there.
    pub fn delete(&mut self, table: Table, name: &str) {
        self.own.records.insert((table, name.to_owned()), None);
    }

    /// Appends to the journal what `entry` makes of its sequence and the SHA-256 of the entry before.
    ///
    /// # Errors
    /// When it is too large.
    pub fn append(&mut self, entry: impl FnOnce(u64, [u8; 32]) -> Vec<u8>) -> Result<(), StoreError> {
        let end = self.journal_end();
        let bytes = entry(end.entries.saturating_add(1), end.last);
        if bytes.len() > MAX_ENTRY {
            return Err(StoreError::TooLarge {
                what: "journal entry",
                max: MAX_ENTRY,
            });
        }
        self.own.journal.push(bytes);
        Ok(())
    }

    /// Entries in the journal.
    #[must_use]
    pub fn journal_size(&self) -> u64 {
        self.journal_end().entries
    }

    /// SHA-256 of the last entry in the journal, zeroes if it is empty.
    #[must_use]
    pub fn journal_hash(&self) -> [u8; 32] {
        self.journal_end().last
    }

    /// Entries that were committed, from a sequence on, at most 256. Each is authentic and in its place. That they follow
    /// each other is for the caller to see, by the hashes that were given to [`Self::append`].
    ///
    /// # Errors
    /// When one is missing or was changed.
    pub fn journal(&mut self, from: u64) -> Result<Vec<JournalEntry>, StoreError> {
        let rows = self.backend.journal(from.max(1), PAGE);
        let rows = self.check(rows.map_err(StoreError::from))?;
        let mut entries = Vec::new();
        let committed = from.max(1)..=self.index.journal.entries;
        for (expected, row) in committed.clone().zip(rows) {
            let entry = open_entry(self.sealer, expected, &row);
            entries.push(self.check(entry)?);
        }
        let wanted = committed.take(usize::try_from(PAGE).unwrap_or(0)).count();
        if entries.len() < wanted {
            return self.check(Err(StoreError::Damaged("entries of the journal are missing")));
        }
        Ok(entries)
    }

    fn journal_end(&self) -> JournalHead {
        end_of_journal(
            self.index.journal,
            self.before.journal.iter().chain(&self.own.journal),
        )
    }

    fn check<T>(&mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(error) = &result {
            self.failed.get_or_insert_with(|| error.clone());
        }
        result
    }
}

/// Where the journal ends with these entries.
pub(crate) fn end_of_journal<'a>(
    start: JournalHead,
    entries: impl Iterator<Item = &'a Vec<u8>>,
) -> JournalHead {
    entries.fold(start, |end, entry| JournalHead {
        entries: end.entries.saturating_add(1),
        last: sha256(entry),
    })
}

pub(crate) fn open_entry(
    sealer: &Sealer,
    expected: u64,
    (sequence, sealed): &(u64, Vec<u8>),
) -> Result<JournalEntry, StoreError> {
    let place = Place::Journal { sequence: expected };
    let bytes = sealer.open(place, sealed).filter(|_| *sequence == expected);
    let bytes = bytes.ok_or(StoreError::Damaged(
        "an entry of the journal is missing or was changed",
    ))?;
    Ok(JournalEntry {
        sequence: expected,
        bytes: bytes.to_vec(),
    })
}
