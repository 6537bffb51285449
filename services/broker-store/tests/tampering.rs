//! The database is the adversary's: what they change is found, at open and when it is read.

use std::path::PathBuf;

use broker_store::{BackendError, RootKey, Sqlite, Store, StoreError, Table};
use rusqlite::Connection;
use tempfile::TempDir;
use zeroize::Zeroizing;

struct Database {
    directory: TempDir,
}

impl Database {
    /// Three records, of which one was written twice, and three entries in the journal.
    fn make() -> Self {
        let database = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        let mut store = Store::init(Box::new(Sqlite::create(&database.path()).unwrap()), &key()).unwrap();
        put(&mut store, "a", b"planted-value-1").unwrap();
        put(&mut store, "b", b"planted-value-2").unwrap();
        put(&mut store, "c", b"planted-value-3").unwrap();
        drop(store);
        database
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("store")
    }

    fn open(&self) -> Result<Store, StoreError> {
        Store::open(Box::new(Sqlite::open(&self.path())?), &key(), None)
    }

    fn sql(&self, sql: &str) {
        Connection::open(self.path()).unwrap().execute_batch(sql).unwrap();
    }

    fn is_damaged(&self) {
        let error = self.open().err().expect("the change is found");
        assert!(matches!(error, StoreError::Damaged(_)), "{error}");
    }
}

fn key() -> RootKey {
    RootKey::from_bytes(Zeroizing::new([9; 32]))
}

fn put(store: &mut Store, name: &str, value: &[u8]) -> Result<(), StoreError> {
    store.update(|change| {
        change.append(|_, _| format!("put {name}").into_bytes())?;
        change.put(Table::Secrets, name, value)
    })
}

#[test]
fn changed_rows_are_found_at_open() {
    for change in [
        // Removed, swapped, cut, of another version, added.
        "DELETE FROM record WHERE version=2",
        "UPDATE record SET sealed=(SELECT sealed FROM record WHERE version=3) WHERE version=2",
        "UPDATE record SET sealed=substr(sealed, 1, length(sealed)-1)",
        "UPDATE record SET sealed=x''",
        "UPDATE record SET version=9 WHERE version=2",
        "INSERT INTO record SELECT zeroblob(32), version, sealed FROM record WHERE version=2",
        "UPDATE record SET id=x'00' WHERE version=2",
        // The chain and the journal.
        "DELETE FROM chain",
        "DELETE FROM chain WHERE sequence=4",
        "UPDATE chain SET sealed=(SELECT sealed FROM chain WHERE sequence=3) WHERE sequence=4",
        "DELETE FROM journal WHERE sequence=3",
        "DELETE FROM journal",
        "UPDATE journal SET sealed=(SELECT sealed FROM journal WHERE sequence=2) WHERE sequence=3",
        "INSERT INTO journal SELECT 4, sealed FROM journal WHERE sequence=3",
    ] {
        let database = Database::make();
        database.open().unwrap();
        database.sql(change);
        println!("{change}");
        database.is_damaged();
    }
}

#[test]
fn an_older_row_is_found() {
    let database = Database::make();
    database
        .sql("CREATE TABLE old AS SELECT * FROM record; CREATE TABLE old_journal AS SELECT * FROM journal");
    put(&mut database.open().unwrap(), "a", b"new").unwrap();
    database.open().unwrap();
    database.sql("UPDATE record SET version=old.version, sealed=old.sealed FROM old WHERE old.id=record.id");
    database.is_damaged();
}

#[test]
fn a_deleted_record_does_not_come_back() {
    let database = Database::make();
    database.sql("CREATE TABLE old AS SELECT * FROM record");
    let mut store = database.open().unwrap();
    let deleted: Result<(), StoreError> = store.update(|change| {
        change.delete(Table::Secrets, "a");
        Ok(())
    });
    deleted.unwrap();
    drop(store);
    database.sql("INSERT OR IGNORE INTO record SELECT * FROM old");
    database.is_damaged();
}

#[test]
fn a_missing_middle_is_found_by_the_whole_check_and_by_a_witness() {
    for change in [
        "DELETE FROM chain WHERE sequence=2",
        "DELETE FROM journal WHERE sequence=1",
    ] {
        let database = Database::make();
        let witness = {
            let mut store = database.open().unwrap();
            put(&mut store, "d", b"").unwrap();
            store.witness()
        };
        database.sql(change);
        let mut store = database.open().unwrap();
        assert!(store.verify().is_err(), "{change}");
        assert_eq!(store.witness(), witness);
    }
}

#[test]
fn rows_of_another_store_with_the_same_key_are_found() {
    let (one, two) = (Database::make(), Database::make());
    let attach = format!("ATTACH '{}' AS other", two.path().display());
    one.sql(&format!(
        "{attach}; DELETE FROM record; INSERT INTO record SELECT * FROM other.record"
    ));
    one.is_damaged();
}

#[test]
fn a_deleted_store_is_not_made_again() {
    let database = Database::make();
    std::fs::remove_file(database.path()).unwrap();
    let missing = |error| matches!(error, Some(StoreError::Backend(BackendError::Missing(_))));
    assert!(missing(database.open().err()));
    assert!(!database.path().exists());
    let emptied = Database::make();
    emptied.sql("DELETE FROM meta");
    assert!(emptied.open().is_err());
    assert!(Store::init(Box::new(Sqlite::open(&emptied.path()).unwrap()), &key()).is_err());
}

