//! A store in PostgreSQL, for one broker or several replicas of one.
//!
//! All is in the schema `nacre_broker`. The connection is not encrypted: what goes over it is sealed, and whoever is on the way
//! could read it in the database as well. PostgreSQL's own password is protected by SCRAM, if the server wants it so.

use std::time::Duration;

use postgres::error::SqlState;
use postgres::{Client, Config, IsolationLevel, NoTls, Row as PgRow, Transaction};

use crate::backend::{Backend, BackendError, Batch, Head, Meta, RecordChange, RecordId, Row, SealedRecord};

/// Of the tables below.
const SCHEMA_VERSION: i32 = 1;

const SCHEMA: &str = "
    CREATE SCHEMA nacre_broker;
    CREATE TABLE nacre_broker.meta (
        one integer PRIMARY KEY CHECK (one = 1),
        schema integer NOT NULL,
        store_id bytea NOT NULL,
        key_check bytea NOT NULL
    );
    CREATE TABLE nacre_broker.record (id bytea PRIMARY KEY, version bigint NOT NULL, sealed bytea NOT NULL);
    CREATE TABLE nacre_broker.chain (sequence bigint PRIMARY KEY, sealed bytea NOT NULL);
    CREATE TABLE nacre_broker.journal (sequence bigint PRIMARY KEY, sealed bytea NOT NULL);
";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For one statement on the server, and for a server that is cut off to be noticed.
const SESSION: &str = "SET synchronous_commit=on; SET statement_timeout='30s'; SET lock_timeout='10s'";
/// Rows that are read at a time when all are read.
const PAGE: i64 = 1024;

/// A database, connected to when it is needed.
pub struct Postgresql {
    config: Config,
    place: String,
    client: Option<Client>,
}

impl Postgresql {
    /// Connects to a database, `postgresql://USER[:PASSWORD]@HOST[:PORT]/DATABASE`. The password can be given apart.
    ///
    /// # Errors
    /// When the address is none, or nobody answers.
    pub fn connect(url: &str, password: Option<&str>) -> Result<Self, BackendError> {
        let unknown = |error: String| BackendError::Failed {
            place: "PostgreSQL".to_owned(),
            error,
        };
        // The error would repeat parts of the address.
        let mut config: Config = url.parse().map_err(|_| {
            unknown("the address is not postgresql://USER[:PASSWORD]@HOST[:PORT]/DATABASE".to_owned())
        })?;
        if let Some(password) = password {
            config.password(password);
        }
        config
            .connect_timeout(CONNECT_TIMEOUT)
            .keepalives_idle(Duration::from_secs(10))
            .tcp_user_timeout(Duration::from_secs(20))
            .application_name("nacre-broker");
        let hosts = config.get_hosts().iter().map(|host| match host {
            postgres::config::Host::Tcp(name) => name.clone(),
            postgres::config::Host::Unix(path) => path.display().to_string(),
        });
        let place = format!(
            "postgresql://{}/{}",
            hosts.collect::<Vec<_>>().join(","),
            config.get_dbname().unwrap_or_default()
        );
        let mut database = Self {
            config,
            place,
            client: None,
        };
        database.client()?;
        Ok(database)
    }

    /// The connection; another one, if it broke off.
    fn client(&mut self) -> Result<&mut Client, BackendError> {
        if self.client.as_ref().is_some_and(Client::is_closed) {
            self.client = None;
        }
        match &mut self.client {
            Some(client) => Ok(client),
            empty => {
                let connected = self.config.connect(NoTls).and_then(|mut client| {
                    client.batch_execute(SESSION)?;
                    Ok(client)
                });
                let client = connected.map_err(|error| failed(&self.place, &error))?;
                Ok(empty.insert(client))
            }
        }
    }

    /// Works in a transaction, which sees the database as of one moment if it only reads.
    fn within<T>(
        &mut self,
        isolation: IsolationLevel,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, Failure>,
    ) -> Result<T, BackendError> {
        let place = self.place.clone();
        let client = self.client()?;
        let error = |error: postgres::Error| failed(&place, &error);
        let mut transaction = client
            .build_transaction()
            .isolation_level(isolation)
            .start()
            .map_err(error)?;
        match work(&mut transaction) {
            Ok(value) => transaction.commit().map(|()| value).map_err(error),
            Err(Failure::Postgres(failure)) => Err(error(failure)),
            Err(Failure::Backend(failure)) => Err(failure),
        }
    }

