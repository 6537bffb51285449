//! The examples of `docs/policy.md` do what the page says.

use attestation_policy::{Claim, Decision, Denial, Position};

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
    assert!(!is_permitted(text, &enclave(false, 1)));
    let denied = parse(text).evaluate(&enclave(true, 3));
    let position = Position { line: 4, column: 5 };
    assert_eq!(denied, Ok(Decision::Denied(Denial::Rule(position))));
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
fn what_the_enclave_says_of_itself() {
    let text = examples()[2];
    let runtime = |region: &str, role: &str| {
        let json = format!(
            r#"{{"deployment": {{"region": "{region}"}}, "roles": [{{"name": "{role}", "active": true}}, {{"name": "admin", "active": false}}]}}"#
        );
        [claim("x-ms-runtime", json)]
    };
    assert_eq!(
        permission(text, &runtime("eu", "reader")).issued,
        [by_policy("region", "eu"), by_policy("read-only", true)]
    );
    assert_eq!(
        permission(text, &runtime("eu", "writer")).issued,
        [by_policy("region", "eu")]
    );
    assert!(!is_permitted(text, &runtime("us", "reader")));
    assert!(!is_permitted(text, &runtime("eu", "owner")));
}
