//! The words of judgements, for people and for programs.

use dcap_quote::{Policy, TcbStatus, Tee, TrustedRoot, UnixTime};
use judgement::{Judgement, Question, check_collateral, explanation, judge, summary};
use simulated_platform::{Body, Profile, SimulatedPlatform};

const NOW: UnixTime = UnixTime(1_750_723_200);

struct Case {
    quote: Vec<u8>,
    collateral: Vec<u8>,
    root: TrustedRoot,
    policy: Policy,
    at: UnixTime,
}

impl Case {
    fn new(change: impl FnOnce(&mut Profile)) -> Self {
        let mut profile = Profile::new([3; 32], NOW);
        change(&mut profile);
        let platform = SimulatedPlatform::new(profile);
        Self {
            quote: platform.quote(&[0; 384]),
            collateral: serde_json::to_vec(&platform.collateral(Tee::Sgx)).unwrap(),
            root: TrustedRoot::dangerous_simulated(&platform.root_certificate()).unwrap(),
            policy: Policy::default(),
            at: NOW,
        }
    }

    /// With a quote of a trust domain.
    fn domain(body: &Body, change: impl FnOnce(&mut Profile)) -> Self {
        let mut profile = Profile::new([3; 32], NOW);
        change(&mut profile);
        let platform = SimulatedPlatform::new(profile);
        Self {
            quote: platform.quote_as(5, body, dcap_quote::SIMULATED_QE_VENDOR),
            collateral: serde_json::to_vec(&platform.collateral(Tee::Tdx)).unwrap(),
            ..Self::new(|_| {})
        }
    }

    fn judge(&self) -> Judgement {
        let Self {
            quote,
            collateral,
            root,
            policy,
            at,
        } = self;
        match check_collateral(collateral, root) {
            Ok(collateral) => judge(&Question {
                quote,
                collateral: &collateral,
                policy,
                at: *at,
            }),
            Err(reason) => Judgement::Refused(reason),
        }
    }
}

#[test]
fn acceptable() {
    let judgement = Case::new(|_| {}).judge();
    assert!(judgement.is_acceptable());
    let page = summary(&judgement);
    assert!(page.starts_with("ACCEPTABLE: UpToDate\n"), "{page}");
    assert!(page.contains("SIMULATED"), "{page}");
    assert!(page.contains("FMSPC 00514d554c00"), "{page}");
    let words = explanation(&judgement);
    assert!(
        words.contains("simulated platform") && words.contains("authentic and acceptable"),
        "{words}"
    );
    let json = serde_json::to_value(&judgement).unwrap();
    assert_eq!(json["acceptable"], true);
    assert_eq!(json["objections"], serde_json::json!([]));
    assert_eq!(json["verdict"]["trust"], "simulated");
    assert_eq!(json["verdict"]["status"], "UpToDate");
    assert_eq!(json["verdict"]["report"]["sgx"]["isv_svn"], 0);
    assert_eq!(json["verdict"]["validity"][0]["until"], "2025-07-24T00:00:00Z");
}

#[test]
fn an_old_platform_is_told_what_to_update() {
    let case = Case::new(|profile| {
        profile.svns[0] = 3;
        profile.qe_isv_svn = 6;
    });
    let judgement = case.judge();
    assert!(!judgement.is_acceptable());
    let page = summary(&judgement);
    assert!(page.starts_with("NOT ACCEPTABLE: OutOfDate\n"), "{page}");
    assert!(page.contains("SGX TCB component 1 is 3, needs 4"), "{page}");
    assert!(page.contains("quoting enclave is 6, needs 8"), "{page}");
    let words = explanation(&judgement);
    for part in [
        "SGX TCB component 1 has security version 3 and needs 4: update firmware",
        "quoting enclave has security version 6 and needs 8: update the quoting enclave",
        "SIMULATED-SA-00001, SIMULATED-SA-00002",
        "2025-07-24T00:00:00Z",
    ] {
        assert!(words.contains(part), "{part:?} is missing in {words}");
    }
    let json = serde_json::to_value(&judgement).unwrap();
    assert_eq!(json["acceptable"], false);
    assert_eq!(json["objections"][0], "the TCB status is OutOfDate");
    let short = &json["verdict"]["platform_tcb"]["gap"]["shortfalls"][0];
    assert_eq!(short["component"], serde_json::json!({"sgx": 1}));
    assert_eq!(
        (short["have"].as_u64(), short["need"].as_u64()),
        (Some(3), Some(4))
    );

    let accepting = Case {
        policy: Policy::default().accept(TcbStatus::OutOfDate),
        ..case
    };
    assert!(accepting.judge().is_acceptable());
}