    fn create(
        &mut self,
        write: impl FnOnce(&mut Transaction<'_>) -> Result<(), Failure>,
    ) -> Result<(), BackendError> {
        self.within(IsolationLevel::ReadCommitted, |transaction| {
            transaction.batch_execute(SCHEMA)?;
            write(transaction)
        })
    }
}

/// What goes wrong within a transaction.
enum Failure {
    Postgres(postgres::Error),
    Backend(BackendError),
}

impl From<postgres::Error> for Failure {
    fn from(error: postgres::Error) -> Self {
        Self::Postgres(error)
    }
}

fn failed(place: &str, error: &postgres::Error) -> BackendError {
    let place = place.to_owned();
    let text = |error: &postgres::Error| match error.as_db_error() {
        Some(database) => database.message().to_owned(),
        None => error.to_string(),
    };
    match error.code() {
        Some(code) if *code == SqlState::DISK_FULL => BackendError::Full(place),
        Some(code) if *code == SqlState::UNIQUE_VIOLATION || *code == SqlState::T_R_SERIALIZATION_FAILURE => {
            BackendError::Stale(place)
        }
        Some(code) if *code == SqlState::DUPLICATE_SCHEMA => BackendError::Foreign(place),
        Some(code)
            if [
                SqlState::ADMIN_SHUTDOWN,
                SqlState::CRASH_SHUTDOWN,
                SqlState::CANNOT_CONNECT_NOW,
                SqlState::LOCK_NOT_AVAILABLE,
                SqlState::QUERY_CANCELED,
            ]
            .contains(code) =>
        {
            BackendError::Unreachable {
                place,
                error: text(error),
            }
        }
        Some(_) => BackendError::Failed {
            place,
            error: text(error),
        },
        // Not an answer of the database.
        None => BackendError::Unreachable {
            place,
            error: text(error),
        },
    }
}

impl Backend for Postgresql {
    fn place(&self) -> String {
        self.place.clone()
    }

    fn meta(&mut self) -> Result<Option<Meta>, BackendError> {
        let place = self.place.clone();
        let row = self.within(IsolationLevel::RepeatableRead, |transaction| {
            let exists: bool = transaction
                .query_one("SELECT to_regclass('nacre_broker.meta') IS NOT NULL", &[])?
                .try_get(0)?;
            if !exists {
                return Ok(None);
            }
            let row =
                transaction.query_opt("SELECT schema, store_id, key_check FROM nacre_broker.meta", &[])?;
            let damaged = || {
                Failure::Backend(BackendError::Failed {
                    place: place.clone(),
                    error: "its first row is missing or damaged; restore a backup".to_owned(),
                })
            };
            let row = row.ok_or_else(damaged)?;
            let store_id: Vec<u8> = row.try_get(1)?;
            let meta = Meta {
                store_id: store_id.try_into().map_err(|_| damaged())?,
                key_check: row.try_get(2)?,
            };
            Ok(Some((row.try_get::<_, i32>(0)?, meta)))
        })?;
        match row {
            Some((found, _)) if found > SCHEMA_VERSION => Err(BackendError::Newer {
                place: self.place.clone(),
                found: u32::try_from(found).unwrap_or(u32::MAX),
                known: u32::try_from(SCHEMA_VERSION).unwrap_or_default(),
            }),
            row => Ok(row.map(|(_, meta)| meta)),
        }
    }

    fn init(&mut self, meta: &Meta, first: &Batch) -> Result<(), BackendError> {
        self.create(|transaction| {
            insert(transaction, &Row::Meta(meta.clone()))?;
            write(transaction, first)
        })
    }

    fn load(&mut self, each: &mut dyn FnMut(SealedRecord)) -> Result<Option<Head>, BackendError> {
        self.within(IsolationLevel::RepeatableRead, |transaction| {
            records(transaction, each)?;
            let sql = "SELECT sequence, sealed FROM nacre_broker.chain ORDER BY sequence DESC LIMIT 1";
            Ok(transaction.query_opt(sql, &[])?.as_ref().map(head).transpose()?)
        })
    }

