//! Property tests: what holds for every policy.

use attestation_policy::{Claim, Issuer, Policy, Value};
use proptest::prelude::*;

use super::{authorizing, issuing};

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::from),
        (-2_i64..3).prop_map(Value::from),
        prop::sample::select(vec!["", "a", "true", "\"\\", "{\"a\": [1, true]}", "a[0]"])
            .prop_map(Value::from),
    ]
}

fn claims() -> impl Strategy<Value = Vec<Claim>> {
    let issuer = prop::sample::select(vec![Issuer::AttestationService, Issuer::CustomClaim]);
    let claim = (prop::sample::select(vec!["a", "b", "c"]), value(), issuer);
    prop::collection::vec(
        claim.prop_map(|(claim_type, value, issuer)| Claim::new(claim_type, value, issuer)),
        0..8,
    )
}

/// Expressions that may name `x` and `y`.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        value().prop_map(|value| value.to_string()),
        prop::sample::select(vec!["x.value", "y.value", "x.type", "y.issuer", "x.valueType"])
            .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            two.clone()
                .prop_map(|(one, two)| format!("IsSubsetOf({one}, {two})")),
            two.clone()
                .prop_map(|(one, two)| format!("ContainsOnlyValue({one}, {two})")),
            two.clone()
                .prop_map(|(one, two)| format!("AppendString({one}, {two})")),
            two.prop_map(|(one, two)| format!("JmesPath({one}, {two})")),
            inner.clone().prop_map(|one| format!("JsonToClaimValue({one})")),
            inner.prop_map(|one| format!("NegateBool({one})")),
        ]
    })
}

fn test() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec!["a", "b", "c"]).prop_map(|name| format!("type == \"{name}\"")),
        (prop::sample::select(vec!["==", "!=", "<", ">="]), value())
            .prop_map(|(sign, value)| format!("value {sign} {value}")),
        prop::sample::select(vec![
            "issuer == \"CustomClaim\"",
            "issuer != \"AttestationPolicy\"",
            "valueType == \"Integer\"",
        ])
        .prop_map(str::to_owned),
    ]
}

fn condition() -> impl Strategy<Value = String> {
    prop::collection::vec(test(), 1..4).prop_map(|tests| format!("[{}]", tests.join(", ")))
}

fn rule() -> impl Strategy<Value = String> {
    (
        condition(),
        condition(),
        condition(),
        any::<bool>(),
        prop::sample::select(vec!["add", "issue", "issueproperty"]),
        prop_oneof![
            (prop::sample::select(vec!["a", "b", "c"]), expression())
                .prop_map(|(name, value)| format!("type=\"{name}\", value={value}")),
            Just("claim=x".to_owned()),
        ],
    )
        .prop_map(|(x, y, z, negated, verb, source)| {
            let not = if negated { "!" } else { "" };
            format!("x:{x} && y:{y} && {not}{z} => {verb}({source});")
        })
}

/// Where blanks may be, a comment and a line's end.
fn spread(text: &str) -> String {
    let mut spread = String::new();
    let mut in_string = false;
    let mut escaped = false;
    for character in text.chars() {
        if character == '"' && !escaped {
            in_string = !in_string;
        }
        escaped = in_string && character == '\\' && !escaped;
        spread.push(character);
        if !in_string && matches!(character, ' ' | ',' | '[' | ']' | '(' | ')' | ';' | '{' | '}') {
            spread.push_str(" // \" ; }\n\t");
        }
    }
    spread
}

proptest! {
    /// The same decision each time, whatever the layout.
    #[test]
    fn layout_does_not_matter(rules in prop::collection::vec(rule(), 0..4), claims in claims()) {
        let text = issuing(&rules.join("\n"));
        let (one, other) = (Policy::parse(&text), Policy::parse(&spread(&text)));
        prop_assert_eq!(one.is_ok(), other.is_ok(), "{}", text);
        if let (Ok(one), Ok(other)) = (one, other) {
            let decision = one.evaluate(&claims);
            prop_assert_eq!(&decision, &one.evaluate(&claims));
            let without_positions = |decision: Result<attestation_policy::Decision, _>| match decision {
                Ok(attestation_policy::Decision::Permitted(permission)) => {
                    Ok((permission.issued, permission.properties))
                }
                Ok(other) => panic!("{other:?}"),
                Err(attestation_policy::EvaluationError { problem, .. }) => Err(problem),
            };
            prop_assert_eq!(without_positions(decision), without_positions(other.evaluate(&claims)));
        }
    }

    /// Within a condition the order of tests is of no account, not even for errors.
    #[test]
    fn the_order_of_tests_does_not_matter(tests in prop::collection::vec(test(), 1..5), claims in claims()) {
        let decide = |tests: &[String]| {
            let text = authorizing(&format!("[{}] => permit();", tests.join(", ")));
            let decision = Policy::parse(&text).map(|policy| policy.evaluate(&claims));
            match decision {
                Ok(Ok(decision)) => Some(matches!(decision, attestation_policy::Decision::Permitted(_))),
                _ => None,
            }
        };
        let backward: Vec<_> = tests.iter().rev().cloned().collect();
        prop_assert_eq!(decide(&tests), decide(&backward));
    }

    /// A condition and its negation.
    #[test]
    fn either_holds_or_not(condition in condition(), claims in claims()) {
        let permits = |condition: &str| {
            let policy = Policy::parse(&authorizing(&format!("{condition} => permit();"))).ok()?;
            let decision = policy.evaluate(&claims).ok()?;
            Some(matches!(decision, attestation_policy::Decision::Permitted(_)))
        };
        prop_assert_eq!(permits(&condition), permits(&format!("!{condition}")).map(|permits| !permits));
    }

    /// Every value can be written as a literal.
    #[test]
    fn literals_say_what_they_are(text in "[^\\x00-\\x08\\x0a-\\x1f\\x7f-\\u{9f}]{0,40}", number in any::<i64>(), boolean in any::<bool>()) {
        for value in [Value::from(text), Value::from(number), Value::from(boolean)] {
            prop_assert_eq!(
                super::issued(&format!("=> issue(type=\"x\", value={value});"), &[]),
                [("x".to_owned(), value)]
            );
        }
    }

    /// Nothing that anybody writes makes the parser panic, and an error is within the text.
    #[test]
    fn any_text_is_read_or_refused(text in "(?s).{0,200}", rules in rule(), at in any::<prop::sample::Index>(), with in "(?s).{0,3}") {
        let mut policy = issuing(&rules);
        let mut at = at.index(policy.len());
        while !policy.is_char_boundary(at) {
            at -= 1;
        }
        policy.insert_str(at, &with);
        for text in [text, policy] {
            if let Err(error) = Policy::parse(&text) {
                let line = text.split('\n').nth(error.position.line as usize - 1).expect("a line");
                prop_assert!(error.position.column as usize <= line.chars().count() + 1, "{}\n{}", error, text);
            }
        }
    }
}
