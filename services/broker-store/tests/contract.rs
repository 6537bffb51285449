//! What every backend must do.

use broker_store::{Backend, BackendError, RootKey, Sqlite, Store, StoreError, Table, Witness};
use tempfile::TempDir;
use zeroize::Zeroizing;

mod postgresql_place;

/// A database that can be opened again.
trait Place {
    fn create(&self) -> Box<dyn Backend>;
    fn open(&self) -> Box<dyn Backend>;
}

struct SqlitePlace(TempDir);

impl Place for SqlitePlace {
    fn create(&self) -> Box<dyn Backend> {
        Box::new(Sqlite::create(&self.0.path().join("store")).unwrap())
    }

    fn open(&self) -> Box<dyn Backend> {
        Box::new(Sqlite::open(&self.0.path().join("store")).unwrap())
    }
}

fn key() -> RootKey {
    RootKey::from_bytes(Zeroizing::new([9; 32]))
}

fn get(store: &mut Store, name: &str) -> Option<Vec<u8>> {
    let got: Result<_, StoreError> = store.update(|change| change.get(Table::Secrets, name));
    got.unwrap().map(|record| record.value.to_vec())
}

fn put(store: &mut Store, name: &str, value: &[u8]) {
    let put: Result<_, StoreError> = store.update(|change| change.put(Table::Secrets, name, value));
    put.unwrap();
}

/// What is written is there after the store is opened again; what was discarded is not.
fn keeps_what_is_committed(place: &dyn Place) {
    let mut store = Store::init(place.create(), &key()).unwrap();
    put(&mut store, "a", b"1");
    put(&mut store, "b", b"2");
    put(&mut store, "a", b"3");
    let failed: Result<(), StoreError> = store.update(|change| {
        change.put(Table::Secrets, "a", b"4")?;
        change.append(|_, _| b"lost".to_vec())?;
        Err(StoreError::Contended)
    });
    assert!(matches!(failed, Err(StoreError::Contended)));
    let result: Result<(), StoreError> = store.update(|change| {
        change.delete(Table::Secrets, "b");
        change.put(Table::Secrets, "c", b"5")?;
        assert_eq!(change.names(Table::Secrets, ""), ["a", "c"]);
        assert!(change.get(Table::Secrets, "b")?.is_none());
        assert_eq!(change.get(Table::Secrets, "c")?.unwrap().value.as_slice(), b"5");
        Ok(())
    });
    result.unwrap();
    let witness = store.witness();
    drop(store);
    let mut store = Store::open(place.open(), &key(), Some(&witness)).unwrap();
    assert_eq!(get(&mut store, "a"), Some(b"3".to_vec()));
    assert_eq!(get(&mut store, "b"), None);
    assert_eq!(get(&mut store, "c"), Some(b"5".to_vec()));
    assert_eq!(store.witness(), witness, "reading commits nothing");
    store.verify().unwrap();
}

/// The journal keeps its order, and each entry sees the hash of the one before.
fn keeps_the_journal(place: &dyn Place) {
    let mut store = Store::init(place.create(), &key()).unwrap();
    for number in 0..600 {
        let appended: Result<(), StoreError> = store.update(|change| {
            change.append(|sequence, before| {
                assert_eq!(sequence, number + 1);
                [before.as_slice(), &sequence.to_be_bytes()].concat()
            })
        });
        appended.unwrap();
    }
    drop(store);
    let mut store = Store::open(place.open(), &key(), None).unwrap();
    let read: Result<Vec<_>, StoreError> = store.update(|change| {
        let mut all = Vec::new();
        while let Some(next) = change.journal(all.len() as u64 + 1)?.split_first() {
            all.push(next.0.clone());
            all.extend_from_slice(next.1);
        }
        Ok(all)
    });
    let read = read.unwrap();
    assert_eq!(read.len(), 600);
    assert!(read[0].bytes.starts_with(&[0; 32]));
    store.verify().unwrap();
}

