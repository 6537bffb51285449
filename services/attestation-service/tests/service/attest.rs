//! Tests of attest calls: evidence in, tokens out.

use dcap_quote::{Policy, SIMULATED_QE_VENDOR, TcbStatus};
use serde_json::{Value, json};
use simulated_platform::Body;

use crate::support::{
    NOW, Running, SGX, Setup, TDX, attest_body, b64, report, sha256, standard_b64, td_report,
};

#[tokio::test]
async fn an_enclave_gets_the_claims_of_azures_tokens() {
    let service = Running::start().await;
    let data = b"a public key, say";
    let quote = service.platform.quote(&report(data));
    let answer = service
        .post(SGX, attest_body(&quote, Some((data, "Binary"))).to_string())
        .await;
    let claims = service.validated(&answer).await;
    let sgx = claims.sgx().unwrap();
    assert_eq!((sgx.mr_enclave, sgx.mr_signer), ([0xe1; 32], [0x51; 32]));
    assert_eq!((sgx.product_id, sgx.svn, sgx.is_debuggable), (7, 3, false));
    let mut claims = Value::Object(claims.all());
    let collateral = claims["x-ms-sgx-collateral"].clone();
    assert_eq!(collateral.as_object().unwrap().len(), 7);
    assert_eq!(claims["maa-attestationcollateral"], collateral);
    let hex = base16ct::lower::encode_string;
    assert_eq!(collateral["quotehash"], hex(&sha256(&quote)));
    let members = claims.as_object_mut().unwrap();
    for varying in [
        "jti",
        "x-ms-sgx-collateral",
        "maa-attestationcollateral",
        "x-ms-policy-hash",
    ] {
        assert!(members.remove(varying).is_some(), "{varying}");
    }
    let enclave = hex(&[0xe1; 32]);
    let signer = hex(&[0x51; 32]);
    let policy = json!({
        "is-debuggable": false, "product-id": 7, "sgx-mrenclave": enclave, "sgx-mrsigner": signer, "svn": 3, "tee": "sgx",
    });
    assert_eq!(
        claims,
        json!({
            "iss": service.issuer, "iat": NOW.0, "nbf": NOW.0, "exp": NOW.0 + 8 * 60 * 60,
            "x-ms-ver": "1.0", "x-ms-attestation-type": "sgx", "x-ms-policy": policy,
            "x-ms-sgx-is-debuggable": false, "x-ms-sgx-product-id": 7, "x-ms-sgx-svn": 3,
            "x-ms-sgx-mrenclave": enclave, "x-ms-sgx-mrsigner": signer,
            "x-ms-sgx-report-data": hex(&sha256(data)) + &"00".repeat(32),
            "x-ms-sgx-ehd": b64(data), "aas-ehd": b64(data), "maa-ehd": b64(data),
            "is-debuggable": false, "product-id": 7, "sgx-mrenclave": enclave, "sgx-mrsigner": signer, "svn": 3, "tee": "sgx",
            "x-nacre-simulated": true, "x-nacre-tcb-status": "UpToDate",
        })
    );
    assert!(service.issuer.ends_with("/simulated"));
}

#[tokio::test]
async fn every_version_both_alphabets_and_old_names() {
    let service = Running::start().await;
    let data = br#"{"keys":[{"kty":"RSA","e":"AQAB"}],"n":-5}"#;
    let quote = service.platform.quote(&report(data));
    let open_enclave = [
        &[1, 0, 0, 0, 2, 0, 0, 0][..],
        &(quote.len() as u64).to_le_bytes(),
        &quote,
    ]
    .concat();
    let runtime = |data: String| json!({ "data": data, "dataType": "JSON" });
    let calls = [
        (
            SGX,
            json!({ "quote": b64(&quote), "runtimeData": runtime(b64(data)), "nonce": "once" }),
        ),
        (
            "/attest/SgxEnclave?api-version=2025-06-01",
            json!({ "quote": standard_b64(&quote), "runtimeData": runtime(standard_b64(data)), "nonce": "once" }),
        ),
        (
            "/attest/OpenEnclave?api-version=2022-08-01",
            json!({ "report": b64(&open_enclave), "runtimeData": runtime(b64(data)), "nonce": "once" }),
        ),
        (
            "/attest/Tee/OpenEnclave?api-version=2018-09-01-preview",
            json!({ "Quote": b64(&open_enclave), "RuntimeData": runtime(b64(data)), "Nonce": "once" }),
        ),
    ];
    for (path, body) in calls {
        let answer = service.post(path, body.to_string()).await;
        let claims = service.validated(&answer).await;
        let expected = serde_json::from_slice::<Value>(data).unwrap();
        assert_eq!(claims.claim("x-ms-runtime"), Some(expected), "{path}");
        assert_eq!(claims.claim("x-ms-sgx-ehd"), None);
        assert_eq!(claims.claim("nonce"), Some("once".into()));
    }
    let body = json!({ "Quote": b64(&quote), "EnclaveHeldData": b64(data) });
    let answer = service
        .post(
            "/attest/SgxEnclave?api-version=2018-09-01-preview",
            body.to_string(),
        )
        .await;
    assert_eq!(
        service.validated(&answer).await.claim("maa-ehd"),
        Some(b64(data).into())
    );
}

