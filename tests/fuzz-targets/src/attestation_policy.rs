//! Attestation policies: read and evaluated within their bounds, the same each time, and an error is somewhere in the text.
//!
//! The input is a policy, and what follows a line of `---` is a JSON text and a query for its functions.

use attestation_policy::{Claim, Decision, EvaluationError, Issuer, Policy, Position, limits};

pub(crate) fn run(input: &[u8]) {
    let Ok(input) = std::str::from_utf8(input) else {
        return;
    };
    let (text, data) = input.split_once("\n---\n").unwrap_or((input, "{}"));
    let (json, query) = data.split_once("\n---\n").unwrap_or((data, "@"));
    match Policy::parse(text) {
        Ok(policy) => {
            let claims = claims(json, query);
            let decision = policy.evaluate(&claims);
            assert_eq!(decision, policy.evaluate(&claims), "the same each time");
            check(text, &decision);
        }
        Err(error) => check_position(text, error.position),
    }
}

fn claims(json: &str, query: &str) -> [Claim; 6] {
    [
        Claim::verified("json", json),
        Claim::verified("query", query),
        Claim::verified("x", 1),
        Claim::verified("x", true).read_only(),
        Claim::new("x", "text", Issuer::CustomClaim),
        Claim::verified("y", i64::MIN),
    ]
}

fn check(text: &str, decision: &Result<Decision, EvaluationError>) {
    match decision {
        Ok(Decision::Permitted(permission)) => {
            check_position(text, permission.by);
            let made = permission.issued.iter().chain(&permission.properties);
            let mut count = 0;
            for claim in made.chain(&permission.configuration) {
                count += 1;
                if let attestation_policy::Value::String(value) = &claim.value {
                    assert!(value.len() <= limits::MAX_VALUE);
                }
            }
            assert!(count <= limits::MAX_CLAIMS);
        }
        Ok(Decision::Denied(_)) => {}
        Err(error) => check_position(text, error.position),
    }
}

fn check_position(text: &str, position: Position) {
    // A text that is too long, or claims that are, are wrong at the start.
    let line = text.split('\n').nth(position.line as usize - 1).expect("a line");
    assert!(position.column as usize <= line.chars().count() + 1);
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    [
        attestation_policy::defaults::SGX_ENCLAVE,
        r#"version=1.2;
configurationrules { => issueproperty(type="p", value=1); };
authorizationrules {
    [type=="y", value<0] && ![type=="z"] => permit(); // comment
    c:[type=="x", issuer=="CustomClaim"] && [value==c.value, valueType!="Boolean"] => add(type="w", value=true);
};
issuancerules {
    j:[type=="json"] && q:[type=="query"] => issue(type="found", value=JsonToClaimValue(JmesPath(j.value, q.value)));
    c:[type=="x", value==1] => issue(claim=c);
    => issue(type=AppendString("a\"", "\\"), value=NegateBool(ContainsOnlyValue(1, 2)));
    a:[type=="found"] && b:[type=="x"] => issue(type="subset", value=IsSubsetOf(a.value, b.value));
};
---
{"a": [{"b": 1, "c": "x"}, {"b": -2.5, "c": null}, [1, [2]]], "d": {"e": "text"}}
---
a[?b >= `0`].{x: c, y: length(c)} | sort_by(@, &y)[0].x || join('-', keys(@))"#,
        r#"version=1.2; authorizationrules { => permit(); };
issuancerules { j:[type=="json"] && q:[type=="query"] => issue(type="found", value=JmesPath(j.value, q.value)); };
---
[[1, 2], [3], {"k": [4, 5, 6]}]
---
[@, @][] | [*][] | [::-2] | [to_string(@), max(map(&abs(@), [`-1`, `2`])), merge(@[0] && `{}`, `{"a": 1}`), !@ != `[]`]"#,
    ]
    .iter()
    .map(|seed| seed.as_bytes().to_vec())
    .collect()
}
