//! kill -9 at random moments: no acknowledged write is lost, and every state opens.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use broker_store::{RootKey, Sqlite, Store, StoreError, Table, Witness};
use zeroize::Zeroizing;

/// In the writer: the store's file.
const WRITER: &str = "NACRE_TEST_STORE_WRITER";
const KILLS: u32 = 500;
/// When there is no time for all of them on a slow disk.
const MAX_DURATION: Duration = Duration::from_secs(55);

fn key() -> RootKey {
    RootKey::from_bytes(Zeroizing::new([9; 32]))
}

fn open(path: &Path, witness: Option<&Witness>) -> Store {
    // The lock of a process that was killed is gone when the process is.
    Store::open(Box::new(Sqlite::open(path).unwrap()), &key(), witness).unwrap()
}

fn counter(store: &mut Store) -> u64 {
    let record: Result<_, StoreError> = store.update(|change| change.get(Table::Broker, "counter"));
    record.unwrap().map_or(0, |record| {
        u64::from_be_bytes(record.value.as_slice().try_into().unwrap())
    })
}

/// Not a test: what the test kills. It counts, and says what it has committed.
#[test]
fn writer() {
    let Ok(path) = std::env::var(WRITER) else { return };
    let mut store = open(Path::new(&path), None);
    println!("open");
    loop {
        let number: Result<u64, StoreError> = store.update(|change| {
            let old = change.get(Table::Broker, "counter")?;
            let old = old.map_or(0, |record| {
                u64::from_be_bytes(record.value.as_slice().try_into().unwrap())
            });
            change.put(Table::Broker, "counter", &(old + 1).to_be_bytes())?;
            change.put(Table::Instances, &format!("{}", old % 50), &vec![old as u8; 3000])?;
            change.append(|_, _| old.to_be_bytes().to_vec())?;
            Ok(old + 1)
        });
        println!("{} {}", number.unwrap(), store.witness());
    }
}

#[test]
fn no_acknowledged_write_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    drop(Store::init(Box::new(Sqlite::create(&path).unwrap()), &key()).unwrap());
    let started = Instant::now();
    let (mut kills, mut acknowledged, mut witness) = (0, 0, None::<Witness>);
    while kills < KILLS && started.elapsed() < MAX_DURATION {
        let mut writer = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "writer", "--nocapture"])
            .env(WRITER, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        while lines.next().unwrap().unwrap() != "open" {}
        let mut random = [0; 2];
        aws_lc_rs::rand::fill(&mut random).unwrap();
        std::thread::sleep(Duration::from_micros(u64::from(u16::from_be_bytes(random)) / 2));
        writer.kill().unwrap();
        writer.wait().unwrap();
        kills += 1;
        // What reached the pipe was acknowledged; the last line may be cut.
        for line in lines.map_while(Result::ok) {
            let Some((number, seen)) = line.split_once(' ') else {
                continue;
            };
            if let (Ok(number), Ok(seen)) = (number.parse(), seen.parse()) {
                (acknowledged, witness) = (number, Some(seen));
            }
        }
        let mut store = open(&path, witness.as_ref());
        let counted = counter(&mut store);
        assert!(
            (acknowledged..=acknowledged + 1).contains(&counted),
            "{acknowledged} writes were acknowledged, and {counted} are there"
        );
        acknowledged = counted;
    }
    let mut store = open(&path, witness.as_ref());
    store.verify().unwrap();
    println!("{kills} kills, {acknowledged} writes, {:?}", started.elapsed());
    assert!(kills > KILLS / 4, "only {kills} kills in {MAX_DURATION:?}");
}
