//! Tests of policies: what they demand of genuine tokens.

use attestation_token::{ClaimError, ClaimPolicy, Claims, Objection, Refusal, SIMULATED};
use serde_json::{Map, Value, json};

use crate::support::{MR_ENCLAVE, MR_SIGNER, NOW, RUNTIME_DATA, key_set, token_with, validator};

fn judge(
    policy: &ClaimPolicy,
    change: impl FnOnce(&mut Map<String, Value>),
) -> Result<Claims, Vec<Objection>> {
    match validator().validate(&token_with(change), &key_set(), policy, NOW) {
        Ok(claims) => Ok(claims),
        Err(Refusal::Objections(objections)) => Err(objections),
        Err(other) => panic!("{other}"),
    }
}

fn strict() -> ClaimPolicy {
    ClaimPolicy::default()
        .require_mrenclave([1; 32])
        .require_mrenclave(MR_ENCLAVE)
        .require_mrsigner(MR_SIGNER)
        .require_product_id(3)
        .min_svn(7)
        .require_nonce("2f7e1a")
        .require_runtime_data(RUNTIME_DATA)
        .require_policy_hash("N2wsT7vKSTVQvtxPhuKYVkBU1nKIZNnLZyQ3ZYyXx4g")
        .require_claim("x-ms-ver", "1.0")
}

#[test]
fn what_satisfies_it_is_accepted() {
    let claims = judge(&strict(), |_| {}).unwrap();
    let sgx = claims.sgx().unwrap();
    assert_eq!((sgx.mr_enclave, sgx.mr_signer), (MR_ENCLAVE, MR_SIGNER));
    assert_eq!((sgx.product_id, sgx.svn, sgx.is_debuggable), (3, 7, false));
}

#[test]
fn each_claim_counts() {
    let cases: [(&str, Value, Objection); 9] = [
        (
            "x-ms-sgx-mrenclave",
            json!("02".repeat(32)),
            Objection::MrEnclave([2; 32]),
        ),
        (
            "x-ms-sgx-mrsigner",
            json!("02".repeat(32)),
            Objection::MrSigner([2; 32]),
        ),
        (
            "x-ms-sgx-product-id",
            json!(4),
            Objection::ProductId {
                expected: 3,
                found: 4,
            },
        ),
        ("x-ms-sgx-svn", json!(6), Objection::Svn { least: 7, found: 6 }),
        ("x-ms-sgx-is-debuggable", json!(true), Objection::Debug),
        ("nonce", json!("2f7e1b"), Objection::Nonce),
        (
            "x-ms-sgx-report-data",
            json!("00".repeat(64)),
            Objection::RuntimeData,
        ),
        (
            "x-ms-policy-hash",
            json!("x"),
            Objection::PolicyHash("x".to_owned()),
        ),
        ("x-ms-ver", json!(1.0), Objection::Value("x-ms-ver".to_owned())),
    ];
    for (name, value, objection) in cases {
        let objections = judge(&strict(), |claims| drop(claims.insert(name.to_owned(), value))).unwrap_err();
        assert_eq!(objections, [objection], "{name}");
        // What is missing is never what was demanded.
        let objections = judge(&strict(), |claims| drop(claims.remove(name))).unwrap_err();
        assert_eq!(
            objections.len(),
            if name == "x-ms-sgx-is-debuggable" { 2 } else { 1 },
            "{name}"
        );
        let objections = judge(&strict(), |claims| {
            drop(claims.insert(name.to_owned(), Value::Null))
        });
        assert!(objections.is_err(), "{name}");
    }
}

#[test]
fn all_objections_are_told() {
    let policy = strict().require_nonce("other").min_svn(8).require_claim("x", 1);
    let objections = judge(&policy, |_| {}).unwrap_err();
    assert_eq!(
        objections,
        [
            Objection::Nonce,
            Objection::Svn { least: 8, found: 7 },
            Objection::Value("x".to_owned())
        ]
    );
}

