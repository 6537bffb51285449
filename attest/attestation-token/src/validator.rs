//! Validation of tokens: issuer, signature, time and policy.

use crate::UnixTime;
use crate::algorithm::Algorithm;
use crate::claims::Claims;
use crate::json::{JsonError, Object};
use crate::jws::{Jws, JwsError};
use crate::key_set::{KeyMemberError, KeySet};
use crate::policy::{ClaimPolicy, Objection};

/// Validates tokens of one issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validator {
    issuer: String,
    leeway: u64,
    algorithms: Vec<Algorithm>,
}

/// Why a token is not accepted.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It is none.
    #[error("this is not a token: {0}")]
    Form(#[from] JwsError),
    /// Signed in a way that is not accepted.
    #[error("the token says it is signed by {0:?}, which is not accepted; the service must sign by RS256")]
    Algorithm(String),
    /// It does not say by which key it is signed.
    #[error("the token does not name its key (kid); it is not by an attestation service")]
    NoKeyName,
    /// It names a key that is not in the set.
    #[error(
        "the token is signed by the key {0:?}, which the issuer's key set does not have; fetch the key set anew"
    )]
    UnknownKey(String),
    /// It names a key of the set that cannot be used.
    #[error(
        "the token is signed by the key {kid:?} of the issuer's key set, which cannot be used: {error}; the service must be set right"
    )]
    UnusableKey {
        /// Its name.
        kid: String,
        /// The cause.
        error: KeyMemberError,
    },
    /// It was changed, or is by somebody else.
    #[error("the token's signature is not by the issuer's key {0:?}; it was changed or forged")]
    Signature(String),
    /// The claims are not JSON.
    #[error("the token's claims cannot be read: {0}")]
    ClaimsJson(#[from] JsonError),
    /// A registered claim is missing or of another type.
    #[error("the token's claim {0:?} is missing or not {1}")]
    Registered(&'static str, &'static str),
    /// By somebody else.
    #[error(
        "the token is by {found:?}, and {expected:?} is the expected issuer; check the service's address"
    )]
    Issuer {
        /// By the caller.
        expected: String,
        /// In the token.
        found: String,
    },
    /// Too old.
    #[error("the token expired at {expiry}, and it is {now}; attest again")]
    Expired {
        /// By the token.
        expiry: UnixTime,
        /// By the caller.
        now: UnixTime,
    },
    /// From the future.
    #[error(
        "the token is valid from {start} on, and it is {now}; check the clocks of this machine and of the service"
    )]
    NotYetValid {
        /// By the token.
        start: UnixTime,
        /// By the caller.
        now: UnixTime,
    },
    /// It is genuine, and not what is needed.
    #[error("the token is genuine, but not acceptable: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Objections(Vec<Objection>),
}

impl Validator {
    /// For tokens whose claim `iss` is exactly this text, signed by RS256.
    #[must_use]
    pub fn new(issuer: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            leeway: 60,
            algorithms: vec![Algorithm::Rs256],
        }
    }

    /// Seconds that the clocks of issuer and caller may differ; 60 if not said.
    #[must_use]
    pub const fn leeway(mut self, seconds: u64) -> Self {
        self.leeway = seconds;
        self
    }

    /// Accepts signatures by this algorithm, too.
    #[must_use]
    pub fn accept_algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithms.push(algorithm);
        self
    }

    /// Validates a token for the time `now`. Audiences are not looked at: attestation services name none.
    ///
    /// # Errors
    /// With the first thing that is wrong; for a genuine token that does not satisfy the policy, with everything that
    /// speaks against it.
    pub fn validate(
        &self,
        token: &str,
        keys: &KeySet,
        policy: &ClaimPolicy,
        now: UnixTime,
    ) -> Result<Claims, Refusal> {
        let claims = Claims::new(self.authenticate(token, keys)?);
        self.check_registered(claims.object(), now)?;
        let objections = policy.objections(&claims);
        if objections.is_empty() {
            Ok(claims)
        } else {
            Err(Refusal::Objections(objections))
        }
    }

    /// The claims, if one of the keys signed them.
    fn authenticate(&self, token: &str, keys: &KeySet) -> Result<Object, Refusal> {
        let jws = Jws::parse(token)?;
        let header = jws.header();
        let algorithm = header.algorithm();
        let algorithm = algorithm.filter(|algorithm| self.algorithms.contains(algorithm));
        let algorithm = algorithm.ok_or_else(|| Refusal::Algorithm(header.alg().to_owned()))?;
        let kid = header.kid().ok_or(Refusal::NoKeyName)?;
        let key = keys.key(kid).ok_or_else(|| match keys.unusable(kid) {
            Some(error) => Refusal::UnusableKey {
                kid: kid.to_owned(),
                error,
            },
            None => Refusal::UnknownKey(kid.to_owned()),
        })?;
        let verified = jws.verify(key, algorithm).map(drop);
        verified.map_err(|_| Refusal::Signature(kid.to_owned()))?;
        Ok(Object::parse(jws.into_payload())?)
    }

    /// RFC 7519, section 4.1.
    fn check_registered(&self, claims: &Object, now: UnixTime) -> Result<(), Refusal> {
        let issuer = claims.text("iss").ok_or(Refusal::Registered("iss", "a text"))?;
        if issuer != self.issuer {
            return Err(Refusal::Issuer {
                expected: self.issuer.clone(),
                found: issuer.into_owned(),
            });
        }
        let time = |name| {
            claims
                .number(name)
                .ok_or(Refusal::Registered(name, "a time in whole seconds"))
        };
        let expiry = time("exp")?;
        if now.0 >= expiry.saturating_add(self.leeway) {
            return Err(Refusal::Expired {
                expiry: UnixTime(expiry),
                now,
            });
        }
        for name in ["nbf", "iat"] {
            let start = time(name)?;
            if start > now.0.saturating_add(self.leeway) {
                return Err(Refusal::NotYetValid {
                    start: UnixTime(start),
                    now,
                });
            }
        }
        Ok(())
    }
}
