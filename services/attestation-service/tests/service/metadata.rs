//! Tests of keys, discovery, health and metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dcap_quote::UnixTime;
use hyper::Method;
use serde_json::json;

use crate::support::{NOW, Running, SGX, Setup, attest_body, report};

const DAY: u64 = 24 * 60 * 60;

#[tokio::test]
async fn validators_find_the_keys() {
    let service = Running::start().await;
    let document = service.get("/.well-known/openid-configuration").await.json();
    assert_eq!(document["issuer"], service.issuer);
    assert_eq!(document["jwks_uri"], format!("{}/certs", service.issuer));
    let keys = service.get("/certs").await;
    for path in [
        "/certs/",
        "/simulated/certs",
        "/simulated/certs/",
        "/certs?api-version=2020-10-01",
    ] {
        assert_eq!(service.get(path).await.body, keys.body, "{path}");
    }
    let keys = keys.json();
    let [key] = keys["keys"].as_array().unwrap().as_slice() else {
        panic!("{keys}")
    };
    assert_eq!((&key["kty"], &key["alg"]), (&json!("RSA"), &json!("RS256")));
    assert_eq!(key["x5c"].as_array().unwrap().len(), 1);
    let quote = service.platform.quote(&report(b""));
    let answer = service.post(
        "/simulated/attest/SgxEnclave?api-version=2022-08-01",
        attest_body(&quote, None).to_string(),
    );
    service.validated(&answer.await).await;
}

#[tokio::test]
async fn keys_rotate_and_overlap() {
    let time = Arc::new(AtomicU64::new(NOW.0));
    let mut directory = None;
    let mut tokens = Vec::new();
    // A restart a day, for more than a month.
    for day in 0..34 {
        time.store(NOW.0 + day * DAY, Ordering::Relaxed);
        let clock = Arc::clone(&time);
        // Collateral serves for thirty days.
        let mut setup = Setup::at(UnixTime(NOW.0 + day * DAY));
        if let Some(directory) = directory {
            setup.directory = directory;
        }
        let setup = setup.config(move |config| {
            config.listen.set_port(0);
            config.url = Some("https://attest.example".parse().unwrap());
            config.clock = Arc::new(move || UnixTime(clock.load(Ordering::Relaxed)));
        });
        let service = setup.start().await;
        let quote = service.platform.quote(&report(b""));
        let answer = service.post(SGX, attest_body(&quote, None).to_string()).await;
        let keys = service.get("/certs").await;
        let keys = attestation_token::KeySet::parse(&keys.body).unwrap();
        let policy = attestation_token::ClaimPolicy::default().dangerous_accept_simulated();
        let validator = attestation_token::Validator::new(&service.issuer);
        let now = UnixTime(NOW.0 + day * DAY);
        validator.validate(&answer.token(), &keys, &policy, now).unwrap();
        tokens.push(answer.token());
        directory = Some(service.stop().await);
    }
    let kid = |token: &String| {
        attestation_token::Jws::parse(token)
            .unwrap()
            .header()
            .kid()
            .unwrap()
            .to_owned()
    };
    let kids: std::collections::BTreeSet<String> = tokens.iter().map(kid).collect();
    assert_eq!(kids.len(), 2);
}

#[tokio::test]
async fn health_says_what_state_the_collateral_is_in() {
    let service = Running::start().await;
    let health = service.get("/health").await;
    let document = health.json();
    assert_eq!((health.status, &document["status"]), (200, &json!("ok")));
    assert!(document["warning"].as_str().unwrap().contains("simulated"));
    assert_eq!(document["collateral"].as_array().unwrap().len(), 2);
    assert_eq!(document["collateral"][0]["fmspc"], "00514d554c00");
    let late = Setup::new().config(|config| config.clock = Arc::new(|| UnixTime(NOW.0 + 31 * DAY)));
    let service = late.start().await;
    let health = service.get("/health/ready").await;
    assert_eq!(health.status, 503);
    assert!(
        health.json()["status"]
            .as_str()
            .unwrap()
            .contains("no valid collateral")
    );
    assert_eq!(health.json()["collateral"][1]["valid"], false);
    assert_eq!(service.get("/health/live").await.status, 200);
    let quote = service.platform.quote(&report(b""));
    let answer = service.post(SGX, attest_body(&quote, None).to_string()).await;
    answer.expect_error(400, "CollateralUnavailable", "has expired");
}

