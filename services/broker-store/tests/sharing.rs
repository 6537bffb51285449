//! A store that many share.

use broker_store::{RootKey, SharedStore, Sqlite, Store, StoreError, Table};

#[tokio::test(flavor = "multi_thread")]
async fn changes_at_the_same_time_are_all_made() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let key = RootKey::generate().unwrap();
    let store = Store::init(Box::new(Sqlite::create(&path).unwrap()), &key).unwrap();
    let shared = SharedStore::start(store).unwrap();
    let tasks: Vec<_> = (0..2000)
        .map(|number: u32| {
            let shared = shared.clone();
            tokio::spawn(async move {
                let changed: Result<(), StoreError> = shared
                    .update(move |change| {
                        if number % 10 == 9 {
                            return Err(StoreError::Contended);
                        }
                        let sum = change.get(Table::Broker, "sum")?;
                        let sum = sum.map_or(0, |sum| {
                            u32::from_be_bytes(sum.value.as_slice().try_into().unwrap())
                        });
                        change.append(|_, _| number.to_be_bytes().to_vec())?;
                        change.put(Table::Broker, "sum", &(sum + 1).to_be_bytes())
                    })
                    .await;
                changed.is_ok()
            })
        })
        .collect();
    let mut made = 0;
    for task in tasks {
        made += u32::from(task.await.unwrap());
    }
    assert_eq!(made, 1800);
    let commits = shared.with(|store| store.witness().sequence).await.unwrap();
    println!("{commits} commits");
    shared.with(Store::verify).await.unwrap().unwrap();
    let sum: Result<_, StoreError> = shared.update(|change| change.get(Table::Broker, "sum")).await;
    assert_eq!(sum.unwrap().unwrap().value.as_slice(), 1800_u32.to_be_bytes());
}
