//! Tests of verdicts about authentic quotes.

use crate::support::{NOW, checked, domain, domain_1_5, enclave, profile, root, verify_on};
use dcap_quote::{
    Bytes, Component, Configuration, Identity, Item, Mismatch, Objection, Policy, Quote, Refusal, Report,
    SIMULATED_QE_VENDOR, TcbStatus, Tee, Trust, TrustedRoot, UnixTime, verify,
};
use simulated_platform::{Authority, Body, Profile, SimulatedPlatform};

/// TDX module of version 1 at its highest level, and all else as the highest level needs it.
const GOOD_TDX: [u8; 16] = [5, 1, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

fn svns<const N: usize>(first: [u8; N]) -> [u8; 16] {
    std::array::from_fn(|index| first.get(index).copied().unwrap_or(0))
}

#[test]
fn an_enclave_on_a_good_platform_in_every_version() {
    for version in [3, 4, 5] {
        let verdict = verify_on(profile(), version, &enclave(), NOW).unwrap();
        assert_eq!(verdict.status, TcbStatus::UpToDate);
        assert_eq!(
            (verdict.trust, verdict.quote_version, verdict.tee),
            (Trust::Simulated, version, Tee::Sgx)
        );
        assert!(verdict.advisories.is_empty());
        assert_eq!(verdict.platform_tcb.tcb.gap, None);
        assert_eq!(verdict.quoting_enclave.gap, None);
        assert_eq!(verdict.platform.svns, profile().svns);
        assert_eq!(verdict.platform.fmspc, Bytes(profile().fmspc));
        let Report::Sgx(report) = &verdict.report else {
            panic!("{:?}", verdict.report)
        };
        assert_eq!(report.mr_enclave, Bytes([0xe1; 32]));
        assert_eq!(report.mr_signer, Bytes([0x51; 32]));
        assert_eq!(verdict.report.report_data(), &[0xda; 64]);
        assert_eq!(Policy::default().objections(&verdict), []);
    }
}

#[test]
fn the_configuration_of_platforms_that_register() {
    let verdict = verify_on(profile(), 3, &enclave(), NOW).unwrap();
    let configuration = Configuration {
        dynamic_platform: false,
        cached_keys: false,
        smt_enabled: true,
    };
    assert_eq!(verdict.platform.configuration, Some(configuration));
    let other = Profile {
        authority: Authority::Processor,
        ..profile()
    };
    assert_eq!(
        verify_on(other, 3, &enclave(), NOW)
            .unwrap()
            .platform
            .configuration,
        None
    );
}

#[test]
fn a_trust_domain_on_a_good_platform_in_every_version() {
    for (version, body) in [
        (4, domain(GOOD_TDX)),
        (5, domain(GOOD_TDX)),
        (5, domain_1_5(GOOD_TDX, GOOD_TDX)),
    ] {
        let verdict = verify_on(profile(), version, &body, NOW).unwrap();
        assert_eq!(verdict.status, TcbStatus::UpToDate);
        let Report::Td(report) = &verdict.report else {
            panic!("{:?}", verdict.report)
        };
        assert_eq!(report.mr_td, Bytes([0x7d; 48]));
        assert_eq!(report.v1_5.is_some(), verdict.current_tcb.is_some());
        assert_eq!(verdict.report.report_data(), &[0xda; 64]);
        assert_eq!(verdict.platform_tcb.tdx_module.as_ref().unwrap().id, "TDX_01");
        assert_eq!(Policy::default().objections(&verdict), []);
    }
}

#[test]
fn a_simulated_platform_is_trusted_only_by_name() {
    let platform = SimulatedPlatform::new(profile());
    let collateral = platform.collateral(Tee::Sgx);
    let check = |root: &TrustedRoot| dcap_quote::CheckedCollateral::check(&collateral, root);
    assert!(matches!(
        check(&TrustedRoot::intel()),
        Err(Refusal::Certificate { number: 2, .. })
    ));
    let other = SimulatedPlatform::new(Profile {
        seed: [8; 32],
        ..profile()
    });
    assert!(matches!(
        check(&root(&other)),
        Err(Refusal::Certificate { number: 2, .. })
    ));
    check(&root(&platform)).unwrap();
    // A certificate that is no root cannot be named.
    let (authority, _) = collateral
        .pck_crl_issuer_chain
        .split_at(collateral.pck_crl_issuer_chain.len() / 2);
    assert!(TrustedRoot::dangerous_simulated(authority).is_err());
    assert!(TrustedRoot::dangerous_simulated(&collateral.pck_crl_issuer_chain).is_err());
}

#[test]
fn a_simulated_quote_with_intels_vendor_id_is_refused() {
    let platform = SimulatedPlatform::new(profile());
    let quote = platform.quote_as(3, &enclave(), dcap_quote::INTEL_QE_VENDOR);
    let refused = verify(
        &Quote::parse(&quote).unwrap(),
        &checked(&platform, Tee::Sgx).unwrap(),
        NOW,
    );
    assert_eq!(refused, Err(Refusal::Vendor(dcap_quote::INTEL_QE_VENDOR)));
    assert_ne!(dcap_quote::INTEL_QE_VENDOR, SIMULATED_QE_VENDOR);
}

#[test]
fn an_old_platform_says_which_component_is_short() {
    let mut old = profile();
    old.svns[1] = 3;
    old.pce_svn = 12;
    old.levels[1].pce_svn = 10;
    let verdict = verify_on(old, 3, &enclave(), NOW).unwrap();
    assert_eq!(verdict.status, TcbStatus::OutOfDate);
    assert_eq!(verdict.advisories, ["SIMULATED-SA-00001"]);
    let gap = verdict.platform_tcb.tcb.gap.as_ref().unwrap();
    assert_eq!(gap.status, TcbStatus::UpToDate);
    let short: Vec<_> = gap
        .shortfalls
        .iter()
        .map(|short| (short.component, short.have, short.need))
        .collect();
    assert_eq!(short, [(Component::Sgx(2), 3, 4), (Component::Pce, 12, 13)]);
    assert_eq!(
        Policy::default().objections(&verdict),
        [Objection::Status(TcbStatus::OutOfDate)]
    );
    assert_eq!(
        Policy::default()
            .accept(TcbStatus::OutOfDate)
            .objections(&verdict),
        []
    );
}

#[test]
fn levels_are_searched_from_the_highest_whatever_their_order() {
    let mut reversed = profile();
    reversed.levels.reverse();
    reversed.qe_levels.reverse();
    assert_eq!(
        verify_on(reversed, 3, &enclave(), NOW).unwrap().status,
        TcbStatus::UpToDate
    );
}

#[test]
fn each_component_counts() {
    for index in 0..16 {
        let mut platform = profile();
        platform.levels.truncate(1);
        platform.levels[0].svns = [3; 16];
        platform.svns = [3; 16];
        assert_eq!(
            verify_on(platform.clone(), 3, &enclave(), NOW).unwrap().status,
            TcbStatus::UpToDate
        );
        platform.svns = [9; 16];
        platform.svns[index] = 2;
        let verdict = verify_on(platform, 3, &enclave(), NOW).unwrap();
        assert_eq!(verdict.status, TcbStatus::NotSupported, "component {index}");
        let gap = verdict.platform_tcb.tcb.gap.unwrap();
        assert_eq!(gap.shortfalls[0].component, Component::Sgx(index as u8 + 1));
        assert_eq!(gap.shortfalls.len(), 1);
    }
}

#[test]
fn an_old_quoting_enclave_makes_the_platform_old() {
    let verdict = verify_on(
        Profile {
            qe_isv_svn: 7,
            ..profile()
        },
        3,
        &enclave(),
        NOW,
    )
    .unwrap();
    assert_eq!(verdict.status, TcbStatus::OutOfDate);
    assert_eq!(verdict.platform_tcb.status, TcbStatus::UpToDate);
    assert_eq!(verdict.advisories, ["SIMULATED-SA-00002"]);
    let gap = verdict.quoting_enclave.gap.unwrap();
    assert_eq!((gap.shortfalls[0].have, gap.shortfalls[0].need), (7, 8));

    let verdict = verify_on(
        Profile {
            qe_isv_svn: 5,
            ..profile()
        },
        3,
        &enclave(),
        NOW,
    )
    .unwrap();
    assert_eq!(verdict.status, TcbStatus::NotSupported);
}

#[test]
fn revoked_and_unsupported_are_never_acceptable() {
    let mut revoked = profile();
    revoked.levels[0].status = TcbStatus::Revoked;
    let verdict = verify_on(revoked, 3, &enclave(), NOW).unwrap();
    assert_eq!(verdict.status, TcbStatus::Revoked);
    let everything = TcbStatus::ALL.into_iter().fold(Policy::default(), Policy::accept);
    assert_eq!(
        everything.objections(&verdict),
        [Objection::Status(TcbStatus::Revoked)]
    );

    let verdict = verify_on(
        Profile {
            svns: [0; 16],
            ..profile()
        },
        3,
        &enclave(),
        NOW,
    )
    .unwrap();
    assert_eq!(
        everything.objections(&verdict),
        [Objection::Status(TcbStatus::NotSupported)]
    );

    let mut revoked_qe = profile();
    revoked_qe.qe_levels[0].status = TcbStatus::Revoked;
    assert_eq!(
        verify_on(revoked_qe, 3, &enclave(), NOW).unwrap().status,
        TcbStatus::Revoked
    );
}

#[test]
fn a_debug_enclave_is_reported() {
    let Body::Sgx(mut body) = enclave() else {
        unreachable!()
    };
    body[48] |= 0b10;
    let verdict = verify_on(profile(), 3, &Body::Sgx(body), NOW).unwrap();
    assert_eq!(Policy::default().objections(&verdict), [Objection::Debug]);
    assert_eq!(
        Policy::default().dangerous_accept_debug().objections(&verdict),
        []
    );
}

#[test]
fn a_trust_domain_that_its_host_can_reach_into_is_reported() {
    let sept_ve_disable = 1_u64 << 28;
    for (attributes, objections) in [
        (sept_ve_disable | 1, vec![Objection::Debug]),
        (sept_ve_disable | 1 << 4, vec![Objection::Profiling]),
        (sept_ve_disable | 1 << 2, vec![Objection::ReservedAttributes]),
        (sept_ve_disable | 1 << 29, vec![Objection::Migratable]),
        (sept_ve_disable | 1 << 17, vec![Objection::ServiceDomain]),
        (0, vec![Objection::SeptVe]),
    ] {
        let Body::Td10(mut body) = domain(GOOD_TDX) else {
            unreachable!()
        };
        body[120..128].copy_from_slice(&attributes.to_le_bytes());
        let verdict = verify_on(profile(), 4, &Body::Td10(body), NOW).unwrap();
        assert_eq!(
            Policy::default().objections(&verdict),
            objections,
            "{attributes:#x}"
        );
    }
    let Body::Td15(mut body) = domain_1_5(GOOD_TDX, GOOD_TDX) else {
        unreachable!()
    };
    body[600] = 1;
    let verdict = verify_on(profile(), 5, &Body::Td15(body), NOW).unwrap();
    assert_eq!(Policy::default().objections(&verdict), [Objection::ServiceDomain]);
}

#[test]
fn an_old_tdx_module_makes_the_platform_old() {
    let verdict = verify_on(profile(), 4, &domain(svns([4, 1, 6])), NOW).unwrap();
    assert_eq!(verdict.status, TcbStatus::OutOfDate);
    assert_eq!(verdict.advisories, ["SIMULATED-SA-00003"]);
    let module = verdict.platform_tcb.tdx_module.unwrap();
    let gap = module.tcb.gap.unwrap();
    assert_eq!(gap.shortfalls[0].component, Component::TdxModule);
    assert_eq!(
        verify_on(profile(), 4, &domain(svns([2, 1, 6])), NOW)
            .unwrap()
            .status,
        TcbStatus::NotSupported
    );
}

#[test]
fn tdx_components_count_and_the_modules_own_only_without_a_version() {
    let verdict = verify_on(profile(), 4, &domain(svns([5, 1, 5])), NOW).unwrap();
    assert_eq!(verdict.status, TcbStatus::NotSupported);
    assert_eq!(
        verdict.platform_tcb.tcb.gap.unwrap().shortfalls[0].component,
        Component::Tdx(3)
    );
    // Version 0: no identity applies, and the first component counts.
    let verdict = verify_on(profile(), 4, &domain(svns([4, 0, 6])), NOW).unwrap();
    assert_eq!(verdict.platform_tcb.tdx_module, None);
    assert_eq!(
        verdict.platform_tcb.tcb.gap.unwrap().shortfalls[0].component,
        Component::Tdx(1)
    );
    assert_eq!(
        verify_on(profile(), 4, &domain(svns([5, 0, 6])), NOW)
            .unwrap()
            .status,
        TcbStatus::UpToDate
    );
}

#[test]
fn a_domain_that_outlived_an_update_is_to_be_relaunched() {
    let old = svns([4, 1, 6]);
    let verdict = verify_on(profile(), 5, &domain_1_5(old, GOOD_TDX), NOW).unwrap();
    assert_eq!(verdict.status, TcbStatus::TdRelaunchAdvised);
    assert_eq!(verdict.current_tcb.unwrap().status, TcbStatus::UpToDate);
    assert_eq!(
        verify_on(profile(), 5, &domain_1_5(old, old), NOW)
            .unwrap()
            .status,
        TcbStatus::OutOfDate
    );
}

#[test]
fn only_who_is_meant_is_accepted() {
    let Body::Sgx(mut body) = enclave() else {
        unreachable!()
    };
    body[256] = 3;
    body[258] = 4;
    let verdict = verify_on(profile(), 3, &Body::Sgx(body), NOW).unwrap();
    let domain = verify_on(profile(), 4, &domain(GOOD_TDX), NOW).unwrap();
    let objections = |identity, verdict| Policy::default().identity(identity).objections(verdict);

    let [enclave, signer, other] = [[0xe1; 32], [0x51; 32], [0; 32]];
    for identity in [
        Identity::mr_enclave(enclave),
        Identity::any_mr_enclave_of(vec![other, enclave]),
        Identity::mr_signer(signer, 3, 4),
        Identity::mr_signer(signer, 3, 0),
        Identity::dangerous_any(),
    ] {
        assert_eq!(objections(identity, &verdict), []);
    }
    for (identity, mismatch) in [
        (Identity::mr_enclave(other), Mismatch::MrEnclave(Bytes(enclave))),
        (
            Identity::any_mr_enclave_of(Vec::new()),
            Mismatch::MrEnclave(Bytes(enclave)),
        ),
        (
            Identity::mr_signer(other, 3, 4),
            Mismatch::MrSigner(Bytes(signer)),
        ),
        (
            Identity::mr_signer(signer, 2, 4),
            Mismatch::ProductId {
                expected: 2,
                found: 3,
            },
        ),
        (
            Identity::mr_signer(signer, 3, 5),
            Mismatch::Svn { least: 5, found: 4 },
        ),
    ] {
        assert_eq!(objections(identity, &verdict), [Objection::Identity(mismatch)]);
    }
    let no_enclave = [Objection::Identity(Mismatch::NoEnclave)];
    assert_eq!(objections(Identity::mr_enclave(enclave), &domain), no_enclave);
}

#[test]
fn a_module_that_is_not_intels_is_refused() {
    for (offset, what) in [(64, "MRSIGNERSEAM"), (112, "SEAMATTRIBUTES")] {
        let Body::Td10(mut body) = domain(GOOD_TDX) else {
            unreachable!()
        };
        body[offset] = 1;
        let refused = verify_on(profile(), 4, &Body::Td10(body), NOW).unwrap_err();
        assert!(refused.to_string().contains(what), "{refused}");
    }
    let refused = verify_on(profile(), 4, &domain(svns([5, 2, 6])), NOW).unwrap_err();
    assert!(matches!(refused, Refusal::TdxModule(_)), "{refused}");
}

#[test]
fn the_first_to_expire_comes_first() {
    let mut profile = profile();
    profile.dates.pck_list.until = UnixTime(NOW.0 + 60);
    let verdict = verify_on(profile, 3, &enclave(), NOW).unwrap();
    assert_eq!(verdict.validity[0].what, Item::PckRevocationList);
    assert_eq!(verdict.validity[0].validity.until, UnixTime(NOW.0 + 60));
    let expiries: Vec<_> = verdict
        .validity
        .iter()
        .map(|dated| dated.validity.until)
        .collect();
    assert!(expiries.is_sorted());
    assert_eq!(verdict.validity.len(), 9, "{:?}", verdict.validity);
}

#[test]
fn the_same_profile_makes_the_same_platform() {
    let [one, two] = [profile(), profile()].map(SimulatedPlatform::new);
    assert_eq!(one.collateral(Tee::Sgx), two.collateral(Tee::Sgx));
    assert_eq!(one.root_certificate(), two.root_certificate());
    let quote = |platform: &SimulatedPlatform| platform.quote_as(3, &enclave(), SIMULATED_QE_VENDOR);
    assert_eq!(quote(&one), quote(&two));
    // The root can be named once and for all: it does not depend on the time.
    let later = SimulatedPlatform::new(Profile::new([7; 32], UnixTime(NOW.0 + 1_000_000)));
    assert_eq!(later.root_certificate(), one.root_certificate());
}
