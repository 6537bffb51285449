//! Tests of tokens that must be refused.

use attestation_token::{
    Algorithm, ClaimPolicy, Claims, HeaderFields, Jws, JwsError, KeySet, KeySize, Refusal, SigningKey,
    UnixTime, Validator,
};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::support::{ISSUER, KEY, NOW, claims, key_set, sign, token, token_with, validator};

fn validate(token: &str) -> Result<Claims, Refusal> {
    validator().validate(token, &key_set(), &ClaimPolicy::default(), NOW)
}

/// A token with this header and this signature of it.
fn forged(header: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let encode = |text: String| URL_SAFE_NO_PAD.encode(text);
    let signed = format!("{}.{}", encode(header.to_string()), encode(claims().to_string()));
    let signature = URL_SAFE_NO_PAD.encode(sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

#[test]
fn the_genuine_one_is_accepted() {
    let claims = validate(&token()).unwrap();
    assert_eq!(claims.sgx().unwrap().svn, 7);
    assert_eq!(Value::Object(claims.all()), crate::support::claims());
}

#[test]
fn unsigned() {
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        for kid in [json!(KEY.kid()), Value::Null] {
            let mut header = json!({ "alg": alg, "typ": "JWT" });
            if kid.is_string() {
                header["kid"] = kid;
            }
            let token = forged(&header, |_| Vec::new());
            assert_eq!(validate(&token), Err(Refusal::Algorithm(alg.to_owned())));
        }
    }
    // The genuine header over no signature.
    let genuine = token();
    let (signed, _) = genuine.rsplit_once('.').unwrap();
    let stripped = format!("{signed}.");
    assert!(matches!(validate(&stripped), Err(Refusal::Signature(_))));
    assert!(Jws::parse(&stripped).unwrap().is_unsigned());
    assert!(
        Jws::parse(&stripped)
            .unwrap()
            .verify_with(KEY.public_key())
            .is_err()
    );
}

/// The public key as a shared secret: in every form that a careless library may have it.
#[test]
fn the_public_key_as_a_secret() {
    let info = KEY.public_key().info();
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        base64::engine::general_purpose::STANDARD.encode(info)
    );
    let modulus = KEY.jwk(&[])["n"].as_str().unwrap().to_owned();
    for secret in [info, pem.as_bytes(), modulus.as_bytes()] {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
        for alg in ["HS256", "RS256"] {
            let header = json!({ "alg": alg, "kid": KEY.kid(), "typ": "JWT" });
            let token = forged(&header, |signed| hmac::sign(&secret, signed).as_ref().to_vec());
            let expected = match alg {
                "HS256" => Refusal::Algorithm("HS256".to_owned()),
                _ => Refusal::Signature(KEY.kid().to_owned()),
            };
            assert_eq!(validate(&token), Err(expected));
        }
    }
}

#[test]
fn another_algorithm_only_if_it_is_accepted() {
    let other = KEY.to_pkcs8().unwrap();
    let other = aws_lc_rs::rsa::KeyPair::from_pkcs8(&other).unwrap();
    let sign = |encoding: &'static dyn aws_lc_rs::signature::RsaEncoding, signed: &[u8]| {
        let mut signature = vec![0; other.public_modulus_len()];
        let random = aws_lc_rs::rand::SystemRandom::new();
        other.sign(encoding, &random, signed, &mut signature).unwrap();
        signature
    };
    use aws_lc_rs::signature::{
        RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding,
    };
    let encodings: [(Algorithm, &'static dyn RsaEncoding); 5] = [
        (Algorithm::Rs384, &RSA_PKCS1_SHA384),
        (Algorithm::Rs512, &RSA_PKCS1_SHA512),
        (Algorithm::Ps256, &RSA_PSS_SHA256),
        (Algorithm::Ps384, &RSA_PSS_SHA384),
        (Algorithm::Ps512, &RSA_PSS_SHA512),
    ];
    for (algorithm, encoding) in encodings {
        let header = json!({ "alg": algorithm.name(), "kid": KEY.kid() });
        let token = forged(&header, |signed| sign(encoding, signed));
        assert_eq!(
            validate(&token),
            Err(Refusal::Algorithm(algorithm.name().to_owned()))
        );
        let willing = validator().accept_algorithm(algorithm);
        assert!(
            willing
                .validate(&token, &key_set(), &ClaimPolicy::default(), NOW)
                .is_ok(),
            "{algorithm}"
        );
    }
    // An algorithm for keys of another kind.
    let header = json!({ "alg": "ES256", "kid": KEY.kid() });
    let token = forged(&header, |signed| {
        sign(&aws_lc_rs::signature::RSA_PKCS1_SHA256, signed)
    });
    let willing = validator().accept_algorithm(Algorithm::Es256);
    let refused = willing.validate(&token, &key_set(), &ClaimPolicy::default(), NOW);
    assert_eq!(refused, Err(Refusal::Signature(KEY.kid().to_owned())));
}