/// Changes that are committed together see each other, and a discarded one leaves nothing.
fn commits_together(place: &dyn Place) {
    use broker_store::Outcome;
    let mut store = Store::init(place.create(), &key()).unwrap();
    let before = store.witness().sequence;
    let add = |amount: u8, outcome| {
        move |change: &mut broker_store::Transaction<'_>| {
            let old = change.get(Table::Broker, "sum").unwrap();
            let old = old.map_or(0, |record| record.value[0]);
            change.put(Table::Broker, "sum", &[old + amount]).unwrap();
            change.append(|_, _| vec![amount]).unwrap();
            outcome
        }
    };
    let (mut one, mut two, mut three) = (
        add(1, Outcome::Commit),
        add(10, Outcome::Discard),
        add(100, Outcome::Commit),
    );
    store.update_all(&mut [&mut one, &mut two, &mut three]).unwrap();
    assert_eq!(store.witness().sequence, before + 1);
    let sum: Result<_, StoreError> = store.update(|change| {
        assert_eq!(change.journal_size(), 2);
        change.get(Table::Broker, "sum")
    });
    assert_eq!(sum.unwrap().unwrap().value.as_slice(), [101]);
}

/// A store is made once, opens with its own key only, and is never made by opening it.
fn is_made_once(place: &dyn Place) {
    let empty = place.create();
    assert!(matches!(
        Store::open(empty, &key(), None),
        Err(StoreError::Backend(BackendError::Missing(_)))
    ));
    drop(Store::init(place.open(), &key()).unwrap());
    assert!(matches!(
        Store::init(place.open(), &key()),
        Err(StoreError::AlreadyInitialised(_))
    ));
    let other = RootKey::generate().unwrap();
    assert!(matches!(
        Store::open(place.open(), &other, None),
        Err(StoreError::WrongKey)
    ));
}

/// A copy has the same chain. It is older than a witness of later changes.
fn copies(place: &dyn Place) {
    let mut store = Store::init(place.create(), &key()).unwrap();
    put(&mut store, "a", b"1");
    let at_copy = store.witness();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("copy");
    let mut copy = Sqlite::create(&path).unwrap();
    store.copy_to(&mut copy).unwrap();
    assert!(store.copy_to(&mut copy).is_err(), "a copy overwrites nothing");
    drop(copy);
    put(&mut store, "a", b"2");
    let open = |witness: Option<Witness>| {
        Store::open(Box::new(Sqlite::open(&path).unwrap()), &key(), witness.as_ref())
    };
    assert!(matches!(
        open(Some(store.witness())),
        Err(StoreError::RolledBack(_))
    ));
    let mut copy = open(Some(at_copy)).unwrap();
    assert_eq!(get(&mut copy, "a"), Some(b"1".to_vec()));
    copy.verify().unwrap();
    // The two branches cannot be taken for each other.
    put(&mut copy, "a", b"3");
    put(&mut copy, "a", b"4");
    let of_branch = copy.witness();
    assert!(matches!(
        store.check_witness(&of_branch),
        Err(StoreError::RolledBack(_))
    ));
    drop(copy);
    assert!(matches!(
        open(Some(store.witness())),
        Err(StoreError::RolledBack(_))
    ));
}

fn has_limits(place: &dyn Place) {
    let mut store = Store::init(place.create(), &key()).unwrap();
    let long: Result<(), StoreError> =
        store.update(|change| change.put(Table::Secrets, &"x".repeat(1025), b""));
    assert!(matches!(long, Err(StoreError::TooLarge { what: "name", .. })));
    let large: Result<(), StoreError> =
        store.update(|change| change.put(Table::Secrets, "x", &vec![0; (4 << 20) + 1]));
    assert!(matches!(large, Err(StoreError::TooLarge { what: "value", .. })));
    put(&mut store, "", &vec![7; 4 << 20]);
    assert_eq!(get(&mut store, "").unwrap().len(), 4 << 20);
}

