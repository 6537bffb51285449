//! Tests that `dcap-qvl` comes to the same verdicts on the same inputs.
//!
//! `dcap-qvl` refuses what we leave to the policy (revoked, debugging, domains that the host can reach into) and what is
//! below all levels; so its refusals are compared with our verdict and our objections together. It does not ask whether a
//! platform is worse now than at the domain's launch; there ours must not be the better one.

use std::collections::{BTreeMap, BTreeSet};

use dcap_quote::{
    CheckedCollateral, Collateral, INTEL_QE_VENDOR, Item, Policy, Quote, SIMULATED_QE_VENDOR, TcbStatus, Tee,
    TrustedRoot, UnixTime, Verdict, verify,
};
use dcap_qvl::QuoteCollateralV3;
use dcap_qvl::verify::QuoteVerifier;
use simulated_platform::{Body, Fault, IsvLevel, Level, Profile, SimulatedPlatform};

use crate::support::{NOW, checked, domain, domain_1_5, enclave, profile};
use crate::vectors;

/// What TCB info can say.
const STATUSES: [TcbStatus; 7] = [
    TcbStatus::UpToDate,
    TcbStatus::SwHardeningNeeded,
    TcbStatus::ConfigurationNeeded,
    TcbStatus::ConfigurationAndSwHardeningNeeded,
    TcbStatus::OutOfDate,
    TcbStatus::OutOfDateConfigurationNeeded,
    TcbStatus::Revoked,
];

/// Status and advisories, or nothing when it is refused.
type Outcome = Option<(String, Vec<String>)>;

fn theirs(verifier: &QuoteVerifier, quote: &[u8], collateral: &Collateral, now: UnixTime) -> Outcome {
    let collateral = serde_json::to_value(collateral).unwrap();
    let collateral: QuoteCollateralV3 = serde_json::from_value(collateral).unwrap();
    let report = verifier.verify(quote, &collateral, now.0).ok()?;
    let mut advisories = report.advisory_ids;
    advisories.sort();
    Some((report.status, advisories))
}

fn ours(verdict: Option<Verdict>) -> Outcome {
    let verdict = verdict?;
    let everything = TcbStatus::ALL.into_iter().fold(Policy::default(), Policy::accept);
    everything
        .objections(&verdict)
        .is_empty()
        .then(|| (verdict.status.to_string(), verdict.advisories))
}

/// The outcome of both, which must be one.
fn both(profile: Profile, version: u16, body: &Body) -> Outcome {
    let tee = if matches!(body, Body::Sgx(_)) {
        Tee::Sgx
    } else {
        Tee::Tdx
    };
    let platform = SimulatedPlatform::new(profile.clone());
    let ours_quote = platform.quote_as(version, body, SIMULATED_QE_VENDOR);
    let verdict = checked(&platform, tee)
        .and_then(|checked| verify(&Quote::parse(&ours_quote).unwrap(), &checked, NOW));
    let verdict = verdict.ok();
    let may_be_worse_now = verdict.as_ref().is_some_and(|verdict| {
        let is_old_qe = verdict.quoting_enclave.gap.is_some();
        let current = verdict.current_tcb.as_ref();
        current.is_some_and(|current| current.status > verdict.platform_tcb.status || is_old_qe)
    });
    let ours = ours(verdict);

    // They insist on Intel's vendor id, below any root.
    let theirs_quote = platform.quote_as(version, body, INTEL_QE_VENDOR);
    let verifier = QuoteVerifier::new(platform.root_certificate_der().to_vec());
    let theirs = theirs(&verifier, &theirs_quote, &platform.collateral(tee), NOW);
    match (&ours, &theirs) {
        (Some((ours, _)), Some((theirs, _))) if may_be_worse_now => {
            let [ours, theirs] = [ours, theirs].map(|status| status.parse::<TcbStatus>().unwrap());
            assert!(ours >= theirs, "{ours} for {theirs}: {body:?} on {profile:?}");
        }
        _ => assert_eq!(ours, theirs, "version {version}, {body:?} on {profile:?}"),
    }
    ours
}

