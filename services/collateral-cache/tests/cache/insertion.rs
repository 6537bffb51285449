//! Tests of what an insertion replaces, and of editions.

use collateral_cache::{CacheDir, CacheError, Freshness, Name, Shelf, Wanted};
use dcap_quote::{Bytes, Collateral, PckCa, Tee};

use crate::support::{NOW, WANTED, cache, collateral, days, platform};

const OTHER: Wanted = Wanted {
    fmspc: Bytes([0, 1, 2, 3, 4, 5]),
    ..WANTED
};

fn found(cache: &CacheDir, wanted: &Wanted, day: u64) -> Collateral {
    cache
        .collateral(wanted, days(day), &Freshness::default())
        .unwrap()
        .collateral
}

#[test]
fn nothing_is_replaced_by_something_older() {
    let (_folder, cache) = cache();
    let insert = |collateral: &Collateral| cache.insert(Shelf::Standard, collateral, days(3)).unwrap();
    insert(&collateral(days(2)));
    let inserted = insert(&collateral(days(1)));
    assert_eq!((inserted.written.len(), inserted.kept.len()), (0, 4));
    assert_eq!(found(&cache, &WANTED, 3), collateral(days(2)));

    // One piece that is older stays outside alone.
    let partly = platform(days(3), |profile| profile.dates.pck_list.from = NOW);
    let inserted = insert(&partly.collateral(Tee::Sgx));
    let [kept] = inserted.kept.as_slice() else {
        panic!("{inserted:?}")
    };
    assert!(
        kept.to_string()
            .contains("revocation list of the platform CA is older"),
        "{kept}"
    );
    assert_eq!(found(&cache, &WANTED, 3).pck_crl, collateral(days(2)).pck_crl);
    assert_eq!(found(&cache, &WANTED, 3).tcb_info, collateral(days(3)).tcb_info);

    // The number of the recovery counts more than the date.
    let earlier_recovery = platform(days(3), |profile| profile.evaluation_data_number = 16);
    let inserted = insert(&earlier_recovery.collateral(Tee::Sgx));
    assert_eq!(inserted.kept.len(), 2);
    assert!(inserted.kept[0].to_string().contains("number 16"), "{inserted:?}");
    let later_recovery = platform(days(2), |profile| {
        profile.evaluation_data_number = 18;
        profile.dates.tcb_info.from = NOW;
    });
    let inserted = insert(&later_recovery.collateral(Tee::Sgx));
    assert!(
        inserted
            .written
            .contains(&Name::TcbInfo(Tee::Sgx, WANTED.fmspc, Shelf::Standard))
    );
}

/// Whatever the order, and although what all platforms share is older in one of the files, or has even expired.
#[test]
fn a_new_platform_is_not_kept_out_by_what_platforms_share() {
    let newer = collateral(days(2));
    let older = platform(days(1), |profile| profile.fmspc = OTHER.fmspc.0).collateral(Tee::Sgx);
    let expired = platform(days(1), |profile| {
        profile.fmspc = OTHER.fmspc.0;
        for shared in [
            &mut profile.dates.root_list,
            &mut profile.dates.pck_list,
            &mut profile.dates.qe_identity,
        ] {
            shared.until = days(2);
        }
    });
    let expired = expired.collateral(Tee::Sgx);
    for files in [[&newer, &older], [&older, &newer], [&newer, &expired]] {
        let (_folder, cache) = cache();
        for file in files {
            cache.insert(Shelf::Standard, file, days(3)).unwrap();
        }
        assert_eq!(found(&cache, &WANTED, 3), newer);
        let other = found(&cache, &OTHER, 3);
        assert_eq!(
            other.tcb_info,
            files[usize::from(files[0] == &newer)].tcb_info.clone()
        );
        assert_eq!(
            (&other.pck_crl, &other.qe_identity),
            (&newer.pck_crl, &newer.qe_identity)
        );
    }
    // But what gets in must be valid, and first: there is nothing newer.
    let (_folder, cache) = cache();
    let refused = cache.insert(Shelf::Standard, &expired, days(3)).unwrap_err();
    assert!(refused.to_string().contains("has expired"), "{refused}");
    assert!(cache.known_platforms().unwrap().is_empty());
}

