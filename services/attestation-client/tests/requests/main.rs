//! The client against a mock of a service: it answers over real TLS what each test tells it to. The service's own tests
//! use this client against the service itself.

mod mock;

use std::time::{SystemTime, UNIX_EPOCH};

use attestation_client::{Client, ClientError, Evidence, RuntimeData};
use attestation_token::{ClaimPolicy, HeaderFields, KeySetError, KeySize, Objection, Refusal, SigningKey};
use mock::{Answer, MockService};
use serde_json::{Value, json};

const DATA: &[u8] = b"the enclave's public key";

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// What a service would say of an enclave whose report data is the hash of [`DATA`].
fn claims(issuer: &str) -> Value {
    json!({
        "iss": issuer, "iat": now(), "nbf": now(), "exp": now() + 28800, "nonce": "fresh",
        "x-ms-attestation-type": "sgx", "x-ms-sgx-is-debuggable": false,
        "x-ms-sgx-mrenclave": "5a".repeat(32), "x-ms-sgx-mrsigner": "a5".repeat(32),
        "x-ms-sgx-product-id": 3, "x-ms-sgx-svn": 7,
        "x-ms-sgx-report-data": mock::sha256_hex(DATA) + &"00".repeat(32),
    })
}

fn sign(key: &SigningKey, claims: &Value) -> Value {
    let token = key.sign(&HeaderFields::default(), claims.to_string().as_bytes());
    json!({ "token": token.unwrap() })
}

fn evidence() -> Evidence<'static> {
    Evidence::new(b"a quote")
        .runtime_data(RuntimeData::Binary(DATA))
        .nonce("fresh")
}

fn certs(keys: &[&SigningKey]) -> Answer {
    let keys: Vec<Value> = keys.iter().map(|key| key.jwk(&[])).collect();
    Answer::json(200, &json!({ "keys": keys }))
}

#[test]
fn attests_and_validates() {
    let key = SigningKey::generate(KeySize::Rsa2048).unwrap();
    let service = MockService::start();
    let client = service.client();
    let url = service.url();
    let token = sign(&key, &claims(&url));
    let policy = ClaimPolicy::default().require_mrenclave([0x5a; 32]);
    service.answer(Answer::json(200, &token));
    service.answer(certs(&[&key]));
    let attested = client.attest_sgx(&evidence(), &policy).unwrap();
    assert_eq!(attested.claims.sgx().unwrap().svn, 7);
    assert_eq!(attested.token, token["token"]);
    let requests = service.requests();
    assert_eq!(
        requests[0].line,
        "POST /attest/SgxEnclave?api-version=2025-06-01 HTTP/1.1"
    );
    assert_eq!(
        serde_json::from_slice::<Value>(&requests[0].body).unwrap(),
        json!({
            "quote": "YSBxdW90ZQ",
            "runtimeData": { "data": "dGhlIGVuY2xhdmUncyBwdWJsaWMga2V5", "dataType": "Binary" },
            "nonce": "fresh",
        })
    );
    assert_eq!(requests[1].line, "GET /certs HTTP/1.1");
    // The keys are at hand now.
    service.answer(Answer::json(200, &token));
    let json = Evidence::new(b"a quote").runtime_data(RuntimeData::Json("{}"));
    let refused = client.attest_sgx(&json, &policy).unwrap_err();
    let ClientError::Token(Refusal::Objections(objections)) = refused else {
        panic!("{refused}")
    };
    assert_eq!(objections, [Objection::RuntimeData]);
    let requests = service.requests();
    assert_eq!(requests.len(), 1);
    let body: Value = serde_json::from_slice(&requests[0].body).unwrap();
    assert_eq!(body["runtimeData"], json!({ "data": "e30", "dataType": "JSON" }));
    assert_eq!(body["nonce"], Value::Null);
    // Another one's nonce, and a trust domain.
    service.answer(Answer::json(200, &token));
    let refused = client.attest_tdx(&Evidence::new(b"q").nonce("other"), &policy);
    assert!(refused.unwrap_err().to_string().contains("nonce"));
    assert!(service.requests()[0].line.starts_with("POST /attest/TdxVm?"));
}

#[test]
fn a_new_key_is_fetched_and_made_up_ones_are_not() {
    let [old, new, stranger] = [(); 3].map(|()| SigningKey::generate(KeySize::Rsa2048).unwrap());
    let service = MockService::start();
    let (client, url) = (service.client(), service.url());
    let token = |key| sign(key, &claims(&url))["token"].as_str().unwrap().to_owned();
    service.answer(certs(&[&old]));
    assert!(client.validate(&token(&old), &ClaimPolicy::default()).is_ok());
    assert_eq!(client.keys().unwrap().kids().collect::<Vec<_>>(), [old.kid()]);
    // Within a minute an unknown name is no reason to ask again, however often it comes.
    for key in [&new, &stranger, &stranger] {
        let refused = client.validate(&token(key), &ClaimPolicy::default()).unwrap_err();
        assert!(
            matches!(&refused, ClientError::Token(Refusal::UnknownKey(kid)) if kid == key.kid()),
            "{refused}"
        );
    }
    assert_eq!(service.requests().len(), 1);
}

#[test]
fn describes_itself() {
    let service = MockService::start();
    let (client, url) = (service.client(), service.url());
    let configuration = |issuer: &str| {
        Answer::json(
            200,
            &json!({ "issuer": issuer, "jwks_uri": "https://evil.example/certs", "response_types_supported": ["token"] }),
        )
    };
    service.answer(configuration(&url));
    let found = client.openid_configuration().unwrap();
    assert_eq!(
        (found.issuer, found.jwks_uri),
        (url, "https://evil.example/certs".to_owned())
    );
    assert_eq!(
        service.requests()[0].line,
        "GET /.well-known/openid-configuration HTTP/1.1"
    );
    service.answer(configuration("https://evil.example"));
    assert!(matches!(
        client.openid_configuration(),
        Err(ClientError::Issuer { found, .. }) if found == "https://evil.example"
    ));
}

