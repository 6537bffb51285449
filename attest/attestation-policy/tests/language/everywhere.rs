//! Tests of errors at every place of a policy.

use attestation_policy::Policy;

use super::malformed::{marked, refuse};

/// Where the tokens of a text begin, found without the lexer: at the ends of words, strings and signs.
fn boundaries(text: &str) -> Vec<usize> {
    let mut found = vec![0];
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let len = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if first == '"' {
            let mut escaped = false;
            let inner = rest[1..].find(|c| {
                let is_end = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                is_end
            });
            inner.expect("closed") + 2
        } else if first.is_ascii_alphanumeric() || first == '_' {
            rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(rest.len())
        } else {
            let two = ["=>", "&&", "==", "!=", "<=", ">="];
            two.iter()
                .find(|sign| rest.starts_with(*sign))
                .map_or(first.len_utf8(), |sign| sign.len())
        };
        rest = &rest[len..];
        found.push(text.len() - rest.len());
    }
    found
}

const EVERYTHING: &str = r#"// A policy that has everything.
version = 1.2;
configurationrules { => issueproperty(type="required_pcr_mask", value=15); };
authorizationrules {
    a:[type=="a", value!=-3, issuer=="AttestationService"] && ![ value == a.value, valueType=="Boolean" ] => deny();
    [value<1] && [value<=2] && [value>3] && [value>=4] => add(type="ä\"\\", value=true);
    => permit(); // always
};
issuancerules {
    c1:[type=="json"] && c2:[type=="query"] => issue(type=AppendString("x", c2.type), value=JmesPath(c1.value, c2.value));
    c:[type=="x"] => issue(claim=c);
    => issue(value=JsonToClaimValue("[1, 2]"), type="y");
};
"#;

#[test]
fn every_beginning_ends_too_early() {
    assert_eq!(Policy::parse(EVERYTHING).map(|policy| policy.rule_count()), Ok(7));
    let mut refused = 0;
    for end in boundaries(EVERYTHING) {
        let text = &EVERYTHING[..end];
        let Err(error) = Policy::parse(text) else {
            // After the last section that has to be there, and after the last of all.
            let tail = text.trim_end();
            assert!(tail.ends_with("};"), "{text}");
            continue;
        };
        let (_, position) = marked(&format!("{text}§"));
        assert_eq!(error.position, position, "{error}\n{text}");
        assert!(
            error.to_string().contains("found the end of the policy"),
            "{error}\n{text}"
        );
        refused += 1;
    }
    assert!(refused > 200, "{refused}");
}

#[test]
fn what_has_no_meaning_is_found_wherever_it_is() {
    let mut refused = 0;
    for index in boundaries(EVERYTHING) {
        for sign in ["?", "%", "“", "\u{a0}", "\0"] {
            let (before, after) = EVERYTHING.split_at(index);
            if before.rsplit('\n').next().is_some_and(|line| line.contains("//")) {
                continue;
            }
            refuse(
                &format!("{before}§{sign}{after}"),
                if sign == "“" {
                    "typographic"
                } else {
                    "has no meaning"
                },
            );
            refused += 1;
        }
    }
    assert!(refused > 1000, "{refused}");
}
