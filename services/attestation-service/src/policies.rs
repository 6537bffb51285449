//! Policies in force: one for each attestation type, set by somebody or the default.

use std::collections::BTreeMap;

use attestation_policy::{Policy, defaults};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::attest::AttestationType;
use crate::api::base64;
use crate::error::{ApiError, ErrorCode};
use crate::signers::{PolicySigners, Signed, SignerCertificate};
use crate::store::{Store, StoreError};

/// A policy, ready to be asked.
#[derive(Debug)]
pub(crate) struct ActivePolicy {
    pub policy: Policy,
    /// `x-ms-policy-hash`.
    pub hash: String,
    /// `x-ms-policy-signer`.
    pub signer: Option<Value>,
    /// The JSON Web Signature in which it came.
    pub jws: String,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Policies {
    by_type: BTreeMap<AttestationType, ActivePolicy>,
}

impl Policies {
    /// The stored ones, and the default for the other types.
    pub fn load(store: &Store) -> Result<Self, StoreError> {
        let mut by_type = BTreeMap::new();
        for kind in AttestationType::ALL {
            let policy = ActivePolicy::default_for(kind);
            let policy = policy.map_err(|error| store.damaged(format!("the default policy: {error}")))?;
            by_type.insert(kind, policy);
        }
        for (kind, jws) in store.policies()? {
            // It was authenticated when it was set; whoever can write to the store can do more than that.
            let policy = ActivePolicy::read_jws(jws, &PolicySigners::default());
            let policy =
                policy.map_err(|error| store.damaged(format!("the policy for {}: {error}", kind.name())))?;
            by_type.insert(kind, policy);
        }
        Ok(Self { by_type })
    }

    /// None cannot happen: [`load`](Self::load) fills in all types.
    pub fn get(&self, kind: AttestationType) -> Option<&ActivePolicy> {
        self.by_type.get(&kind)
    }
}

impl ActivePolicy {
    fn default_for(kind: AttestationType) -> Result<Self, ApiError> {
        let text = match kind {
            AttestationType::SgxEnclave => defaults::SGX_ENCLAVE,
            AttestationType::OpenEnclave => defaults::OPEN_ENCLAVE,
            AttestationType::TdxVm => defaults::TDX_VM,
        };
        Self::new(text, None, unsecured(text))
    }

    /// A draft, which is text.
    pub fn draft(text: &str) -> Result<Self, ApiError> {
        Self::new(text, None, unsecured(text))
    }

    /// What was sent to be set: a JSON Web Signature, or where nothing need be signed the policy's text. One that could never
    /// issue a token is refused here; what is stored is only evaluated, so that no update of this service keeps it from
    /// starting.
    pub fn read(body: &str, signers: &PolicySigners) -> Result<Self, ApiError> {
        let is_text = body.contains(['=', ';', '{']);
        let policy = if is_text && !signers.is_required() {
            Self::draft(body)?
        } else {
            Self::read_jws(body.to_owned(), signers)?
        };
        policy.policy.check_properties().map_err(|error| {
            ErrorCode::PolicyParsingError.because(format!("the policy could never issue a token: {error}"))
        })?;
        Ok(policy)
    }

    fn read_jws(jws: String, signers: &PolicySigners) -> Result<Self, ApiError> {
        let Signed { payload, signer } = signers.authenticate(&jws)?;
        let text = text_of(&payload)?;
        Self::new(&text, signer.as_ref().map(SignerCertificate::jwk), jws)
    }

    fn new(text: &str, signer: Option<Value>, jws: String) -> Result<Self, ApiError> {
        let policy = Policy::parse(text).map_err(|error| {
            ErrorCode::PolicyParsingError.because(format!("the policy cannot be read: {error}"))
        })?;
        Ok(Self {
            policy,
            hash: attestation_policy::policy_hash(text),
            signer,
            jws,
        })
    }
}

/// `{"AttestationPolicy": base64 of the text}`.
fn text_of(payload: &[u8]) -> Result<String, ApiError> {
    #[derive(Deserialize)]
    struct StoredPolicy {
        #[serde(rename = "AttestationPolicy", alias = "attestationPolicy")]
        policy: String,
    }
    let invalid = |message: String| ErrorCode::InvalidParameter.because(message);
    let StoredPolicy { policy } = serde_json::from_slice(payload).map_err(|error| {
        invalid(format!(
            "the signed content is not {{\"AttestationPolicy\": …}}: {error}"
        ))
    })?;
    let bytes = base64::decode(&policy).map_err(|error| invalid(format!("AttestationPolicy: {error}")))?;
    String::from_utf8(bytes).map_err(|_| invalid("the policy's text is not UTF-8".to_owned()))
}

/// The text as an unsecured JSON Web Signature (RFC 7515, appendix A.5).
fn unsecured(text: &str) -> String {
    unsecured_token(&json!({ "AttestationPolicy": base64::encode(text.as_bytes()) }))
}

/// A token that nobody vouches for.
pub(crate) fn unsecured_token(claims: &Value) -> String {
    let header = base64::encode(br#"{"alg":"none"}"#);
    format!("{header}.{}.", base64::encode(claims.to_string().as_bytes()))
}
