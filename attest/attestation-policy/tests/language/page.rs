//! Tests of the examples in `docs/policy.md`.

use attestation_policy::{Claim, Decision, Denial};

use super::{by_policy, claim, is_permitted, parse, permission};

/// The blocks that are policies, in their order.
fn examples() -> Vec<&'static str> {
    let page = include_str!("../../../../docs/policy.md");
    let mut blocks: Vec<_> = page.split("```policy\n").skip(1).collect();
    for block in &mut blocks {
        *block = block.split("```").next().expect("its end");
    }
    blocks
}

#[test]
fn there_are_three_and_each_is_valid() {
    let examples = examples();
    assert_eq!(examples.len(), 3);
    for example in examples {
        parse(example);
    }
}

fn enclave(is_debuggable: bool, svn: i64) -> Vec<Claim> {
    vec![
        claim("x-ms-sgx-is-debuggable", is_debuggable),
        claim(
            "x-ms-sgx-mrsigner",
            "83d719e77deaca1470f6baf62a4d774303c899db69020f9c70ee1dfc08c7ce9e",
        ),
        claim("x-ms-sgx-product-id", 1),
        claim("x-ms-sgx-svn", svn),
    ]
}

#[test]
fn production_enclaves_of_one_author() {
    let text = examples()[0];
    assert_eq!(
        permission(text, &enclave(false, 3)).issued,
        [by_policy("release", 3)]
    );
    for claims in [enclave(false, 1), enclave(true, 3), vec![]] {
        assert!(!is_permitted(text, &claims));
    }
}

#[test]
fn a_claim_that_is_missing() {
    let text = examples()[1];
    assert!(is_permitted(text, &enclave(false, 1)));
    for claims in [enclave(true, 1), vec![]] {
        let denied = parse(text).evaluate(&claims);
        assert!(
            matches!(denied, Ok(Decision::Denied(Denial::Rule(_)))),
            "{denied:?}"
        );
    }
}

#[test]
fn one_of_several_authors() {
    let text = examples()[2];
    let claims = |author: &str, is_debuggable: bool, collateral: &str| {
        [
            claim("x-ms-sgx-mrsigner", author),
            claim("x-ms-sgx-is-debuggable", is_debuggable),
            claim("x-ms-sgx-collateral", collateral),
        ]
    };
    let collateral = r#"{"tcbinfohash": "abcd", "qeidhash": "1234"}"#;
    for author in ["83d719e7", "9affcfae"] {
        assert_eq!(
            permission(text, &claims(author, false, collateral)).issued,
            [by_policy("tcb-info", "abcd")]
        );
    }
    assert_eq!(
        permission(text, &claims("83d719e7", false, "{}")).issued,
        [by_policy("tcb-info", "unknown")]
    );
    assert!(!is_permitted(text, &claims("00000000", false, collateral)));
    assert!(!is_permitted(text, &claims("83d719e7", true, collateral)));
}
