//! The messages as they look on the wire.

use std::collections::BTreeMap;

use provisioning::{Code, File, Hex, Owner, Provision, Refusal, Renewal, Request};

#[test]
fn a_request_is_small() {
    let request = Request {
        deployment: None,
        service: Some("db".into()),
        instance: Hex([0xab; 16]),
        image_key: None,
    };
    let text = r#"{"service":"db","instance":"abababababababababababababababab"}"#;
    assert_eq!(serde_json::to_string(&request).unwrap(), text);
    assert_eq!(serde_json::from_str::<Request>(text).unwrap(), request);
}

#[test]
fn names_have_their_length_and_small_letters() {
    for instance in ["", "ab", &"AB".repeat(16), &"ab".repeat(17), &"xy".repeat(16)] {
        let text = format!(r#"{{"instance":"{instance}"}}"#);
        serde_json::from_str::<Request>(&text).unwrap_err();
    }
}

#[test]
fn members_that_nobody_knows_are_refused() {
    let text = format!(r#"{{"instance":"{}","debug":true}}"#, "00".repeat(16));
    let error = serde_json::from_str::<Request>(&text).unwrap_err();
    assert!(error.to_string().contains("debug"), "{error}");
}

fn provision() -> Provision {
    Provision {
        policy: Hex([1; 32]),
        deployment: "shop".into(),
        service: "db".into(),
        arguments: Some(vec![
            "redis-server".to_owned().into(),
            "--requirepass".to_owned().into(),
        ]),
        environment: BTreeMap::from([("PASSWORD".into(), "correct horse".to_owned().into())]),
        working_directory: Some("/data".into()),
        files: vec![File {
            path: "/run/tls.key".into(),
            content: b"battery staple".to_vec().into(),
            mode: 0o400,
            owner: Some(Owner {
                user: 999,
                group: 999,
            }),
        }],
        image_key: Some(vec![7; 64].into()),
        renewal: Some(Renewal {
            after: 3600,
            signal: Some(1),
        }),
    }
}

#[test]
fn what_is_given_arrives() {
    let text = serde_json::to_string(&provision()).unwrap();
    assert!(text.contains("YmF0dGVyeSBzdGFwbGU="), "{text}");
    assert_eq!(serde_json::from_str::<Provision>(&text).unwrap(), provision());
}

#[test]
fn secrets_are_not_printed() {
    let printed = format!("{:?}", provision());
    for secret in ["horse", "battery", "requirepass", "7, 7"] {
        assert!(!printed.contains(secret), "{printed}");
    }
    let text = r#"{"path":"/x","mode":256,"content":"c2VjcmV0!!"}"#;
    let error = serde_json::from_str::<File>(text).unwrap_err();
    assert!(!error.to_string().contains("c2VjcmV0"), "{error}");
}

#[test]
fn refusals_of_newer_brokers_are_understood() {
    let refusal: Refusal =
        serde_json::from_str(r#"{"code":"tired","message":"no","reference":"r1"}"#).unwrap();
    assert_eq!(
        (refusal.code, refusal.to_string().as_str()),
        (Code::Other, "no (reference r1)")
    );
}
