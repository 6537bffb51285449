//! Tests of the directory: what gets in, what gets out, and what does not.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Barrier;
use std::thread;

use collateral_cache::{Bundle, CacheDir, CacheError, Freshness, Name, Shelf, Wanted};
use dcap_quote::{Bytes, Collateral, Item, PckCa, Refusal, Tee, TrustedRoot, UnixTime};
use simulated_platform::{Authority, Certificate};

use crate::support::{NOW, WANTED, cache, collateral, day_count, days, platform, root};

#[test]
fn what_was_put_in_comes_out_and_only_that() {
    let (_folder, cache) = cache();
    let collateral = collateral(NOW);
    let inserted = cache.insert(Shelf::Standard, &collateral, NOW).unwrap();
    assert_eq!(inserted.written.len(), 4);
    let found = cache.collateral(&WANTED, NOW, &Freshness::default()).unwrap();
    assert_eq!(found.collateral, collateral);
    assert_eq!(found.refresh_due, None);
    for other in [
        Wanted {
            tee: Tee::Tdx,
            ..WANTED
        },
        Wanted {
            fmspc: Bytes([0; 6]),
            ..WANTED
        },
        Wanted {
            ca: PckCa::Processor,
            ..WANTED
        },
    ] {
        let missing = cache.collateral(&other, NOW, &Freshness::default());
        assert!(matches!(missing, Err(CacheError::Missing { .. })), "{missing:?}");
    }
    // Nothing is verified by what is there to see what is to come.
    cache
        .insert(Shelf::Early, &platform(NOW, |_| ()).collateral(Tee::Tdx), NOW)
        .unwrap();
    let early = Wanted {
        tee: Tee::Tdx,
        ..WANTED
    };
    let missing = cache.collateral(&early, NOW, &Freshness::default());
    assert!(matches!(missing, Err(CacheError::Missing { .. })), "{missing:?}");
}

#[test]
fn pieces_are_shared_between_platforms_and_authorities() {
    let (_folder, cache) = cache();
    let processor = platform(NOW, |profile| profile.authority = Authority::Processor);
    cache.insert(Shelf::Standard, &collateral(NOW), NOW).unwrap();
    let inserted = cache
        .insert(Shelf::Standard, &processor.collateral(Tee::Sgx), NOW)
        .unwrap();
    assert_eq!(inserted.written, [Name::PckCrl(PckCa::Processor)]);
    assert_eq!(inserted.unchanged.len(), 3);
    let wanted = Wanted {
        ca: PckCa::Processor,
        ..WANTED
    };
    let found = cache.collateral(&wanted, NOW, &Freshness::default()).unwrap();
    assert_eq!(found.collateral, processor.collateral(Tee::Sgx));
}

#[test]
fn never_anything_that_has_expired() {
    let (_folder, cache) = cache();
    cache.insert(Shelf::Standard, &collateral(NOW), NOW).unwrap();
    let freshness = Freshness::default();
    assert!(cache.collateral(&WANTED, days(30), &freshness).is_ok());
    for now in [UnixTime(days(30).0 + 1), UnixTime(NOW.0 - 1)] {
        let refused = cache.collateral(&WANTED, now, &freshness).unwrap_err();
        assert!(
            matches!(refused, CacheError::Refused(Refusal::NotValid { .. })),
            "{refused}"
        );
        assert!(refused.to_string().contains("2025-06-24T00:00:00Z"), "{refused}");
    }
    // Nor is it put in, or told to be as it was.
    let refused = cache
        .insert(Shelf::Standard, &collateral(NOW), days(31))
        .unwrap_err();
    assert!(refused.to_string().contains("has expired"), "{refused}");
    let refused = cache
        .insert(Shelf::Standard, &collateral(days(1)), days(40))
        .unwrap_err();
    assert!(refused.to_string().contains("has expired"), "{refused}");
    let refused = cache
        .insert(Shelf::Standard, &collateral(days(1)), NOW)
        .unwrap_err();
    assert!(refused.to_string().contains("not valid yet"), "{refused}");
}