#[tokio::test]
async fn numbers_of_what_was_done() {
    let service = Running::start().await;
    let quote = service.platform.quote(&report(b""));
    service.post(SGX, attest_body(&quote, None).to_string()).await;
    service.post(SGX, "{}").await;
    service.get("/nothing/here?secret=1").await;
    let answer = service.get("/metrics").await;
    assert!(
        answer.headers["content-type"]
            .to_str()
            .unwrap()
            .starts_with("application/openmetrics-text")
    );
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    for line in [
        r#"nacre_attestation_attest_calls_total{type="SgxEnclave",outcome="token"} 1"#,
        r#"nacre_attestation_attest_calls_total{type="SgxEnclave",outcome="InvalidParameter"} 1"#,
        r#"nacre_attestation_requests_total{route="other",status="404"} 1"#,
        "nacre_attestation_attest_work_seconds_count 1",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    assert!(
        text.contains(
            "collateral_valid_until_seconds{tee=\"SGX\",fmspc=\"00514d554c00\",pck_ca=\"platform\"}"
        )
    );
    assert!(text.ends_with("# EOF\n") && !text.contains("secret"), "{text}");
}

/// What openapi.json describes is there, and errors are among those that it announces.
#[tokio::test]
async fn the_description_is_of_this_service() {
    let description: serde_json::Value = serde_json::from_str(include_str!("../../openapi.json")).unwrap();
    let service = Running::start().await;
    for (path, methods) in description["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            if method == "parameters" {
                continue;
            }
            let method: Method = method.to_uppercase().parse().unwrap();
            let path = path.replace("{type}", "TdxVm");
            let answer = service
                .manage(method.clone(), &format!("{path}?api-version=2025-06-01"), "")
                .await;
            let status = answer.status.to_string();
            assert!(
                operation["responses"].get(&status).is_some(),
                "{method} {path}: {status}"
            );
            assert!(
                ![404, 405, 500, 503].contains(&answer.status),
                "{method} {path}: {status}"
            );
        }
    }
}