#[test]
fn simulated_platforms_only_when_they_are_named() {
    let simulated = |claims: &mut Map<String, Value>| drop(claims.insert(SIMULATED.to_owned(), json!(true)));
    let policy = ClaimPolicy::default();
    assert_eq!(judge(&policy, simulated), Err(vec![Objection::Simulated]));
    let accepted = judge(&policy.clone().dangerous_accept_simulated(), simulated).unwrap();
    assert!(accepted.is_simulated());
    assert!(
        judge(&policy, |claims| drop(
            claims.insert(SIMULATED.to_owned(), json!(false))
        ))
        .is_ok()
    );
    // Whatever else it says is not a no.
    for odd in [json!("false"), json!(null), json!(0), json!({})] {
        let odd = |claims: &mut Map<String, Value>| drop(claims.insert(SIMULATED.to_owned(), odd));
        assert_eq!(judge(&policy, odd), Err(vec![Objection::Simulated]));
    }
}

#[test]
fn debug_enclaves_only_when_they_are_named() {
    let debug = |claims: &mut Map<String, Value>| {
        drop(claims.insert("x-ms-sgx-is-debuggable".to_owned(), json!(true)))
    };
    assert_eq!(judge(&ClaimPolicy::default(), debug), Err(vec![Objection::Debug]));
    assert!(judge(&ClaimPolicy::default().dangerous_accept_debug(), debug).is_ok());
    // Also then the token has to say it, in its type.
    for value in [Value::Null, json!("false"), json!(0)] {
        let odd =
            |claims: &mut Map<String, Value>| drop(claims.insert("x-ms-sgx-is-debuggable".to_owned(), value));
        assert!(judge(&ClaimPolicy::default().dangerous_accept_debug(), odd).is_err());
    }
}

#[test]
fn trust_domains_and_kinds_that_are_unknown() {
    let domain = |debug: bool| {
        move |claims: &mut Map<String, Value>| {
            claims.retain(|name, _| !name.starts_with("x-ms-sgx-"));
            claims.insert("x-ms-attestation-type".to_owned(), json!("tdxvm"));
            claims.insert("tdx_td_attributes_debug".to_owned(), json!(debug));
        }
    };
    assert!(judge(&ClaimPolicy::default(), domain(false)).is_ok());
    assert_eq!(
        judge(&ClaimPolicy::default(), domain(true)),
        Err(vec![Objection::Debug])
    );
    // An enclave's identity cannot be a trust domain's.
    let policy = ClaimPolicy::default().require_mrenclave(MR_ENCLAVE);
    assert!(judge(&policy, domain(false)).is_err());
    for kind in [json!("SGX"), json!("azurevm"), json!(null), json!("")] {
        let strange =
            |claims: &mut Map<String, Value>| drop(claims.insert("x-ms-attestation-type".to_owned(), kind));
        assert!(judge(&ClaimPolicy::default(), strange).is_err());
    }
}

#[test]
fn claims_in_another_form() {
    let policy = ClaimPolicy::default().require_mrenclave(MR_ENCLAVE);
    for value in [
        json!("5A".repeat(32)),
        json!("5a".repeat(31)),
        json!("5a".repeat(33)),
        json!(0x5a),
        json!(format!("0x{}", "5a".repeat(31))),
    ] {
        let changed =
            |claims: &mut Map<String, Value>| drop(claims.insert("x-ms-sgx-mrenclave".to_owned(), value));
        assert!(matches!(
            judge(&policy, changed).unwrap_err()[..],
            [Objection::Claim(ClaimError::Form { .. })]
        ),);
    }
    for value in [json!(65536), json!(-1), json!("7"), json!(7.5)] {
        let changed = |claims: &mut Map<String, Value>| drop(claims.insert("x-ms-sgx-svn".to_owned(), value));
        assert!(judge(&policy, changed).is_err());
    }
}
