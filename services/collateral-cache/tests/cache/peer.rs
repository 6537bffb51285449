//! Tests with the client of `dcap-qvl`: its own verifier accepts what it fetches here.

use std::fs;
use std::path::Path;

use collateral_cache::{CacheDir, Shelf, Transport};
use dcap_quote::{Collateral, INTEL_QE_VENDOR, Tee, TrustedRoot, UnixTime};
use dcap_qvl::QuoteCollateralV3;
use dcap_qvl::collateral::CollateralClient;
use dcap_qvl::verify::QuoteVerifier;
use simulated_platform::{Authority, Body};

use crate::network::Running;
use crate::support::{NOW, cache, platform};

/// Runs their client to its end.
fn fetch(cache: &CacheDir, now: UnixTime, quote: &[u8]) -> QuoteCollateralV3 {
    let running = Running::start(cache, Transport::Plain, now);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let client = CollateralClient::with_default_http(running.url()).unwrap();
    runtime.unwrap().block_on(client.fetch(quote)).unwrap()
}

#[test]
fn simulated() {
    let (_folder, served) = cache();
    // They take an authority that they do not know for that of processors.
    let platform = platform(NOW, |profile| profile.authority = Authority::Processor);
    for (tee, version, body) in [(Tee::Sgx, 3, Body::Sgx([0; 384])), (Tee::Tdx, 4, domain())] {
        served
            .insert(Shelf::Standard, &platform.collateral(tee), NOW)
            .unwrap();
        let quote = platform.quote_as(version, &body, INTEL_QE_VENDOR);
        let fetched = fetch(&served, NOW, &quote);
        let verifier = QuoteVerifier::new(platform.root_certificate_der().to_vec());
        let report = verifier.verify(&quote, &fetched, NOW.0).unwrap();
        assert_eq!(report.status, "UpToDate");
    }
}

/// TDX 1.0 report of a domain with SEPT_VE_DISABLE.
fn domain() -> Body {
    let mut body = [0; 584];
    body[..3].copy_from_slice(&[5, 1, 6]);
    body[123] = 0x10;
    Body::Td10(body)
}

#[test]
fn genuine() {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
    for (name, status) in [
        ("sgx_quote", "ConfigurationAndSWHardeningNeeded"),
        ("tdx_quote", "UpToDate"),
    ] {
        let Ok(quote) = fs::read(vectors.join(name)) else {
            eprintln!("SKIPPED: no genuine quotes in {}", vectors.display());
            return;
        };
        let file = fs::read(vectors.join(format!("{name}_collateral.json"))).unwrap();
        let collateral = Collateral::from_json(&file).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let served = CacheDir::create(&folder.path().join("intel"), &TrustedRoot::intel()).unwrap();
        served.insert(Shelf::Standard, &collateral, NOW).unwrap();
        let fetched = fetch(&served, NOW, &quote);
        let report = QuoteVerifier::new_prod().verify(&quote, &fetched, NOW.0).unwrap();
        assert_eq!(report.status, status, "{name}");
    }
}
