//! Tests of what a relying party asks of platforms.

use dcap_quote::{
    Objection, PlatformPolicy, PlatformPolicyError, Policy, SgxType, TcbStatus, UnixTime, Verdict,
};
use simulated_platform::{Authority, Profile};

use crate::support::{NOW, enclave, profile, verify_on};

const DAY: u64 = 24 * 60 * 60;

fn verdict(change: impl FnOnce(&mut Profile)) -> Verdict {
    let mut profile = profile();
    change(&mut profile);
    verify_on(profile, 3, &enclave(), NOW).unwrap()
}

fn objections(json: &str, verdict: &Verdict) -> Vec<Objection> {
    let policy = PlatformPolicy::from_json(json.as_bytes()).unwrap();
    Policy::default().platform(policy).objections(verdict)
}

#[test]
fn without_members_it_asks_for_nothing_more() {
    assert_eq!(objections("{}", &verdict(|_| {})), []);
    let old = verdict(|profile| profile.svns[0] = 3);
    assert_eq!(objections("{}", &old), [Objection::Status(TcbStatus::OutOfDate)]);
}

#[test]
fn statuses_and_advisories() {
    let old = verdict(|profile| {
        profile.svns[0] = 3;
        profile.qe_isv_svn = 6;
    });
    let advisory = |number| Objection::Advisory(format!("SIMULATED-SA-0000{number}"));
    let accepting =
        |more: &str| objections(&format!(r#"{{"accepted_tcb_status":["OutOfDate"]{more}}}"#), &old);
    assert_eq!(accepting(""), []);
    assert_eq!(
        accepting(r#","accepted_advisory_ids":["SIMULATED-SA-00001","SIMULATED-SA-00002"]"#),
        []
    );
    assert_eq!(
        accepting(r#","accepted_advisory_ids":["SIMULATED-SA-00001"]"#),
        [advisory(2)]
    );
    assert_eq!(
        accepting(r#","accepted_advisory_ids":[]"#),
        [advisory(1), advisory(2)]
    );
    assert_eq!(
        accepting(r#","rejected_advisory_ids":["SIMULATED-SA-00001"]"#),
        [advisory(1)]
    );
    // Nothing accepts these.
    let revoked = verdict(|profile| profile.levels[0].status = TcbStatus::Revoked);
    let unknown = verdict(|profile| profile.svns = [0; 16]);
    for verdict in [revoked, unknown] {
        let names = TcbStatus::ALL.map(TcbStatus::name);
        let policy = format!(r#"{{"accepted_tcb_status":{names:?},"platform_grace_period_days":9999}}"#);
        assert_eq!(objections(&policy, &verdict), [Objection::Status(verdict.status)]);
    }
}

#[test]
fn the_least_evaluation_data_number() {
    for (tcb_info, qe_identity) in [(17, 17), (17, 19), (19, 17)] {
        let verdict = verdict(|profile| {
            profile.evaluation_data_number = tcb_info;
            profile.qe_evaluation_data_number = Some(qe_identity);
        });
        assert_eq!(objections(r#"{"min_eval_num":17}"#, &verdict), []);
        let short = Objection::EvaluationDataNumber { least: 18, found: 17 };
        assert_eq!(objections(r#"{"min_eval_num":18}"#, &verdict), [short]);
    }
}

#[test]
fn how_the_platform_is_set_up() {
    let registered = verdict(|_| {});
    let other = verdict(|profile| profile.authority = Authority::Processor);
    for (rule, of_registered) in [
        (
            "allow_smt",
            vec![Objection::Configuration("hyperthreading (SMT)")],
        ),
        ("allow_dynamic_platform", vec![]),
        ("allow_cached_keys", vec![]),
    ] {
        assert_eq!(
            objections(&format!(r#"{{"{rule}":false}}"#), &registered),
            of_registered
        );
        // It does not say.
        assert_eq!(objections(&format!(r#"{{"{rule}":false}}"#), &other).len(), 1);
        for verdict in [&registered, &other] {
            assert_eq!(objections(&format!(r#"{{"{rule}":true}}"#), verdict), []);
        }
    }
    assert_eq!(
        objections(r#"{"accepted_sgx_types":["Standard","Scalable"]}"#, &other),
        []
    );
    assert_eq!(
        objections(r#"{"accepted_sgx_types":["ScalableWithIntegrity"]}"#, &other),
        [Objection::SgxType(SgxType::Scalable)]
    );
    assert_eq!(objections(r#"{"accepted_sgx_types":[]}"#, &other).len(), 1);
}

/// A genuine quote by a key that was read out of somebody else's machine.
#[test]
fn whose_machine_it_is() {
    let ours = verdict(|_| {});
    let theirs = verdict(|profile| profile.seed = [9; 32]);
    let processor = verdict(|profile| profile.authority = Authority::Processor);
    let ppid = ours.platform.ppid;
    let instance = ours.platform.platform_instance_id.unwrap();
    assert_eq!(processor.platform.platform_instance_id, None);
    for (entries, is_processor_accepted) in [
        (format!(r#"{{"ppid":"{ppid}"}}"#), true),
        (format!(r#"{{"platform_instance_id":"{instance}"}}"#), false),
        (
            format!(r#"{{"ppid":"{ppid}","platform_instance_id":"{instance}"}}"#),
            false,
        ),
        (
            format!(r#"{{"ppid":"{}"}},{{"ppid":"{ppid}"}}"#, "00".repeat(16)),
            true,
        ),
    ] {
        let policy = format!(r#"{{"accepted_platforms":[{entries}]}}"#);
        assert_eq!(objections(&policy, &ours), [], "{policy}");
        assert_eq!(
            objections(&policy, &theirs),
            [Objection::Platform(theirs.platform.ppid)],
            "{policy}"
        );
        assert_eq!(
            objections(&policy, &processor).is_empty(),
            is_processor_accepted,
            "{policy}"
        );
    }
    let both = format!(
        r#"{{"ppid":"{ppid}","platform_instance_id":"{}"}}"#,
        "00".repeat(16)
    );
    for policy in [
        format!(r#"{{"accepted_platforms":[{both}]}}"#),
        r#"{"accepted_platforms":[]}"#.to_owned(),
    ] {
        assert_eq!(
            objections(&policy, &ours),
            [Objection::Platform(ppid)],
            "{policy}"
        );
    }
}

#[test]
fn a_period_of_grace_after_the_recovery() {
    let recovery = UnixTime(NOW.0 - 30 * DAY);
    let old = |status| {
        verdict(|profile| {
            profile.svns[0] = 3;
            profile.tcb_date = recovery;
            profile.levels[1].status = status;
        })
    };
    let with = |days: u32, more: &str| format!(r#"{{"platform_grace_period_days":{days}{more}}}"#);
    let out_of_date = old(TcbStatus::OutOfDate);
    assert_eq!(out_of_date.falls_behind_since(), Some(recovery));
    assert_eq!(objections(&with(30, ""), &out_of_date), []);
    assert_eq!(
        objections(&with(29, ""), &out_of_date),
        [Objection::Status(TcbStatus::OutOfDate)]
    );
    // What else is wrong is not a matter of time.
    let configuration = old(TcbStatus::OutOfDateConfigurationNeeded);
    assert_eq!(objections(&with(30, ""), &configuration).len(), 1);
    let accepting = r#","accepted_tcb_status":["ConfigurationNeeded"]"#;
    assert_eq!(objections(&with(30, accepting), &configuration), []);
    assert_eq!(objections(&with(29, accepting), &configuration).len(), 1);
    let hardening = old(TcbStatus::SwHardeningNeeded);
    assert_eq!(objections(&with(30, ""), &hardening).len(), 1);
    // The highest level itself is out of date: there is no recovery to wait for.
    let ended = verdict(|profile| profile.levels[0].status = TcbStatus::OutOfDate);
    assert_eq!(ended.falls_behind_since(), None);
    assert_eq!(objections(&with(9999, ""), &ended).len(), 1);
    // The earliest recovery counts: an old quoting enclave on a platform that is current.
    let qe = verdict(|profile| {
        profile.qe_isv_svn = 6;
        profile.tcb_date = recovery;
    });
    assert_eq!(objections(&with(30, ""), &qe), []);
    assert_eq!(objections(&with(29, ""), &qe).len(), 1);
}

#[test]
fn files_that_are_no_policy() {
    let refused = |json: &str| PlatformPolicy::from_json(json.as_bytes()).unwrap_err();
    for (json, part) in [
        ("", "EOF"),
        ("[]", "invalid"),
        (r#"{"allow_smt":"no"}"#, "boolean"),
        (r#"{"alow_smt":false}"#, "unknown field"),
        (r#"{"accepted_tcb_status":["uptodate"]}"#, "not a TCB status"),
        (r#"{"accepted_platforms":[{"ppid":"00"}]}"#, "16 bytes"),
        (r#"{"accepted_platforms":[{"owner":"00"}]}"#, "unknown field"),
        (r#"{"accepted_sgx_types":["Fast"]}"#, "unknown variant"),
        (r#"{"allow_smt":true,"allow_smt":false}"#, "duplicate"),
    ] {
        assert!(
            refused(json).to_string().contains(part),
            "{json}: {}",
            refused(json)
        );
    }
    assert_eq!(
        refused(r#"{"accepted_platforms":[{}]}"#),
        PlatformPolicyError::AnyPlatform
    );
}
