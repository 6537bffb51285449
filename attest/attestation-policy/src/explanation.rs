//! Why no rule permits: the condition of each rule at which its evaluation ended.

use std::fmt;

use serde::Serialize;

use crate::claim::{Claim, Value};
use crate::evaluation::{Evaluation, Found, Met};
use crate::failure::EvaluationError;
use crate::position::Position;
use crate::syntax::{Action, Condition, ExpressionKind, Policy, Property, Test};

/// A condition that does not hold, and keeps a rule from permitting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unmet {
    /// Of the rule.
    pub rule: Position,
    /// Of the condition.
    pub position: Position,
    /// What the claims say instead.
    pub message: String,
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.position, self.message)
    }
}

impl Policy {
    /// For each rule that would permit, the first of its conditions that does not hold with these claims.
    ///
    /// It shows claims and the policy: it is for the policy's author, and not for whoever asks to be attested.
    ///
    /// # Errors
    /// As [`Policy::evaluate`].
    pub fn unmet(&self, claims: &[Claim]) -> Result<Vec<Unmet>, EvaluationError> {
        let mut evaluation = Evaluation::new(claims)?;
        evaluation.run(&self.configuration)?;
        let mut all = Vec::new();
        for rule in &self.authorization {
            if matches!(rule.action, Action::Permit) {
                if let Met::Not(condition, found) = evaluation.meet(rule)? {
                    all.push(Unmet {
                        rule: rule.position,
                        position: condition
                            .tests
                            .first()
                            .map_or(rule.position, |test| test.position),
                        message: explain(&evaluation, condition, &found),
                    });
                }
            } else {
                evaluation.apply(rule)?;
            }
        }
        Ok(all)
    }
}

/// `found` holds the claims that pass the condition as its last entry.
fn explain(evaluation: &Evaluation<'_>, condition: &Condition, found: &Found) -> String {
    if condition.is_negated {
        let passing = found.last().into_iter().flatten();
        let shown: Vec<String> = passing
            .filter_map(|number| evaluation.claims.get(*number))
            .map(|claim| format!("{} = {}", claim.claim_type, claim.value))
            .collect();
        return format!("there is such a claim: {}", listed(&shown));
    }
    let Some(name) = condition.tests.iter().find_map(named) else {
        return "no claim is so".to_owned();
    };
    let same: Vec<String> = evaluation
        .claims
        .iter()
        .filter(|claim| claim.claim_type == name)
        .map(|claim| format!("{} by {}", claim.value, claim.issuer))
        .collect();
    if same.is_empty() {
        return format!("there is no claim {name}");
    }
    let others = condition
        .tests
        .iter()
        .filter(|test| test.property != Property::Type);
    let wanted: Vec<String> = others.map(wanted).collect();
    format!("{name} is {}, which is not {}", listed(&same), wanted.join(", "))
}

/// A few of them.
fn listed(texts: &[String]) -> String {
    const MOST: usize = 4;
    let shown = texts.iter().take(MOST).cloned().collect::<Vec<_>>().join(" and ");
    match texts.len().checked_sub(MOST) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}

/// The name of the claim that a test asks for.
fn named(test: &Test) -> Option<&str> {
    match &test.expected.kind {
        ExpressionKind::Literal(Value::String(name)) if test.property == Property::Type => Some(name),
        _ => None,
    }
}

/// `value==false`; what is no literal stands in the policy's text.
fn wanted(test: &Test) -> String {
    let expected = match &test.expected.kind {
        ExpressionKind::Literal(value) => value.to_string(),
        _ => "…".to_owned(),
    };
    format!("{}{}{expected}", test.property.name(), test.operator.symbol())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unmet(rules: &str, claims: &[Claim]) -> Vec<String> {
        let text = format!("version=1.2;\nauthorizationrules {{\n{rules}\n}};");
        let policy = Policy::parse(&text).unwrap();
        let unmet = policy.unmet(claims).unwrap();
        unmet.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_first_condition_that_does_not_hold() {
        let rules = r#"[type=="x-ms-sgx-svn", value>=2] && [type=="x-ms-sgx-is-debuggable", value==false] => permit();
![type=="x-ms-sgx-is-debuggable"] => permit();
[type=="role", value=="admin"] => permit();"#;
        let claims = [
            Claim::verified("x-ms-sgx-svn", 3),
            Claim::verified("x-ms-sgx-is-debuggable", true),
        ];
        assert_eq!(
            unmet(rules, &claims),
            [
                "line 3, column 38: x-ms-sgx-is-debuggable is true by AttestationService, which is not value==false",
                "line 4, column 3: there is such a claim: x-ms-sgx-is-debuggable = true",
                "line 5, column 2: there is no claim role",
            ]
        );
        let old = [Claim::verified("x-ms-sgx-svn", 1)];
        assert_eq!(
            unmet(rules, &old)[..1],
            ["line 3, column 2: x-ms-sgx-svn is 1 by AttestationService, which is not value>=2"]
        );
    }

    #[test]
    fn rules_before_it_have_their_effect() {
        let rules = r#"=> add(type="role", value="user"); [type=="role", value=="admin"] => permit();"#;
        assert_eq!(
            unmet(rules, &[]),
            ["line 3, column 37: role is \"user\" by AttestationPolicy, which is not value==\"admin\""]
        );
        assert_eq!(unmet("=> permit();", &[]), [""; 0]);
    }
}
