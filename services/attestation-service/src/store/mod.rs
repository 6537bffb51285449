//! The embedded store: one SQLite file that holds policies, who may change them, and the keys that sign tokens.
//!
//! The file is its owner's alone (mode 0600) and has an application id and a schema version. What is not recognised is left
//! as it is: a file of another program, of a newer version, or that fails to open is never written to. One process at a time
//! has it, by SQLite's exclusive lock. A change is on disk before it is in force (`synchronous=FULL`).

mod error;

use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use dcap_quote::UnixTime;
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, params};
use zeroize::Zeroizing;

pub(crate) use self::error::StoreError;
use crate::api::attest::AttestationType;

/// `NACR`, in the header of our files.
const APPLICATION_ID: i32 = 0x4e41_4352;
/// Of the tables below.
const SCHEMA_VERSION: i32 = 1;
const FILE: &str = "attestation.sqlite";

const SCHEMA: &str = "
    CREATE TABLE state (
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE policy (
        attestation_type TEXT PRIMARY KEY,
        jws TEXT NOT NULL,
        changed INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE policy_signer (
        certificate BLOB PRIMARY KEY,
        added INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE signing_key (
        kid TEXT PRIMARY KEY,
        pkcs8 BLOB NOT NULL,
        certificate BLOB NOT NULL,
        signs_from INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
";

/// The open file.
#[derive(Debug)]
pub(crate) struct Store {
    connection: Connection,
    path: PathBuf,
}

/// A key as it is stored.
pub(crate) struct StoredKey {
    pub kid: String,
    pub pkcs8: Zeroizing<Vec<u8>>,
    pub certificate: Vec<u8>,
    pub signs_from: UnixTime,
}

impl Store {
    /// Opens the store in `directory`, which is made if it is not there, for a service with this root of trust.
    pub fn open(directory: &Path, trust: &str) -> Result<Self, StoreError> {
        if !directory.exists() {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
            made.map_err(io_error("make", directory))?;
        }
        let path = directory.join(FILE);
        let created = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        match created {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => check_mode(&path)?,
            Err(error) => return Err(io_error("make", &path)(error)),
        }
        let connection = Connection::open(&path).map_err(|error| StoreError::Sqlite {
            path: path.clone(),
            error,
        })?;
        let mut store = Self { connection, path };
        store.prepare()?;
        store.bind(trust)?;
        Ok(store)
    }

    /// Takes the lock, looks at what it is, and only then writes.
    fn prepare(&mut self) -> Result<(), StoreError> {
        let pragma = |store: &Self, name: &str| -> Result<i32, StoreError> {
            let value = store.connection.pragma_query_value(None, name, |row| row.get(0));
            value.map_err(store.sqlite_error())
        };
        self.connection
            .busy_timeout(std::time::Duration::ZERO)
            .map_err(self.sqlite_error())?;
        self.run("PRAGMA locking_mode=EXCLUSIVE")?;
        self.run("BEGIN EXCLUSIVE; COMMIT")?;
        let (application, version) = (pragma(self, "application_id")?, pragma(self, "user_version")?);
        match (application, version) {
            (APPLICATION_ID, SCHEMA_VERSION) => {}
            (APPLICATION_ID, found) if found > SCHEMA_VERSION => {
                return Err(StoreError::Newer {
                    path: self.path.clone(),
                    found,
                });
            }
            (0, 0) if self.is_empty()? => {
                self.run(&format!(
                    "BEGIN; {SCHEMA} PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={SCHEMA_VERSION}; COMMIT"
                ))?;
            }
            _ => return Err(StoreError::Foreign(self.path.clone())),
        }
        self.run("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF; PRAGMA secure_delete=ON")
    }

    fn is_empty(&self) -> Result<bool, StoreError> {
        let count = self
            .connection
            .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0));
        count.map(|count: i64| count == 0).map_err(self.sqlite_error())
    }

    /// A file is bound to the root of trust of its first service.
    fn bind(&self, trust: &str) -> Result<(), StoreError> {
        let stored: Option<String> = self
            .connection
            .query_row("SELECT value FROM state WHERE name='trust'", [], |row| row.get(0))
            .optional()
            .map_err(self.sqlite_error())?;
        match stored {
            Some(stored) if stored == trust => Ok(()),
            Some(stored) => Err(StoreError::Trust {
                path: self.path.clone(),
                stored,
                wanted: trust.to_owned(),
            }),
            None => {
                let sql = "INSERT INTO state(name, value) VALUES('trust', ?1)";
                self.connection
                    .execute(sql, [trust])
                    .map_err(self.sqlite_error())?;
                Ok(())
            }
        }
    }

    /// All policies that were set, as they were sent.
    pub fn policies(&self) -> Result<Vec<(AttestationType, String)>, StoreError> {
        let rows: Vec<(String, String)> = self.all("SELECT attestation_type, jws FROM policy", |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        rows.into_iter()
            .map(|(name, jws)| match AttestationType::parse(&name) {
                Ok(kind) => Ok((kind, jws)),
                Err(_) => Err(self.damaged(format!("a policy for {name:?}"))),
            })
            .collect()
    }

    /// Sets a policy.
    pub fn set_policy(&self, kind: AttestationType, jws: &str, now: UnixTime) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO policy(attestation_type, jws, changed) VALUES(?1, ?2, ?3)";
        self.change(sql, params![kind.name(), jws, seconds(now)])
    }

    /// Goes back to the default policy.
    pub fn remove_policy(&self, kind: AttestationType) -> Result<(), StoreError> {
        self.change("DELETE FROM policy WHERE attestation_type=?1", [kind.name()])
    }

    /// DER of the certificates whose owners may change policies, the oldest first.
    pub fn policy_signers(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        self.all(
            "SELECT certificate FROM policy_signer ORDER BY added, certificate",
            |row| row.get(0),
        )
    }

    /// Adds a certificate, unless it is there.
    pub fn add_policy_signer(&self, certificate: &[u8], now: UnixTime) -> Result<(), StoreError> {
        let sql = "INSERT OR IGNORE INTO policy_signer(certificate, added) VALUES(?1, ?2)";
        self.change(sql, params![certificate, seconds(now)])
    }

    /// Removes a certificate.
    pub fn remove_policy_signer(&self, certificate: &[u8]) -> Result<(), StoreError> {
        self.change("DELETE FROM policy_signer WHERE certificate=?1", [certificate])
    }

    /// All keys, in the order in which they begin to sign.
    pub fn signing_keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        let sql = "SELECT kid, pkcs8, certificate, signs_from FROM signing_key ORDER BY signs_from, kid";
        self.all(sql, |row| {
            let signs_from: i64 = row.get(3)?;
            Ok(StoredKey {
                kid: row.get(0)?,
                pkcs8: Zeroizing::new(row.get(1)?),
                certificate: row.get(2)?,
                signs_from: UnixTime(u64::try_from(signs_from).unwrap_or_default()),
            })
        })
    }

    /// Adds a key.
    pub fn add_signing_key(&self, key: &StoredKey) -> Result<(), StoreError> {
        let sql = "INSERT INTO signing_key(kid, pkcs8, certificate, signs_from) VALUES(?1, ?2, ?3, ?4)";
        let values = params![
            key.kid,
            key.pkcs8.as_slice(),
            key.certificate,
            seconds(key.signs_from)
        ];
        self.change(sql, values)
    }

    /// Forgets a key.
    pub fn remove_signing_key(&self, kid: &str) -> Result<(), StoreError> {
        self.change("DELETE FROM signing_key WHERE kid=?1", [kid])
    }

    /// What does not fit together, as an error.
    pub fn damaged(&self, what: impl Into<String>) -> StoreError {
        StoreError::Damaged {
            path: self.path.clone(),
            what: what.into(),
        }
    }

    fn run(&self, sql: &str) -> Result<(), StoreError> {
        self.connection.execute_batch(sql).map_err(self.sqlite_error())
    }

    fn change(&self, sql: &str, values: impl rusqlite::Params) -> Result<(), StoreError> {
        self.connection
            .execute(sql, values)
            .map(|_| ())
            .map_err(self.sqlite_error())
    }

    fn all<T>(
        &self,
        sql: &str,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.connection.prepare(sql).map_err(self.sqlite_error())?;
        let rows = statement.query_map([], read).map_err(self.sqlite_error())?;
        rows.collect::<Result<_, _>>().map_err(self.sqlite_error())
    }

    fn sqlite_error(&self) -> impl Fn(rusqlite::Error) -> StoreError {
        |error| match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::InUse(self.path.clone()),
            Some(ErrorCode::NotADatabase) => StoreError::Foreign(self.path.clone()),
            Some(ErrorCode::DatabaseCorrupt) => self.damaged(error.to_string()),
            _ => StoreError::Sqlite {
                path: self.path.clone(),
                error,
            },
        }
    }
}

