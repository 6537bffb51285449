//! Tests of files that somebody has changed: every one refused, none a panic.

use std::fs;

use collateral_cache::{CacheError, Freshness, Name, Shelf};
use dcap_quote::{PckCa, Tee};
use pcs::{Edition, Encoding, Request};

use crate::support::{NOW, WANTED, cache, collateral, days, platform};

const FILES: [&str; 4] = [
    "root-crl.json",
    "pck-crl-platform.json",
    "qe-identity-sgx.json",
    "tcb-info-sgx-00514d554c00.json",
];

#[test]
fn flipped_and_cut() {
    let (_folder, cache) = cache();
    let original = collateral(NOW);
    cache.insert(Shelf::Standard, &original, NOW).unwrap();
    for file in FILES {
        let path = cache.path().join(file);
        let content = fs::read(&path).unwrap();
        // Each trial verifies signatures; so not at every byte, but at those that cover all of the file.
        for index in (0..content.len()).step_by(7) {
            let mut changed = content.clone();
            changed[index] ^= 1 << (index % 8);
            fs::write(&path, changed).unwrap();
            let found = cache.collateral(&WANTED, NOW, &Freshness::default());
            // Of the root's list, the certificate is there to verify the list alone.
            if let Ok(found) = found {
                assert_eq!((found.collateral, file), (original.clone(), "root-crl.json"));
            }
        }
        for length in (0..content.len()).step_by(101) {
            fs::write(&path, &content[..length]).unwrap();
            let found = cache.collateral(&WANTED, NOW, &Freshness::default()).unwrap_err();
            assert!(matches!(found, CacheError::Damaged { .. }), "{found}");
        }
        fs::write(&path, content).unwrap();
    }
    cache.collateral(&WANTED, NOW, &Freshness::default()).unwrap();
}

#[test]
fn a_damaged_file_is_replaced_by_the_next_fetch() {
    let (_folder, cache) = cache();
    cache.insert(Shelf::Standard, &collateral(NOW), NOW).unwrap();
    for file in FILES {
        fs::write(cache.path().join(file), "{}").unwrap();
    }
    let inserted = cache.insert(Shelf::Standard, &collateral(NOW), NOW).unwrap();
    assert_eq!(inserted.written.len(), 4);
    cache.collateral(&WANTED, NOW, &Freshness::default()).unwrap();
}

#[test]
fn files_in_each_others_place() {
    let (_folder, cache) = cache();
    cache.insert(Shelf::Standard, &collateral(NOW), NOW).unwrap();
    cache
        .insert(Shelf::Standard, &platform(NOW, |_| ()).collateral(Tee::Tdx), NOW)
        .unwrap();
    let names: Vec<_> = fs::read_dir(cache.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".json"))
        .collect();
    assert_eq!(names.len(), 6);
    let requests = [
        Request::RootCaCrl,
        Request::PckCrl {
            ca: PckCa::Platform,
            encoding: Encoding::Der,
        },
        Request::QeIdentity {
            tee: Tee::Tdx,
            edition: Edition::Unspecified,
        },
        Request::TcbInfo {
            tee: Tee::Tdx,
            fmspc: WANTED.fmspc,
            edition: Edition::Unspecified,
        },
    ];
    let places = [
        "root-crl.json",
        "pck-crl-platform.json",
        "qe-identity-tdx.json",
        "tcb-info-tdx-00514d554c00.json",
    ];
    for (request, place) in requests.iter().zip(places) {
        cache.answer(request, NOW).unwrap();
        let path = cache.path().join(place);
        let content = fs::read(&path).unwrap();
        for other in names.iter().filter(|name| *name != place) {
            fs::copy(cache.path().join(other), &path).unwrap();
            let refused = cache.answer(request, NOW);
            assert!(refused.is_err(), "{other} in the place of {place}");
        }
        fs::write(&path, content).unwrap();
    }
}

#[test]
fn an_old_file_that_is_put_back_is_refused_once_it_has_expired() {
    let (_folder, cache) = cache();
    cache.insert(Shelf::Standard, &collateral(NOW), NOW).unwrap();
    let path = cache.path().join(FILES[3]);
    let old = fs::read(&path).unwrap();
    cache
        .insert(Shelf::Standard, &collateral(days(29)), days(29))
        .unwrap();
    fs::write(&path, old).unwrap();
    let refused = cache
        .collateral(&WANTED, days(31), &Freshness::default())
        .unwrap_err();
    assert!(refused.to_string().contains("TCB info has expired"), "{refused}");
    let status = cache.status(days(31)).unwrap();
    assert!(!status.is_good(std::time::Duration::ZERO));
    assert!(Name::RootCrl < Name::PckCrl(PckCa::Processor));
}
