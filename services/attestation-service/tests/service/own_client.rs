//! Tests with this project's own client.

use std::fs;

use attestation_client::{Client, ClientError, Evidence, RuntimeData};
use attestation_token::ClaimPolicy;

use crate::support::{Setup, report, td_report};

const DATA: &str = r#"{"keys":[{"kty":"RSA"}]}"#;

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_the_client_believes() {
    let service = Setup::by_the_clock().start().await;
    let authority = fs::read(service.certificate()).unwrap();
    let enclave = service.platform.quote(&report(DATA.as_bytes()));
    let domain = td_report(DATA.as_bytes());
    let domain = service
        .platform
        .quote_as(4, &domain, dcap_quote::SIMULATED_QE_VENDOR);
    let issuer = service.issuer.clone();
    let calls = move || {
        // The issuer is an address of the service; so is what is before `/simulated`.
        let url = issuer.strip_suffix("/simulated").unwrap();
        let client = Client::new(url, &authority).unwrap().expect_issuer(&issuer);
        assert_eq!(client.openid_configuration().unwrap().issuer, issuer);
        let evidence = Evidence::new(&enclave)
            .runtime_data(RuntimeData::Json(DATA))
            .nonce("once");
        let policy = ClaimPolicy::default()
            .require_mrenclave([0xe1; 32])
            .require_mrsigner([0x51; 32]);
        let refused = client.attest_sgx(&evidence, &policy);
        assert!(refused.unwrap_err().to_string().contains("simulated"));
        let policy = policy.dangerous_accept_simulated();
        let attested = client.attest_sgx(&evidence, &policy).unwrap();
        assert_eq!(attested.claims.sgx().unwrap().svn, 3);
        client.validate(&attested.token, &policy).unwrap();

        let evidence = Evidence::new(&domain).runtime_data(RuntimeData::Json(DATA));
        let policy = ClaimPolicy::default().dangerous_accept_simulated();
        client.attest_tdx(&evidence, &policy).unwrap();
        let other = evidence.runtime_data(RuntimeData::Binary(b"other"));
        let refused: ClientError = client.attest_tdx(&other, &policy).unwrap_err();
        assert!(refused.to_string().contains("report data"), "{refused}");
    };
    tokio::task::spawn_blocking(calls).await.unwrap();
}