    fn record(&mut self, id: &RecordId) -> Result<Option<SealedRecord>, BackendError> {
        let place = self.place.clone();
        let sql = "SELECT id, version, sealed FROM nacre_broker.record WHERE id=$1";
        let row = self.client()?.query_opt(sql, &[&id.as_slice()]);
        let record = row.and_then(|row| row.as_ref().map(record).transpose());
        record
            .map(Option::flatten)
            .map_err(|error| failed(&place, &error))
    }

    fn commits(&mut self, from: u64, limit: u32) -> Result<Vec<Head>, BackendError> {
        let place = self.place.clone();
        let sql =
            "SELECT sequence, sealed FROM nacre_broker.chain WHERE sequence>=$1 ORDER BY sequence LIMIT $2";
        let rows = self.client()?.query(sql, &[&signed(from), &i64::from(limit)]);
        let heads = rows.and_then(|rows| rows.iter().map(head).collect());
        heads.map_err(|error| failed(&place, &error))
    }

    fn journal(&mut self, from: u64, limit: u32) -> Result<Vec<(u64, Vec<u8>)>, BackendError> {
        let place = self.place.clone();
        let sql =
            "SELECT sequence, sealed FROM nacre_broker.journal WHERE sequence>=$1 ORDER BY sequence LIMIT $2";
        let rows = self.client()?.query(sql, &[&signed(from), &i64::from(limit)]);
        let entries = rows.and_then(|rows| rows.iter().map(journal).collect());
        entries.map_err(|error| failed(&place, &error))
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), BackendError> {
        let place = self.place.clone();
        self.within(IsolationLevel::ReadCommitted, |transaction| {
            // The row of the commit is written first: whoever else writes one of this sequence waits for it, and then fails.
            let follows = "INSERT INTO nacre_broker.chain(sequence, sealed)
                SELECT $1::bigint, $2::bytea WHERE (SELECT max(sequence) FROM nacre_broker.chain) = $1::bigint - 1";
            let sequence = signed(batch.sequence);
            if transaction.execute(follows, &[&sequence, &batch.sealed_commit])? != 1 {
                return Err(Failure::Backend(BackendError::Stale(place)));
            }
            write_rows(transaction, batch)
        })
    }

    fn dump(&mut self, each: &mut dyn FnMut(Row) -> Result<(), BackendError>) -> Result<(), BackendError> {
        let meta = self.meta()?;
        self.within(IsolationLevel::RepeatableRead, |transaction| {
            let mut outcome = meta.map_or(Ok(()), |meta| each(Row::Meta(meta)));
            let mut keep = |row| {
                if outcome.is_ok() {
                    outcome = each(row);
                }
            };
            records(transaction, &mut |record| keep(Row::Record(record)))?;
            pages(transaction, "chain", &mut |row| {
                keep(Row::Commit(head(row)?));
                Ok(())
            })?;
            pages(transaction, "journal", &mut |row| {
                let (sequence, sealed) = journal(row)?;
                keep(Row::Journal(sequence, sealed));
                Ok(())
            })?;
            outcome.map_err(Failure::Backend)
        })
    }