#[tokio::test]
async fn a_trust_domain_in_azures_profile() {
    let service = Running::start().await;
    let data = br#"{"claim":"of the domain"}"#;
    let quote = service
        .platform
        .quote_as(4, &td_report(data), SIMULATED_QE_VENDOR);
    let answer = service
        .post(TDX, attest_body(&quote, Some((data, "JSON"))).to_string())
        .await;
    let claims = Value::Object(service.validated(&answer).await.all());
    for (name, value) in [
        ("x-ms-attestation-type", json!("tdxvm")),
        ("eat_profile", json!("https://aka.ms/maa-eat-profile-tdxvm")),
        ("attester_tcb_status", json!("UpToDate")),
        ("dbgstat", json!("disabled")),
        ("tdx_mrtd", json!("d0".repeat(48))),
        ("tdx_seamsvn", json!(0x0105)),
        ("tdx_td_attributes", json!("0000001000000000")),
        ("tdx_td_attributes_debug", json!(false)),
        ("tdx_td_attributes_septve_disable", json!(true)),
        ("x-ms-runtime", json!({ "claim": "of the domain" })),
        ("x-nacre-simulated", json!(true)),
    ] {
        assert_eq!(claims[name], value, "{name}");
    }
    let answer = service.post(SGX, attest_body(&quote, None).to_string()).await;
    answer.expect_error(400, "InvalidQuote", "use /attest/TdxVm");
    let old = "/attest/TdxVm?api-version=2020-10-01";
    service
        .post(old, attest_body(&quote, None).to_string())
        .await
        .expect_error(404, "NotFound", "2025-06-01");
}

