//! Quotes of real processors with Intel's collateral, where they lie beside the checkout: `../shared/vectors`.
//!
//! They are not part of the project, so each test says when it is skipped. The same properties are tested with a
//! simulated platform in the other files.

use std::fs;
use std::path::PathBuf;

use dcap_quote::{
    CheckedCollateral, Collateral, Component, Item, Objection, Policy, Quote, Refusal, Report, TcbStatus,
    Trust, TrustedRoot, UnixTime, Verdict, verify,
};

/// A quote and its collateral file; none when they are not there.
fn vector(name: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
    let read = |name: String| fs::read(folder.join(name)).ok();
    let found = read(name.to_owned()).zip(read(format!("{name}_collateral.json")));
    if found.is_none() {
        eprintln!("SKIPPED: no {name} in {}", folder.display());
    }
    found
}

fn at(text: &str) -> UnixTime {
    UnixTime::from_rfc3339(text).unwrap()
}

fn check(collateral: &[u8]) -> CheckedCollateral {
    let collateral = Collateral::from_json(collateral).unwrap();
    CheckedCollateral::check(&collateral, &TrustedRoot::intel()).unwrap()
}

fn verify_vector(quote: &[u8], collateral: &[u8], now: &str) -> Result<Verdict, Refusal> {
    verify(
        &Quote::parse_zero_padded(quote).unwrap(),
        &check(collateral),
        at(now),
    )
}

#[test]
fn sgx_version_3() {
    let Some((quote, collateral)) = vector("sgx_quote") else {
        return;
    };
    let verdict = verify_vector(&quote, &collateral, "2025-06-24T00:00:00Z").unwrap();
    assert_eq!(verdict.trust, Trust::Intel);
    assert_eq!(verdict.status, TcbStatus::ConfigurationAndSwHardeningNeeded);
    assert_eq!(verdict.advisories, ["INTEL-SA-00289", "INTEL-SA-00615"]);
    assert_eq!(verdict.report.report_data()[..12], *b"Hello, world");

    let gap = verdict.platform_tcb.tcb.gap.as_ref().unwrap();
    assert_eq!(gap.status, TcbStatus::SwHardeningNeeded);
    let short: Vec<_> = gap
        .shortfalls
        .iter()
        .map(|short| (short.component, short.have, short.need))
        .collect();
    assert_eq!(short, [(Component::Sgx(7), 0, 12)]);

    let objections = Policy::default().objections(&verdict);
    assert_eq!(objections, [Objection::Status(verdict.status)]);
    assert_eq!(Policy::default().accept(verdict.status).objections(&verdict), []);
    let first = verdict.validity.first().unwrap();
    assert!(first.validity.until < at("2025-07-20T00:00:00Z"), "{first:?}");
}

#[test]
fn tdx_version_4() {
    let Some((quote, collateral)) = vector("tdx_quote") else {
        return;
    };
    let verdict = verify_vector(&quote, &collateral, "2025-06-24T00:00:00Z").unwrap();
    assert_eq!(verdict.status, TcbStatus::UpToDate);
    assert!(matches!(verdict.report, Report::Td(_)));
    assert_eq!(Policy::default().objections(&verdict), []);
    // The file ends in zeroes, which are no part of the quote.
    assert!(Quote::parse(&quote).is_err());
}

#[test]
fn tdx_version_5_below_all_levels() {
    let Some((quote, collateral)) = vector("tdx_quote_outdated") else {
        return;
    };
    let verdict = verify_vector(&quote, &collateral, "2026-03-01T00:00:00Z").unwrap();
    assert_eq!(verdict.status, TcbStatus::NotSupported);
    assert_eq!(verdict.platform_tcb.tcb.level, None);
    let gap = verdict.platform_tcb.tcb.gap.as_ref().unwrap();
    let short: Vec<_> = gap
        .shortfalls
        .iter()
        .map(|short| (short.component, short.have, short.need))
        .collect();
    assert_eq!(short, [(Component::Sgx(8), 3, 5)]);
    assert_eq!(
        gap.shortfalls[0].description.as_deref(),
        Some("OS/VMM: SEAMLDR ACM")
    );
    let objections = Policy::default()
        .accept(TcbStatus::NotSupported)
        .objections(&verdict);
    assert_eq!(objections, [Objection::Status(TcbStatus::NotSupported)]);
}

#[test]
fn only_within_the_dates() {
    let Some((quote, collateral)) = vector("sgx_quote") else {
        return;
    };
    let refused = verify_vector(&quote, &collateral, "2025-08-01T00:00:00Z").unwrap_err();
    let Refusal::NotValid { dated, .. } = refused else {
        panic!("{refused}")
    };
    assert!(
        matches!(
            dated.what,
            Item::TcbInfo | Item::QeIdentity | Item::PckRevocationList
        ),
        "{dated:?}"
    );
    assert!(verify_vector(&quote, &collateral, "2025-06-01T00:00:00Z").is_err());
}

#[test]
fn not_with_each_others_collateral() {
    let (Some(sgx), Some(tdx), Some(other)) = (
        vector("sgx_quote"),
        vector("tdx_quote"),
        vector("tdx_quote_outdated"),
    ) else {
        return;
    };
    let now = "2025-06-24T00:00:00Z";
    assert!(matches!(
        verify_vector(&sgx.0, &tdx.1, now),
        Err(Refusal::WrongTee { .. })
    ));
    assert!(matches!(
        verify_vector(&tdx.0, &sgx.1, now),
        Err(Refusal::WrongTee { .. })
    ));
    assert!(matches!(
        verify_vector(&tdx.0, &other.1, "2026-03-01T00:00:00Z"),
        Err(Refusal::WrongPlatform { .. })
    ));
}
