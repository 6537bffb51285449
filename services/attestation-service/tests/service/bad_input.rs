//! Tests of bad requests, and of the errors that answer them.

use hyper::Method;
use serde_json::json;

use crate::support::{Running, SGX, Setup, attest_body, b64, report};

#[tokio::test]
async fn no_changed_bit_and_no_prefix_of_a_quote_gets_a_token() {
    let service = Running::start().await;
    let quote = service.platform.quote(&report(b"data"));
    let refused = async |quote: &[u8], what: String| {
        let answer = service
            .post(SGX, attest_body(quote, Some((b"data", "Binary"))).to_string())
            .await;
        let (status, code, message) = answer.error();
        let is_refusal = status == 400
            && ["InvalidQuote", "CollateralUnavailable", "InvalidParameter"].contains(&code.as_str());
        assert!(is_refusal, "{what}: {status} {code} {message}");
    };
    // Every bit is tried against the verifier itself; here, one of each region.
    for bit in (0..quote.len() * 8).step_by(251) {
        let mut flipped = quote.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        refused(&flipped, format!("bit {bit}")).await;
    }
    for length in (0..quote.len()).step_by(97) {
        refused(&quote[..length], format!("{length} bytes")).await;
    }
    refused(&[quote.as_slice(), &[1]].concat(), "a byte more".to_owned()).await;
}

#[tokio::test]
async fn requests_that_are_none() {
    let service = Running::start().await;
    let quote = b64(&service.platform.quote(&report(b"")));
    let runtime = |text: &str| json!({ "quote": quote, "runtimeData": { "data": b64(text.as_bytes()), "dataType": "JSON" } });
    let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(5000), "]".repeat(5000));
    let good = attest_body(&[1], None).to_string();
    for (path, body, status, code, part) in [
        (SGX, String::new(), 400, "InvalidParameter", "EOF"),
        (SGX, "[1]".to_owned(), 400, "InvalidParameter", "JSON object"),
        (SGX, "[".repeat(100_000), 400, "InvalidParameter", "JSON"),
        (
            SGX,
            format!(r#"{{"quote":"{quote}","quote":"{quote}"}}"#),
            400,
            "InvalidParameter",
            "duplicate",
        ),
        (
            SGX,
            json!({ "quote": "!" }).to_string(),
            400,
            "InvalidParameter",
            "base64",
        ),
        (
            SGX,
            json!({ "quote": "+_8=" }).to_string(),
            400,
            "InvalidParameter",
            "base64",
        ),
        (
            SGX,
            json!({ "quote": "AAAA" }).to_string(),
            400,
            "InvalidQuote",
            "quote version 0",
        ),
        (
            SGX,
            runtime(&deep).to_string(),
            400,
            "InvalidParameter",
            "recursion",
        ),
        (
            SGX,
            runtime(r#"{"a":1,"a":2}"#).to_string(),
            400,
            "InvalidParameter",
            "twice",
        ),
        (
            SGX,
            runtime("5").to_string(),
            400,
            "InvalidParameter",
            "not an object",
        ),
        (
            SGX,
            json!({ "quote": quote, "nonce": "x".repeat(2000) }).to_string(),
            400,
            "InvalidParameter",
            "nonce",
        ),
        (SGX, "x".repeat((1 << 20) + 1), 413, "RequestTooLarge", "1048576"),
        (
            "/attest/SgxEnclave",
            good.clone(),
            400,
            "InvalidParameter",
            "api-version is missing",
        ),
        (
            "/attest/SgxEnclave?api-version=1999-01-01",
            good.clone(),
            400,
            "InvalidParameter",
            "2025-06-01",
        ),
        (
            "/attest/Sgx?api-version=2020-10-01",
            good.clone(),
            404,
            "NotFound",
            "SgxEnclave, OpenEnclave, TdxVm",
        ),
        ("/attest", good.clone(), 404, "NotFound", "/attest/SgxEnclave"),
        ("/certs", good, 405, "MethodNotAllowed", "allow"),
    ] {
        let shown = &body[..body.len().min(60)].to_owned();
        let answer = service.post(path, body).await;
        let (found, found_code, message) = answer.error();
        assert!(
            found == status && found_code == code && message.contains(part),
            "{path} {shown}: {found} {found_code} {message}"
        );
    }
    let answer = service.post("/attest/%ff?api-version=2020-10-01", "{}").await;
    answer.expect_error(404, "NotFound", "UTF-8");
    let answer = service.get(SGX).await;
    answer.expect_error(405, "MethodNotAllowed", "method");
    assert_eq!(answer.headers["allow"], "POST");
    for content_type in [None, Some("text/plain"), Some("application/jsonx")] {
        let answer = service
            .send(service.request(Method::POST, SGX, content_type, "{}"))
            .await;
        answer.expect_error(415, "UnsupportedMediaType", "application/json");
    }
}

#[tokio::test]
async fn quotes_of_other_platforms() {
    let service = Running::start().await;
    let body = |setup: Setup| attest_body(&setup.platform.quote(&report(b"")), None).to_string();
    let other = Setup::new().platform(|profile| profile.seed = [8; 32]);
    let answer = service.post(SGX, body(other)).await;
    answer.expect_error(400, "InvalidQuote", "certificate");
    let other = Setup::new().platform(|profile| profile.fmspc = [1; 6]);
    let answer = service.post(SGX, body(other)).await;
    answer.expect_error(400, "CollateralUnavailable", "FMSPC 010101010101");
    let quote = service.platform.quote_as(
        3,
        &simulated_platform::Body::Sgx(report(b"")),
        dcap_quote::INTEL_QE_VENDOR,
    );
    let answer = service.post(SGX, attest_body(&quote, None).to_string()).await;
    answer.expect_error(400, "InvalidQuote", "genuine platform");
}

#[tokio::test]
async fn a_revoked_pck_certificate() {
    let revoked = Setup::new().platform(|profile| profile.revoked.push(simulated_platform::Certificate::Pck));
    let service = revoked.start().await;
    let quote = service.platform.quote(&report(b""));
    let answer = service.post(SGX, attest_body(&quote, None).to_string()).await;
    answer.expect_error(400, "InvalidQuote", "revoked");
}

/// Within bounds that the policy language has of its own: the service only has to say so.
#[tokio::test]
async fn drafts_that_explode() {
    let service = Running::start().await;
    let quote = b64(&service.platform.quote(&report(b"")));
    let doubling = r#"c:[type=="a"] => add(type="a", value=AppendString(c.value, "x"));"#.repeat(200);
    let explosion = format!(
        r#"version=1.2; configurationrules {{ }}; authorizationrules {{ => add(type="a", value="xxxx"); {doubling} => permit(); }};"#
    );
    let deep = format!(
        r#"version=1.2; authorizationrules {{ => add(type="a", value={}"x"{}); => permit(); }};"#,
        "AppendString(".repeat(5000),
        r#", "x")"#.repeat(5000)
    );
    for policy in [explosion, deep, "version=1.0;".repeat(1000), "x".repeat(500_000)] {
        let body = json!({ "quote": quote, "draftPolicyForAttestation": policy });
        let answer = service.post(SGX, body.to_string()).await;
        let (status, code, _) = answer.error();
        assert_eq!((status, code.starts_with("Policy")), (400, true), "{code}");
    }
}
