//! Attest calls: verify the evidence, evaluate the policy, sign a token.

use attestation_policy::{Claim, Decision, Permission, Value as PolicyValue};
use dcap_quote::UnixTime;
use serde_json::Value;

use crate::api::attest::{AttestRequest, AttestationType};
use crate::claims::{self, Claims};
use crate::error::{ApiError, ErrorCode};
use crate::evidence::{Evidence, Verifier};
use crate::keys::TOKEN_LIFETIME;
use crate::policies::{ActivePolicy, unsecured_token};
use crate::service::{Service, TokenId};

impl Service {
    /// Answers an attest call with a token. A token by a draft policy is unsigned: nobody can rely on it.
    ///
    /// # Errors
    /// When the evidence is refused, the policy denies or cannot be evaluated, or collateral is missing.
    pub fn attest(
        &self,
        kind: AttestationType,
        mut request: AttestRequest,
        now: UnixTime,
        id: TokenId,
    ) -> Result<String, ApiError> {
        let draft = request.draft_policy.take();
        let draft = draft.map(|text| ActivePolicy::draft(&text)).transpose()?;
        let nonce = request.nonce.take();
        let verifier = Verifier {
            source: self.source.as_ref(),
            platforms: &self.platforms,
            trust: self.settings.trust,
            acceptable: &self.settings.acceptable,
        };
        let evidence = verifier.verify(kind, request, now)?;

        let state = self.state();
        let policy = match &draft {
            Some(draft) => draft,
            None => state
                .policies
                .get(kind)
                .ok_or_else(|| ErrorCode::InternalError.because("there is no policy"))?,
        };
        let mut claims = claims::about(&evidence);
        claims.insert("x-ms-policy-hash".to_owned(), policy.hash.as_str().into());
        if let Some(signer) = &policy.signer {
            claims.insert("x-ms-policy-signer".to_owned(), signer.clone());
        }
        let permission = ask(policy, &claims)?;
        check_configuration(&permission.configuration, &evidence)?;
        let lifetime = lifetime(&permission.properties)?;
        if let Some(nonce) = nonce {
            claims.insert("nonce".to_owned(), nonce.into());
        }
        self.add_own(&mut claims, lifetime, now, id);
        claims::add_issued(&mut claims, permission.issued);
        if draft.is_some() {
            return Ok(unsecured_token(&Value::Object(claims)));
        }
        self.sign(&state, claims, now)
    }
}

fn ask(policy: &ActivePolicy, claims: &Claims) -> Result<Permission, ApiError> {
    let failed = |message: String| ErrorCode::PolicyEvaluationError.because(message);
    match policy.policy.evaluate(&claims::for_policy(claims)) {
        Ok(Decision::Permitted(permission)) => Ok(permission),
        Ok(Decision::Denied(denial)) => Err(failed(format!("the policy denies: {denial}"))),
        Err(error) => Err(failed(format!(
            "the policy cannot be evaluated with these claims: {error}"
        ))),
    }
}

/// What a policy's configuration rules ask of the verification. Nothing that is not understood passes.
fn check_configuration(properties: &[Claim], evidence: &Evidence) -> Result<(), ApiError> {
    let failed = |message: String| Err(ErrorCode::PolicyEvaluationError.because(message));
    for property in properties {
        if property.claim_type != "x-ms-sgx-tcbidentifier" {
            return failed(format!(
                "the policy's configuration rules set {:?}, which this service does not know",
                property.claim_type
            ));
        }
        let baseline = match &property.value {
            PolicyValue::String(name) if name == "azuredefault" => continue,
            PolicyValue::String(number) => number.parse::<u32>().ok(),
            PolicyValue::Integer(number) => u32::try_from(*number).ok(),
            PolicyValue::Boolean(_) => None,
        };
        let Some(baseline) = baseline else {
            return failed(
                "the policy's x-ms-sgx-tcbidentifier is neither azuredefault nor the number of a TCB recovery"
                    .to_owned(),
            );
        };
        let number = evidence.verdict.evaluation_data_numbers.tcb_info;
        if number < baseline {
            return failed(format!(
                "the policy asks for TCB recovery {baseline} (x-ms-sgx-tcbidentifier), and this service's collateral is of \
                 {number}; its operator has to renew it"
            ));
        }
    }
    Ok(())
}

/// Seconds that the token is to be valid, as far as the policy's issuance rules say it.
fn lifetime(properties: &[Claim]) -> Result<u64, ApiError> {
    const MAX_MINUTES: u64 = TOKEN_LIFETIME / 60;
    let mut lifetime = TOKEN_LIFETIME;
    for property in properties {
        let minutes = match (property.claim_type.as_str(), &property.value) {
            ("report_validity_in_minutes", PolicyValue::Integer(minutes)) => u64::try_from(*minutes).ok(),
            _ => None,
        };
        // Keys are published no longer than such a token is valid.
        match minutes.filter(|minutes| (1..=MAX_MINUTES).contains(minutes)) {
            Some(minutes) => lifetime = minutes.saturating_mul(60),
            None => {
                return Err(ErrorCode::PolicyEvaluationError.because(format!(
                    "the policy's issuance rules set {:?} to {}; this service knows report_validity_in_minutes from 1 to \
                     {MAX_MINUTES} only",
                    property.claim_type, property.value
                )));
            }
        }
    }
    Ok(lifetime)
}