#[test]
fn a_key_that_is_not_the_issuers() {
    let stranger = SigningKey::generate(KeySize::Rsa2048).unwrap();
    let payload = claims().to_string();
    let theirs = stranger
        .sign(&HeaderFields::default(), payload.as_bytes())
        .unwrap();
    assert_eq!(
        validate(&theirs),
        Err(Refusal::UnknownKey(stranger.kid().to_owned()))
    );
    // Under the issuer's name, with the stranger's own key in the header.
    let header =
        json!({ "alg": "RS256", "kid": KEY.kid(), "jwk": stranger.jwk(&[]), "jku": "https://evil.example" });
    let pair = aws_lc_rs::rsa::KeyPair::from_pkcs8(&stranger.to_pkcs8().unwrap()).unwrap();
    let token = forged(&header, |signed| {
        let mut signature = vec![0; pair.public_modulus_len()];
        let random = aws_lc_rs::rand::SystemRandom::new();
        pair.sign(
            &aws_lc_rs::signature::RSA_PKCS1_SHA256,
            &random,
            signed,
            &mut signature,
        )
        .unwrap();
        signature
    });
    assert_eq!(validate(&token), Err(Refusal::Signature(KEY.kid().to_owned())));
    // Without any name.
    let token = forged(&json!({ "alg": "RS256" }), |_| vec![0; 256]);
    assert_eq!(validate(&token), Err(Refusal::NoKeyName));
    let empty = KeySet::default().key(KEY.kid()).is_none();
    assert!(empty);
}

#[test]
fn out_of_time() {
    let at = |leeway, now| {
        Validator::new(ISSUER).leeway(leeway).validate(
            &token(),
            &key_set(),
            &ClaimPolicy::default(),
            UnixTime(now),
        )
    };
    let (start, expiry) = (NOW.0, NOW.0 + 28800);
    assert!(at(0, start).is_ok());
    assert!(at(0, expiry - 1).is_ok());
    assert_eq!(
        at(0, expiry),
        Err(Refusal::Expired {
            expiry: UnixTime(expiry),
            now: UnixTime(expiry)
        })
    );
    assert!(at(10, expiry + 9).is_ok() && at(10, expiry + 10).is_err());
    assert_eq!(
        at(0, start - 1),
        Err(Refusal::NotYetValid {
            start: NOW,
            now: UnixTime(start - 1)
        })
    );
    assert!(at(10, start - 10).is_ok() && at(10, start - 11).is_err());
    assert!(at(u64::MAX, 0).is_ok() && at(u64::MAX, u64::MAX - 1).is_ok());
    let future = token_with(|claims| {
        claims.insert("iat".into(), (NOW.0 + 1).into());
    });
    assert!(matches!(validate(&future), Err(Refusal::NotYetValid { .. })));
}

#[test]
fn registered_claims_that_are_missing_or_odd() {
    for name in ["iss", "exp", "nbf", "iat"] {
        let without = token_with(|claims| drop(claims.remove(name)));
        assert!(
            matches!(validate(&without), Err(Refusal::Registered(found, _)) if found == name),
            "{name}"
        );
        for value in [
            json!(null),
            json!(-1),
            json!(1e30),
            json!(true),
            json!([]),
            json!("9999999999"),
        ] {
            let odd = token_with(|claims| drop(claims.insert(name.into(), value.clone())));
            assert!(validate(&odd).is_err(), "{name} {value}");
        }
    }
    for issuer in [
        "https://attest.example:8443/",
        "https://ATTEST.example:8443",
        "",
        "x",
    ] {
        let other = token_with(|claims| drop(claims.insert("iss".into(), issuer.into())));
        assert!(
            matches!(validate(&other), Err(Refusal::Issuer { found, .. }) if found == issuer),
            "{issuer}"
        );
    }
}

#[test]
fn every_flipped_bit() {
    let genuine = token();
    for place in 0..genuine.len() {
        for bit in 0..8 {
            let mut bytes = genuine.clone().into_bytes();
            bytes[place] ^= 1 << bit;
            if let Ok(text) = String::from_utf8(bytes) {
                assert!(validate(&text).is_err(), "bit {bit} of byte {place}");
            }
        }
    }
}

