//! Tests of forecasts of TCB recoveries.

use dcap_quote::{Component, Concerned, TcbStatus, Tee, UnixTime, forecast};
use simulated_platform::{IsvLevel, Level, Profile, SimulatedPlatform};

use crate::support::{checked, profile};

/// The day of the recovery: 2025-05-14.
const RECOVERY: UnixTime = UnixTime(1_747_180_800);

/// As the usual profile, after a recovery that raises the first SGX component and, for trust domains, the third TDX one.
fn recovered() -> Profile {
    let usual = profile();
    let mut levels = usual.levels.clone();
    levels[0].status = TcbStatus::OutOfDate;
    levels[0].advisories = vec!["SIMULATED-SA-00099".to_owned()];
    let mut highest = Level {
        status: TcbStatus::UpToDate,
        advisories: Vec::new(),
        ..levels[0].clone()
    };
    highest.svns[0] += 1;
    highest.tdx_svns[2] += 1;
    levels.insert(0, highest);
    Profile {
        levels,
        evaluation_data_number: 18,
        tcb_date: RECOVERY,
        ..usual
    }
}

#[test]
fn nothing_when_nothing_changes() {
    let platform = SimulatedPlatform::new(profile());
    for tee in [Tee::Sgx, Tee::Tdx] {
        let same = || checked(&platform, tee).unwrap();
        assert_eq!(forecast(&same(), &same()), []);
    }
}

#[test]
fn a_level_that_falls_behind_says_when_and_which_component_is_short() {
    for (tee, short) in [
        (Tee::Sgx, vec![(Component::Sgx(1), 4, 5)]),
        (
            Tee::Tdx,
            vec![(Component::Sgx(1), 4, 5), (Component::Tdx(3), 6, 7)],
        ),
    ] {
        let now = checked(&SimulatedPlatform::new(profile()), tee).unwrap();
        let next = checked(&SimulatedPlatform::new(recovered()), tee).unwrap();
        let forecasts = forecast(&now, &next);
        let [one] = forecasts.as_slice() else {
            panic!("the level that is out of date already stays so: {forecasts:?}")
        };
        assert_eq!(one.concerned, Concerned::Platform);
        assert_eq!(
            (one.status, one.later),
            (TcbStatus::UpToDate, TcbStatus::OutOfDate)
        );
        assert_eq!(one.recovery, RECOVERY);
        assert_eq!(one.advisories, ["SIMULATED-SA-00099"]);
        let gap = one.gap.as_ref().unwrap();
        let shortfalls = gap.shortfalls.iter();
        let found: Vec<_> = shortfalls
            .map(|short| (short.component, short.have, short.need))
            .collect();
        assert_eq!(found, short);
    }
}

#[test]
fn quoting_enclaves_and_modules_too() {
    let mut next = profile();
    next.qe_levels[0].status = TcbStatus::OutOfDate;
    next.module_levels.remove(1);
    next.module_levels.insert(
        0,
        IsvLevel {
            isv_svn: 6,
            status: TcbStatus::UpToDate,
            advisories: Vec::new(),
        },
    );
    next.module_levels[1].status = TcbStatus::Revoked;
    let now = checked(&SimulatedPlatform::new(profile()), Tee::Tdx).unwrap();
    let next = checked(&SimulatedPlatform::new(next), Tee::Tdx).unwrap();
    let forecasts = forecast(&now, &next);
    let found: Vec<_> = forecasts
        .iter()
        .map(|one| (one.concerned.to_string(), one.status, one.later))
        .collect();
    let module = "TDX module TDX_01".to_owned();
    let expected = [
        (module.clone(), TcbStatus::UpToDate, TcbStatus::Revoked),
        // Below all levels that are left.
        (module, TcbStatus::OutOfDate, TcbStatus::NotSupported),
        (
            "quoting enclave".to_owned(),
            TcbStatus::UpToDate,
            TcbStatus::OutOfDate,
        ),
    ];
    assert_eq!(found, expected);
    assert_eq!(forecasts[0].gap.as_ref().unwrap().shortfalls[0].need, 6);
}
