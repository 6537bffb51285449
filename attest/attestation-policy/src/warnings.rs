//! What a policy says that its author cannot mean: it is valid, and decides otherwise than it reads.

use std::fmt;

use serde::Serialize;

use crate::claim::Value;
use crate::known_claims::{measurement, similar, value_type};
use crate::position::Position;
use crate::syntax::{Action, Condition, ExpressionKind, Operator, Policy, Property, Rule, Source, Test};

/// Something that is probably a mistake, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// Of the test that it is about.
    pub position: Position,
    /// In a sentence.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.position, self.message)
    }
}

impl Policy {
    /// What is probably a mistake: claims that no service makes, values of a type that a claim never has, and measurements that
    /// are not in the one form in which claims have them.
    #[must_use]
    pub fn warnings(&self) -> Vec<Warning> {
        let sections = [&self.configuration, &self.authorization, &self.issuance];
        let rules = || sections.iter().copied().flatten();
        let made: Vec<&str> = rules().filter_map(made_claim).collect();
        let mut warnings = Vec::new();
        for condition in rules().flat_map(|rule| &rule.conditions) {
            warn(condition, &made, &mut warnings);
        }
        warnings
    }
}

/// The claim that a rule makes, if its name is in the text.
fn made_claim(rule: &Rule) -> Option<&str> {
    match &rule.action {
        Action::Claim {
            source: Source::New { claim_type, .. },
            ..
        } => match &claim_type.kind {
            ExpressionKind::Literal(Value::String(name)) => Some(name),
            _ => None,
        },
        _ => None,
    }
}

fn warn(condition: &Condition, made: &[&str], warnings: &mut Vec<Warning>) {
    let named = condition.tests.iter().find_map(|test| match literal(test) {
        Some(Value::String(name)) if test.property == Property::Type && test.operator == Operator::Equal => {
            Some((test, name.as_str()))
        }
        _ => None,
    });
    let Some((test, name)) = named else { return };
    let mut add = |test: &Test, message: String| {
        warnings.push(Warning {
            position: test.position,
            message,
        });
    };
    // A rule may give the claim another value, of another type.
    if made.contains(&name) {
        return;
    }
    let Some(known) = value_type(name) else {
        let hint = similar(name).map_or_else(
            || "only a caller's own claims can have this name, and no service makes them".to_owned(),
            |similar| format!("did you mean {similar:?}?"),
        );
        return add(test, format!("no claim is called {name:?}: {hint}"));
    };
    for test in &condition.tests {
        let Some(value) = literal(test).filter(|_| test.property == Property::Value) else {
            continue;
        };
        if value.value_type() != known {
            let symbol = test.operator.symbol();
            let always = match test.operator {
                Operator::NotEqual => "holds always",
                _ => "never holds",
            };
            add(
                test,
                format!(
                    "{name:?} is {}, compared with {} {value}: {symbol} {always}",
                    known.noun(),
                    value.value_type().noun()
                ),
            );
        } else if let (Value::String(text), Some(len)) = (value, measurement(name)) {
            if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
                add(
                    test,
                    format!("{name:?} is in lower-case hexadecimal, so it never equals {value}"),
                );
            } else if text.len() != len.saturating_mul(2)
                || !text.bytes().all(|byte| byte.is_ascii_hexdigit())
            {
                add(
                    test,
                    format!("{name:?} is {len} bytes in hexadecimal, so it never equals {value}"),
                );
            }
        }
    }
}

/// What a test compares with, if it is in the text.
fn literal(test: &Test) -> Option<&Value> {
    match &test.expected.kind {
        ExpressionKind::Literal(value) => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warnings(conditions: &str) -> Vec<String> {
        let text = format!("version=1.2;\nauthorizationrules {{\n{conditions} => permit();\n}};");
        let policy = Policy::parse(&text).unwrap();
        policy.warnings().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_meant_gives_no_warning() {
        let hash = "83d719e77deaca1470f6baf62a4d774303c899db69020f9c70ee1dfc08c7ce9e";
        for good in [
            "",
            r#"[type=="x-ms-sgx-is-debuggable", value==false]"#,
            r#"![type=="x-ms-sgx-is-debuggable", value==false]"#,
            r#"[type=="x-ms-sgx-svn", value>=2, issuer=="AttestationService"]"#,
            &format!(r#"[type=="x-ms-sgx-mrsigner", value=="{hash}"]"#),
            r#"a:[type=="x-ms-sgx-mrsigner"] && [type=="x-ms-sgx-mrenclave", value!=a.value]"#,
            r#"[type=="x-ms-runtime", value=="anything"]"#,
        ] {
            assert_eq!(warnings(good), [""; 0], "{good}");
        }
    }

    #[test]
    fn a_value_of_the_wrong_type_is_told() {
        assert_eq!(
            warnings(r#"[type=="x-ms-sgx-is-debuggable", value!="true"]"#),
            [
                r#"line 3, column 34: "x-ms-sgx-is-debuggable" is a boolean, compared with a string "true": != holds always"#
            ]
        );
        assert_eq!(
            warnings(r#"[type=="x-ms-sgx-svn", value=="2"]"#),
            [
                r#"line 3, column 24: "x-ms-sgx-svn" is an integer, compared with a string "2": == never holds"#
            ]
        );
    }

    #[test]
    fn an_unknown_claim_is_told_unless_the_policy_makes_it() {
        assert_eq!(
            warnings(r#"[type=="x-ms-sgx-mrenclav"]"#),
            [
                r#"line 3, column 2: no claim is called "x-ms-sgx-mrenclav": did you mean "x-ms-sgx-mrenclave"?"#
            ]
        );
        let [other] = &warnings(r#"[type=="role", value=="admin"]"#)[..] else {
            panic!()
        };
        assert!(other.contains("no claim is called \"role\""), "{other}");
        assert_eq!(
            warnings(r#"=> add(type="role", value="admin"); [type=="role", value=="admin"]"#),
            [""; 0]
        );
    }

    #[test]
    fn a_measurement_in_another_form_is_told() {
        for (value, words) in [
            ("AB".repeat(32), "lower-case"),
            ("ab".repeat(31), "32 bytes"),
            ("xy".repeat(32), "32 bytes"),
            (String::new(), "32 bytes"),
        ] {
            let [warning] = &warnings(&format!(r#"[type=="x-ms-sgx-mrenclave", value=="{value}"]"#))[..]
            else {
                panic!("{value}")
            };
            assert!(warning.contains(words), "{warning}");
        }
    }
}
