//! The store: opens a database, finds what was changed behind its back, and commits changes.

use std::time::Duration;

use crate::backend::{Backend, BackendError, Batch, Head, Meta, RecordChange, SealedRecord};
use crate::commit::{Change, Commit, Witness, sha256};
use crate::error::StoreError;
use crate::index::{Entry, Index};
use crate::keys::RootKey;
use crate::seal::{Place, Sealer};
use crate::transaction::{Staged, Transaction, end_of_journal, open_entry};

/// How often changes run again because another replica has committed meanwhile.
const MAX_ATTEMPTS: u32 = 64;
/// How long the pause before the second attempt is at most, and the one before any.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);
/// Commits that are read at a time.
const PAGE: u32 = 256;
const KEY_CHECK: &[u8] = b"nacre broker-store 1";

/// An open store.
pub struct Store {
    backend: Box<dyn Backend>,
    sealer: Sealer,
    index: Index,
    /// Why nothing is done any more.
    closed: Option<String>,
}

/// What is to become of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It comes into force.
    Commit,
    /// Nothing of it is written.
    Discard,
}

/// A change that is committed with others, or not at all. It may run several times.
pub type Job<'a> = dyn FnMut(&mut Transaction<'_>) -> Outcome + Send + 'a;

impl Store {
    /// Makes a store where nothing is.
    ///
    /// # Errors
    /// When there is a store, or something else.
    pub fn init(mut backend: Box<dyn Backend>, root: &RootKey) -> Result<Self, StoreError> {
        if backend.meta()?.is_some() {
            return Err(StoreError::AlreadyInitialised(backend.place()));
        }
        let mut store_id = [0; 16];
        aws_lc_rs::rand::fill(&mut store_id).map_err(|_| StoreError::Crypto)?;
        let sealer = Sealer::new(root, store_id)?;
        let meta = Meta {
            store_id,
            key_check: sealer.seal(Place::KeyCheck, KEY_CHECK)?,
        };
        let mut index = Index::default();
        let commit = index.prepare(Vec::new(), index.journal);
        let first = batch(&sealer, &commit, Vec::new(), Vec::new())?;
        backend.init(&meta, &first)?;
        index.follow(&commit)?;
        Ok(Self {
            backend,
            sealer,
            index,
            closed: None,
        })
    }

    /// Opens a store, and checks all records against the last commit, and the chain of commits from the witness on.
    ///
    /// # Errors
    /// When there is none, the key is another one's, or anything is not as the last commit, or the witness, says.
    pub fn open(
        mut backend: Box<dyn Backend>,
        root: &RootKey,
        witness: Option<&Witness>,
    ) -> Result<Self, StoreError> {
        let meta = backend.meta()?;
        let meta = meta.ok_or_else(|| BackendError::Missing(backend.place()))?;
        let sealer = Sealer::new(root, meta.store_id)?;
        let check = sealer.open(Place::KeyCheck, &meta.key_check);
        if check.is_none_or(|check| check.as_slice() != KEY_CHECK) {
            return Err(StoreError::WrongKey);
        }
        let index = load(backend.as_mut(), &sealer)?;
        let mut store = Self {
            backend,
            sealer,
            index,
            closed: None,
        };
        store.check_end_of_journal()?;
        if let Some(witness) = witness {
            store.check_witness(witness)?;
        }
        Ok(store)
    }

    /// The last commit, by which an old copy of the store can be told later.
    #[must_use]
    pub fn witness(&self) -> Witness {
        let none = Witness {
            sequence: 0,
            hash: [0; 32],
        };
        self.index.head.unwrap_or(none)
    }

    /// Where the database is.
    #[must_use]
    pub fn place(&self) -> String {
        self.backend.place()
    }

    /// Checks that a commit that was seen before, here or by somebody else, is in the chain.
    ///
    /// # Errors
    /// [`StoreError::RolledBack`] if it is not.
    pub fn check_witness(&mut self, witness: &Witness) -> Result<(), StoreError> {
        self.catch_up()?;
        let head = self.witness();
        if witness.sequence > head.sequence {
            return Err(StoreError::RolledBack(format!(
                "its last commit is {}, and commit {} is known",
                head.sequence, witness.sequence
            )));
        }
        let mut expected = *witness;
        loop {
            let page = self.backend.commits(expected.sequence, PAGE)?;
            let mut rows = page.iter();
            let first = rows
                .next()
                .map(|row| open_commit(&self.sealer, row))
                .transpose()?;
            if first.map(|commit| commit.witness()) != Some(expected) {
                return Err(StoreError::RolledBack(format!(
                    "its commit {} is not the one that is known",
                    expected.sequence
                )));
            }
            for row in rows {
                let commit = open_commit(&self.sealer, row)?;
                if commit.sequence != expected.sequence.saturating_add(1)
                    || commit.predecessor != expected.hash
                {
                    return Err(StoreError::Damaged("the chain of commits is broken"));
                }
                expected = commit.witness();
            }
            if expected.sequence >= head.sequence || page.len() < 2 {
                break;
            }
        }
        (expected == head)
            .then_some(())
            .ok_or(StoreError::Damaged("the chain of commits is broken"))
    }