#[test]
fn on_genuine_quotes() {
    for vector in [vectors::SGX, vectors::TDX, vectors::TDX_OLD] {
        let Some(vector) = vectors::read(vector) else {
            continue;
        };
        let collateral = Collateral::from_json(&vector.collateral).unwrap();
        let checked = CheckedCollateral::check(&collateral, &TrustedRoot::intel()).unwrap();
        let ours = |now| ours(verify(&Quote::parse_zero_padded(&vector.quote).unwrap(), &checked, now).ok());
        let theirs = |now| theirs(&QuoteVerifier::new_prod(), &vector.quote, &collateral, now);
        assert_eq!(ours(vector.now), theirs(vector.now), "{}", vector.name);
        // At every change that time makes, and beside it.
        for dated in checked.dates() {
            let (from, until) = (dated.validity.from.0, dated.validity.until.0);
            for now in [from - 1, from, from + 1, until - 1, until, until + 1].map(UnixTime) {
                // The last second of a list belongs to its window for us and for Intel's library, and not for theirs.
                let is_list = matches!(dated.what, Item::RootRevocationList | Item::PckRevocationList);
                if now.0 == until && is_list {
                    continue;
                }
                assert_eq!(
                    ours(now).is_some(),
                    theirs(now).is_some(),
                    "{} at {now}",
                    vector.name
                );
            }
        }
    }
}

#[test]
fn on_good_platforms() {
    let up_to_date = Some(("UpToDate".to_owned(), Vec::new()));
    let tee_tcb_svn = [5, 1, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(both(profile(), 3, &enclave()), up_to_date);
    assert_eq!(both(profile(), 4, &domain(tee_tcb_svn)), up_to_date);
    assert_eq!(both(profile(), 5, &domain(tee_tcb_svn)), up_to_date);
    assert_eq!(
        both(profile(), 5, &domain_1_5(tee_tcb_svn, tee_tcb_svn)),
        up_to_date
    );
    let Body::Td15(body) = domain_1_5(tee_tcb_svn, tee_tcb_svn) else {
        unreachable!()
    };
    let mut extended = [0; 885];
    extended[..648].copy_from_slice(&body);
    assert_eq!(both(profile(), 5, &Body::Td15Ex(Box::new(extended))), up_to_date);
}

#[test]
fn on_platforms_of_all_kinds() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut seen = BTreeMap::new();
    for _ in 0..300 {
        let profile = random.profile();
        let (version, body) = match random.below(4) {
            0 => (3, enclave()),
            1 => (4, domain(random.tee_tcb_svn())),
            2 => (5, domain(random.tee_tcb_svn())),
            _ => (5, domain_1_5(random.tee_tcb_svn(), random.tee_tcb_svn())),
        };
        let outcome = both(profile, version, &body);
        *seen
            .entry(outcome.map_or("refused".to_owned(), |(status, _)| status))
            .or_insert(0) += 1;
    }
    // All statuses of platforms that may be accepted, and refusals; otherwise this test has lost its sense.
    let six = TcbStatus::ALL
        .iter()
        .take_while(|status| **status != TcbStatus::Revoked)
        .map(ToString::to_string);
    for outcome in six.chain(["refused".to_owned()]) {
        assert!(seen.contains_key(&outcome), "{outcome} is missing in {seen:?}");
    }
}

