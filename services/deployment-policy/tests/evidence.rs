//! From a quote to a grant.

use dcap_quote::{Bytes, CheckedCollateral, Quote, TcbStatus, Tee, TrustedRoot, UnixTime, Verdict, verify};
use deployment_policy::document::Tolerated;
use deployment_policy::{DenialCode, Evidence, Policy};
use simulated_platform::{Body, Profile, SimulatedPlatform};

const NOW: UnixTime = UnixTime(1_750_723_200);

fn verdict(tee: Tee, quote: impl FnOnce(&SimulatedPlatform) -> Vec<u8>) -> Verdict {
    let platform = SimulatedPlatform::new(Profile::new([3; 32], NOW));
    let root = TrustedRoot::dangerous_simulated(&platform.root_certificate()).unwrap();
    let collateral = CheckedCollateral::check(&platform.collateral(tee), &root).unwrap();
    let quote = quote(&platform);
    verify(&Quote::parse(&quote).unwrap(), &collateral, NOW).unwrap()
}

/// REPORTBODY as the SDM lays it out, of a debug enclave.
fn report_body() -> [u8; 384] {
    let mut body = [0; 384];
    body[48] = 0b111; // INIT, DEBUG, MODE64BIT
    body[64..96].fill(1);
    body[128..160].fill(2);
    body[256..258].copy_from_slice(&7u16.to_le_bytes());
    body[258..260].copy_from_slice(&3u16.to_le_bytes());
    body
}

#[test]
fn a_quote_of_an_enclave() {
    let verdict = verdict(Tee::Sgx, |platform| platform.quote(&report_body()));
    let evidence = Evidence::of(&verdict).unwrap();
    assert_eq!(
        (evidence.mr_enclave, evidence.mr_signer),
        (Bytes([1; 32]), Bytes([2; 32]))
    );
    assert_eq!((evidence.isv_prod_id, evidence.isv_svn), (7, 3));
    assert!(evidence.debug && evidence.simulated);
    assert_eq!(
        (evidence.status, evidence.ppid),
        (TcbStatus::UpToDate, Some(verdict.platform.ppid))
    );

    let policy = |tolerate: &str| {
        let enclave = Bytes([1; 32]);
        let ppid = verdict.platform.ppid;
        Policy::parse(&format!(
            "name: a\nservices: {{ web: {{ enclaves: ['{enclave}'], tolerate: [{tolerate}] }} }}\nplatforms: {{ nodes: [{{ ppid: '{ppid}' }}] }}"
        ))
        .unwrap()
    };
    let strict = policy("");
    let denial = strict.authorize(None, &evidence, NOW).unwrap_err();
    let codes: Vec<_> = denial.reasons.iter().map(|reason| reason.code).collect();
    assert_eq!(codes, [DenialCode::Debug, DenialCode::Simulated]);
    let lax = policy("{ what: debug }, { what: simulated }");
    let grant = lax.authorize(None, &evidence, NOW).unwrap();
    assert_eq!(grant.tolerated(), [Tolerated::Debug, Tolerated::Simulated]);
}

#[test]
fn a_trust_domain_is_no_enclave() {
    let body = Body::Td15([0; 648]);
    let verdict = verdict(Tee::Tdx, |platform| {
        platform.quote_as(5, &body, dcap_quote::SIMULATED_QE_VENDOR)
    });
    assert_eq!(Evidence::of(&verdict), None);
}