/// A report of TDX 1.5: the module's version at the launch of the domain, and now.
fn domain(launch: u8, now: u8) -> Body {
    let mut body = [0; 648];
    body[..3].copy_from_slice(&[launch, 1, 6]);
    body[123] = 0x10;
    body[584..587].copy_from_slice(&[now, 1, 6]);
    Body::Td15(body)
}

/// What is to be done depends on whose version is short.
#[test]
fn the_advice_is_about_what_is_short() {
    let relaunch = "TDX module had security version 4 when the domain was launched; 5 is needed, and the platform has it \
                    now: relaunch the domain";
    let module =
        "TDX module has security version 4 and needs 5: update the TDX module, then relaunch the domain";
    let package = "Update the package with the quoting enclave, then have the quote made again.";
    let pck = "provisioned anew";
    let update = "pdate the TDX module";
    let old_platform = |profile: &mut Profile| profile.svns[0] = 3;
    let old_pce = |profile: &mut Profile| {
        profile.pce_svn = 12;
        profile.levels[1].pce_svn = 12;
    };
    let old_qe = |profile: &mut Profile| profile.qe_isv_svn = 6;
    let in_1_0 = |launch| {
        let Body::Td15(body) = domain(launch, 0) else {
            unreachable!()
        };
        Body::Td10(*body.first_chunk().unwrap())
    };
    for (case, status, parts, not) in [
        (
            Case::domain(&domain(4, 5), |_| {}),
            "TDRelaunchAdvised",
            [relaunch, "Relaunch the domain."],
            [update, pck],
        ),
        (
            Case::domain(&domain(4, 4), |_| {}),
            "OutOfDate",
            [module, "Update the TDX module, then relaunch the domain."],
            [pck, "quoting enclave"],
        ),
        (
            Case::domain(&in_1_0(4), |_| {}),
            "OutOfDate",
            [module, "Update the TDX module, then relaunch the domain."],
            [pck, "quoting enclave"],
        ),
        (
            Case::domain(&domain(5, 4), |_| {}),
            "OutOfDate",
            [module, "Update the TDX module, then relaunch the domain."],
            [pck, "quoting enclave"],
        ),
        (
            Case::domain(&domain(4, 5), old_qe),
            "OutOfDate",
            [relaunch, package],
            [update, pck],
        ),
        (
            Case::domain(&domain(2, 5), |_| {}),
            "TCBNotSupported",
            ["Relaunch the domain.", "No option accepts it."],
            [update, pck],
        ),
        (
            Case::new(old_platform),
            "OutOfDate",
            [pck, "SGX TCB component 1 has security version 3 and needs 4"],
            [update, package],
        ),
        (
            Case::new(old_pce),
            "OutOfDate",
            [pck, "PCE has security version 12 and needs 13"],
            [update, package],
        ),
        (
            Case::new(old_qe),
            "OutOfDate",
            [package, "quoting enclave has security version 6"],
            [update, pck],
        ),
    ] {
        let words = explanation(&case.judge());
        assert!(words.contains(&format!("TCB status is {status}.")), "{words}");
        for part in parts {
            assert!(words.contains(part), "{part:?} is missing in {words}");
        }
        for part in not {
            assert!(!words.contains(part), "{part:?} is wrong in {words}");
        }
    }
}

