//! Claims about verified evidence, under the names of Azure Attestation.
//!
//! Sources: Microsoft's "Claim sets", "Examples of an attestation token" and "Azure Attestation EAT profile for Intel TDX". What
//! they do not have is called `x-nacre-…`.

mod sgx;
mod tdx;

use attestation_policy::{Claim, Issuer};
use dcap_quote::{Report, Trust};
use serde_json::{Map, Value};

use crate::api::attest::DataType;
use crate::evidence::Evidence;

/// Claims of a token by their names.
pub(crate) type Claims = Map<String, Value>;

const RUNTIME: &str = "x-ms-runtime";
const INIT_TIME: &str = "x-ms-inittime";
/// The platform's TCB status, which Azure's tokens show for trust domains only.
const TCB_STATUS: &str = "x-nacre-tcb-status";

/// Claims of a token by the service, but for those about the token itself and about the policy.
pub(crate) fn about(evidence: &Evidence) -> Claims {
    let mut claims = Claims::new();
    let mut put = |name: &str, value: Value| {
        claims.insert(name.to_owned(), value);
    };
    put("x-ms-ver", "1.0".into());
    put(TCB_STATUS, evidence.verdict.status.name().into());
    if evidence.verdict.trust == Trust::Simulated {
        put(attestation_token::SIMULATED, true.into());
    }
    for (name, data) in [
        (RUNTIME, &evidence.runtime_data),
        (INIT_TIME, &evidence.init_time_data),
    ] {
        if let Some(DataType::Json(object)) = data.as_ref().map(|data| &data.kind) {
            put(name, object.clone().into());
        }
    }
    match &evidence.verdict.report {
        Report::Sgx(report) => sgx::put(report, evidence, &mut claims),
        Report::Td(report) => tdx::put(report, &evidence.verdict, &mut claims),
    }
    claims
}

/// The same for a policy, which knows texts, integers and truth values only: objects are texts of JSON.
///
/// Each is there under its deprecated names, too, which policies in use still examine.
pub(crate) fn for_policy(claims: &Claims) -> Vec<Claim> {
    let mut incoming = Vec::new();
    for (name, value) in claims {
        // What the attested software says of itself is bound to the evidence, but nobody has verified it.
        let issuer = match name.as_str() {
            RUNTIME | INIT_TIME => Issuer::CustomClaim,
            _ => Issuer::AttestationService,
        };
        let value = policy_value(value);
        for (_, old) in DEPRECATED_NAMES.iter().filter(|(new, _)| new == name) {
            incoming.push(Claim::new(*old, value.clone(), issuer));
        }
        incoming.push(Claim::new(name, value, issuer));
    }
    incoming
}

/// Names and their deprecated ones, by "Claim sets": "fully supported". Those with `$` are the preview's. `aas-ehd`, `maa-ehd`
/// and `maa-attestationcollateral` are in each token, and so among the claims anyway.
const DEPRECATED_NAMES: [(&str, &str); 14] = [
    ("x-ms-ver", "ver"),
    ("x-ms-attestation-type", "tee"),
    ("x-ms-attestation-type", "$tee"),
    ("x-ms-policy-hash", "policy_hash"),
    ("x-ms-policy-hash", "maa-policyHash"),
    ("x-ms-policy-signer", "policy_signer"),
    ("x-ms-sgx-is-debuggable", "$is-debuggable"),
    ("x-ms-sgx-mrsigner", "$sgx-mrsigner"),
    ("x-ms-sgx-mrenclave", "$sgx-mrenclave"),
    ("x-ms-sgx-product-id", "$product-id"),
    ("x-ms-sgx-svn", "$svn"),
    ("x-ms-sgx-ehd", "$maa-ehd"),
    ("x-ms-sgx-ehd", "$aas-ehd"),
    ("x-ms-sgx-collateral", "$maa-attestationcollateral"),
];

fn policy_value(value: &Value) -> attestation_policy::Value {
    match value {
        Value::Bool(boolean) => (*boolean).into(),
        Value::String(text) => text.as_str().into(),
        other => match other.as_i64() {
            Some(number) => number.into(),
            None => other.to_string().into(),
        },
    }
}

/// Adds what a policy has issued: each claim by its name, and all of them within `x-ms-policy`.
///
/// A claim that the service makes itself keeps its value at the top: no policy can make a token say that an enclave is another.
pub(crate) fn add_issued(claims: &mut Claims, issued: Vec<Claim>) {
    let mut by_policy = Claims::new();
    for claim in issued {
        let value = match claim.value {
            attestation_policy::Value::String(text) => Value::from(text),
            attestation_policy::Value::Integer(number) => number.into(),
            attestation_policy::Value::Boolean(boolean) => boolean.into(),
        };
        match by_policy.get_mut(&claim.claim_type) {
            None => {
                by_policy.insert(claim.claim_type, value);
            }
            // Several of one name make a list.
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
    for (name, value) in &by_policy {
        claims.entry(name.clone()).or_insert_with(|| value.clone());
    }
    if !by_policy.is_empty() {
        claims.insert("x-ms-policy".to_owned(), by_policy.into());
    }
}
