//! A store in one SQLite file, for one broker.
//!
//! The file is its owner's alone (mode 0600) and has an application id and a schema version. What is not recognised is left as
//! it is. One process at a time has it, by SQLite's exclusive lock. A commit is on the disk before it is said to be
//! (`journal_mode=WAL`, `synchronous=FULL`).

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Transaction, TransactionBehavior, params};

use crate::backend::{Backend, BackendError, Batch, Head, Meta, RecordChange, RecordId, Row, SealedRecord};

/// `NACB`, in the header of our files.
const APPLICATION_ID: i32 = 0x4e41_4342;
/// Of the tables below.
const SCHEMA_VERSION: u32 = 1;

const SCHEMA: &str = "
    CREATE TABLE meta (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        store_id BLOB NOT NULL,
        key_check BLOB NOT NULL
    ) STRICT;
    CREATE TABLE record (
        id BLOB PRIMARY KEY,
        version INTEGER NOT NULL,
        sealed BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE chain (
        sequence INTEGER PRIMARY KEY,
        sealed BLOB NOT NULL
    ) STRICT;
    CREATE TABLE journal (
        sequence INTEGER PRIMARY KEY,
        sealed BLOB NOT NULL
    ) STRICT;
";

/// What changes the tables of an older version, which is its index plus one, into those of the next.
const MIGRATIONS: &[&str] = &[];

/// The open file.
#[derive(Debug)]
pub struct Sqlite {
    connection: Connection,
    path: PathBuf,
}

impl Sqlite {
    /// Opens a file that is there.
    ///
    /// # Errors
    /// When it is not there, in use, of another program or version, or others can read it.
    pub fn open(path: &Path) -> Result<Self, BackendError> {
        match fs::metadata(path) {
            Ok(metadata) => check_mode(path, metadata.permissions().mode() & 0o7777)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(BackendError::Missing(path.display().to_string()));
            }
            Err(error) => return Err(failed(path, &error)),
        }
        let connection = Connection::open(path).map_err(|error| failed(path, &error))?;
        let store = Self {
            connection,
            path: path.to_owned(),
        };
        store.lock()?;
        Ok(store)
    }

    /// Makes an empty file, for [`crate::Store::init`] or [`Backend::fill`]. The folder must be there.
    ///
    /// # Errors
    /// When there is a file, or it cannot be made.
    pub fn create(path: &Path) -> Result<Self, BackendError> {
        let mut options = OpenOptions::new();
        let made = options.write(true).create_new(true).mode(0o600).open(path);
        made.map_err(|error| failed(path, &error))?;
        Self::open(path)
    }

    /// Takes the lock before anything is written.
    fn lock(&self) -> Result<(), BackendError> {
        let error = self.error();
        self.connection.busy_timeout(Duration::ZERO).map_err(&error)?;
        let run = |sql| self.connection.execute_batch(sql).map_err(&error);
        run("PRAGMA locking_mode=EXCLUSIVE; PRAGMA trusted_schema=OFF; BEGIN EXCLUSIVE; COMMIT")?;
        match self.versions()? {
            (APPLICATION_ID, found) if found > SCHEMA_VERSION => Err(BackendError::Newer {
                place: self.place(),
                found,
                known: SCHEMA_VERSION,
            }),
            (APPLICATION_ID, _) => run("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL"),
            (0, 0) if self.is_empty()? => run("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL"),
            _ => Err(BackendError::Foreign(self.place())),
        }
    }

    /// Application id and schema version.
    fn versions(&self) -> Result<(i32, u32), BackendError> {
        let pragma = |name: &str| {
            let value = self
                .connection
                .pragma_query_value(None, name, |row| row.get::<_, i32>(0));
            value.map_err(self.error())
        };
        let version = u32::try_from(pragma("user_version")?);
        Ok((pragma("application_id")?, version.unwrap_or(u32::MAX)))
    }

    fn is_empty(&self) -> Result<bool, BackendError> {
        let count = self
            .connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| {
                row.get::<_, i64>(0)
            });
        count.map(|count| count == 0).map_err(self.error())
    }

    fn migrate(&mut self, from: u32) -> Result<(), BackendError> {
        let error = self.error();
        let done = usize::try_from(from.saturating_sub(1)).unwrap_or(usize::MAX);
        let transaction = self.connection.transaction().map_err(&error)?;
        for step in MIGRATIONS.iter().skip(done) {
            transaction.execute_batch(step).map_err(&error)?;
        }
        let version = format!("PRAGMA user_version={SCHEMA_VERSION}");
        transaction.execute_batch(&version).map_err(&error)?;
        transaction.commit().map_err(&error)
    }

    /// Makes the tables, and writes what `write` does, in one transaction.
    fn make_tables(
        &mut self,
        write: impl FnOnce(&Transaction<'_>) -> Result<(), BackendError>,
    ) -> Result<(), BackendError> {
        if !self.is_empty()? {
            return Err(BackendError::Foreign(self.place()));
        }
        let error = self.error();
        let transaction = self.connection.transaction().map_err(&error)?;
        let schema =
            format!("{SCHEMA} PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={SCHEMA_VERSION}");
        transaction.execute_batch(&schema).map_err(&error)?;
        write(&transaction)?;
        transaction.commit().map_err(&error)
    }

    fn error(&self) -> impl Fn(rusqlite::Error) -> BackendError + use<> {
        let place = self.path.display().to_string();
        move |error| match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => BackendError::InUse(place.clone()),
            Some(ErrorCode::DiskFull) => BackendError::Full(place.clone()),
            Some(ErrorCode::NotADatabase) => BackendError::Foreign(place.clone()),
            _ => BackendError::Failed {
                place: place.clone(),
                error: error.to_string(),
            },
        }
    }
}