#[test]
fn garbage_and_other_databases_are_left_as_they_are() {
    use std::os::unix::fs::PermissionsExt as _;
    let database = Database::make();
    for bytes in [
        b"not a database at all".repeat(100),
        std::fs::read(database.path()).unwrap()[..5000].to_vec(),
    ] {
        std::fs::write(database.path(), &bytes).unwrap();
        let error = database.open().err().unwrap();
        println!("{error}");
        assert_eq!(std::fs::read(database.path()).unwrap(), bytes);
    }
    std::fs::set_permissions(database.path(), std::fs::Permissions::from_mode(0o640)).unwrap();
    let error = database.open().err().unwrap();
    assert!(matches!(
        error,
        StoreError::Backend(BackendError::Mode { mode: 0o640, .. })
    ));
    let foreign = tempfile::NamedTempFile::new().unwrap();
    Connection::open(foreign.path())
        .unwrap()
        .execute_batch("CREATE TABLE t(x)")
        .unwrap();
    assert!(matches!(
        Sqlite::open(foreign.path()),
        Err(BackendError::Foreign(_))
    ));
}

#[test]
fn nothing_in_the_file_can_be_read() {
    let database = Database::make();
    let mut store = database.open().unwrap();
    put(&mut store, "planted-name", b"planted-value-4").unwrap();
    let files = std::fs::read_dir(database.directory.path()).unwrap();
    for file in files {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        for planted in ["planted", "put a"] {
            assert!(
                !bytes
                    .windows(planted.len())
                    .any(|window| window == planted.as_bytes())
            );
        }
    }
}

/// Another connection changes the file while the store is open. SQLite's lock keeps honest ones out; this one is not.
mod while_open {
    use super::*;
    use broker_store::{Backend, Batch, Head, Meta, RecordId, Row, SealedRecord};
    use std::sync::{Arc, Mutex};

    type Tamper = Option<fn(&mut SealedRecord)>;

    /// A backend that lies.
    struct Lying {
        honest: Sqlite,
        records: Arc<Mutex<Tamper>>,
        hides_commits: Arc<Mutex<bool>>,
    }

    impl Backend for Lying {
        fn place(&self) -> String {
            self.honest.place()
        }
        fn meta(&mut self) -> Result<Option<Meta>, BackendError> {
            self.honest.meta()
        }
        fn init(&mut self, meta: &Meta, first: &Batch) -> Result<(), BackendError> {
            self.honest.init(meta, first)
        }
        fn load(&mut self, each: &mut dyn FnMut(SealedRecord)) -> Result<Option<Head>, BackendError> {
            self.honest.load(each)
        }
        fn record(&mut self, id: &RecordId) -> Result<Option<SealedRecord>, BackendError> {
            let mut record = self.honest.record(id)?;
            if let (Some(record), Some(tamper)) = (&mut record, *self.records.lock().unwrap()) {
                tamper(record);
            }
            Ok(record)
        }
        fn commits(&mut self, from: u64, limit: u32) -> Result<Vec<Head>, BackendError> {
            if *self.hides_commits.lock().unwrap() {
                return Ok(Vec::new());
            }
            self.honest.commits(from, limit)
        }
        fn journal(&mut self, from: u64, limit: u32) -> Result<Vec<(u64, Vec<u8>)>, BackendError> {
            self.honest.journal(from, limit)
        }
        fn commit(&mut self, batch: &Batch) -> Result<(), BackendError> {
            self.honest.commit(batch)
        }
        fn dump(
            &mut self,
            each: &mut dyn FnMut(Row) -> Result<(), BackendError>,
        ) -> Result<(), BackendError> {
            self.honest.dump(each)
        }
        fn fill(&mut self, from: &mut dyn Backend) -> Result<(), BackendError> {
            self.honest.fill(from)
        }
    }

    #[test]
    fn what_is_read_is_checked() {
        let database = Database::make();
        let (records, hides_commits) = (Arc::new(Mutex::new(None as Tamper)), Arc::new(Mutex::new(false)));
        let lying = Lying {
            honest: Sqlite::open(&database.path()).unwrap(),
            records: Arc::clone(&records),
            hides_commits: Arc::clone(&hides_commits),
        };
        let mut store = Store::open(Box::new(lying), &key(), None).unwrap();
        let mut read = || store.update(|change| change.get(Table::Secrets, "a"));
        assert!(read().is_ok());
        let tampers: [fn(&mut SealedRecord); 3] = [
            |record| record.sealed[33] ^= 1,
            |record| record.version += 1,
            |record| record.id[0] ^= 1,
        ];
        for tamper in tampers {
            *records.lock().unwrap() = Some(tamper);
            assert!(matches!(read(), Err(StoreError::Damaged(_))));
        }
        *records.lock().unwrap() = None;
        assert!(read().is_ok());
        *hides_commits.lock().unwrap() = true;
        assert!(matches!(read(), Err(StoreError::RolledBack(_))));
        // What was seen once is not forgotten.
        *hides_commits.lock().unwrap() = false;
        assert!(matches!(read(), Err(StoreError::Closed(_))));
    }
}