#[test]
fn the_end_of_servicing_is_told() {
    let case = Case::new(|profile| {
        profile.levels[0].status = TcbStatus::OutOfDate;
        profile.levels[0].advisories = vec!["INTEL-DOC-10001".to_owned(), "INTEL-SA-00001".to_owned()];
    });
    let words = explanation(&case.judge());
    for part in [
        "No version is short of the highest that Intel lists",
        "Intel has ended the servicing of this platform (INTEL-DOC-10001)",
        "Known weaknesses at this level: INTEL-SA-00001.",
    ] {
        assert!(words.contains(part), "{part:?} is missing in {words}");
    }
}

#[test]
fn the_number_of_the_recovery_is_the_lower_one() {
    for (tcb_info, qe_identity, row) in [
        (17, None, "evaluation data number 17\n"),
        (
            19,
            Some(17),
            "evaluation data number 17 (TCB info 19, QE identity 17)",
        ),
        (
            17,
            Some(19),
            "evaluation data number 17 (TCB info 17, QE identity 19)",
        ),
    ] {
        let case = Case::new(|profile| {
            profile.evaluation_data_number = tcb_info;
            profile.qe_evaluation_data_number = qe_identity;
        });
        let page = summary(&case.judge());
        assert!(page.contains(row), "{page}");
    }
}

#[test]
fn a_refusal_says_what_to_do() {
    for (case, reason, help) in [
        (
            Case {
                at: UnixTime(NOW.0 + 31 * 86400),
                ..Case::new(|_| {})
            },
            "has expired",
            "Fetch current collateral",
        ),
        (
            Case {
                at: UnixTime(NOW.0 - 1),
                ..Case::new(|_| {})
            },
            "is not valid yet",
            "Check the clock",
        ),
        (
            Case {
                root: TrustedRoot::intel(),
                ..Case::new(|_| {})
            },
            "trusted root",
            "--dangerous-trust-simulated",
        ),
        (
            Case {
                quote: Vec::new(),
                ..Case::new(|_| {})
            },
            "header",
            "Give the quote as the platform made it",
        ),
        (
            Case {
                collateral: b"{}".to_vec(),
                ..Case::new(|_| {})
            },
            "missing field",
            "nine members",
        ),
    ] {
        let judgement = case.judge();
        assert!(!judgement.is_acceptable());
        let (page, words) = (summary(&judgement), explanation(&judgement));
        assert!(page.starts_with("REFUSED: ") && page.contains(reason), "{page}");
        assert!(words.contains(reason) && words.contains(help), "{words}");
        let json = serde_json::to_value(&judgement).unwrap();
        assert_eq!(
            (&json["acceptable"], &json["verdict"]),
            (&false.into(), &serde_json::Value::Null)
        );
    }
}

#[test]
fn a_files_words_do_not_reach_the_terminal() {
    let collateral = b"{\"\\u001b[2J\": 1}".to_vec();
    let judgement = Case {
        collateral,
        ..Case::new(|_| {})
    }
    .judge();
    for text in [
        summary(&judgement),
        explanation(&judgement),
        serde_json::to_string(&judgement).unwrap(),
    ] {
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
}

#[test]
fn a_quote_without_its_pck_chain_is_told_where_to_get_it() {
    for kind in 1..5_u8 {
        let mut case = Case::new(|_| {});
        // Behind header, report, length, signature, key, QE report with its signature, and 32 bytes of authentication data.
        let at = 48 + 384 + 4 + 64 + 64 + 384 + 64 + 2 + 32;
        assert_eq!(case.quote[at..at + 2], [5, 0]);
        case.quote[at] = kind;
        let words = explanation(&case.judge());
        let says = format!("certification data type {kind}");
        assert!(words.contains(&says) && words.contains("pccs_url"), "{words}");
    }
}
