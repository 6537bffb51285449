//! Tests of interoperation with the `jsonwebtoken` crate and with OpenSSL.

use std::path::Path;
use std::process::Command;

use attestation_token::{Algorithm, ClaimPolicy, Jws, KeySet, PublicKey, SigningKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
use serde_json::{Value, json};

use crate::support::{ISSUER, KEY, NOW, claims, key_set, token, validator};

#[test]
fn jsonwebtoken_accepts_ours() {
    let key = KEY.jwk(&[]);
    let number = |name: &str| key[name].as_str().unwrap();
    let key = DecodingKey::from_rsa_components(number("n"), number("e")).unwrap();
    let mut validation = Validation::new(jsonwebtoken::Algorithm::RS256);
    validation.set_issuer(&[ISSUER]);
    validation.validate_exp = false;
    let theirs = jsonwebtoken::decode::<Value>(token(), &key, &validation).unwrap();
    assert_eq!(theirs.claims, claims());
    assert_eq!(theirs.header.kid.as_deref(), Some(KEY.kid()));
    assert_eq!(theirs.header.typ.as_deref(), Some("JWT"));
    assert_eq!(theirs.header.jku, Some(format!("{ISSUER}/certs")));
    // And the thumbprint is the one that others compute.
    let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(KEY.jwk(&[])).unwrap();
    assert_eq!(jwk.common.key_id.as_deref(), Some(KEY.kid()));
}

#[test]
fn we_accept_jsonwebtokens() {
    let folder = tempfile::tempdir().unwrap();
    let stored = KEY.to_pkcs8().unwrap();
    std::fs::write(folder.path().join("key.p8"), stored.as_slice()).unwrap();
    // It wants RSAPrivateKey.
    openssl(
        folder.path(),
        "rsa -inform DER -in key.p8 -outform DER -traditional -out key.der",
    );
    let key = EncodingKey::from_rsa_der(&std::fs::read(folder.path().join("key.der")).unwrap());
    let mut header = Header::new(jsonwebtoken::Algorithm::RS256);
    header.kid = Some(KEY.kid().to_owned());
    let theirs = jsonwebtoken::encode(&header, &claims(), &key).unwrap();
    let accepted = validator().validate(&theirs, &key_set(), &ClaimPolicy::default(), NOW);
    assert_eq!(Value::Object(accepted.unwrap().all()), claims());
}

/// Certificates of every kind, whose keys sign by OpenSSL what we verify; and RSA's private key from OpenSSL to us.
#[test]
fn openssl_signs_for_certificates() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (kind, options, algorithm) in [
        ("rsa", "-newkey rsa:2048", Algorithm::Rs256),
        (
            "p256",
            "-newkey ec -pkeyopt ec_paramgen_curve:P-256",
            Algorithm::Es256,
        ),
        (
            "p384",
            "-newkey ec -pkeyopt ec_paramgen_curve:P-384",
            Algorithm::Es384,
        ),
    ] {
        openssl(
            folder,
            &format!(
                "req -x509 {options} -noenc -subj /CN=signer -keyout {kind}.pem -out cert.der -outform DER"
            ),
        );
        let certificate = std::fs::read(folder.join("cert.der")).unwrap();
        let key = PublicKey::from_certificate(&certificate).unwrap();
        assert_eq!(key.algorithm(), algorithm);
        // As Azure's client for Python writes it: a name that no standard knows, the certificate inside of `jwk`.
        let header = json!({ "alg": "RSA256", "jwk": { "x5c": [STANDARD.encode(&certificate)] } });
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode("policy")
        );
        std::fs::write(folder.join("signed"), &signed).unwrap();
        let digest = if algorithm == Algorithm::Es384 {
            "-sha384"
        } else {
            "-sha256"
        };
        openssl(
            folder,
            &format!("dgst {digest} -sign {kind}.pem -out signature signed"),
        );
        let signature = std::fs::read(folder.join("signature")).unwrap();
        let signature = match algorithm {
            Algorithm::Es256 => fixed(&signature, 32),
            Algorithm::Es384 => fixed(&signature, 48),
            _ => signature,
        };
        let text = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(&signature));
        let jws = Jws::parse(&text).unwrap();
        assert_eq!((jws.header().alg(), jws.header().algorithm()), ("RSA256", None));
        assert_eq!(
            jws.header().certificates().unwrap(),
            std::slice::from_ref(&certificate)
        );
        assert_eq!(jws.verify_with(&key).unwrap(), b"policy", "{kind}");
        for other in Algorithm::ALL {
            assert_eq!(
                jws.verify(&key, other).is_ok(),
                other == algorithm,
                "{kind} {other}"
            );
        }
        assert!(jws.verify_with(KEY.public_key()).is_err());
    }
    // The key set of a real service has certificates alone.
    openssl(
        folder,
        "pkcs8 -topk8 -nocrypt -in rsa.pem -outform DER -out rsa.p8",
    );
    openssl(
        folder,
        "req -x509 -key rsa.pem -subj /CN=signer -out cert.der -outform DER",
    );
    let key = SigningKey::from_pkcs8(&std::fs::read(folder.join("rsa.p8")).unwrap()).unwrap();
    let certificate = std::fs::read(folder.join("cert.der")).unwrap();
    let mut jwk = key.jwk(&[&certificate]);
    let set = |jwk: &Value| KeySet::parse(json!({ "keys": [jwk] }).to_string().as_bytes());
    assert_eq!(set(&jwk).unwrap().key(key.kid()), Some(key.public_key()));
    for name in ["n", "e", "alg", "use"] {
        jwk.as_object_mut().unwrap().remove(name);
    }
    assert_eq!(set(&jwk).unwrap().key(key.kid()), Some(key.public_key()));
    // Numbers of one key, certificate of another.
    let mut contradiction = KEY.jwk(&[]);
    contradiction["x5c"] = jwk["x5c"].clone();
    assert!(
        set(&contradiction)
            .unwrap_err()
            .to_string()
            .contains("not those of the first certificate")
    );
}

/// r and s from the DER that OpenSSL writes.
fn fixed(der: &[u8], size: usize) -> Vec<u8> {
    let integer = |at: usize| {
        let len = usize::from(der[at + 1]);
        let bytes = &der[at + 2..at + 2 + len];
        let bytes = bytes.strip_prefix(&[0]).unwrap_or(bytes);
        (
            [vec![0; size - bytes.len()], bytes.to_vec()].concat(),
            at + 2 + len,
        )
    };
    let (r, next) = integer(2);
    let (s, _) = integer(next);
    [r, s].concat()
}

fn openssl(folder: &Path, words: &str) {
    let output = Command::new("openssl")
        .args(words.split(' '))
        .current_dir(folder)
        .output()
        .expect("openssl is installed");
    assert!(
        output.status.success(),
        "openssl {words}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
