//! Tests of policy management without signatures: who may see and change policies.

use hyper::Method;
use serde_json::json;

use crate::support::{Running, SGX, Setup, attest_body, b64, report, sha256};

const POLICY: &str = "/policies/SgxEnclave?api-version=2020-10-01";
const RESET: &str = "/policies/SgxEnclave:reset?api-version=2020-10-01";
const DENY: &str = "version=1.0; authorizationrules { => deny(); };";

fn unsecured(payload: &[u8]) -> String {
    format!("{}.{}.", b64(br#"{"alg":"none"}"#), b64(payload))
}

fn unsecured_policy(text: &str) -> String {
    unsecured(
        json!({ "AttestationPolicy": b64(text.as_bytes()) })
            .to_string()
            .as_bytes(),
    )
}

#[tokio::test]
async fn without_the_admin_token_nobody_sees_or_changes_anything() {
    let service = Running::start().await;
    let sent = unsecured_policy(DENY);
    for (method, path) in [
        (Method::GET, POLICY),
        (Method::PUT, POLICY),
        (Method::POST, RESET),
        (Method::GET, "/certificates?api-version=2020-10-01"),
        (Method::POST, "/certificates:add?api-version=2020-10-01"),
        (Method::POST, "/certificates:remove?api-version=2020-10-01"),
    ] {
        for authorization in [
            None,
            Some("Bearer "),
            Some("Bearer 0123456789abcdeg"),
            Some("Basic 0123456789abcdef"),
            Some("x"),
        ] {
            let mut request = service.request(method.clone(), path, Some("text/plain"), sent.clone());
            if let Some(authorization) = authorization {
                request
                    .headers_mut()
                    .insert("authorization", authorization.parse().unwrap());
            }
            let answer = service.send(request).await;
            answer.expect_error(401, "Unauthorized", "admin token");
            assert!(
                answer.headers["www-authenticate"]
                    .to_str()
                    .unwrap()
                    .starts_with("Bearer")
            );
        }
    }
    let quote = service.platform.quote(&report(b""));
    assert_eq!(
        service
            .post(SGX, attest_body(&quote, None).to_string())
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_policy_that_could_never_issue_is_not_set() {
    let service = Running::start().await;
    let before = service
        .signed(&service.manage(Method::GET, POLICY, "").await)
        .await;
    for (configuration, issuance, part) in [
        ("x-ms-sgx-tcbidentifier\", value=\"newest\"", "", "line 1, column"),
        (
            "required_pcr_mask\", value=1",
            "",
            "no property \"required_pcr_mask\"",
        ),
        (
            "",
            "report_validity_in_minutes\", value=0",
            "an integer from 1 on",
        ),
        ("", "omit_x5c\", value=false", "omit_x5c cannot be false"),
        ("", "validity\", value=5", "no property \"validity\""),
    ] {
        let rule = |property: &str| match property {
            "" => String::new(),
            property => format!("=> issueproperty(type=\"{property});"),
        };
        let text = format!(
            "version=1.1; configurationrules {{ {} }}; authorizationrules {{ => permit(); }}; issuancerules {{ {} }};",
            rule(configuration),
            rule(issuance)
        );
        for sent in [text.clone(), unsecured_policy(&text)] {
            let answer = service.manage(Method::PUT, POLICY, sent).await;
            answer.expect_error(400, "PolicyParsingError", part);
        }
    }
    let after = service
        .signed(&service.manage(Method::GET, POLICY, "").await)
        .await;
    assert_eq!(after["x-ms-policy"], before["x-ms-policy"]);
}

#[tokio::test]
async fn a_policy_is_kept_over_a_restart() {
    let service = Running::start().await;
    let sent = unsecured_policy(DENY);
    let answer = service.manage(Method::PUT, POLICY, sent.clone()).await;
    let claims = service.signed(&answer).await;
    assert_eq!(claims["x-ms-policy-result"], "Updated");
    assert_eq!(claims["x-ms-policy-token-hash"], b64(&sha256(sent.as_bytes())));
    let directory = service.stop().await;
    let mut setup = Setup::new();
    setup.directory = directory;
    let service = setup.start().await;
    let quote = service.platform.quote(&report(b""));
    let call = attest_body(&quote, None).to_string();
    service
        .post(SGX, call.clone())
        .await
        .expect_error(400, "PolicyEvaluationError", "denies");
    let shown = service.manage(Method::GET, POLICY, "").await.unverified();
    assert_eq!(shown["x-ms-policy"], sent);
    let answer = service.manage(Method::POST, RESET, unsecured(b"")).await;
    assert_eq!(answer.unverified()["x-ms-policy-result"], "Removed");
    assert_eq!(service.post(SGX, call).await.status, 200);
}

#[tokio::test]
async fn plain_text_is_taken_as_well() {
    let service = Running::start().await;
    let text = r#"version=1.0; authorizationrules { => permit(); }; issuancerules { => issue(type="mine", value=true); };"#;
    assert_eq!(service.manage(Method::PUT, POLICY, text).await.status, 200);
    let quote = service.platform.quote(&report(b""));
    let answer = service.post(SGX, attest_body(&quote, None).to_string()).await;
    let claims = service.validated(&answer).await;
    assert_eq!(claims.claim("mine"), Some(true.into()));
    let hash = b64(&sha256(b64(text.as_bytes()).as_bytes()));
    assert_eq!(claims.claim("x-ms-policy-hash"), Some(hash.into()));
    // No deprecated names: this policy does not issue them.
    assert_eq!(claims.claim("tee"), None);
}

#[tokio::test]
async fn what_is_no_policy_changes_nothing() {
    let service = Running::start().await;
    let before = service.manage(Method::GET, POLICY, "").await.unverified()["x-ms-policy"].clone();
    let signed_none = unsecured_policy(DENY) + "AAAA";
    for (body, code, part) in [
        (String::new(), "InvalidParameter", "JSON Web Signature"),
        ("a.b".to_owned(), "InvalidParameter", "JSON Web Signature"),
        (unsecured(b""), "InvalidParameter", "AttestationPolicy"),
        (unsecured(b"{}"), "InvalidParameter", "AttestationPolicy"),
        (
            unsecured(br#"{"AttestationPolicy":"!"}"#),
            "InvalidParameter",
            "base64",
        ),
        (
            unsecured(br#"{"AttestationPolicy":"_w"}"#),
            "InvalidParameter",
            "UTF-8",
        ),
        (
            unsecured_policy("permit();"),
            "PolicyParsingError",
            "line 1, column 1",
        ),
        ("version=3.0;".to_owned(), "PolicyParsingError", "line 1"),
        (signed_none, "InvalidParameter", "there is a signature"),
    ] {
        service
            .manage(Method::PUT, POLICY, body)
            .await
            .expect_error(400, code, part);
    }
    let answer = service.manage(Method::POST, RESET, unsecured_policy(DENY)).await;
    answer.expect_error(400, "InvalidParameter", "over nothing");
    let after = service.manage(Method::GET, POLICY, "").await.unverified()["x-ms-policy"].clone();
    assert_eq!(after, before);
    let answer = service.manage(Method::POST, POLICY, unsecured(b"")).await;
    answer.expect_error(405, "MethodNotAllowed", "method");
    let answer = service
        .manage(
            Method::PUT,
            "/policies/Tpm?api-version=2020-10-01",
            unsecured_policy(DENY),
        )
        .await;
    answer.expect_error(404, "NotFound", "SgxEnclave");
    let answer = service
        .manage(
            Method::POST,
            "/certificates:add?api-version=2020-10-01",
            unsecured(b"{}"),
        )
        .await;
    answer.expect_error(400, "InvalidOperation", "--policy-signer");
}

#[tokio::test]
async fn without_token_and_signers_policies_are_fixed() {
    let service = Setup::new().config(|config| config.admin = None).start().await;
    assert_eq!(service.get(POLICY).await.status, 200);
    let answer = service.manage(Method::PUT, POLICY, unsecured_policy(DENY)).await;
    answer.expect_error(401, "Unauthorized", "nobody can change policies");
}