#[test]
fn by_the_policy() {
    let (_folder, cache) = cache();
    cache.insert(Shelf::Standard, &collateral(NOW), NOW).unwrap();
    let freshness = Freshness {
        refresh_before: day_count(7),
        max_age: Some(day_count(25)),
    };
    let at = |day| cache.collateral(&WANTED, days(day), &freshness);
    assert_eq!(at(22).unwrap().refresh_due, None);
    assert_eq!(at(24).unwrap().refresh_due.unwrap().validity.until, days(30));
    let stale = at(26).unwrap_err();
    assert!(matches!(stale, CacheError::Stale(_)), "{stale}");
    // The root's list is issued once a year.
    let old_root_list = platform(days(25), |profile| {
        profile.dates.root_list.from = NOW;
    });
    cache
        .insert(Shelf::Standard, &old_root_list.collateral(Tee::Sgx), days(26))
        .unwrap();
    let found = at(26).unwrap();
    assert_eq!(found.refresh_due, None);
}

#[test]
fn a_revocation_counts_at_once_for_everything_that_is_there() {
    let (_folder, cache) = cache();
    cache.insert(Shelf::Standard, &collateral(NOW), NOW).unwrap();
    let revoking = platform(days(1), |profile| profile.revoked = vec![Certificate::TcbSigner]);
    let mut other = revoking.collateral(Tee::Sgx);
    let refused = cache.insert(Shelf::Standard, &other, days(1)).unwrap_err();
    assert!(refused.to_string().contains("revoked"), "{refused}");
    // As if another platform's collateral, by a signer that is not revoked, had brought the list.
    other.tcb_info.clear();
    let path = cache.path().join("root-crl.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(
        &path,
        text.replace(&collateral(NOW).root_ca_crl, &other.root_ca_crl),
    )
    .unwrap();
    let refused = cache
        .collateral(&WANTED, days(1), &Freshness::default())
        .unwrap_err();
    assert!(refused.to_string().contains("revoked"), "{refused}");
}

#[test]
fn bound_to_one_root() {
    let (folder, cache) = cache();
    let path = cache.path();
    let refused = CacheDir::open(path, &TrustedRoot::intel()).unwrap_err();
    assert!(
        refused.to_string().contains("bound to the simulated root"),
        "{refused}"
    );
    let refused = CacheDir::create(path, &TrustedRoot::intel()).unwrap_err();
    assert!(matches!(refused, CacheError::Binding { .. }), "{refused}");
    CacheDir::open(path, &root()).unwrap();

    let intels = CacheDir::create(&folder.path().join("intel"), &TrustedRoot::intel()).unwrap();
    let refused = intels.insert(Shelf::Standard, &collateral(NOW), NOW).unwrap_err();
    assert!(refused.to_string().contains("trusted root"), "{refused}");
    // Another simulated platform is another root, too.
    let refused = cache
        .insert(
            Shelf::Standard,
            &platform(NOW, |profile| profile.seed = [1; 32]).collateral(Tee::Sgx),
            NOW,
        )
        .unwrap_err();
    assert!(refused.to_string().contains("trusted root"), "{refused}");
}

#[test]
fn other_directories_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.tex"), "").unwrap();
    let refused = CacheDir::create(folder.path(), &root()).unwrap_err();
    assert!(
        refused.to_string().contains("no cache of collateral"),
        "{refused}"
    );
    assert!(CacheDir::open(&folder.path().join("missing"), &root()).is_err());
}

#[test]
fn for_its_owner_alone() {
    let (_folder, cache) = cache();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(cache.path()), 0o700);
    cache.insert(Shelf::Standard, &collateral(NOW), NOW).unwrap();
    assert_eq!(mode(&cache.path().join("root-crl.json")), 0o600);
    fs::set_permissions(cache.path(), fs::Permissions::from_mode(0o770)).unwrap();
    let refused = CacheDir::open(cache.path(), &root()).unwrap_err();
    assert!(matches!(refused, CacheError::Writable { .. }), "{refused}");
}

