//! `nacre simulated-platform export`: the platform stays the same, and verifiers get what they need.

#[expect(dead_code, reason = "the images are for other tests")]
mod support;

use std::fs;

use dcap_quote::{CheckedCollateral, Collateral, TrustedRoot};
use support::Workplace;

#[test]
fn what_is_exported_is_the_same_platform_each_time() {
    let place = Workplace::new();
    place.succeed(["simulated-platform", "export", "one"]);
    place.succeed(["simulated-platform", "export", "deep/two"]);
    // Fresh collateral of the same platform.
    place.succeed(["simulated-platform", "export", "one"]);
    let root = |dir: &str| fs::read_to_string(place.path(dir).join("root.pem")).unwrap();
    assert_eq!(root("one"), root("deep/two"));
    assert_ne!(root("one"), {
        let other = Workplace::new();
        other.succeed(["simulated-platform", "export", "."]);
        fs::read_to_string(other.path("root.pem")).unwrap()
    });

    let json = fs::read(place.path("one/collateral.json")).unwrap();
    let collateral = Collateral::from_json(&json).unwrap();
    let trusted = TrustedRoot::dangerous_simulated(&root("one")).unwrap();
    CheckedCollateral::check(&collateral, &trusted).unwrap();
    assert!(CheckedCollateral::check(&collateral, &TrustedRoot::intel()).is_err());
}

#[test]
fn another_platforms_root_is_not_overwritten() {
    let place = Workplace::new();
    fs::create_dir(place.path("dir")).unwrap();
    fs::write(place.path("dir/root.pem"), "another").unwrap();
    let message = place.fail(["simulated-platform", "export", "dir"]);
    assert!(message.contains("another platform"), "{message}");
    assert_eq!(fs::read_dir(place.path("dir")).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(place.path("dir/root.pem")).unwrap(), "another");
}

#[test]
fn a_damaged_seed_is_kept_and_named() {
    let place = Workplace::new();
    place.succeed(["simulated-platform", "export", "dir"]);
    let seed = place.state().join("nacre/simulated-platform");
    fs::write(&seed, "nonsense").unwrap();
    let message = place.fail(["simulated-platform", "export", "dir"]);
    assert!(
        message.contains("is not the seed of a simulated platform"),
        "{message}"
    );
    assert_eq!(fs::read_to_string(&seed).unwrap(), "nonsense");
}
