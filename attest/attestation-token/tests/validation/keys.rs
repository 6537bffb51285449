//! Tests of keys and key sets.

use attestation_token::{
    ClaimPolicy, HeaderFields, Jws, KeyError, KeyMemberError, KeySet, KeySetError, KeySize, PublicKey,
    Refusal, SigningKey, UnixTime, Validator,
};
use serde_json::{Value, json};

use crate::support::KEY;

fn parse(keys: &[Value]) -> Result<KeySet, KeySetError> {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes())
}

fn jwk(change: impl FnOnce(&mut Value)) -> Value {
    let mut key = KEY.jwk(&[]);
    change(&mut key);
    key
}

#[test]
fn keys_by_name() {
    let other = SigningKey::generate(KeySize::Rsa3072).unwrap();
    let keys = parse(&[KEY.jwk(&[]), other.jwk(&[])]).unwrap();
    assert_eq!(keys.key(KEY.kid()), Some(KEY.public_key()));
    assert_eq!(keys.key(other.kid()), Some(other.public_key()));
    assert_eq!(keys.key(""), None);
    assert_eq!(keys.kids().count(), 2);
}

#[test]
fn what_cannot_have_signed_is_skipped() {
    let skipped = [
        json!({ "kty": "EC", "kid": "a", "crv": "P-256", "x": "AA", "y": "AA" }),
        json!({ "kty": "OKP", "kid": "b" }),
        json!({ "kty": "oct", "kid": "c", "k": "AAAA" }),
        json!({ "kid": "d" }),
        jwk(|key| key["use"] = json!("enc")),
        jwk(|key| drop(key.as_object_mut().unwrap().remove("kid"))),
    ];
    assert_eq!(parse(&skipped).unwrap_err(), KeySetError::Empty);
    let with_ours = [&skipped[..], &[KEY.jwk(&[])]].concat();
    assert_eq!(parse(&with_ours).unwrap().kids().collect::<Vec<_>>(), [KEY.kid()]);
}

#[test]
fn malformed_sets_and_keys_are_refused() {
    let twice = parse(&[KEY.jwk(&[]), KEY.jwk(&[])]);
    let duplicate = KeySetError::Key {
        kid: KEY.kid().to_owned(),
        error: KeyMemberError::Duplicate,
    };
    assert_eq!(twice.unwrap_err(), duplicate);
    let many: Vec<Value> = (0..=KeySet::MAX_KEYS)
        .map(|number| jwk(|key| key["kid"] = json!(number.to_string())))
        .collect();
    assert_eq!(parse(&many).unwrap_err(), KeySetError::Keys);
    for text in [
        "{}",
        "[]",
        r#"{"keys":{}}"#,
        r#"{"keys":[1]}"#,
        r#"{"keys":[],"keys":[]}"#,
        "",
    ] {
        assert!(KeySet::parse(text.as_bytes()).is_err(), "{text}");
    }
    let large = format!(r#"{{"keys":[],"x":"{}"}}"#, "x".repeat(KeySet::MAX_SIZE));
    assert!(matches!(
        KeySet::parse(large.as_bytes()),
        Err(KeySetError::TooLarge(_))
    ));
    let number = KEY.jwk(&[])["n"].as_str().unwrap().to_owned();
    for (key, expected) in [
        (
            jwk(|key| key["n"] = json!("AQAB")),
            KeyMemberError::Key(KeyError::Size),
        ),
        (jwk(|key| key["n"] = json!(1)), KeyMemberError::Base64("n")),
        (jwk(|key| key["e"] = Value::Null), KeyMemberError::Base64("e")),
        (
            jwk(|key| key["e"] = json!("AAEAAQ")),
            KeyMemberError::Key(KeyError::Numbers),
        ),
        (
            jwk(|key| key["e"] = json!("")),
            KeyMemberError::Key(KeyError::Numbers),
        ),
        (
            jwk(|key| key["n"] = json!(format!("{number}=="))),
            KeyMemberError::Base64("n"),
        ),
        (
            jwk(|key| key["x5c"] = json!(["A"])),
            KeyMemberError::Base64("x5c"),
        ),
        (jwk(|key| key["x5c"] = json!([])), KeyMemberError::Base64("x5c")),
        (
            jwk(|key| key["x5c"] = json!(["AAAA"])),
            KeyMemberError::Key(KeyError::Malformed),
        ),
        (json!({ "kty": "RSA", "kid": KEY.kid() }), KeyMemberError::Missing),
    ] {
        let expected = KeySetError::Key {
            kid: KEY.kid().to_owned(),
            error: expected,
        };
        assert_eq!(parse(std::slice::from_ref(&key)).unwrap_err(), expected, "{key}");
        check_beside_another(&key);
    }
    check_beside_another(&KEY.jwk(&[]));
}

/// Beside a key that can be used, it is skipped; unless a token names it.
fn check_beside_another(unusable: &Value) {
    let other = SigningKey::generate(KeySize::Rsa2048).unwrap();
    let twice = [unusable.clone(), other.jwk(&[]), KEY.jwk(&[])];
    let once = &twice[..2];
    for set in [&twice[..], once] {
        if set.len() == 2 && *unusable == KEY.jwk(&[]) {
            continue;
        }
        let keys = parse(set).unwrap();
        assert_eq!(keys.kids().collect::<Vec<_>>(), [other.kid()], "{unusable}");
        let claims = json!({ "iss": "x", "exp": 9, "nbf": 0, "iat": 0 }).to_string();
        let validate = |key: &SigningKey| {
            let token = key.sign(&HeaderFields::default(), claims.as_bytes()).unwrap();
            let policy = ClaimPolicy::default();
            Validator::new("x").validate(&token, &keys, &policy, UnixTime(1))
        };
        assert!(matches!(validate(&KEY), Err(Refusal::UnusableKey { kid, .. }) if kid == KEY.kid()));
        assert!(!matches!(
            validate(&other),
            Err(Refusal::UnusableKey { .. } | Refusal::UnknownKey(_) | Refusal::Signature(_))
        ));
    }
}

#[test]
fn private_keys_survive_storage() {
    let stored = KEY.to_pkcs8().unwrap();
    let again = SigningKey::from_pkcs8(&stored).unwrap();
    assert_eq!(again.kid(), KEY.kid());
    assert_eq!(again.public_key(), KEY.public_key());
    let text = again.sign(&HeaderFields::default(), b"payload").unwrap();
    let jws = Jws::parse(&text).unwrap();
    assert_eq!(jws.verify_with(KEY.public_key()).unwrap(), b"payload");
    assert_eq!(jws.header().kid(), Some(KEY.kid()));
    assert_eq!(jws.header().member("typ"), None);
    for bad in [&stored[..stored.len() - 1], &[], KEY.public_key().info()] {
        assert!(SigningKey::from_pkcs8(bad).is_err());
    }
    assert!(!format!("{again:?}").contains(&format!("{:?}", &stored[40..44])));
}

#[test]
fn public_keys_of_other_kinds_are_refused() {
    assert_eq!(
        PublicKey::from_info(KEY.public_key().info()).as_ref(),
        Ok(KEY.public_key())
    );
    assert_eq!(PublicKey::from_info(&[]), Err(KeyError::Malformed));
    assert_eq!(PublicKey::from_rsa(&[0xff; 128], &[1, 0, 1]), Err(KeyError::Size));
    assert_eq!(
        PublicKey::from_rsa(&[0xff; 1025], &[1, 0, 1]),
        Err(KeyError::Size)
    );
    assert_eq!(PublicKey::from_rsa(&[0; 256], &[1, 0, 1]), Err(KeyError::Numbers));
}
