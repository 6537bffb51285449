//! Tests of policies that only their signers may change.

use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use hyper::Method;
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Value, json};

use crate::support::{Running, Setup, b64, signer, standard_b64};

const POLICY: &str = "/policies/SgxEnclave?api-version=2022-08-01";
const ADD: &str = "/certificates:add?api-version=2022-08-01";
const PERMIT: &str = "version=1.0; authorizationrules { => permit(); };";

enum Key {
    Rsa(RsaKeyPair),
    Elliptic(EcdsaKeyPair),
}

struct Signer {
    key: Key,
    der: Vec<u8>,
    pem: String,
}

impl Signer {
    fn rsa() -> Self {
        let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        let key = RsaKeyPair::from_pkcs8(&pair.serialize_der()).unwrap();
        Self::new(&pair, Key::Rsa(key))
    }

    fn elliptic() -> Self {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pair.serialize_der()).unwrap();
        Self::new(&pair, Key::Elliptic(key))
    }

    fn new(pair: &KeyPair, key: Key) -> Self {
        let params = CertificateParams::new(["signer.example".to_owned()]).unwrap();
        let certificate = params.self_signed(pair).unwrap();
        Self {
            key,
            der: certificate.der().to_vec(),
            pem: certificate.pem(),
        }
    }

    fn sign(&self, header: &Value, payload: &str) -> String {
        let signed = format!(
            "{}.{}",
            b64(header.to_string().as_bytes()),
            b64(payload.as_bytes())
        );
        let random = SystemRandom::new();
        let signature = match &self.key {
            Key::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature)
                    .unwrap();
                signature
            }
            Key::Elliptic(key) => key.sign(&random, signed.as_bytes()).unwrap().as_ref().to_vec(),
        };
        format!("{signed}.{}", b64(&signature))
    }

    fn x5c(&self) -> Value {
        json!([standard_b64(&self.der)])
    }
}

fn policy(text: &str) -> String {
    json!({ "AttestationPolicy": b64(text.as_bytes()) }).to_string()
}

/// A service that knows this signer.
async fn service_of(first: &Signer) -> Running {
    let directory = Arc::new(tempfile::tempdir().unwrap());
    let certificate = signer(&directory, &first.pem);
    let setup = Setup::new().config(|config| config.policy_signers.push(certificate));
    setup.start().await
}

#[tokio::test]
async fn keys_of_both_kinds_sign() {
    for signer in [Signer::rsa(), Signer::elliptic()] {
        let service = service_of(&signer).await;
        let algorithm = match signer.key {
            Key::Rsa(_) => "RS256",
            Key::Elliptic(_) => "ES256",
        };
        let sent = signer.sign(&json!({ "alg": algorithm, "x5c": signer.x5c() }), &policy(PERMIT));
        let answer = service.manage(Method::PUT, POLICY, sent.clone()).await;
        let claims = service.signed(&answer).await;
        assert_eq!(claims["x-ms-policy-signer"]["x5c"], signer.x5c());
        assert_eq!(
            service.manage(Method::GET, POLICY, "").await.unverified()["x-ms-policy"],
            sent
        );
        let reset = signer.sign(&json!({ "alg": algorithm, "x5c": signer.x5c() }), "");
        let path = "/policies/SgxEnclave:reset?api-version=2022-08-01";
        assert_eq!(service.manage(Method::POST, path, reset).await.status, 200);
    }
}