#[tokio::test]
async fn data_must_be_what_the_evidence_is_bound_to() {
    let service = Running::start().await;
    let mut bound = report(b"runtime");
    bound[48] |= 0x80;
    bound[192..224].copy_from_slice(&sha256(br#"{"launched":"with"}"#));
    let quote = service.platform.quote(&bound);
    let body = |member: &str, data: &[u8]| {
        let mut body = json!({ "quote": b64(&quote) });
        body[member] = json!({ "data": b64(data), "dataType": "Binary" });
        body.to_string()
    };
    let answer = service.post(SGX, body("runtimeData", b"other")).await;
    answer.expect_error(400, "InvalidQuote", "report data");
    let answer = service.post(SGX, body("initTimeData", b"other")).await;
    answer.expect_error(400, "InvalidQuote", "CONFIGID");
    let mut right = attest_body(&quote, Some((b"runtime", "Binary")));
    right["initTimeData"] = json!({ "data": b64(br#"{"launched":"with"}"#), "dataType": "JSON" });
    let answer = service.post(SGX, right.to_string()).await;
    let claims = service.validated(&answer).await;
    assert_eq!(claims.claim("x-ms-inittime"), Some(json!({ "launched": "with" })));
    // Key separation and sharing is on.
    assert_eq!(claims.claim("x-ms-sgx-config-svn"), Some(0.into()));
}

#[tokio::test]
async fn debug_enclaves_are_the_policys_business() {
    let service = Running::start().await;
    let mut debug = report(b"");
    debug[48] |= 2;
    let quote = service.platform.quote(&debug);
    let body = |policy: Option<&str>| {
        let mut body = attest_body(&quote, None);
        if let Some(policy) = policy {
            body["draftPolicyForAttestation"] = policy.into();
        }
        body.to_string()
    };
    let claims = service.validated(&service.post(SGX, body(None)).await).await;
    assert!(claims.sgx().unwrap().is_debuggable);
    let policy =
        r#"version=1.0; authorizationrules { [type=="x-ms-sgx-is-debuggable", value==false] => permit(); };"#;
    let answer = service.post(SGX, body(Some(policy))).await;
    answer.expect_error(400, "PolicyEvaluationError", "no rule permits");
    // The names of the preview.
    let policy = r#"version=1.0; authorizationrules { [type=="$is-debuggable", value==true] => permit(); };"#;
    let answer = service.post(SGX, body(Some(policy))).await;
    assert_eq!(answer.unverified()["x-ms-sgx-is-debuggable"], true);
}

#[tokio::test]
async fn a_draft_gives_a_token_that_nobody_signed() {
    let service = Running::start().await;
    let quote = service.platform.quote(&report(b""));
    let mut body = attest_body(&quote, None);
    body["draftPolicyForAttestation"] = r#"version=1.0; authorizationrules { => permit(); };
        issuancerules { => issue(type="iss", value="https://elsewhere"); => issue(type="x", value=1); => issue(type="x", value=2);
        => issue(type="x-ms-sgx-mrenclave", value="00"); => issueproperty(type="report_validity_in_minutes", value=5); };"#
        .into();
    let answer = service.post(SGX, body.to_string()).await;
    let token = answer.token();
    assert!(
        token.starts_with("eyJhbGciOiJub25lIn0.") && token.ends_with('.'),
        "{token}"
    );
    let claims = answer.unverified();
    assert_eq!(claims["x"], json!([1, 2]));
    assert_eq!(claims["exp"], NOW.0 + 300);
    // What the service says cannot be said by a policy.
    assert_eq!(
        (&claims["iss"], &claims["x-ms-sgx-mrenclave"]),
        (&json!(service.issuer), &json!("e1".repeat(32)))
    );
    assert_eq!(claims["x-ms-policy"]["iss"], "https://elsewhere");
    body["draftPolicyForAttestation"] = "version=1.0;\nauthorizationrules { => permit() };".into();
    let answer = service.post(SGX, body.to_string()).await;
    answer.expect_error(400, "PolicyParsingError", "line 2, column 34");
}

#[tokio::test]
async fn a_platform_below_the_baseline_is_refused_with_what_it_lacks() {
    let old = || Setup::new().platform(|profile| profile.svns[0] = 3);
    let service = old().start().await;
    let body = attest_body(&service.platform.quote(&report(b"")), None).to_string();
    let answer = service.post(SGX, body.clone()).await;
    answer.expect_error(
        400,
        "InvalidQuote",
        "OutOfDate; SGX TCB component 1 has security version 3 and needs 4",
    );
    let service = old()
        .config(|config| config.acceptable = Policy::default().accept(TcbStatus::OutOfDate))
        .start()
        .await;
    let claims = service.validated(&service.post(SGX, body).await).await;
    assert_eq!(claims.claim("x-nacre-tcb-status"), Some("OutOfDate".into()));
}

/// Azure cuts what is above its limit, and examines policies that use the old names of claims.
#[tokio::test]
async fn policies_of_azures_users_work() {
    let service = Running::start().await;
    let mut body = attest_body(&service.platform.quote(&report(b"")), None);
    for (minutes, seconds) in [
        (5, 5 * 60),
        (480, 8 * 60 * 60),
        (1440, 8 * 60 * 60),
        (525_600, 8 * 60 * 60),
    ] {
        let policy = format!(
            "version=1.0; authorizationrules {{ => permit(); }};
             issuancerules {{ => issueproperty(type=\"report_validity_in_minutes\", value={minutes});
                              => issueproperty(type=\"omit_x5c\", value=true); }};"
        );
        body["draftPolicyForAttestation"] = policy.into();
        let claims = service.post(SGX, body.to_string()).await.unverified();
        assert_eq!(claims["exp"], NOW.0 + seconds);
    }
    let enclave = "e1".repeat(32);
    for (name, value) in [
        ("ver", "\"1.0\"".to_owned()),
        ("tee", "\"sgx\"".to_owned()),
        ("$tee", "\"sgx\"".to_owned()),
        ("$is-debuggable", "false".to_owned()),
        ("$sgx-mrenclave", format!("{enclave:?}")),
        ("$sgx-mrsigner", format!("{:?}", "51".repeat(32))),
        ("$product-id", "7".to_owned()),
        ("$svn", "3".to_owned()),
    ] {
        let policy = format!(
            "version=1.0; authorizationrules {{ [type==\"{name}\", value=={value}, issuer==\"AttestationService\"] \
             => permit(); }};"
        );
        body["draftPolicyForAttestation"] = policy.into();
        let answer = service.post(SGX, body.to_string()).await;
        assert_eq!(answer.status, 200, "{name}: {:?}", answer.body);
    }
    for name in ["policy_hash", "maa-policyHash"] {
        let policy = format!(
            "version=1.0; authorizationrules {{ c:[type==\"x-ms-policy-hash\"] && [type==\"{name}\", value==c.value] \
             => permit(); }};"
        );
        body["draftPolicyForAttestation"] = policy.into();
        assert_eq!(service.post(SGX, body.to_string()).await.status, 200, "{name}");
    }
}

#[tokio::test]
async fn a_refusal_names_the_module_the_relaunch_and_the_end_of_servicing() {
    let mut body = [0; 648];
    let Body::Td10(old) = td_report(b"") else {
        unreachable!()
    };
    body[..584].copy_from_slice(&old);
    body[0] = 4;
    for (now, parts) in [
        (
            5,
            "TDRelaunchAdvised; TDX module had security version 4 when the domain was launched; 5 is needed, and the \
             platform has it now; relaunch the domain",
        ),
        (4, "OutOfDate; TDX module has security version 4 and needs 5"),
    ] {
        body[584..587].copy_from_slice(&[now, 1, 6]);
        let service = Running::start().await;
        let quote = service
            .platform
            .quote_as(5, &Body::Td15(body), SIMULATED_QE_VENDOR);
        let answer = service.post(TDX, attest_body(&quote, None).to_string()).await;
        answer.expect_error(400, "InvalidQuote", parts);
    }
    let old = Setup::new().platform(|profile| {
        profile.levels[0].status = TcbStatus::OutOfDate;
        profile.levels[0].advisories = vec!["INTEL-DOC-10000".to_owned()];
    });
    let service = old.start().await;
    let body = attest_body(&service.platform.quote(&report(b"")), None);
    let answer = service.post(SGX, body.to_string()).await;
    answer.expect_error(
        400,
        "InvalidQuote",
        "Intel has ended the servicing of this platform",
    );
}

#[tokio::test]
async fn a_revoked_platform_never_gets_a_token() {
    for status in [TcbStatus::Revoked, TcbStatus::NotSupported] {
        let service = Setup::new()
            .platform(move |profile| {
                profile.levels[0].status = TcbStatus::Revoked;
                if status == TcbStatus::NotSupported {
                    profile.svns = [0; 16];
                }
            })
            .config(|config| {
                config.acceptable = TcbStatus::ALL.into_iter().fold(Policy::default(), Policy::accept);
            })
            .start()
            .await;
        let quote = service.platform.quote(&report(b""));
        let answer = service.post(SGX, attest_body(&quote, None).to_string()).await;
        answer.expect_error(400, "InvalidQuote", status.name());
    }
}

#[tokio::test]
async fn the_policys_tcb_baseline_is_that_of_the_collateral_at_least() {
    for (tcb_info, qe_identity) in [(17, 17), (19, 17), (17, 19)] {
        let service = Setup::new().platform(|profile| {
            profile.evaluation_data_number = tcb_info;
            profile.qe_evaluation_data_number = Some(qe_identity);
        });
        check_baselines(&service.start().await).await;
    }
}

/// With collateral of number 17.
async fn check_baselines(service: &Running) {
    let quote = service.platform.quote(&report(b""));
    let call = |baseline: &str| {
        let mut body = attest_body(&quote, None);
        body["draftPolicyForAttestation"] = format!(
            "version=1.1; configurationrules {{ => issueproperty(type=\"{baseline}); }}; authorizationrules {{ => permit(); }};"
        )
        .into();
        body.to_string()
    };
    for (property, part) in [
        (
            "x-ms-sgx-tcbidentifier\", value=\"4000000000\"",
            Some("TCB recovery 4000000000"),
        ),
        ("x-ms-sgx-tcbidentifier\", value=\"newest\"", Some("cannot be")),
        ("required_pcr_mask\", value=16777215", Some("no property")),
        ("x-ms-sgx-tcbidentifier\", value=\"18\"", Some("is of 17")),
        ("x-ms-sgx-tcbidentifier\", value=\"17\"", None),
        ("x-ms-sgx-tcbidentifier\", value=\"1\"", None),
        ("x-ms-sgx-tcbidentifier\", value=\"azuredefault\"", None),
    ] {
        let answer = service.post(SGX, call(property)).await;
        match part {
            Some(part) => answer.expect_error(400, "PolicyEvaluationError", part),
            None => assert_eq!(answer.status, 200, "{property}"),
        }
    }
}