#[test]
fn an_issuer_of_its_own_for_simulated_platforms() {
    let key = SigningKey::generate(KeySize::Rsa2048).unwrap();
    let service = MockService::start();
    let mut claims = claims("https://simulated.invalid");
    claims["x-nacre-simulated"] = json!(true);
    let token = sign(&key, &claims)["token"].as_str().unwrap().to_owned();
    service.answer(certs(&[&key]));
    let client = service.client();
    let policy = ClaimPolicy::default().dangerous_accept_simulated();
    assert!(matches!(
        client.validate(&token, &policy),
        Err(ClientError::Token(Refusal::Issuer { .. }))
    ));
    let client = client.expect_issuer("https://simulated.invalid");
    assert!(client.validate(&token, &policy).unwrap().is_simulated());
    assert!(client.validate(&token, &ClaimPolicy::default()).is_err());
}

#[test]
fn the_service_says_no() {
    let service = MockService::start();
    let client = service.client();
    let attest = || {
        client
            .attest_sgx(&evidence(), &ClaimPolicy::default())
            .unwrap_err()
            .to_string()
    };
    let url = format!("{}/attest/SgxEnclave?api-version=2025-06-01", service.url());
    let error = json!({ "error": { "code": "InvalidParameter", "message": "the quote\nis\u{1b}[2J none" } });
    service.answer(Answer::json(400, &error));
    assert_eq!(
        attest(),
        format!("{url} answers 400 InvalidParameter: the quote\u{fffd}is\u{fffd}[2J none")
    );
    service.answer(Answer::new(503, "<html>busy</html>"));
    assert_eq!(
        attest(),
        format!("{url} answers 503 Service Unavailable: it does not say why")
    );
    let long = json!({ "error": { "code": "x".repeat(1000), "message": "y".repeat(1000) } });
    service.answer(Answer::json(500, &long));
    assert!(attest().len() < 1200);
    // A redirection is not followed: it leads away from the service that is trusted.
    service.answer(Answer::new(302, "").header("location", "https://evil.example/"));
    assert!(attest().contains("302"), "{}", attest());
}

#[test]
fn answers_that_are_none() {
    let service = MockService::start();
    let client = service.client();
    let attest = || {
        client
            .attest_sgx(&evidence(), &ClaimPolicy::default())
            .unwrap_err()
    };
    for text in [
        "",
        "{}",
        "[]",
        r#"{"token":1}"#,
        r#"{"token":"a","token":"b"}"#,
        "not JSON",
    ] {
        service.answer(Answer::new(200, text));
        assert!(matches!(attest(), ClientError::Form { .. }), "{text}");
    }
    service.answer(Answer::new(200, &"x".repeat(2 << 20)));
    assert!(matches!(attest(), ClientError::Transport { .. }));
    let key = SigningKey::generate(KeySize::Rsa2048).unwrap();
    service.answer(Answer::json(200, &sign(&key, &claims(&service.url()))));
    service.answer(Answer::new(200, r#"{"keys":[]}"#));
    assert!(matches!(attest(), ClientError::Keys(KeySetError::Empty)));
    // Nothing of that was kept.
    service.answer(Answer::json(200, &sign(&key, &claims(&service.url()))));
    service.answer(certs(&[&key]));
    assert!(client.attest_sgx(&evidence(), &ClaimPolicy::default()).is_ok());
}

#[test]
fn another_certificate_is_not_the_service() {
    let service = MockService::start();
    let other = MockService::start();
    let client = Client::new(&service.url(), other.certificate().as_bytes()).unwrap();
    let refused = client.keys().unwrap_err().to_string();
    assert!(
        refused.contains("does not answer") && refused.contains("certificate"),
        "{refused}"
    );
    assert_eq!(service.requests().len(), 0);
}

#[test]
fn addresses_and_authorities_that_are_none() {
    let service = MockService::start();
    let pem = service.certificate();
    for url in [
        "",
        "attest.example",
        "http://attest.example",
        "https://",
        "https://attest.example/path",
        "https://attest.example?x",
        "ftp://attest.example",
    ] {
        assert!(
            matches!(Client::new(url, pem.as_bytes()), Err(ClientError::Address(_))),
            "{url}"
        );
    }
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    for pem in [
        "",
        "no PEM",
        "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
        &key,
    ] {
        assert!(
            matches!(
                Client::new("https://attest.example", pem.as_bytes()),
                Err(ClientError::Authority(_))
            ),
            "{pem}"
        );
    }
    assert!(Client::new("https://attest.example:8443/", pem.as_bytes()).is_ok());
}

/// As `openssl req -x509` makes it: a CA, of another name. The file means that certificate.
#[test]
fn a_certificate_that_was_named_is_trusted_as_it_is() {
    let key = SigningKey::generate(KeySize::Rsa2048).unwrap();
    let start = || {
        let mut parameters = rcgen::CertificateParams::default();
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        MockService::start_as(parameters)
    };
    let (service, other) = (start(), start());
    service.answer(certs(&[&key]));
    assert_eq!(service.client().keys().unwrap().kids().count(), 1);
    let misled = Client::new(&service.url(), other.certificate().as_bytes()).unwrap();
    let refused = misled.keys().unwrap_err();
    assert!(matches!(refused, ClientError::Transport { .. }), "{refused}");
}
