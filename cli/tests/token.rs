//! `nacre attestation attest` and `nacre verify token` without an answer of a service. `tests/conformance` runs them with
//! a real service.

#[expect(dead_code, reason = "the images are for other tests")]
mod support;

use std::fs;

use support::Workplace;

/// A port where nobody listens.
const NOBODY: &str = "https://127.0.0.1:1";

#[test]
fn what_cannot_be_judged_is_one_line() {
    let place = Workplace::new();
    let key = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    fs::write(place.path("ca.pem"), key.cert.pem()).unwrap();
    fs::write(place.path("token"), "e30.e30.AAAA\n").unwrap();
    fs::write(place.path("noise"), [0xff; 100]).unwrap();
    for (words, part) in [
        (
            format!("verify token token --service {NOBODY} --ca ca.pem"),
            "does not answer",
        ),
        (
            format!("attestation attest noise --service {NOBODY} --ca ca.pem"),
            "does not answer",
        ),
        (
            format!("verify token noise --service {NOBODY} --ca ca.pem"),
            "not a token",
        ),
        (
            format!("verify token none --service {NOBODY} --ca ca.pem"),
            "cannot read none",
        ),
        (
            format!("verify token token --service {NOBODY} --ca noise"),
            "certificates as PEM",
        ),
        (
            "verify token token --service http://127.0.0.1 --ca ca.pem".to_owned(),
            "https://",
        ),
        ("verify token token --ca ca.pem".to_owned(), "--service"),
        (
            format!("attestation attest noise --service {NOBODY} --ca ca.pem --runtime-data none"),
            "cannot read none",
        ),
        (
            format!("verify token token --service {NOBODY} --ca ca.pem --mrenclave 5a"),
            "64 hexadecimal digits",
        ),
    ] {
        let line = place.fail(words.split(' '));
        assert!(line.contains(part), "{words}: {line}");
    }
}

/// No service is asked: nobody listens there.
#[test]
fn a_token_is_verified_offline_with_keys_from_a_file() {
    use attestation_token::{HeaderFields, KeySize, SigningKey};
    let place = Workplace::new();
    let key = SigningKey::generate(KeySize::Rsa2048).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.unwrap().as_secs();
    let claims = serde_json::json!({
        "iss": NOBODY, "iat": now, "nbf": now, "exp": now + 60, "x-ms-attestation-type": "sgx",
        "x-ms-sgx-is-debuggable": false, "x-ms-sgx-product-id": 1, "x-ms-sgx-svn": 1,
        "x-ms-sgx-mrenclave": "5a".repeat(32), "x-ms-sgx-mrsigner": "a5".repeat(32),
        "x-ms-sgx-report-data": "00".repeat(64),
    });
    let token = key
        .sign(&HeaderFields::default(), claims.to_string().as_bytes())
        .unwrap();
    fs::write(place.path("token"), token).unwrap();
    let keys = serde_json::json!({ "keys": [key.jwk(&[])] }).to_string();
    fs::write(place.path("keys"), keys).unwrap();
    let other = SigningKey::generate(KeySize::Rsa2048).unwrap();
    let others = serde_json::json!({ "keys": [other.jwk(&[])] }).to_string();
    fs::write(place.path("others"), others).unwrap();
    let run = |words: &str| {
        let output = place.nacre(words.split(' '));
        let error = String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), error)
    };
    let offline = format!("verify token token --service {NOBODY} --keys");
    let enclave = "5a".repeat(32);
    for (words, expected, part) in [
        (format!("{offline} keys --mrenclave {enclave}"), 0, ""),
        (format!("{offline} keys/"), 125, "cannot read"),
        (
            format!("{offline} keys --mrenclave {}", "00".repeat(32)),
            1,
            "MRENCLAVE",
        ),
        (format!("{offline} others"), 1, "key set does not have"),
        (format!("{offline} token"), 125, "cannot use the keys"),
        (
            format!("{offline} keys --dangerous-accept-simulated"),
            1,
            "expected issuer",
        ),
        (
            "verify token token --service https://other.example --keys keys".to_owned(),
            1,
            "expected issuer",
        ),
    ] {
        let (status, error) = run(&words);
        assert_eq!(status, expected, "{words}: {error}");
        assert!(error.contains(part), "{words}: {error}");
    }
}
