//! Fixtures: a simulated platform at a fixed time.

use dcap_quote::{
    CheckedCollateral, Quote, Refusal, SIMULATED_QE_VENDOR, Tee, TrustedRoot, UnixTime, Verdict, verify,
};
use simulated_platform::{Body, Profile, SimulatedPlatform};

/// 2025-06-24T00:00:00Z.
pub const NOW: UnixTime = UnixTime(1_750_723_200);

pub fn profile() -> Profile {
    Profile::new([7; 32], NOW)
}

/// REPORTBODY of an enclave that is not for debugging.
pub fn enclave() -> Body {
    let mut body = [0; 384];
    body[48] = 0b101;
    body[64..96].fill(0xe1);
    body[128..160].fill(0x51);
    body[320..384].fill(0xda);
    Body::Sgx(body)
}

/// TDX 1.0 report of a domain with SEPT_VE_DISABLE.
pub fn domain(tee_tcb_svn: [u8; 16]) -> Body {
    Body::Td10(td_report(tee_tcb_svn))
}

/// TDX 1.5 report.
pub fn domain_1_5(tee_tcb_svn: [u8; 16], tee_tcb_svn2: [u8; 16]) -> Body {
    let mut body = [0; 648];
    body[..584].copy_from_slice(&td_report(tee_tcb_svn));
    body[584..600].copy_from_slice(&tee_tcb_svn2);
    Body::Td15(body)
}

fn td_report(tee_tcb_svn: [u8; 16]) -> [u8; 584] {
    let mut body = [0; 584];
    body[..16].copy_from_slice(&tee_tcb_svn);
    body[123] = 0x10;
    body[136..184].fill(0x7d);
    body[520..584].fill(0xda);
    body
}

pub fn root(platform: &SimulatedPlatform) -> TrustedRoot {
    TrustedRoot::dangerous_simulated(&platform.root_certificate()).unwrap()
}

pub fn checked(platform: &SimulatedPlatform, tee: Tee) -> Result<CheckedCollateral, Refusal> {
    CheckedCollateral::check(&platform.collateral(tee), &root(platform))
}

/// Everything from the profile to the verdict.
pub fn verify_on(profile: Profile, version: u16, body: &Body, now: UnixTime) -> Result<Verdict, Refusal> {
    let platform = SimulatedPlatform::new(profile);
    let tee = if matches!(body, Body::Sgx(_)) {
        Tee::Sgx
    } else {
        Tee::Tdx
    };
    let quote = platform.quote_as(version, body, SIMULATED_QE_VENDOR);
    verify(&Quote::parse(&quote).unwrap(), &checked(&platform, tee)?, now)
}
