//! The client: it asks a service for tokens, and returns only what validates.

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use attestation_token::{ClaimPolicy, Claims, KeySet, Refusal, UnixTime, Validator};
use serde::Deserialize;

use crate::error::ClientError;
use crate::evidence::Evidence;
use crate::https::Https;
use crate::key_cache::{KeyCache, Need};

/// The newest, and the first stable one with trust domains: Azure answers 404 to their quotes in those before.
const API_VERSION: &str = "2025-06-01";

/// A client of one attestation service. It keeps connections and the service's keys; threads may share it.
#[derive(Debug)]
pub struct Client {
    https: Https,
    validator: Validator,
    issuer: String,
    keys: KeyCache,
}

/// What the service vouches for.
#[derive(Clone, Debug, PartialEq)]
pub struct Attested {
    /// The token, to be shown to others.
    pub token: String,
    /// Its claims, validated.
    pub claims: Claims,
}

/// The service's description of itself (OpenID Connect Discovery).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct OpenIdConfiguration {
    /// Issuer of its tokens.
    pub issuer: String,
    /// Where its keys are, as it says. This client asks `{address}/certs`, whatever stands here.
    pub jwks_uri: String,
}

#[derive(Deserialize)]
struct Answer {
    token: String,
}

impl Client {
    /// For the service at `url` (`https://HOST[:PORT]`), whose TLS certificate is by one of the authorities in `authority`
    /// (PEM), or is that certificate itself, whatever its version and names. Its tokens are expected to name `url` as their issuer.
    ///
    /// # Errors
    /// When either cannot be used. Nothing is sent yet.
    pub fn new(url: &str, authority: &[u8]) -> Result<Self, ClientError> {
        let https = Https::new(url, authority)?;
        let issuer = https.base().to_owned();
        Ok(Self {
            validator: Validator::new(&issuer),
            issuer,
            https,
            keys: KeyCache::default(),
        })
    }

    pub(crate) const fn https(&self) -> &Https {
        &self.https
    }

    /// Expects tokens by another issuer than the service's address, for instance the one that it uses for simulated platforms.
    #[must_use]
    pub fn expect_issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = issuer.into();
        self.validator = Validator::new(&self.issuer);
        self
    }

    /// Has the service attest the quote of an SGX enclave. The token must say that the quote vouches for the runtime
    /// data, repeat the nonce, and satisfy `policy`.
    ///
    /// # Errors
    /// When the service says no, does not answer, or answers what is not to be believed.
    pub fn attest_sgx(&self, evidence: &Evidence<'_>, policy: &ClaimPolicy) -> Result<Attested, ClientError> {
        self.attest("SgxEnclave", evidence, policy)
    }

    /// As [`attest_sgx`](Self::attest_sgx), for the quote of a TDX trust domain.
    ///
    /// # Errors
    /// As [`attest_sgx`](Self::attest_sgx).
    pub fn attest_tdx(&self, evidence: &Evidence<'_>, policy: &ClaimPolicy) -> Result<Attested, ClientError> {
        self.attest("TdxVm", evidence, policy)
    }

    /// Validates a token of this service, for instance one that somebody else was given.
    ///
    /// # Errors
    /// When it is not valid or not acceptable, or the service's keys cannot be fetched.
    pub fn validate(&self, token: &str, policy: &ClaimPolicy) -> Result<Claims, ClientError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = UnixTime(now.map_err(|_| ClientError::Clock)?.as_secs());
        let validate = |keys: &KeySet| self.validator.validate(token, keys, policy, now);
        match validate(&*self.fetch_keys(Need::Recent)?) {
            // The service may have changed its keys since.
            Err(Refusal::UnknownKey(_) | Refusal::UnusableKey { .. }) => {
                Ok(validate(&*self.fetch_keys(Need::UnknownKey)?)?)
            }
            validated => Ok(validated?),
        }
    }

    /// The service's keys, at most an hour old.
    ///
    /// # Errors
    /// When they cannot be fetched or used.
    pub fn keys(&self) -> Result<Arc<KeySet>, ClientError> {
        self.fetch_keys(Need::Recent)
    }

    /// The service's description of itself, whose issuer must be the expected one.
    ///
    /// # Errors
    /// When it cannot be fetched, or names another issuer.
    pub fn openid_configuration(&self) -> Result<OpenIdConfiguration, ClientError> {
        const PATH: &str = "/.well-known/openid-configuration";
        let answer = self.https.get(PATH)?;
        let configuration: OpenIdConfiguration = self.parse(PATH, &answer, "an OpenID configuration")?;
        if configuration.issuer != self.issuer {
            return Err(ClientError::Issuer {
                url: self.https.base().to_owned(),
                found: configuration.issuer,
            });
        }
        Ok(configuration)
    }

    fn attest(
        &self,
        kind: &str,
        evidence: &Evidence<'_>,
        policy: &ClaimPolicy,
    ) -> Result<Attested, ClientError> {
        let path = format!("/attest/{kind}?api-version={API_VERSION}");
        let answer = self.https.post(&path, &evidence.body())?;
        let Answer { token } = self.parse(&path, &answer, "an object with a token")?;
        let mut policy = policy.clone();
        if let Some(data) = evidence.data() {
            policy = policy.require_runtime_data(data);
        }
        if let Some(nonce) = evidence.expected_nonce() {
            policy = policy.require_nonce(nonce);
        }
        let claims = self.validate(&token, &policy)?;
        Ok(Attested { token, claims })
    }

    fn fetch_keys(&self, need: Need) -> Result<Arc<KeySet>, ClientError> {
        self.keys.keys(need, Instant::now(), || {
            Ok(KeySet::parse(&self.https.get("/certs")?)?)
        })
    }

    fn parse<'a, T: Deserialize<'a>>(
        &self,
        path: &str,
        answer: &'a [u8],
        expected: &'static str,
    ) -> Result<T, ClientError> {
        serde_json::from_slice(answer).map_err(|_| ClientError::Form {
            url: self.https.url(path),
            expected,
        })
    }
}