    /// Makes a change. `change` may run several times, if other replicas make changes meanwhile. If it fails, nothing is
    /// written.
    ///
    /// # Errors
    /// With `change`'s own, or when the change could not be committed.
    pub fn update<T, E>(
        &mut self,
        mut change: impl FnMut(&mut Transaction<'_>) -> Result<T, E> + Send,
    ) -> Result<T, E>
    where
        T: Send,
        E: From<StoreError> + Send,
    {
        let mut result = None;
        self.update_all(&mut [&mut |transaction: &mut Transaction<'_>| {
            let changed = change(transaction);
            let outcome = if changed.is_ok() {
                Outcome::Commit
            } else {
                Outcome::Discard
            };
            result = Some(changed);
            outcome
        }])?;
        result.unwrap_or_else(|| Err(StoreError::Contended.into()))
    }

    /// Makes changes one after the other and commits them together, so that many share one write to the disk.
    ///
    /// # Errors
    /// When they could not be committed, or one of them has read a wrong row: then none of them is in force. After
    /// [`BackendError::Unreachable`] that is unknown.
    pub fn update_all(&mut self, jobs: &mut [&mut Job<'_>]) -> Result<(), StoreError> {
        for attempt in 0..MAX_ATTEMPTS {
            pause(attempt);
            self.catch_up()?;
            let mut staged = Staged::default();
            let mut failed = None;
            for job in &mut *jobs {
                let mut transaction = Transaction {
                    backend: self.backend.as_mut(),
                    sealer: &self.sealer,
                    index: &self.index,
                    before: &staged,
                    own: Staged::default(),
                    failed: None,
                };
                let outcome = job(&mut transaction);
                failed = failed.or(transaction.failed);
                let own = transaction.own;
                if outcome == Outcome::Commit {
                    staged.extend(own);
                }
            }
            if let Some(error) = failed {
                // Either another replica was faster, then they run again; or the row is really wrong.
                let known = self.witness();
                self.catch_up()?;
                if self.witness() == known {
                    return Err(error);
                }
                continue;
            }
            if staged.is_empty() {
                return Ok(());
            }
            match self.commit(staged) {
                Err(StoreError::Backend(BackendError::Stale(_))) => {}
                result => return result,
            }
        }
        Err(StoreError::Contended)
    }

    /// Checks everything: each record, each commit from the first on, each entry of the journal.
    ///
    /// # Errors
    /// With the first thing that is wrong.
    pub fn verify(&mut self) -> Result<(), StoreError> {
        self.catch_up()?;
        let loaded = load(self.backend.as_mut(), &self.sealer)?;
        if loaded.head != self.index.head {
            return Err(StoreError::RolledBack(
                "its last commit is another one than before".to_owned(),
            ));
        }
        let first = self.backend.commits(1, 1)?;
        let first = first
            .first()
            .ok_or(StoreError::Damaged("the first commit is missing"))?;
        let first = open_commit(&self.sealer, first)?.witness();
        self.check_witness(&first)?;
        let mut last = [0; 32];
        let mut next = 1_u64;
        while next <= self.index.journal.entries {
            let rows = self.backend.journal(next, PAGE)?;
            for row in &rows {
                last = sha256(&open_entry(&self.sealer, next, row)?.bytes);
                next = next.saturating_add(1);
            }
            if rows.is_empty() {
                return Err(StoreError::Damaged("entries of the journal are missing"));
            }
        }
        (last == self.index.journal.last)
            .then_some(())
            .ok_or(StoreError::Damaged(
                "the journal does not end as the last commit says",
            ))
    }

    /// Writes a copy as of now into another database, which must be empty. It stays sealed.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn copy_to(&mut self, to: &mut dyn Backend) -> Result<(), StoreError> {
        self.catch_up()?;
        Ok(to.fill(self.backend.as_mut())?)
    }

    fn commit(&mut self, staged: Staged) -> Result<(), StoreError> {
        let version = self.index.next_sequence();
        let (mut changes, mut rows) = (Vec::new(), Vec::new());
        for ((table, name), value) in staged.records {
            let leaf = match value {
                Some(value) => {
                    let record = self.sealer.seal_record(table, &name, version, &value)?;
                    let leaf = self.sealer.leaf(&record);
                    rows.push(RecordChange::Put(record));
                    Some(leaf)
                }
                None if self.index.get(table, &name).is_none() => continue,
                None => {
                    rows.push(RecordChange::Delete(self.sealer.record_id(table, &name)));
                    None
                }
            };
            changes.push(Change { table, name, leaf });
        }
        let journal = end_of_journal(self.index.journal, staged.journal.iter());
        let sequences = self.index.journal.entries.saturating_add(1)..;
        let entries = sequences.zip(staged.journal).map(|(sequence, entry)| {
            let sealed = self.sealer.seal(Place::Journal { sequence }, &entry)?;
            Ok((sequence, sealed))
        });
        let entries = entries.collect::<Result<Vec<_>, StoreError>>()?;
        let commit = self.index.prepare(changes, journal);
        let batch = batch(&self.sealer, &commit, rows, entries)?;
        self.backend.commit(&batch)?;
        self.index.follow(&commit)
    }

