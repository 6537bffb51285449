//! The public keys of an issuer (JSON Web Key Set, RFC 7517).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::base64;
use crate::json::{JsonError, Object};
use crate::public_key::{KeyError, PublicKey};

/// RSA keys by their names, parsed once. A key that cannot be used is of no harm to the others (RFC 7517, section 5), and
/// refuses the tokens that name it.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    keys: BTreeMap<String, Result<PublicKey, KeyMemberError>>,
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
    /// No key can be used, and this is the first of those that have a name.
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
    /// Two keys with one name: which one is meant?
    #[error("the key set has two keys of this name")]
    Duplicate,
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
    /// When it is too large, not an object with a list of keys, or none of its keys can be used.
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
            let parsed = parse_key(key);
            keys.entry(kid.to_owned())
                .and_modify(|key| *key = Err(KeyMemberError::Duplicate))
                .or_insert(parsed);
        }
        if keys.values().any(Result::is_ok) {
            return Ok(Self { keys });
        }
        let unusable = keys.into_iter().find_map(|(kid, key)| Some((kid, key.err()?)));
        Err(match unusable {
            Some((kid, error)) => KeySetError::Key { kid, error },
            None => KeySetError::Empty,
        })
    }

    /// The key of this name, if it can be used.
    #[must_use]
    pub fn key(&self, kid: &str) -> Option<&PublicKey> {
        self.keys.get(kid)?.as_ref().ok()
    }

    /// Why the key of this name cannot be used, if there is such a key.
    #[must_use]
    pub fn unusable(&self, kid: &str) -> Option<KeyMemberError> {
        self.keys.get(kid)?.as_ref().err().copied()
    }

    /// The names of all keys that can be used, sorted.
    pub fn kids(&self) -> impl Iterator<Item = &str> {
        let usable = self.keys.iter().filter(|(_, key)| key.is_ok());
        usable.map(|(kid, _)| kid.as_str())
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