impl Backend for Sqlite {
    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn meta(&mut self) -> Result<Option<Meta>, BackendError> {
        let (application, version) = self.versions()?;
        if application != APPLICATION_ID {
            return Ok(None);
        }
        if version < SCHEMA_VERSION {
            self.migrate(version)?;
        }
        let sql = "SELECT store_id, key_check FROM meta";
        let row = self
            .connection
            .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)));
        let row: Option<(Vec<u8>, Vec<u8>)> = row.optional().map_err(self.error())?;
        let meta = row.and_then(|(store_id, key_check)| {
            Some(Meta {
                store_id: store_id.try_into().ok()?,
                key_check,
            })
        });
        // The tables are made together with this row.
        meta.map(Some).ok_or_else(|| BackendError::Failed {
            place: self.place(),
            error: "its first row is missing or damaged; restore a backup".to_owned(),
        })
    }

    fn init(&mut self, meta: &Meta, first: &Batch) -> Result<(), BackendError> {
        let error = self.error();
        self.make_tables(|transaction| {
            insert(transaction, &Row::Meta(meta.clone())).map_err(&error)?;
            write(transaction, first).map_err(&error)
        })
    }

    fn load(&mut self, each: &mut dyn FnMut(SealedRecord)) -> Result<Option<Head>, BackendError> {
        let error = self.error();
        let transaction = self.connection.transaction().map_err(&error)?;
        records(&transaction, each).map_err(&error)?;
        let sql = "SELECT sequence, sealed FROM chain ORDER BY sequence DESC LIMIT 1";
        let head = transaction.query_row(sql, [], head).optional();
        head.map_err(&error)
    }

    fn record(&mut self, id: &RecordId) -> Result<Option<SealedRecord>, BackendError> {
        let sql = "SELECT id, version, sealed FROM record WHERE id=?1";
        let mut statement = self.connection.prepare_cached(sql).map_err(self.error())?;
        let record = statement.query_row([id], record).optional();
        record.map(Option::flatten).map_err(self.error())
    }

    fn commits(&mut self, from: u64, limit: u32) -> Result<Vec<Head>, BackendError> {
        let sql = "SELECT sequence, sealed FROM chain WHERE sequence>=?1 ORDER BY sequence LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql).map_err(self.error())?;
        let rows = statement.query_map(params![signed(from), limit], head);
        rows.and_then(Iterator::collect).map_err(self.error())
    }

    fn journal(&mut self, from: u64, limit: u32) -> Result<Vec<(u64, Vec<u8>)>, BackendError> {
        let sql = "SELECT sequence, sealed FROM journal WHERE sequence>=?1 ORDER BY sequence LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql).map_err(self.error())?;
        let rows = statement.query_map(params![signed(from), limit], journal);
        rows.and_then(Iterator::collect).map_err(self.error())
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), BackendError> {
        let error = self.error();
        let behavior = TransactionBehavior::Immediate;
        let transaction = self
            .connection
            .transaction_with_behavior(behavior)
            .map_err(&error)?;
        let last: Option<i64> = transaction
            .query_row("SELECT max(sequence) FROM chain", [], |row| row.get(0))
            .map_err(&error)?;
        if last.unwrap_or(0).checked_add(1) != Some(signed(batch.sequence)) {
            return Err(BackendError::Stale(self.path.display().to_string()));
        }
        write(&transaction, batch).map_err(&error)?;
        transaction.commit().map_err(&error)
    }

    fn dump(&mut self, each: &mut dyn FnMut(Row) -> Result<(), BackendError>) -> Result<(), BackendError> {
        let meta = self.meta()?;
        let error = self.error();
        let transaction = self.connection.transaction().map_err(&error)?;
        meta.map_or(Ok(()), |meta| each(Row::Meta(meta)))?;
        let mut outcome = Ok(());
        let mut keep = |row| {
            if outcome.is_ok() {
                outcome = each(row);
            }
        };
        records(&transaction, &mut |record| keep(Row::Record(record))).map_err(&error)?;
        for (table, row) in [
            (
                "chain",
                (|row| head(row).map(Row::Commit)) as fn(&rusqlite::Row<'_>) -> _,
            ),
            ("journal", |row| {
                journal(row).map(|(sequence, sealed)| Row::Journal(sequence, sealed))
            }),
        ] {
            let sql = format!("SELECT sequence, sealed FROM {table} ORDER BY sequence");
            let mut statement = transaction.prepare(&sql).map_err(&error)?;
            let rows = statement.query_map([], row).map_err(&error)?;
            for row in rows {
                keep(row.map_err(&error)?);
            }
        }
        outcome
    }

    fn fill(&mut self, from: &mut dyn Backend) -> Result<(), BackendError> {
        let error = self.error();
        let place = self.place();
        self.make_tables(|transaction| {
            let mut has_meta = false;
            from.dump(&mut |row| {
                has_meta |= matches!(row, Row::Meta(_));
                insert(transaction, &row).map_err(&error)
            })?;
            has_meta.then_some(()).ok_or(BackendError::Failed {
                place,
                error: format!("there is no broker's store at {} to take over", from.place()),
            })
        })
    }
}