    /// Follows the commits of other replicas, and sees that the last commit is still there.
    fn catch_up(&mut self) -> Result<(), StoreError> {
        if let Some(reason) = &self.closed {
            return Err(StoreError::Closed(reason.clone()));
        }
        let result = self.follow_commits();
        if let Err(error @ (StoreError::RolledBack(_) | StoreError::Damaged(_))) = &result {
            // What was believed until now may be wrong, too.
            self.closed = Some(error.to_string());
        }
        result
    }

    fn follow_commits(&mut self) -> Result<(), StoreError> {
        loop {
            let head = self.witness();
            let page = self.backend.commits(head.sequence, PAGE)?;
            let mut rows = page.iter();
            let last = rows
                .next()
                .map(|row| open_commit(&self.sealer, row))
                .transpose()?;
            if last.map(|commit| commit.witness()) != Some(head) {
                return Err(StoreError::RolledBack(format!(
                    "commit {}, which this broker knows, is not there any more",
                    head.sequence
                )));
            }
            for row in rows {
                self.index.follow(&open_commit(&self.sealer, row)?)?;
            }
            if page.len() < usize::try_from(PAGE).unwrap_or(usize::MAX) {
                return Ok(());
            }
        }
    }

    fn check_end_of_journal(&mut self) -> Result<(), StoreError> {
        const DAMAGED: StoreError = StoreError::Damaged("the journal does not end as the last commit says");
        let end = self.index.journal;
        let rows = self.backend.journal(end.entries.max(1), 2)?;
        match (end.entries, rows.as_slice()) {
            (0, []) => Ok(()),
            (entries, [row]) if entries > 0 => {
                let entry = open_entry(&self.sealer, entries, row)?;
                (sha256(&entry.bytes) == end.last).then_some(()).ok_or(DAMAGED)
            }
            _ => Err(DAMAGED),
        }
    }
}

/// Waits before another attempt, at random and for longer each time, so that replicas do not go on meeting each other.
fn pause(attempt: u32) {
    let mut random = [0];
    // Without randomness there is no pause, which is no more than slow.
    if attempt > 0 && aws_lc_rs::rand::fill(&mut random).is_ok() {
        let most = LONGEST_PAUSE.min(FIRST_PAUSE.saturating_mul(attempt));
        std::thread::sleep(most.saturating_mul(u32::from(random[0])).div_f32(255.0));
    }
}

/// Reads all records, and compares them with the last commit.
fn load(backend: &mut dyn Backend, sealer: &Sealer) -> Result<Index, StoreError> {
    let mut index = Index::default();
    let mut is_sound = true;
    let head = backend.load(&mut |sealed: SealedRecord| {
        is_sound &= sealer.open_record(&sealed).is_some_and(|record| {
            let entry = Entry {
                version: sealed.version,
                leaf: sealer.leaf(&sealed),
            };
            index.insert(record.table, record.name, entry)
        });
    })?;
    if !is_sound {
        return Err(StoreError::Damaged("a record cannot be opened"));
    }
    let head = head.ok_or(StoreError::Damaged("it has no commits"))?;
    let commit = open_commit(sealer, &head)?;
    if commit.set != index.set() {
        return Err(StoreError::Damaged(
            "the records are not those of the last commit",
        ));
    }
    index.journal = commit.journal;
    index.head = Some(commit.witness());
    Ok(index)
}

fn open_commit(sealer: &Sealer, row: &Head) -> Result<Commit, StoreError> {
    let sequence = row.sequence;
    let plain = sealer.open(Place::Commit { sequence }, &row.sealed_commit);
    let commit = plain.and_then(|plain| Commit::decode(&plain));
    commit
        .filter(|commit| commit.sequence == sequence)
        .ok_or(StoreError::Damaged("a commit cannot be opened"))
}

fn batch(
    sealer: &Sealer,
    commit: &Commit,
    records: Vec<RecordChange>,
    journal: Vec<(u64, Vec<u8>)>,
) -> Result<Batch, StoreError> {
    let sequence = commit.sequence;
    Ok(Batch {
        sequence,
        sealed_commit: sealer.seal(Place::Commit { sequence }, &commit.encode())?,
        records,
        journal,
    })
}
