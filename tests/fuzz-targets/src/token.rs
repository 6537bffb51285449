//! Tokens and key sets, as a stranger may send them.
//!
//! The first byte says whether the rest is a token, its claims (which a fuzzer could not sign), or a key set.

use attestation_token::{Algorithm, ClaimPolicy, HeaderFields, Jws, KeySet, SigningKey, UnixTime, Validator};

const ISSUER: &str = "https://attest.example";
const NOW: u64 = 1_750_723_200;

pub(crate) fn run(input: &[u8]) {
    let Some((kind, rest)) = input.split_first() else {
        return;
    };
    match kind % 3 {
        0 => {
            if let Ok(text) = std::str::from_utf8(rest) {
                token(text);
            }
        }
        1 => claims(rest),
        _ => {
            if let Ok(keys) = KeySet::parse(rest) {
                assert!(keys.kids().all(|kid| keys.key(kid).is_some()));
                assert!(keys.kids().count() > 0);
            }
        }
    }
}

/// What is accepted was signed by the key, and has one form: the very text that its parts are written as.
fn token(text: &str) {
    let key = key();
    if let Ok(jws) = Jws::parse(text) {
        let header = jws.header();
        assert_eq!(
            header.algorithm().map(Algorithm::name),
            Algorithm::from_name(header.alg()).map(Algorithm::name)
        );
        let _ = header.certificates();
        if jws.verify_with(key.public_key()).is_ok() {
            assert!(!jws.is_unsigned());
            assert!(genuine().contains(&text.to_owned()), "a forgery: {text}");
        }
    }
    validate(text);
}

fn claims(payload: &[u8]) {
    let text = key().sign(&HeaderFields::default(), payload).expect("signed");
    validate(&text);
}

fn validate(text: &str) {
    let validator = Validator::new(ISSUER).leeway(0);
    let judge = |policy: &ClaimPolicy| validator.validate(text, &key_set(), policy, UnixTime(NOW));
    let lenient = ClaimPolicy::default()
        .dangerous_accept_debug()
        .dangerous_accept_simulated();
    match judge(&lenient) {
        Ok(claims) => {
            assert_eq!(claims.claim("iss"), Some(ISSUER.into()));
            let again = serde_json::to_string(&claims).expect("claims");
            let read: serde_json::Value = serde_json::from_str(&again).expect("JSON");
            assert_eq!(serde_json::Value::Object(claims.all()), read);
            if judge(&ClaimPolicy::default()).is_ok() {
                assert!(!claims.is_simulated());
                assert_eq!(claims.is_debuggable(), Ok(false));
            }
        }
        Err(refusal) => assert!(
            !refusal.to_string().contains(|c: char| c.is_control()),
            "{refusal}"
        ),
    }
}

/// One key for all inputs, from a file: a fuzzer wants the same run for the same input.
fn key() -> &'static SigningKey {
    static KEY: std::sync::LazyLock<SigningKey> = std::sync::LazyLock::new(|| {
        SigningKey::from_pkcs8(include_bytes!("../keys/test-only-rsa-2048.p8")).expect("the key of the tests")
    });
    &KEY
}

fn key_set_json() -> String {
    serde_json::json!({ "keys": [key().jwk(&[])] }).to_string()
}

fn key_set() -> KeySet {
    KeySet::parse(key_set_json().as_bytes()).expect("keys")
}

fn genuine_claims() -> Vec<String> {
    let enclave = serde_json::json!({
        "iss": ISSUER, "iat": NOW, "nbf": NOW, "exp": NOW + 60, "x-ms-attestation-type": "sgx",
        "x-ms-sgx-is-debuggable": false, "x-ms-sgx-mrenclave": "5a".repeat(32), "x-ms-sgx-svn": 7,
        "x-ms-runtime": { "keys": [{ "kty": "EC" }] },
    });
    let mut simulated = enclave.clone();
    simulated[attestation_token::SIMULATED] = true.into();
    [enclave, simulated].map(|claims| claims.to_string()).to_vec()
}

fn genuine() -> Vec<String> {
    let fields = HeaderFields {
        jku: Some("https://attest.example/certs"),
        typ: Some("JWT"),
    };
    let sign = |claims: String| key().sign(&fields, claims.as_bytes()).expect("signed");
    genuine_claims().into_iter().map(sign).collect()
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let of = |kind: u8, text: String| [&[kind], text.as_bytes()].concat();
    let tokens = genuine().into_iter().map(|text| of(0, text));
    let claims = genuine_claims().into_iter().map(|text| of(1, text));
    tokens.chain(claims).chain([of(2, key_set_json())]).collect()
}