#[test]
fn on_domains_that_outlived_an_update() {
    let mut seen = BTreeSet::new();
    for at_launch in STATUSES {
        for now in STATUSES {
            let mut profile = profile();
            profile.levels[0].status = now;
            profile.levels[1] = Level {
                status: at_launch,
                ..profile.levels[0].clone()
            };
            profile.levels[1].tdx_svns[2] = 5;
            let tee_tcb_svn = |microcode| [5, 1, microcode, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            let outcome = both(profile, 5, &domain_1_5(tee_tcb_svn(5), tee_tcb_svn(6)));
            seen.extend(outcome.map(|(status, _)| status));
        }
    }
    assert!(
        seen.contains("TDRelaunchAdvised") && seen.contains("TDRelaunchAdvisedConfigurationNeeded"),
        "{seen:?}"
    );
}

#[test]
fn on_faulty_quoting_enclaves() {
    for fault in [
        Fault::QeIsDebug,
        Fault::QeIsAnotherProduct,
        Fault::QeHasAnotherSigner,
        Fault::QeVouchesForAnotherKey,
        Fault::PckWithoutSgxExtension,
        Fault::AuthorityIsEndEntity,
    ] {
        assert_eq!(
            both(
                Profile {
                    fault: Some(fault),
                    ..profile()
                },
                3,
                &enclave()
            ),
            None,
            "{fault:?}"
        );
    }
}

#[test]
fn on_debug_and_on_domains_that_the_host_can_reach_into() {
    let Body::Sgx(mut body) = enclave() else {
        unreachable!()
    };
    body[48] |= 0b10;
    assert_eq!(both(profile(), 3, &Body::Sgx(body)), None);
    let Body::Td10(mut body) = domain([5, 1, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]) else {
        unreachable!()
    };
    for bit in 0..64 {
        body[120..128].copy_from_slice(&(1_u64 << 28 | 1 << bit).to_le_bytes());
        both(profile(), 4, &Body::Td10(body));
    }
    body[120..128].fill(0);
    assert_eq!(both(profile(), 4, &Body::Td10(body)), None);
}

/// Numbers that are the same in each run (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// Versions that are `usual`, but for at most one.
    fn svns(&mut self, usual: u8) -> [u8; 16] {
        let mut svns = [usual; 16];
        for _ in 0..self.below(2) {
            svns[self.below(16) as usize] = self.below(5) as u8;
        }
        svns
    }

    fn tee_tcb_svn(&mut self) -> [u8; 16] {
        let mut svns = self.svns(3);
        svns[0] = 1 + self.below(6) as u8;
        // Version 2 is one that the TCB info does not know.
        svns[1] = self.pick(&[0, 1, 1, 1, 1, 1, 1, 2]);
        svns
    }

    fn profile(&mut self) -> Profile {
        let levels = (0..self.below(4))
            .map(|number| Level {
                svns: self.svns(3 - number as u8),
                pce_svn: 10 + self.below(2) as u16,
                tdx_svns: self.svns(3 - number as u8),
                status: self.pick(&STATUSES),
                advisories: vec![format!("INTEL-SA-{number:05}")],
            })
            .collect();
        let mut isv_levels = |statuses: &[TcbStatus], first: u16| -> Vec<IsvLevel> {
            (0..1 + self.below(3) as u16)
                .map(|number| IsvLevel {
                    isv_svn: first - 2 * number,
                    status: self.pick(statuses),
                    advisories: vec![format!("INTEL-SA-{:05}", first + number)],
                })
                .collect()
        };
        let qe_statuses = [
            TcbStatus::UpToDate,
            TcbStatus::UpToDate,
            TcbStatus::OutOfDate,
            TcbStatus::Revoked,
        ];
        let module_statuses = [
            TcbStatus::UpToDate,
            TcbStatus::UpToDate,
            TcbStatus::OutOfDate,
            TcbStatus::Revoked,
        ];
        let (qe_levels, module_levels) = (isv_levels(&qe_statuses, 8), isv_levels(&module_statuses, 4));
        Profile {
            levels,
            qe_levels,
            module_levels,
            svns: self.svns(3),
            pce_svn: 10 + self.below(4) as u16,
            qe_isv_svn: 4 + self.below(6) as u16,
            ..profile()
        }
    }
}