#[tokio::test]
async fn every_other_signature_is_refused() {
    let (known, stranger, elliptic) = (Signer::rsa(), Signer::rsa(), Signer::elliptic());
    let service = service_of(&known).await;
    let payload = policy(PERMIT);
    let x5c = known.x5c();
    let good = known.sign(&json!({ "alg": "RS256", "x5c": x5c }), &payload);
    let (signed, _) = good.rsplit_once('.').unwrap();
    // HMAC-SHA256 with the certificate, and with its key, as the secret: what a confused verifier would accept.
    let hmac = |secret: &[u8]| {
        let header = json!({ "alg": "HS256", "x5c": x5c });
        let signed = format!(
            "{}.{}",
            b64(header.to_string().as_bytes()),
            b64(payload.as_bytes())
        );
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret);
        format!(
            "{signed}.{}",
            b64(aws_lc_rs::hmac::sign(&key, signed.as_bytes()).as_ref())
        )
    };
    let none = format!("{}.{}.", b64(br#"{"alg":"none"}"#), b64(payload.as_bytes()));
    let none_with_certificate = json!({ "alg": "none", "x5c": x5c });
    let cases = [
        ("unsigned", none),
        (
            "none, with the certificate of a signer",
            format!(
                "{}.{}.",
                b64(none_with_certificate.to_string().as_bytes()),
                b64(payload.as_bytes())
            ),
        ),
        ("text", PERMIT.to_owned()),
        (
            "a stranger's",
            stranger.sign(&json!({ "alg": "RS256", "x5c": stranger.x5c() }), &payload),
        ),
        (
            "a stranger's, with the signer's certificate",
            stranger.sign(&json!({ "alg": "RS256", "x5c": x5c }), &payload),
        ),
        (
            "a stranger's, with the signer's certificate second",
            stranger.sign(
                &json!({ "alg": "RS256", "x5c": [standard_b64(&stranger.der), standard_b64(&known.der)] }),
                &payload,
            ),
        ),
        (
            "a stranger's, with both kinds of headers",
            stranger.sign(
                &json!({ "alg": "RS256", "x5c": stranger.x5c(), "jwk": { "x5c": x5c } }),
                &payload,
            ),
        ),
        (
            "an elliptic key under RSA's name",
            elliptic.sign(&json!({ "alg": "RS256", "x5c": x5c }), &payload),
        ),
        ("HS256 with the certificate", hmac(&known.der)),
        ("HS256 with its text", hmac(known.pem.as_bytes())),
        (
            "another algorithm's name",
            known.sign(&json!({ "alg": "RS512", "x5c": x5c }), &payload),
        ),
        (
            "ES256 over RSA",
            known.sign(&json!({ "alg": "ES256", "x5c": x5c }), &payload),
        ),
        ("no certificate", known.sign(&json!({ "alg": "RS256" }), &payload)),
        (
            "an extension",
            known.sign(&json!({ "alg": "RS256", "x5c": x5c, "crit": ["exp"] }), &payload),
        ),
        ("an empty signature", format!("{signed}.")),
        ("another's signature", format!("{signed}.{}", b64(&[1; 256]))),
        ("nothing", String::new()),
    ];
    for (what, sent) in cases {
        let answer = service.manage(Method::PUT, POLICY, sent).await;
        let (status, code, _) = answer.error();
        let is_refusal = status == 400 && ["InvalidOperation", "InvalidParameter"].contains(&code.as_str());
        assert!(is_refusal, "{what}: {status} {code}");
    }
    assert_eq!(service.manage(Method::PUT, POLICY, good).await.status, 200);
}

#[tokio::test]
async fn signers_change_signers_and_the_change_is_kept() {
    let (first, second) = (Signer::rsa(), Signer::elliptic());
    let service = service_of(&first).await;
    let header = json!({ "alg": "RS256", "x5c": first.x5c() });
    let content = |certificates: Value| {
        json!({ "policyCertificate": { "kty": "EC", "x5c": certificates } }).to_string()
    };
    for (content, part) in [
        ("{}".to_owned(), "policyCertificate"),
        (content(json!([])), "one certificate"),
        (content(json!(["AAAA"])), "not an X.509 certificate"),
    ] {
        let answer = service
            .manage(Method::POST, ADD, first.sign(&header, &content))
            .await;
        answer.expect_error(400, "InvalidParameter", part);
    }
    let sent = first.sign(&header, &content(second.x5c()));
    // As .NET sends it: a JSON string.
    let answer = service.manage(Method::POST, ADD, json!(sent).to_string()).await;
    assert_eq!(answer.unverified()["x-ms-policycertificates-result"], "IsPresent");

    let mut setup = Setup::new();
    setup.directory = service.stop().await;
    // Without --policy-signer: signatures stay required.
    let service = setup.start().await;
    let shown = service
        .manage(Method::GET, "/certificates?api-version=2022-08-01", "")
        .await
        .unverified();
    assert_eq!(
        shown["x-ms-policy-certificates"]["keys"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let answer = service.manage(Method::PUT, POLICY, PERMIT).await;
    answer.expect_error(400, "InvalidParameter", "JSON Web Signature");
    let sent = second.sign(&json!({ "alg": "ES256", "x5c": second.x5c() }), &policy(PERMIT));
    assert_eq!(service.manage(Method::PUT, POLICY, sent).await.status, 200);
}

/// Whoever can read policies has seen older ones, with their signatures.
#[tokio::test]
async fn a_signature_without_the_admin_token_is_not_enough() {
    let signer = Signer::rsa();
    let service = service_of(&signer).await;
    let header = json!({ "alg": "RS256", "x5c": signer.x5c() });
    let old = signer.sign(&header, &policy(PERMIT));
    assert_eq!(service.manage(Method::PUT, POLICY, old.clone()).await.status, 200);
    let request = service.request(Method::PUT, POLICY, Some("text/plain"), old);
    service
        .send(request)
        .await
        .expect_error(401, "Unauthorized", "admin token");
}
