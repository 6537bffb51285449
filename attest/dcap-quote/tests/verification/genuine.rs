//! Quotes of real processors. Each test says when it is skipped because they are not there; the same properties are
//! tested with a simulated platform in the other files.

use dcap_quote::{
    CheckedCollateral, Collateral, Component, Item, Objection, Policy, Quote, Refusal, Report, TcbStatus,
    Trust, TrustedRoot, UnixTime, Verdict, verify,
};

use crate::vectors::{self, Vector};

fn verify_with(quote: &Vector, collateral: &Vector, now: UnixTime) -> Result<Verdict, Refusal> {
    let collateral = Collateral::from_json(&collateral.collateral).unwrap();
    let checked = CheckedCollateral::check(&collateral, &TrustedRoot::intel()).unwrap();
    verify(&Quote::parse_zero_padded(&quote.quote).unwrap(), &checked, now)
}

fn verify_vector(vector: &Vector) -> Result<Verdict, Refusal> {
    verify_with(vector, vector, vector.now)
}

#[test]
fn sgx_version_3() {
    let Some(vector) = vectors::read(vectors::SGX) else {
        return;
    };
    let verdict = verify_vector(&vector).unwrap();
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
    assert_eq!(
        first.validity.until.to_string().get(..7),
        Some("2025-07"),
        "{first:?}"
    );
}

#[test]
fn tdx_version_4() {
    let Some(vector) = vectors::read(vectors::TDX) else {
        return;
    };
    let verdict = verify_vector(&vector).unwrap();
    assert_eq!(verdict.status, TcbStatus::UpToDate);
    assert!(matches!(verdict.report, Report::Td(_)));
    assert_eq!(Policy::default().objections(&verdict), []);
    // The file ends in zeroes, which are no part of the quote.
    assert!(Quote::parse(&vector.quote).is_err());
}

#[test]
fn tdx_version_5_below_all_levels() {
    let Some(vector) = vectors::read(vectors::TDX_OLD) else {
        return;
    };
    let verdict = verify_vector(&vector).unwrap();
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
    let Some(vector) = vectors::read(vectors::SGX) else {
        return;
    };
    let at = |text| UnixTime::from_rfc3339(text).unwrap();
    let refused = verify_with(&vector, &vector, at("2025-08-01T00:00:00Z")).unwrap_err();
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
    assert!(verify_with(&vector, &vector, at("2025-06-01T00:00:00Z")).is_err());
}

#[test]
fn not_with_each_others_collateral() {
    let all = [vectors::SGX, vectors::TDX, vectors::TDX_OLD].map(vectors::read);
    let [Some(sgx), Some(tdx), Some(old)] = all else {
        return;
    };
    assert!(matches!(
        verify_with(&sgx, &tdx, sgx.now),
        Err(Refusal::WrongTee { .. })
    ));
    assert!(matches!(
        verify_with(&tdx, &sgx, sgx.now),
        Err(Refusal::WrongTee { .. })
    ));
    assert!(matches!(
        verify_with(&tdx, &old, old.now),
        Err(Refusal::WrongPlatform { .. })
    ));
}
