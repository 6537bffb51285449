//! What a database must do for the store. It sees sealed bytes, and is believed nothing.

/// The name of a record, hidden by HMAC-SHA256.
pub type RecordId = [u8; 32];

/// The first row of a store: written once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta {
    /// Random, 16 bytes.
    pub store_id: [u8; 16],
    /// A constant, sealed, by which a wrong root key is told.
    pub key_check: Vec<u8>,
}

/// A record as the database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedRecord {
    /// Which one.
    pub id: RecordId,
    /// Sequence of the commit that wrote it.
    pub version: u64,
    /// Its value.
    pub sealed: Vec<u8>,
}

/// What a commit does to a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordChange {
    /// Written, at the version of the commit.
    Put(SealedRecord),
    /// Removed.
    Delete(RecordId),
}

/// A commit: all of it is written, or nothing.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Follows the last commit's.
    pub sequence: u64,
    /// The commit's row.
    pub sealed_commit: Vec<u8>,
    /// Records.
    pub records: Vec<RecordChange>,
    /// New rows of the journal, each with its sequence.
    pub journal: Vec<(u64, Vec<u8>)>,
}

/// The last commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its sequence; the first commit has 1.
    pub sequence: u64,
    /// Its row.
    pub sealed_commit: Vec<u8>,
}

/// Any row, for copies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// The first row.
    Meta(Meta),
    /// A record.
    Record(SealedRecord),
    /// A commit.
    Commit(Head),
    /// A row of the journal, with its sequence.
    Journal(u64, Vec<u8>),
}

/// Why a database did not do what it was asked for.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// Nothing is there. It may never have been, or somebody has deleted it.
    #[error(
        "there is no broker's store at {0}; if there was one, it was deleted: restore a backup; otherwise run nacre broker init"
    )]
    Missing(String),
    /// Another process has it.
    #[error("{0} is in use by another process; one broker at a time can have it")]
    InUse(String),
    /// Another program's data.
    #[error("{0} is a database of something else, and was left as it is; choose another place")]
    Foreign(String),
    /// Written by a newer version.
    #[error(
        "{place} was written by a newer version (schema {found}, and this one knows {known}); use that version"
    )]
    Newer {
        /// The database.
        place: String,
        /// In it.
        found: u32,
        /// The newest that this version knows.
        known: u32,
    },
    /// Others can read the file.
    #[error("{place} can be read or written by others (mode {mode:04o}); chmod 600 it")]
    Mode {
        /// The file.
        place: String,
        /// Its mode.
        mode: u32,
    },
    /// No space is left. Nothing was written.
    #[error("the disk of {0} is full; nothing was written: make space, and try again")]
    Full(String),
    /// Another commit has this sequence. Nothing was written.
    #[error("another broker has written to {0} meanwhile")]
    Stale(String),
    /// Nobody answers; whether the last commit was written is unknown.
    #[error("the database {place} does not answer: {error}")]
    Unreachable {
        /// The database.
        place: String,
        /// What it says.
        error: String,
    },
    /// Anything else.
    #[error("the database {place} failed: {error}")]
    Failed {
        /// The database.
        place: String,
        /// What it says.
        error: String,
    },
}

/// A database with three tables: records, commits, and a journal.
///
/// What it returns is a claim, and is checked by the caller. What it must do by itself: write a [`Batch`] as a whole and to
/// the disk before it says so, and refuse one whose sequence does not follow the last commit's.
pub trait Backend: Send {
    /// Where it is, for messages, without passwords.
    fn place(&self) -> String;

    /// The first row, unless there is no store. Tables of an older schema are brought up to date first.
    ///
    /// # Errors
    /// When it cannot be read.
    fn meta(&mut self) -> Result<Option<Meta>, BackendError>;

    /// Makes the tables and writes the first row and the first commit.
    ///
    /// # Errors
    /// When there is a store, or anything else.
    fn init(&mut self, meta: &Meta, first: &Batch) -> Result<(), BackendError>;

    /// All records and the last commit, as of one moment.
    ///
    /// # Errors
    /// When they cannot be read.
    fn load(&mut self, each: &mut dyn FnMut(SealedRecord)) -> Result<Option<Head>, BackendError>;

    /// A record.
    ///
    /// # Errors
    /// When it cannot be read.
    fn record(&mut self, id: &RecordId) -> Result<Option<SealedRecord>, BackendError>;

    /// Commits from a sequence on, at most `limit`, in order.
    ///
    /// # Errors
    /// When they cannot be read.
    fn commits(&mut self, from: u64, limit: u32) -> Result<Vec<Head>, BackendError>;

    /// Rows of the journal from a sequence on, at most `limit`, in order.
    ///
    /// # Errors
    /// When they cannot be read.
    fn journal(&mut self, from: u64, limit: u32) -> Result<Vec<(u64, Vec<u8>)>, BackendError>;

    /// Writes a commit, if its sequence follows the last one's.
    ///
    /// # Errors
    /// [`BackendError::Stale`] if it does not.
    fn commit(&mut self, batch: &Batch) -> Result<(), BackendError>;

    /// Every row, as of one moment: the first row, then the others in any order.
    ///
    /// # Errors
    /// When they cannot be read, or with what `each` returns.
    fn dump(&mut self, each: &mut dyn FnMut(Row) -> Result<(), BackendError>) -> Result<(), BackendError>;

    /// Takes every row of another database. All of them are written, or nothing.
    ///
    /// # Errors
    /// When there is a store here, or there is none there.
    fn fill(&mut self, from: &mut dyn Backend) -> Result<(), BackendError>;
}