#[test]
fn every_truncation_and_what_is_added() {
    let genuine = token();
    for len in 0..genuine.len() {
        assert!(validate(&genuine[..len]).is_err(), "{len}");
        assert!(validate(&genuine[len + 1..]).is_err(), "from {len}");
    }
    for added in [".", "=", "==", "\n", " ", "A", ".A", "\0"] {
        assert!(validate(&format!("{genuine}{added}")).is_err(), "{added:?}");
        assert!(validate(&format!("{added}{genuine}")).is_err(), "{added:?}");
    }
}

#[test]
fn oversize() {
    let large = format!("{}.{}.A", "A".repeat(Jws::MAX_SIZE), "A");
    assert!(matches!(
        validate(&large),
        Err(Refusal::Form(JwsError::TooLarge(_)))
    ));
    let name = forged(&json!({ "alg": "RS256", "kid": "k".repeat(257) }), |_| {
        vec![0; 256]
    });
    assert!(matches!(
        validate(&name),
        Err(Refusal::Form(JwsError::HeaderMember("kid")))
    ));
}

/// Only base64url, only without padding.
#[test]
fn other_alphabets() {
    // Bytes whose text differs between the alphabets.
    let payload = r#"{"a":"????>>>>"}"#;
    let header = r#"{"alg":"RS256","kid":"?>?>"}"#;
    let part = URL_SAFE_NO_PAD.encode(payload);
    let ours = URL_SAFE_NO_PAD.encode(header);
    assert!(Jws::parse(&format!("{ours}.{part}.-_-_")).is_ok());
    for (header, payload, signature) in [
        (STANDARD_NO_PAD.encode(header), part.clone(), "-_-_"),
        (ours.clone(), STANDARD_NO_PAD.encode(payload), "-_-_"),
        (ours.clone(), part.clone(), "+/+/"),
        (URL_SAFE.encode(header), part.clone(), "-_-_"),
        (ours.clone(), part.clone(), "-_-_AA=="),
        (ours.clone(), part.clone(), "-_-_A"),
        (ours.clone(), part.clone(), "-_-_AB"),
        (ours.clone(), part, "-_ -_"),
    ] {
        let text = format!("{header}.{payload}.{signature}");
        assert!(matches!(Jws::parse(&text), Err(JwsError::Base64(_))), "{text}");
    }
}

#[test]
fn headers_that_are_ambiguous_or_demand_more() {
    for header in [
        r#"{"alg":"RS256","alg":"none"}"#,
        r#"{"alg":"RS256","\u0061lg":"none"}"#,
        r#"{"alg":"RS256","crit":["b64"],"b64":false}"#,
        r#"{"alg":"RS256","crit":[]}"#,
        r#"{"alg":["RS256"]}"#,
        r#"{"alg":null}"#,
        r#"{"alg":"RS256","kid":1}"#,
        r#"{"alg":"RS256"} "x""#,
        r#"{}"#,
        r#"["RS256"]"#,
        "",
    ] {
        let text = format!("{}.e30.AA", URL_SAFE_NO_PAD.encode(header));
        assert!(Jws::parse(&text).is_err(), "{header}");
    }
    let deep = format!(
        r#"{{"alg":"RS256","x":{}{}}}"#,
        "[".repeat(5000),
        "]".repeat(5000)
    );
    let text = format!("{}.e30.AA", URL_SAFE_NO_PAD.encode(deep));
    assert!(matches!(Jws::parse(&text), Err(JwsError::HeaderJson(_))));
}

/// Even the issuer may not sign what two readers would read in two ways.
#[test]
fn signed_claims_that_are_ambiguous() {
    let text = claims().to_string();
    let inner = text.strip_prefix('{').unwrap();
    let deep = format!(r#"{{"x":{}{},{inner}"#, "[".repeat(100), "]".repeat(100));
    for payload in [
        format!(r#"{{"x-ms-sgx-svn":9,{inner}"#),
        format!(r#"{{"x-ms-sgx-svn":7,{inner}"#),
        format!(r#"{{"x":{{"y":1,"y":1}},{inner}"#),
        deep,
        format!("{text}{text}"),
        "[]".to_owned(),
        String::new(),
    ] {
        assert!(
            matches!(validate(&sign(payload.as_bytes())), Err(Refusal::ClaimsJson(_))),
            "{payload:.80}"
        );
    }
}

#[test]
fn errors_are_one_line_whatever_the_token_says() {
    let header = json!({ "alg": "RS256", "kid": "\u{1b}[2J\nall is well" });
    let error = validate(&forged(&header, |_| vec![0; 256]))
        .unwrap_err()
        .to_string();
    assert!(
        !error.contains(|character: char| character.is_control()),
        "{error:?}"
    );
}