/// A newer list in the directory judges what is offered with an older one.
#[test]
fn the_newer_list_judges() {
    let (_folder, cache) = cache();
    let before = collateral(NOW);
    cache.insert(Shelf::Standard, &before, days(2)).unwrap();
    // As if another platform's collateral, by a signer that is not revoked, had brought the list.
    let revoking = platform(days(2), |profile| {
        profile.revoked = vec![simulated_platform::Certificate::TcbSigner];
    });
    let list = revoking.collateral(Tee::Sgx).root_ca_crl;
    let path = cache.path().join("root-crl.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace(&before.root_ca_crl, &list)).unwrap();
    let refused = cache
        .insert(Shelf::Standard, &collateral(days(1)), days(2))
        .unwrap_err();
    assert!(refused.to_string().contains("revoked"), "{refused}");
}

/// As Intel did in 2025: the signer's new certificate has the serial number and the key of the old one.
#[test]
fn a_renewed_certificate_takes_the_old_ones_place() {
    let (_folder, cache) = cache();
    let signed = |from, until, issued| {
        platform(days(issued), |profile| {
            profile.dates.tcb_signer.from = days(from);
            profile.dates.tcb_signer.until = days(until);
        })
        .collateral(Tee::Sgx)
    };
    let (old, new) = (signed(0, 5, 0), signed(4, 400, 4));
    assert_ne!(old.tcb_info_issuer_chain, new.tcb_info_issuer_chain);
    cache.insert(Shelf::Standard, &old, days(4)).unwrap();
    assert_eq!(found(&cache, &WANTED, 4), old);
    let inserted = cache.insert(Shelf::Standard, &new, days(4)).unwrap();
    assert_eq!(inserted.written.len(), 4);
    assert_eq!(found(&cache, &WANTED, 6), new);
    // And the documents of the old one are still those of a genuine signer.
    let inserted = cache.insert(Shelf::Standard, &old, days(4)).unwrap();
    assert_eq!(inserted.kept.len(), 4);
}

#[test]
fn editions_are_kept_apart_and_can_be_left() {
    let (_folder, cache) = cache();
    let numbered =
        |number| platform(NOW, |profile| profile.evaluation_data_number = number).collateral(Tee::Sgx);
    for (shelf, number) in [
        (Shelf::Standard, 17),
        (Shelf::Early, 19),
        (Shelf::Number(18), 18),
        (Shelf::Number(16), 16),
    ] {
        let inserted = cache.insert(shelf, &numbered(number), NOW).unwrap();
        assert!(inserted.kept.is_empty(), "{inserted:?}");
    }
    assert_eq!(
        (cache.chosen().unwrap(), cache.in_use().unwrap()),
        (None, Shelf::Standard)
    );
    assert_eq!(found(&cache, &WANTED, 0), numbered(17));
    for (shelf, number) in [
        (Shelf::Early, 19),
        (Shelf::Standard, 17),
        (Shelf::Number(16), 16),
        (Shelf::Number(18), 18),
        (Shelf::Standard, 17),
    ] {
        cache.choose(shelf).unwrap();
        assert_eq!(cache.in_use().unwrap(), shelf);
        assert_eq!(found(&cache, &WANTED, 0), numbered(number), "{shelf}");
        let status = cache.status(NOW).unwrap();
        assert_eq!(status.edition, shelf);
        // Both lists and both documents.
        assert_eq!(status.entries.iter().filter(|entry| entry.in_use).count(), 4);
    }
    cache.choose(Shelf::Number(15)).unwrap();
    let missing = cache.collateral(&WANTED, NOW, &Freshness::default()).unwrap_err();
    assert!(matches!(missing, CacheError::Missing { .. }), "{missing}");
    assert!(missing.to_string().contains("number 15's TCB info"), "{missing}");

    // The number is checked, and not only believed.
    for (tcb_info, qe_identity) in [(17, 17), (18, 17), (17, 18)] {
        let other = platform(NOW, |profile| {
            profile.evaluation_data_number = tcb_info;
            profile.qe_evaluation_data_number = Some(qe_identity);
        });
        let refused = cache
            .insert(Shelf::Number(18), &other.collateral(Tee::Sgx), NOW)
            .unwrap_err();
        assert!(matches!(refused, CacheError::OtherNumber { .. }), "{refused}");
    }
    std::fs::write(cache.path().join("edition"), "newest").unwrap();
    assert!(cache.in_use().is_err());
}

/// An edition that nobody uses any more does not make a directory bad.
#[test]
fn what_is_not_in_use_may_expire() {
    let (_folder, cache) = cache();
    cache.insert(Shelf::Number(17), &collateral(NOW), NOW).unwrap();
    cache
        .insert(Shelf::Standard, &collateral(days(20)), days(20))
        .unwrap();
    assert!(cache.status(days(40)).unwrap().is_good(std::time::Duration::ZERO));
    cache.choose(Shelf::Number(17)).unwrap();
    assert!(!cache.status(days(40)).unwrap().is_good(std::time::Duration::ZERO));
    assert_eq!(cache.known_platforms().unwrap(), [WANTED]);
    assert_eq!(WANTED.ca, PckCa::Platform);
}
