//! Management of policies and policy signers. Answers are tokens, too.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dcap_quote::UnixTime;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::attest::AttestationType;
use crate::api::base64 as wire;
use crate::claims::Claims;
use crate::error::{ApiError, ErrorCode};
use crate::keys::TOKEN_LIFETIME;
use crate::policies::ActivePolicy;
use crate::service::{Service, ServiceError, TokenId};
use crate::signers::SignerCertificate;
use base16ct::lower::encode_string as hex;

/// Certificates at most: each is in every answer about them.
const MAX_SIGNERS: usize = 100;

impl Service {
    /// The policy in force.
    pub fn policy(&self, kind: AttestationType, now: UnixTime, id: TokenId) -> Result<String, ApiError> {
        let state = self.state();
        let policy = state.policies.get(kind);
        let policy = policy.ok_or_else(|| ErrorCode::InternalError.because("there is no policy"))?;
        self.answer(json!({ "x-ms-policy": policy.jws }), now, id)
    }

    /// Sets a policy.
    pub fn set_policy(
        &self,
        kind: AttestationType,
        body: &str,
        now: UnixTime,
        id: TokenId,
    ) -> Result<String, ApiError> {
        let _lock = self.lock_management();
        let policy = ActivePolicy::read(body, &self.state().signers)?;
        self.change(now, |store| store.set_policy(kind, &policy.jws, now))
            .map_err(internal)?;
        tracing::info!(
            attestation_type = kind.name(),
            policy_hash = policy.hash,
            "policy set"
        );
        self.policy_changed("Updated", body, policy.signer, now, id)
    }

    /// Goes back to the default policy.
    pub fn reset_policy(
        &self,
        kind: AttestationType,
        body: &str,
        now: UnixTime,
        id: TokenId,
    ) -> Result<String, ApiError> {
        let _lock = self.lock_management();
        let signed = self.state().signers.authenticate(body)?;
        if !signed.payload.is_empty() {
            return Err(ErrorCode::InvalidParameter.because(
                "the request to reset a policy has a content; its JSON Web Signature must be over nothing",
            ));
        }
        self.change(now, |store| store.remove_policy(kind))
            .map_err(internal)?;
        tracing::info!(attestation_type = kind.name(), "policy reset to the default");
        let signer = signed.signer.as_ref().map(SignerCertificate::jwk);
        self.policy_changed("Removed", body, signer, now, id)
    }

    fn policy_changed(
        &self,
        result: &str,
        body: &str,
        signer: Option<Value>,
        now: UnixTime,
        id: TokenId,
    ) -> Result<String, ApiError> {
        let hash = digest(&SHA256, body.as_bytes());
        let mut claims = json!({
            "x-ms-policy-result": result,
            "x-ms-policy-token-hash": wire::encode(hash.as_ref()),
        });
        if let (Some(signer), Some(members)) = (signer, claims.as_object_mut()) {
            members.insert("x-ms-policy-signer".to_owned(), signer);
        }
        self.answer(claims, now, id)
    }

    /// The certificates whose owners may change policies.
    pub fn policy_signers(&self, now: UnixTime, id: TokenId) -> Result<String, ApiError> {
        let keys = self.state().signers.key_set();
        self.answer(json!({ "x-ms-policy-certificates": keys }), now, id)
    }

    /// Adds a certificate.
    pub fn add_policy_signer(&self, body: &str, now: UnixTime, id: TokenId) -> Result<String, ApiError> {
        let _lock = self.lock_management();
        let certificate = self.certificate_in(body)?;
        if self.state().signers.len() >= MAX_SIGNERS {
            return Err(ErrorCode::InvalidOperation.because(format!(
                "there are {MAX_SIGNERS} policy signers already; remove one first"
            )));
        }
        self.change(now, |store| store.add_policy_signer(certificate.der(), now))
            .map_err(internal)?;
        self.signers_changed("IsPresent", &certificate, now, id)
    }

    /// Removes a certificate; the last one stays.
    pub fn remove_policy_signer(&self, body: &str, now: UnixTime, id: TokenId) -> Result<String, ApiError> {
        let _lock = self.lock_management();
        let certificate = self.certificate_in(body)?;
        let state = self.state();
        if state.signers.contains(certificate.der()) && state.signers.len() == 1 {
            return Err(ErrorCode::InvalidOperation.because(
                "this is the last policy signer; without any, policies could be set unsigned. Add another one first",
            ));
        }
        self.change(now, |store| store.remove_policy_signer(certificate.der()))
            .map_err(internal)?;
        self.signers_changed("IsAbsent", &certificate, now, id)
    }

    /// The certificate that a signed request is about.
    fn certificate_in(&self, body: &str) -> Result<SignerCertificate, ApiError> {
        let signers = &self.state().signers;
        if !signers.is_required() {
            return Err(ErrorCode::InvalidOperation.because(
                "this service has no policy signers, so their list cannot be changed here; its operator starts it with \
                 --policy-signer",
            ));
        }
        let signed = signers.authenticate(body)?;
        let key = certificate_key(&signed.payload)?;
        let [der] = key.x5c.as_slice() else {
            return Err(invalid("the key must have one certificate in x5c".to_owned()));
        };
        let der = STANDARD
            .decode(der)
            .map_err(|_| invalid("x5c is not a certificate in base64".to_owned()))?;
        SignerCertificate::parse(der)
    }

    fn signers_changed(
        &self,
        result: &str,
        certificate: &SignerCertificate,
        now: UnixTime,
        id: TokenId,
    ) -> Result<String, ApiError> {
        let thumbprint = hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, certificate.der()).as_ref()).to_uppercase();
        tracing::info!(thumbprint, result, "policy signers changed");
        let claims = json!({
            "x-ms-certificate-thumbprint": thumbprint,
            "x-ms-policycertificates-result": result,
        });
        self.answer(claims, now, id)
    }

    /// A token about something else than evidence.
    fn answer(&self, claims: Value, now: UnixTime, id: TokenId) -> Result<String, ApiError> {
        let mut claims: Claims = match claims {
            Value::Object(members) => members,
            _ => Claims::new(),
        };
        self.add_own(&mut claims, TOKEN_LIFETIME, now, id);
        self.sign(&self.state(), claims, now)
    }
}

#[derive(Deserialize)]
struct CertificateKey {
    x5c: Vec<String>,
}

/// The key in a request to change the signers. Azure's documents call the member by three names, its clients use the first.
fn certificate_key(payload: &[u8]) -> Result<CertificateKey, ApiError> {
    #[derive(Deserialize)]
    struct Body {
        #[serde(
            rename = "policyCertificate",
            alias = "x-ms-policyCertificate",
            alias = "maa-policyCertificate"
        )]
        key: CertificateKey,
    }
    let body: Result<Body, _> = serde_json::from_slice(payload);
    body.map(|body| body.key).map_err(|error| {
        invalid(format!(
            "the signed content is not {{\"policyCertificate\": …}}: {error}"
        ))
    })
}

fn invalid(message: String) -> ApiError {
    ErrorCode::InvalidParameter.because(message)
}

fn internal(error: ServiceError) -> ApiError {
    tracing::error!(%error, "a change was not made");
    ErrorCode::InternalError
        .because("the change could not be stored, and was not made; the service's log says why")
}
