//! Quotes, against the collateral of a simulated platform.

use std::sync::LazyLock;

use dcap_quote::{CheckedCollateral, Quote, SIMULATED_QE_VENDOR, Tee, TrustedRoot, UnixTime, verify};
use simulated_platform::{Body, Profile, SimulatedPlatform};

/// 2025-06-24T00:00:00Z.
pub(crate) const NOW: UnixTime = UnixTime(1_750_723_200);

static CHECKED: LazyLock<[CheckedCollateral; 2]> = LazyLock::new(|| {
    let platform = platform();
    let root = root(&platform);
    [Tee::Sgx, Tee::Tdx]
        .map(|tee| CheckedCollateral::check(&platform.collateral(tee), &root).expect("its own collateral"))
});

static GENUINE: LazyLock<Vec<Vec<u8>>> = LazyLock::new(seeds);

pub(crate) fn run(input: &[u8]) {
    if let Ok(quote) = Quote::parse(input) {
        let _ = quote.claimed_platform();
        let _ = quote.claimed_pck_ca();
        for checked in &*CHECKED {
            if verify(&quote, checked, NOW).is_ok() {
                let is_genuine = GENUINE.iter().any(|genuine| genuine == input);
                assert!(is_genuine, "accepted what the platform never made");
            }
        }
    }
    if let Ok(quote) = Quote::parse_zero_padded(input) {
        let _ = verify(&quote, &CHECKED[0], NOW);
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let platform = platform();
    let mut domain = [0; 648];
    domain[..3].copy_from_slice(&[5, 1, 6]);
    domain[584..587].copy_from_slice(&[5, 1, 6]);
    let mut domain_1_0 = [0; 584];
    domain_1_0.copy_from_slice(&domain[..584]);
    [
        (3, Body::Sgx([0; 384])),
        (4, Body::Sgx([0; 384])),
        (4, Body::Td10(domain_1_0)),
        (5, Body::Td15(domain)),
    ]
    .map(|(version, body)| platform.quote_as(version, &body, SIMULATED_QE_VENDOR))
    .to_vec()
}

pub(crate) fn platform() -> SimulatedPlatform {
    SimulatedPlatform::new(Profile::new([7; 32], NOW))
}

pub(crate) fn root(platform: &SimulatedPlatform) -> TrustedRoot {
    TrustedRoot::dangerous_simulated(&platform.root_certificate()).expect("its own root")
}
