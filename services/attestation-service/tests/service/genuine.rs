//! Tests with quotes of Intel's platforms, where they are at hand.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use attestation_service::CollateralFiles;
use dcap_quote::{Policy, TcbStatus, TrustedRoot, UnixTime};
use serde_json::Value;

use crate::support::{SGX, Setup, TDX, attest_body};

fn vectors() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
    if !folder.is_dir() {
        eprintln!("SKIPPED: no genuine quotes in {}", folder.display());
        return None;
    }
    Some(folder)
}

#[tokio::test]
async fn a_genuine_enclave_and_a_genuine_domain() {
    let Some(folder) = vectors() else { return };
    let files = ["sgx_quote_collateral.json", "tdx_quote_collateral.json"].map(|name| folder.join(name));
    let now = UnixTime::from_rfc3339("2025-06-24T00:00:00Z").unwrap();
    let service = Setup::new()
        .config(move |config| {
            config.root = TrustedRoot::intel();
            config.collateral =
                Arc::new(CollateralFiles::load(files.to_vec(), TrustedRoot::intel()).unwrap());
            config.clock = Arc::new(move || now);
            config.acceptable = Policy::default().accept(TcbStatus::ConfigurationAndSwHardeningNeeded);
        })
        .start()
        .await;
    assert!(!service.issuer.contains("simulated"));
    assert_eq!(service.get("/simulated/certs").await.status, 404);
    let attest = async |path: &str, name: &str| {
        let quote = fs::read(folder.join(name)).unwrap();
        let answer = service.post(path, attest_body(&quote, None).to_string()).await;
        let keys = attestation_token::KeySet::parse(&service.get("/certs").await.body).unwrap();
        let policy = attestation_token::ClaimPolicy::default();
        let validated =
            attestation_token::Validator::new(&service.issuer).validate(&answer.token(), &keys, &policy, now);
        Value::Object(validated.unwrap().all())
    };
    let claims = attest(SGX, "sgx_quote").await;
    assert_eq!(claims["x-nacre-tcb-status"], "ConfigurationAndSWHardeningNeeded");
    assert_eq!(
        (&claims["x-ms-attestation-type"], claims.get("x-nacre-simulated")),
        (&"sgx".into(), None)
    );
    let claims = attest(TDX, "tdx_quote").await;
    assert_eq!(
        (&claims["attester_tcb_status"], &claims["dbgstat"]),
        (&"UpToDate".into(), &"disabled".into())
    );
    // A quote of a simulated platform proves nothing here.
    let quote = service.platform.quote(&crate::support::report(b""));
    let answer = service.post(SGX, attest_body(&quote, None).to_string()).await;
    answer.expect_error(400, "InvalidQuote", "simulated platform");
}