/// A method that a path does not have is a 405 that names those that it has (RFC 9110, section 15.5.6).
#[tokio::test]
async fn every_405_says_which_methods_there_are() {
    let description: serde_json::Value = serde_json::from_str(include_str!("../../openapi.json")).unwrap();
    let service = Running::start().await;
    for (path, methods) in description["paths"].as_object().unwrap() {
        let methods = methods.as_object().unwrap().keys();
        let mut described: Vec<String> = methods
            .filter(|method| *method != "parameters")
            .map(|method| method.to_uppercase())
            .collect();
        if described.contains(&"GET".to_owned()) {
            described.push("HEAD".to_owned());
        }
        described.sort();
        for prefix in ["", "/simulated"] {
            let is_operators = path.starts_with("/health") || path.starts_with("/metrics");
            if is_operators && !prefix.is_empty() {
                continue;
            }
            let path = format!(
                "{prefix}{}?api-version=2025-06-01",
                path.replace("{type}", "SgxEnclave")
            );
            for method in ["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "TRACE"] {
                if described.iter().any(|described| described == method) {
                    continue;
                }
                let answer = service.manage(method.parse().unwrap(), &path, "").await;
                answer.expect_error(405, "MethodNotAllowed", "allow");
                let allow = answer.headers["allow"].to_str().unwrap();
                let mut allowed: Vec<&str> = allow.split(',').map(str::trim).collect();
                allowed.sort_unstable();
                assert_eq!(allowed, described, "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn the_description_is_served_and_declares_the_bearer_token() {
    let served = Running::start().await.get("/openapi.json").await;
    assert_eq!(served.status, 200);
    assert_eq!(served.headers["content-type"], "application/json; charset=utf-8");
    let description = served.json();
    let schemes = description["components"]["securitySchemes"].as_object().unwrap();
    let mut declared = 0;
    for methods in description["paths"].as_object().unwrap().values() {
        for operation in methods.as_object().unwrap().values() {
            for requirement in operation["security"].as_array().into_iter().flatten() {
                for scheme in requirement.as_object().unwrap().keys() {
                    assert_eq!(schemes[scheme]["scheme"], "bearer");
                    declared += 1;
                }
            }
        }
    }
    assert!(declared > 0);
}

#[tokio::test]
async fn tcb_baselines_are_those_of_the_collateral() {
    let setup = Setup::new().platform(|profile| {
        profile.evaluation_data_number = 19;
        profile.qe_evaluation_data_number = Some(17);
    });
    let service = setup.start().await;
    let baselines = |path: &'static str| service.manage(Method::GET, path, "");
    const PATH: &str = "/tcbbaselines/SgxEnclave?api-version=2025-06-01";
    let expected = |is_selected: bool| {
        json!({ "tcbBaselines": [{
            "tcbIdentifier": "17", "tcbEvaluationDataNumber": 17, "tcbReleaseDate": "2024-03-13T00:00:00Z",
            "isSelectedTcb": is_selected,
        }] })
    };
    for path in [PATH, "/tcbbaselines/TdxVm?api-version=2025-06-01"] {
        let answer = baselines(path).await;
        assert_eq!((answer.status, answer.json()), (200, expected(true)), "{path}");
    }
    for (number, is_selected) in [(17, true), (18, false)] {
        let policy = format!(
            "version=1.1; configurationrules {{ => issueproperty(type=\"x-ms-sgx-tcbidentifier\", value=\"{number}\"); }}; \
             authorizationrules {{ => permit(); }};"
        );
        let path = "/policies/SgxEnclave?api-version=2025-06-01";
        assert_eq!(service.manage(Method::PUT, path, policy).await.status, 200);
        assert_eq!(baselines(PATH).await.json(), expected(is_selected));
    }
    service
        .get(PATH)
        .await
        .expect_error(401, "Unauthorized", "admin token");
    for (path, status, code, part) in [
        (
            "/tcbbaselines/SgxEnclave?api-version=2022-08-01",
            404,
            "NotFound",
            "2025-06-01",
        ),
        ("/tcbbaselines/SgxEnclave", 400, "InvalidParameter", "api-version"),
        (
            "/tcbbaselines/Tpm?api-version=2025-06-01",
            404,
            "NotFound",
            "attestation type",
        ),
    ] {
        baselines(path).await.expect_error(status, code, part);
    }
}

/// The name in a signing key's certificate has at most 64 characters, whatever the service is called.
#[tokio::test]
async fn a_long_address_has_a_certificate_that_others_read() {
    use base64::Engine as _;
    let url = format!("https://{}.example:8443", "a".repeat(60));
    let parsed = url.parse().unwrap();
    let service = Setup::new()
        .config(move |config| config.url = Some(parsed))
        .start()
        .await;
    let keys = service.get("/certs").await.json();
    let der = keys["keys"][0]["x5c"][0].as_str().unwrap();
    let der = base64::engine::general_purpose::STANDARD.decode(der).unwrap();
    let path = service.directory.path().join("certificate");
    std::fs::write(&path, der).unwrap();
    let output = std::process::Command::new("openssl")
        .args([
            "x509",
            "-inform",
            "DER",
            "-noout",
            "-subject",
            "-ext",
            "subjectAltName",
            "-in",
        ])
        .arg(&path)
        .output();
    let Ok(output) = output else {
        eprintln!("SKIPPED: there is no openssl");
        return;
    };
    let text = String::from_utf8(output.stdout).unwrap();
    let name = text.lines().next().unwrap().split("CN = ").nth(1).unwrap();
    assert_eq!((name.len(), &url[..64]), (64, name), "{text}");
    assert!(text.contains(&format!("URI:{}", service.issuer)), "{text}");
}

#[tokio::test]
async fn requests_have_names() {
    let service = Running::start().await;
    let mut request = service.request(Method::GET, "/certs", None, "");
    request
        .headers_mut()
        .insert("x-ms-client-request-id", "mine".parse().unwrap());
    let answer = service.send(request).await;
    assert_eq!(answer.headers["x-ms-client-request-id"], "mine");
    assert_ne!(
        answer.headers["x-ms-request-id"],
        service.get("/certs").await.headers["x-ms-request-id"]
    );
}
