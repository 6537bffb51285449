//! The public keys of an issuer (JSON Web Key Set, RFC 7517).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::base64;
use crate::json::{JsonError, Object};
use crate::public_key::{KeyError, PublicKey};

/// RSA keys by their names, parsed once.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    keys: BTreeMap<String, PublicKey>,
}

/// Why bytes are not a key set that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeySetError {
    /// Larger than is ever of use.
    #[error("the key set has {0} bytes, and at most {max} are read", max = KeySet::MAX_SIZE)]
    TooLarge(usize),
    /// Not an object of JSON.
    #[error("the key set cannot be read: {0}")]
    Json(#[from] JsonError),
    /// No list of keys, or one that is too long.
    #[error("the key set does not have a list \"keys\" of at most {max} objects", max = KeySet::MAX_KEYS)]
    Keys,
    /// Two keys with one name: which one is meant?
    #[error("the key set has two keys with the kid {0:?}; the service must be set right")]
    Duplicate(String),
    /// An RSA key with a name that cannot be used.
    #[error("the key {kid:?} cannot be used: {error}; the service must be set right")]
    Key {
        /// Its name.
        kid: String,
        /// The cause.
        error: KeyMemberError,
    },
    /// Nothing that a token could be verified with.
    #[error("the key set has no RSA key with a kid")]
    Empty,
}

/// What is wrong with a key of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyMemberError {
    /// Neither numbers nor certificates.
    #[error("it has neither n and e nor x5c")]
    Missing,
    /// A member is not what RFC 7517 says.
    #[error("{0} is not base64 of the form that RFC 7517 and RFC 7518 ask for")]
    Base64(&'static str),
    /// The key itself.
    #[error("{0}")]
    Key(#[from] KeyError),
    /// Numbers and certificate disagree.
    #[error("n and e are not those of the first certificate in x5c")]
    Contradiction,
}

impl KeySet {
    /// Bytes of the largest set that is read.
    pub const MAX_SIZE: usize = 1 << 20;
    /// Keys at most.
    pub const MAX_KEYS: usize = 100;

    /// Reads a JSON Web Key Set.
    ///
    /// Keys of other kinds than RSA, for encryption, or without a name are skipped: no token here could name them. The
    /// certificates in `x5c` carry keys and are **not** verified, so whoever fetches the set must know from whom (by TLS).
    ///
    /// # Errors
    /// When it is too large, not an object with a list of keys, an RSA key with a name is malformed, two have the
    /// same name, or there is none.
    pub fn parse(json: &[u8]) -> Result<Self, KeySetError> {
        if json.len() > Self::MAX_SIZE {
            return Err(KeySetError::TooLarge(json.len()));
        }
        let set = Object::parse(json.to_vec())?.member("keys");
        let list = set.as_ref().and_then(Value::as_array);
        let list = list.filter(|list| list.len() <= Self::MAX_KEYS);
        let mut keys = BTreeMap::new();
        for key in list.ok_or(KeySetError::Keys)? {
            let key = key.as_object().ok_or(KeySetError::Keys)?;
            let Some(kid) = wanted(key) else { continue };
            let parsed = parse_key(key).map_err(|error| KeySetError::Key {
                kid: kid.to_owned(),
                error,
            })?;
            if keys.insert(kid.to_owned(), parsed).is_some() {
                return Err(KeySetError::Duplicate(kid.to_owned()));
            }
        }
        if keys.is_empty() {
            return Err(KeySetError::Empty);
        }
        Ok(Self { keys })
    }

    /// The key of this name.
    #[must_use]
    pub fn key(&self, kid: &str) -> Option<&PublicKey> {
        self.keys.get(kid)
    }

    /// The names of all keys, sorted.
    pub fn kids(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }
}

/// The key's name, if it is an RSA key that may have signed tokens.
fn wanted(key: &Map<String, Value>) -> Option<&str> {
    let is = |name, value: &str| key.get(name).is_some_and(|member| member == value);
    let signs = !key.contains_key("use") || is("use", "sig");
    (is("kty", "RSA") && signs).then(|| key.get("kid")?.as_str())?
}

fn parse_key(key: &Map<String, Value>) -> Result<PublicKey, KeyMemberError> {
    let by_numbers = match (key.get("n"), key.get("e")) {
        (None, None) => None,
        (modulus, exponent) => {
            let number = |name, value: Option<&Value>| {
                let text = value.and_then(Value::as_str);
                let bytes = text.and_then(|text| base64::decode_url(text).ok());
                bytes.ok_or(KeyMemberError::Base64(name))
            };
            Some(PublicKey::from_rsa(
                &number("n", modulus)?,
                &number("e", exponent)?,
            )?)
        }
    };
    let by_certificate = match key.get("x5c") {
        None => None,
        Some(chain) => {
            let first = chain.as_array().and_then(|chain| chain.first()?.as_str());
            let der = first.and_then(|text| base64::decode_standard(text).ok());
            Some(PublicKey::from_certificate(
                &der.ok_or(KeyMemberError::Base64("x5c"))?,
            )?)
        }
    };
    match (by_numbers, by_certificate) {
        (Some(numbers), Some(certificate)) if numbers != certificate => Err(KeyMemberError::Contradiction),
        (Some(key), _) | (None, Some(key)) => Ok(key),
        (None, None) => Err(KeyMemberError::Missing),
    }
}
