//! Tests of the policy language through its public interface.

mod decisions;
mod documented;
mod everywhere;
mod functions;
mod known_properties;
mod limits;
mod malformed;
mod page;
mod properties;
mod queries;

use attestation_policy::{Claim, Decision, Denial, EvaluationError, Issuer, Permission, Policy, Value};

/// A policy without an error.
fn parse(text: &str) -> Policy {
    Policy::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Version 1.2 with these issuance rules.
fn issuing(rules: &str) -> String {
    format!("version=1.2; authorizationrules{{ => permit(); }};\nissuancerules{{\n{rules}\n}};")
}

/// Version 1.2 with these authorization rules.
fn authorizing(rules: &str) -> String {
    format!("version=1.2; authorizationrules{{\n{rules}\n}};")
}

fn permission(text: &str, claims: &[Claim]) -> Permission {
    match parse(text).evaluate(claims) {
        Ok(Decision::Permitted(permission)) => permission,
        other => panic!("{:.1000}\n{text:.1000}", format!("{other:?}")),
    }
}

fn is_permitted(text: &str, claims: &[Claim]) -> bool {
    match parse(text).evaluate(claims) {
        Ok(Decision::Permitted(_)) => true,
        Ok(Decision::Denied(Denial::NoRulePermits)) => false,
        other => panic!("{:.1000}\n{text:.1000}", format!("{other:?}")),
    }
}

fn failure(text: &str, claims: &[Claim]) -> EvaluationError {
    match parse(text).evaluate(claims) {
        Err(error) => error,
        other => panic!("{:.1000}\n{text:.1000}", format!("{other:?}")),
    }
}

/// Types and values that issuance rules issue.
fn issued(rules: &str, claims: &[Claim]) -> Vec<(String, Value)> {
    let issued = permission(&issuing(rules), claims).issued;
    issued
        .into_iter()
        .map(|claim| (claim.claim_type, claim.value))
        .collect()
}

/// A claim of the service.
fn claim(claim_type: &str, value: impl Into<Value>) -> Claim {
    Claim::verified(claim_type, value)
}

/// What is to be issued.
fn made(claim_type: &str, value: impl Into<Value>) -> (String, Value) {
    (claim_type.to_owned(), value.into())
}

fn by_policy(claim_type: &str, value: impl Into<Value>) -> Claim {
    Claim::new(claim_type, value, Issuer::AttestationPolicy)
}