    fn fill(&mut self, from: &mut dyn Backend) -> Result<(), BackendError> {
        let place = self.place.clone();
        self.create(|transaction| {
            let mut has_meta = false;
            let filled = from.dump(&mut |row| {
                has_meta |= matches!(row, Row::Meta(_));
                insert(transaction, &row).map_err(|error| failed(&place, &error))
            });
            filled.map_err(Failure::Backend)?;
            let missing = || {
                Failure::Backend(BackendError::Failed {
                    place: place.clone(),
                    error: format!("there is no broker's store at {} to take over", from.place()),
                })
            };
            has_meta.then_some(()).ok_or_else(missing)
        })
    }
}

fn records(
    transaction: &mut Transaction<'_>,
    each: &mut dyn FnMut(SealedRecord),
) -> Result<(), postgres::Error> {
    let sql = "SELECT id, version, sealed FROM nacre_broker.record WHERE id>$1 ORDER BY id LIMIT $2";
    let mut after: Vec<u8> = Vec::new();
    loop {
        let rows = transaction.query(sql, &[&after, &PAGE])?;
        for row in &rows {
            after = row.try_get(0)?;
            // A row of another form counts as missing, which is found.
            record(row)?.map(&mut *each);
        }
        if rows.is_empty() {
            return Ok(());
        }
    }
}

/// Every row of a table with sequences.
fn pages(
    transaction: &mut Transaction<'_>,
    table: &str,
    each: &mut dyn FnMut(&PgRow) -> Result<(), postgres::Error>,
) -> Result<(), postgres::Error> {
    let sql = format!(
        "SELECT sequence, sealed FROM nacre_broker.{table} WHERE sequence>$1 ORDER BY sequence LIMIT $2"
    );
    let mut after: i64 = -1;
    loop {
        let rows = transaction.query(&sql, &[&after, &PAGE])?;
        for row in &rows {
            after = row.try_get(0)?;
            each(row)?;
        }
        if rows.is_empty() {
            return Ok(());
        }
    }
}

fn record(row: &PgRow) -> Result<Option<SealedRecord>, postgres::Error> {
    let id: Vec<u8> = row.try_get(0)?;
    let (version, sealed) = (unsigned(row.try_get(1)?), row.try_get(2)?);
    Ok(id.try_into().ok().map(|id| SealedRecord { id, version, sealed }))
}

fn head(row: &PgRow) -> Result<Head, postgres::Error> {
    Ok(Head {
        sequence: unsigned(row.try_get(0)?),
        sealed_commit: row.try_get(1)?,
    })
}

fn journal(row: &PgRow) -> Result<(u64, Vec<u8>), postgres::Error> {
    Ok((unsigned(row.try_get(0)?), row.try_get(1)?))
}

fn insert(transaction: &mut Transaction<'_>, row: &Row) -> Result<(), postgres::Error> {
    match row {
        Row::Meta(meta) => transaction.execute(
            "INSERT INTO nacre_broker.meta(one, schema, store_id, key_check) VALUES(1, $1, $2, $3)",
            &[&SCHEMA_VERSION, &meta.store_id.as_slice(), &meta.key_check],
        )?,
        Row::Record(record) => transaction.execute(
            "INSERT INTO nacre_broker.record(id, version, sealed) VALUES($1, $2, $3)
             ON CONFLICT(id) DO UPDATE SET version=excluded.version, sealed=excluded.sealed",
            &[&record.id.as_slice(), &signed(record.version), &record.sealed],
        )?,
        Row::Commit(commit) => transaction.execute(
            "INSERT INTO nacre_broker.chain(sequence, sealed) VALUES($1, $2)",
            &[&signed(commit.sequence), &commit.sealed_commit],
        )?,
        Row::Journal(sequence, sealed) => transaction.execute(
            "INSERT INTO nacre_broker.journal(sequence, sealed) VALUES($1, $2)",
            &[&signed(*sequence), sealed],
        )?,
    };
    Ok(())
}

fn write(transaction: &mut Transaction<'_>, batch: &Batch) -> Result<(), Failure> {
    let commit = Row::Commit(Head {
        sequence: batch.sequence,
        sealed_commit: batch.sealed_commit.clone(),
    });
    insert(transaction, &commit)?;
    write_rows(transaction, batch)
}

/// All of a commit but its own row.
fn write_rows(transaction: &mut Transaction<'_>, batch: &Batch) -> Result<(), Failure> {
    for change in &batch.records {
        match change {
            RecordChange::Put(record) => insert(transaction, &Row::Record(record.clone()))?,
            RecordChange::Delete(id) => {
                transaction.execute("DELETE FROM nacre_broker.record WHERE id=$1", &[&id.as_slice()])?;
            }
        }
    }
    for (sequence, sealed) in &batch.journal {
        insert(transaction, &Row::Journal(*sequence, sealed.clone()))?;
    }
    Ok(())
}

/// PostgreSQL's integers are signed. Sequences count commits, and do not get there.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