#[test]
fn writers_and_readers_at_the_same_time() {
    let (_folder, cache) = cache();
    cache.insert(Shelf::Standard, &collateral(NOW), days(20)).unwrap();
    let barrier = Barrier::new(6);
    thread::scope(|scope| {
        for writer in 0..3 {
            let (cache, barrier) = (&cache, &barrier);
            scope.spawn(move || {
                barrier.wait();
                for day in 1..15 {
                    // Some lose the race, and then what is there is newer.
                    cache
                        .insert(Shelf::Standard, &collateral(days(day + writer)), days(20))
                        .unwrap();
                }
            });
            scope.spawn(move || {
                barrier.wait();
                let mut newest = NOW;
                for _ in 0..30 {
                    let found = cache
                        .collateral(&WANTED, days(20), &Freshness::default())
                        .unwrap();
                    let checked = dcap_quote::CheckedCollateral::check(&found.collateral, &root()).unwrap();
                    let dates = checked.dates().iter();
                    let issued: Vec<_> = dates
                        .filter(|dated| !format!("{:?}", dated.what).contains("Certificate"))
                        .map(|dated| dated.validity.from)
                        .collect();
                    assert!(issued.iter().all(|date| *date == issued[0]), "half of an update");
                    assert!(issued[0] >= newest, "back in time");
                    newest = issued[0];
                }
            });
        }
    });
    let found = cache
        .collateral(&WANTED, days(20), &Freshness::default())
        .unwrap();
    assert_eq!(found.collateral, collateral(days(16)));
}

#[test]
fn bundles() {
    let collateral = collateral(NOW);
    let one = serde_json::to_vec(&collateral).unwrap();
    let bundle = Bundle::from_json(&one).unwrap();
    assert_eq!(bundle.current, std::slice::from_ref(&collateral));
    let bundle = Bundle::new(
        Some(Shelf::Number(17)),
        vec![collateral.clone()],
        vec![collateral],
    );
    let json = serde_json::to_vec(&bundle).unwrap();
    assert_eq!(Bundle::from_json(&json), Ok(bundle));
    let text = String::from_utf8(json).unwrap();
    for (wrong, says) in [
        (text.replace("bundle\":1", "bundle\":2"), "version 2"),
        (text.replace("\"early\"", "\"late\""), "late"),
        (text.replace("\"17\"", "\"newest\""), "not an edition"),
        ("[]".to_owned(), "neither"),
        ("{}".to_owned(), "missing field"),
        (
            format!("{}{}", "[".repeat(200_000), "]".repeat(200_000)),
            "neither",
        ),
    ] {
        let error = Bundle::from_json(wrong.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn the_first_to_expire_is_named() {
    let (_folder, cache) = cache();
    let soon = platform(NOW, |profile| profile.dates.pck_list.until = days(5));
    cache
        .insert(Shelf::Standard, &soon.collateral(Tee::Sgx), NOW)
        .unwrap();
    let found = cache.collateral(&WANTED, NOW, &Freshness::default()).unwrap();
    assert_eq!(found.refresh_due.unwrap().what, Item::PckRevocationList);
}

/// Intel's own, where it lies beside the checkout.
#[test]
fn genuine() {
    let vectors = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
    let read = |name: &str| {
        let file = fs::read(vectors.join(format!("{name}_collateral.json"))).ok()?;
        Some(Collateral::from_json(&file).unwrap())
    };
    let (Some(sgx), Some(tdx)) = (read("sgx_quote"), read("tdx_quote")) else {
        eprintln!("SKIPPED: no genuine collateral in {}", vectors.display());
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let cache = CacheDir::create(&folder.path().join("intel"), &TrustedRoot::intel()).unwrap();
    for collateral in [&sgx, &tdx] {
        cache.insert(Shelf::Standard, collateral, NOW).unwrap();
    }
    let platforms = cache.platforms(Shelf::Standard).unwrap();
    for (tee, expected) in [(Tee::Sgx, &sgx), (Tee::Tdx, &tdx)] {
        let of_tee = platforms.iter().filter(|wanted| wanted.tee == tee);
        let mut found = of_tee.filter_map(|wanted| cache.collateral(wanted, NOW, &Freshness::default()).ok());
        assert!(found.any(|found| found.collateral.tcb_info == expected.tcb_info));
    }
    assert!(cache.status(NOW).unwrap().is_good(day_count(1)));
    // A year later it has all expired.
    assert!(!cache.status(days(365)).unwrap().is_good(day_count(0)));
    assert!(
        cache
            .collateral(&platforms[0], days(365), &Freshness::default())
            .is_err()
    );
}