fn check_mode(path: &Path) -> Result<(), StoreError> {
    let metadata = fs::metadata(path).map_err(io_error("look at", path))?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(StoreError::Mode {
            path: path.to_owned(),
            mode,
        });
    }
    Ok(())
}

fn io_error(what: &'static str, path: &Path) -> impl Fn(io::Error) -> StoreError {
    move |error| StoreError::Io {
        what,
        path: path.to_owned(),
        error,
    }
}

/// SQLite's integers are signed; this is right until the year 292277026596.
fn seconds(time: UnixTime) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime(1_750_723_200);

    fn file(directory: &tempfile::TempDir) -> PathBuf {
        directory.path().join(FILE)
    }

    #[test]
    fn what_is_stored_is_there_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path(), "Intel").unwrap();
        store.set_policy(AttestationType::TdxVm, "a.b.c", NOW).unwrap();
        store
            .set_policy(AttestationType::SgxEnclave, "d.e.f", NOW)
            .unwrap();
        store.remove_policy(AttestationType::SgxEnclave).unwrap();
        store.add_policy_signer(b"one", NOW).unwrap();
        store.add_policy_signer(b"one", NOW).unwrap();
        store.add_policy_signer(b"two", NOW).unwrap();
        store.remove_policy_signer(b"two").unwrap();
        store
            .add_signing_key(&StoredKey {
                kid: "k".to_owned(),
                pkcs8: Zeroizing::new(vec![1]),
                certificate: vec![2],
                signs_from: NOW,
            })
            .unwrap();
        drop(store);
        let store = Store::open(directory.path(), "Intel").unwrap();
        assert_eq!(
            store.policies().unwrap(),
            [(AttestationType::TdxVm, "a.b.c".to_owned())]
        );
        assert_eq!(store.policy_signers().unwrap(), [b"one"]);
        let keys = store.signing_keys().unwrap();
        assert_eq!((keys.len(), keys[0].signs_from), (1, NOW));
        let mode = fs::metadata(file(&directory)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn another_root_of_trust_gets_another_directory() {
        let directory = tempfile::tempdir().unwrap();
        drop(Store::open(directory.path(), "Intel").unwrap());
        let error = Store::open(directory.path(), "a simulated platform").unwrap_err();
        assert!(matches!(error, StoreError::Trust { .. }), "{error}");
    }

    #[test]
    fn one_process_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let _first = Store::open(directory.path(), "Intel").unwrap();
        let error = Store::open(directory.path(), "Intel").unwrap_err();
        assert!(matches!(error, StoreError::InUse(_)), "{error}");
    }

    #[test]
    fn what_it_did_not_write_is_left_alone() {
        type Make = fn(&Path);
        let cases: [(&str, Make); 3] = [
            ("no database", |path| fs::write(path, "x".repeat(4096)).unwrap()),
            ("another program's", |path| {
                let other = Connection::open(path).unwrap();
                other.execute_batch("CREATE TABLE t(a)").unwrap();
            }),
            ("a newer version's", |path| {
                let newer = Connection::open(path).unwrap();
                let sql = format!(
                    "CREATE TABLE t(a); PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version=99"
                );
                newer.execute_batch(&sql).unwrap();
            }),
        ];
        for (what, make) in cases {
            let directory = tempfile::tempdir().unwrap();
            make(&file(&directory));
            fs::set_permissions(file(&directory), fs::Permissions::from_mode(0o600)).unwrap();
            let before = fs::read(file(&directory)).unwrap();
            let error = Store::open(directory.path(), "Intel").unwrap_err();
            let expected = match what {
                "a newer version's" => matches!(error, StoreError::Newer { found: 99, .. }),
                _ => matches!(error, StoreError::Foreign(_)),
            };
            assert!(expected, "{what}: {error}");
            assert_eq!(fs::read(file(&directory)).unwrap(), before, "{what}");
        }
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        drop(Store::open(directory.path(), "Intel").unwrap());
        fs::set_permissions(file(&directory), fs::Permissions::from_mode(0o640)).unwrap();
        let error = Store::open(directory.path(), "Intel").unwrap_err();
        assert!(matches!(error, StoreError::Mode { mode: 0o640, .. }), "{error}");
    }
}