/// Two replicas see each other's changes, and none is lost when both change the same.
fn replicas(place: &dyn Place) {
    drop(Store::init(place.create(), &key()).unwrap());
    let mut one = Store::open(place.open(), &key(), None).unwrap();
    let mut two = Store::open(place.open(), &key(), None).unwrap();
    put(&mut one, "a", b"1");
    assert_eq!(get(&mut two, "a"), Some(b"1".to_vec()));
    put(&mut two, "a", b"2");
    put(&mut two, "b", b"3");
    assert_eq!(get(&mut one, "a"), Some(b"2".to_vec()));
    std::thread::scope(|scope| {
        for store in [&mut one, &mut two] {
            scope.spawn(move || {
                for _ in 0..100 {
                    let added: Result<(), StoreError> = store.update(|change| {
                        let old = change.get(Table::Broker, "sum")?;
                        let old = old.map_or(0, |record| record.value[0]);
                        change.append(|_, _| vec![old])?;
                        change.put(Table::Broker, "sum", &[old + 1])
                    });
                    added.unwrap();
                }
            });
        }
    });
    let sum: Result<_, StoreError> = one.update(|change| change.get(Table::Broker, "sum"));
    assert_eq!(sum.unwrap().unwrap().value.as_slice(), [200]);
    one.verify().unwrap();
    two.verify().unwrap();
    assert_eq!(one.witness(), two.witness());
}

macro_rules! contract {
    ($($test:ident),*) => {
        mod sqlite {
            $(#[test]
            fn $test() {
                super::$test(&super::SqlitePlace(tempfile::tempdir().unwrap()));
            })*
        }

        mod postgresql {
            $(#[test]
            fn $test() {
                super::$test(&super::postgresql_place::PostgresqlPlace::new());
            })*
        }
    };
}

contract!(
    keeps_what_is_committed,
    keeps_the_journal,
    commits_together,
    is_made_once,
    copies,
    has_limits
);

#[test]
fn replicas_of_one_broker() {
    replicas(&postgresql_place::PostgresqlPlace::new());
}

#[test]
fn a_copy_goes_from_one_kind_of_database_to_the_other() {
    let (sqlite, postgresql) = (
        SqlitePlace(tempfile::tempdir().unwrap()),
        postgresql_place::PostgresqlPlace::new(),
    );
    let mut store = Store::init(sqlite.create(), &key()).unwrap();
    put(&mut store, "a", b"1");
    store.copy_to(postgresql.create().as_mut()).unwrap();
    let mut moved = Store::open(postgresql.open(), &key(), Some(&store.witness())).unwrap();
    assert_eq!(get(&mut moved, "a"), Some(b"1".to_vec()));
    moved.verify().unwrap();
}

/// The adversary deletes the last commits while a replica runs; it refuses to go on.
#[test]
fn a_database_that_goes_back_under_a_replica_is_refused() {
    let place = postgresql_place::PostgresqlPlace::new();
    let mut store = Store::init(place.create(), &key()).unwrap();
    for value in [b"1", b"2", b"3"] {
        put(&mut store, "a", value);
    }
    let other = Store::open(place.open(), &key(), None).unwrap();
    place.sql("DELETE FROM nacre_broker.chain WHERE sequence=4");
    let read = |store: &mut Store| -> Result<(), StoreError> {
        store.update(|change| change.get(Table::Secrets, "a").map(drop))
    };
    assert!(matches!(read(&mut store), Err(StoreError::RolledBack(_))));
    assert!(matches!(read(&mut store), Err(StoreError::Closed(_))));
    drop(other);
    assert!(matches!(
        Store::open(place.open(), &key(), None),
        Err(StoreError::Damaged(_))
    ));
}

/// The server dies in the middle of changes, and comes back: what was acknowledged is there.
#[test]
fn a_server_that_dies_loses_nothing() {
    let mut place = postgresql_place::PostgresqlPlace::new();
    let mut store = Store::init(place.create(), &key()).unwrap();
    put(&mut store, "a", b"1");
    place.kill();
    let refused: Result<(), StoreError> = store.update(|change| change.put(Table::Secrets, "a", b"2"));
    assert!(matches!(
        refused,
        Err(StoreError::Backend(BackendError::Unreachable { .. }))
    ));
    place.start();
    assert_eq!(get(&mut store, "a"), Some(b"1".to_vec()));
    put(&mut store, "a", b"3");
    assert_eq!(get(&mut store, "a"), Some(b"3".to_vec()));
    store.verify().unwrap();
}

#[test]
fn one_process_has_a_file() {
    let place = SqlitePlace(tempfile::tempdir().unwrap());
    let _store = Store::init(place.create(), &key()).unwrap();
    let path = place.0.path().join("store");
    assert!(matches!(Sqlite::open(&path), Err(BackendError::InUse(_))));
}
