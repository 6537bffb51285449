//! Tests of the warnings of `status`.

use std::fs;
use std::time::Duration;

use collateral_cache::{Dates, Entry, Shelf, State};
use dcap_quote::{TcbStatus, Tee, UnixTime};
use simulated_platform::{Level, Profile};

use crate::support::{DAY, NOW, WANTED, cache, collateral, day_count, days, platform};

/// Raises the first component, as a recovery does that happened on this day.
fn recover(profile: &mut Profile, day: UnixTime) {
    let old = &mut profile.levels[0];
    let mut new = old.clone();
    old.status = TcbStatus::OutOfDate;
    old.advisories = vec!["SIMULATED-SA-00099".to_owned()];
    new.svns[0] += 1;
    profile.levels.insert(0, Level { ..new });
    profile.evaluation_data_number += 1;
    profile.tcb_date = day;
}

fn dates(entry: &Entry) -> &Dates {
    match &entry.state {
        State::Genuine(dates) => dates,
        State::Useless { problem } => panic!("{problem}"),
    }
}

#[test]
fn expiry() {
    let (_folder, cache) = cache();
    assert!(
        cache.status(NOW).unwrap().is_good(Duration::ZERO),
        "an empty cache has nothing that expires"
    );
    cache.insert(Shelf::Standard, &collateral(NOW), NOW).unwrap();
    let status = cache.status(days(10)).unwrap();
    assert_eq!(status.entries.len(), 4);
    for entry in &status.entries {
        let dates = dates(entry);
        assert_eq!(
            (dates.issued, dates.expires, dates.days_left),
            (NOW, days(30), 20)
        );
    }
    assert!(status.is_good(day_count(20)));
    assert!(!status.is_good(day_count(21)));
    let status = cache.status(UnixTime(days(30).0 + 1)).unwrap();
    assert!(!status.is_good(Duration::ZERO));
    assert_eq!(dates(&status.entries[0]).days_left, -1);
    fs::write(cache.path().join("qe-identity-sgx.json"), "{").unwrap();
    let status = cache.status(NOW).unwrap();
    assert!(!status.is_good(Duration::ZERO));
    let is_damaged =
        |entry: &Entry| matches!(&entry.state, State::Useless { problem } if problem.contains("damaged"));
    assert!(status.entries.iter().any(is_damaged), "{status:?}");
}

#[test]
fn a_recovery_is_announced_with_its_day_and_the_component_that_is_short() {
    let (_folder, cache) = cache();
    let recovery = UnixTime(NOW.0 - 100 * DAY);
    let early = platform(NOW, |profile| recover(profile, recovery)).collateral(Tee::Sgx);
    cache.insert(Shelf::Standard, &collateral(NOW), NOW).unwrap();
    assert!(cache.status(NOW).unwrap().recoveries.is_empty());
    cache.insert(Shelf::Early, &early, NOW).unwrap();
    assert_eq!(cache.early(&WANTED, NOW).unwrap().as_ref(), Some(&early));
    assert_eq!(cache.early(&WANTED, days(31)).unwrap(), None);
    let status = cache.status(NOW).unwrap();
    let [outlook] = status.recoveries.as_slice() else {
        panic!("{:?}", status.recoveries)
    };
    assert_eq!(outlook.expected, UnixTime(recovery.0 + 365 * DAY));
    assert_eq!(outlook.forecast.later, TcbStatus::OutOfDate);
    let json = serde_json::to_value(&status).unwrap();
    let recovery = &json["recoveries"][0];
    assert_eq!(recovery["fmspc"], "00514d554c00");
    assert_eq!(recovery["gap"]["shortfalls"][0]["component"]["sgx"], 1);
    assert_eq!(recovery["gap"]["shortfalls"][0]["need"], 5);
    assert_eq!(json["entries"][0]["days_left"], 30);

    // Once it has come, there is nothing to announce.
    cache.insert(Shelf::Standard, &early, NOW).unwrap();
    assert!(cache.status(NOW).unwrap().recoveries.is_empty());
}