fn records(transaction: &Transaction<'_>, each: &mut dyn FnMut(SealedRecord)) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare("SELECT id, version, sealed FROM record")?;
    let rows = statement.query_map([], record)?;
    for row in rows {
        // A row of another form counts as missing, which is found.
        row?.map(&mut *each);
    }
    Ok(())
}

fn record(row: &rusqlite::Row<'_>) -> rusqlite::Result<Option<SealedRecord>> {
    let id: Vec<u8> = row.get(0)?;
    let (version, sealed) = (unsigned(row.get(1)?), row.get(2)?);
    Ok(id.try_into().ok().map(|id| SealedRecord { id, version, sealed }))
}

fn head(row: &rusqlite::Row<'_>) -> rusqlite::Result<Head> {
    Ok(Head {
        sequence: unsigned(row.get(0)?),
        sealed_commit: row.get(1)?,
    })
}

fn journal(row: &rusqlite::Row<'_>) -> rusqlite::Result<(u64, Vec<u8>)> {
    Ok((unsigned(row.get(0)?), row.get(1)?))
}

fn insert(transaction: &Transaction<'_>, row: &Row) -> rusqlite::Result<()> {
    let put = |sql| transaction.prepare_cached(sql);
    match row {
        Row::Meta(meta) => put("INSERT INTO meta(one, store_id, key_check) VALUES(1, ?1, ?2)")?
            .execute(params![meta.store_id, meta.key_check])?,
        Row::Record(record) => put("INSERT INTO record(id, version, sealed) VALUES(?1, ?2, ?3)
             ON CONFLICT(id) DO UPDATE SET version=excluded.version, sealed=excluded.sealed")?
        .execute(params![record.id, signed(record.version), record.sealed])?,
        Row::Commit(commit) => put("INSERT INTO chain(sequence, sealed) VALUES(?1, ?2)")?
            .execute(params![signed(commit.sequence), commit.sealed_commit])?,
        Row::Journal(sequence, sealed) => put("INSERT INTO journal(sequence, sealed) VALUES(?1, ?2)")?
            .execute(params![signed(*sequence), sealed])?,
    };
    Ok(())
}

fn write(transaction: &Transaction<'_>, batch: &Batch) -> rusqlite::Result<()> {
    for change in &batch.records {
        match change {
            RecordChange::Put(record) => insert(transaction, &Row::Record(record.clone()))?,
            RecordChange::Delete(id) => {
                transaction.execute("DELETE FROM record WHERE id=?1", [id])?;
            }
        }
    }
    for (sequence, sealed) in &batch.journal {
        insert(transaction, &Row::Journal(*sequence, sealed.clone()))?;
    }
    insert(
        transaction,
        &Row::Commit(Head {
            sequence: batch.sequence,
            sealed_commit: batch.sealed_commit.clone(),
        }),
    )
}

/// SQLite's integers are signed. Sequences count commits, and do not get there.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn check_mode(path: &Path, mode: u32) -> Result<(), BackendError> {
    let place = path.display().to_string();
    let is_private = mode & 0o077 == 0;
    is_private.then_some(()).ok_or(BackendError::Mode { place, mode })
}

fn failed(path: &Path, error: &dyn std::fmt::Display) -> BackendError {
    BackendError::Failed {
        place: path.display().to_string(),
        error: error.to_string(),
    }
}
