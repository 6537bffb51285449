//! Attest calls: verify the evidence, evaluate the policy, sign a token.

use attestation_policy::{Decision, MAX_VALIDITY_MINUTES, Permission, Properties};
use dcap_quote::UnixTime;
use serde_json::Value;

use crate::api::attest::{AttestRequest, AttestationType};
use crate::claims::{self, Claims};
use crate::error::{ApiError, ErrorCode};
use crate::evidence::{Evidence, Verifier};
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
        let properties = properties(&permission, &evidence)?;
        let validity = properties.validity_minutes.unwrap_or(MAX_VALIDITY_MINUTES);
        if let Some(nonce) = nonce {
            claims.insert("nonce".to_owned(), nonce.into());
        }
        self.add_own(&mut claims, u64::from(validity).saturating_mul(60), now, id);
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

/// What a policy's properties ask of the verification and of the token. Nothing that is not understood passes.
fn properties(permission: &Permission, evidence: &Evidence) -> Result<Properties, ApiError> {
    let failed = |message: String| ErrorCode::PolicyEvaluationError.because(message);
    let properties =
        Properties::of(permission).map_err(|error| failed(format!("the policy's properties: {error}")))?;
    let number = evidence.verdict.evaluation_data_numbers.lower();
    match properties.baseline.filter(|baseline| number < *baseline) {
        Some(baseline) => Err(failed(format!(
            "the policy asks for TCB recovery {baseline} (x-ms-sgx-tcbidentifier), and this service's collateral is of \
             {number}; its operator has to renew it"
        ))),
        None => Ok(properties),
    }
}
