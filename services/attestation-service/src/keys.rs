//! The key ring: the keys that sign tokens, and their rotation.
//!
//! A key is published a day before it signs, so that who relies on tokens has time to fetch it, and stays published until the
//! last token that it signed has expired. All of it is a plan over times; making keys and storing them is the caller's.

use attestation_token::{HeaderFields, KeySize, SigningError, SigningKey};
use dcap_quote::UnixTime;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_RSA_SHA256, SanType, SerialNumber,
    date_time_ymd,
};
use serde_json::{Value, json};

use crate::store::{Store, StoreError, StoredKey};

const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;

/// Seconds that a token is valid, as Azure's are. Policies get no longer ones: keys are published no longer than such a token
/// is valid.
pub(crate) const TOKEN_LIFETIME: u64 = 8 * HOUR;
const _: () = assert!(TOKEN_LIFETIME == attestation_policy::MAX_VALIDITY_MINUTES as u64 * 60);
/// Seconds for which a key signs.
const SIGNING_PERIOD: u64 = 30 * DAY;
/// Seconds before it signs that a key is published.
const ANNOUNCEMENT_PERIOD: u64 = DAY;
/// Seconds for which a key is published after its successor began: its last token's life, and clocks that differ.
const OVERLAP_PERIOD: u64 = TOKEN_LIFETIME + HOUR;

/// The published keys, in the order in which they begin to sign; at least one.
#[derive(Debug)]
pub(crate) struct KeyRing {
    keys: Vec<RingKey>,
}

#[derive(Debug)]
struct RingKey {
    key: SigningKey,
    /// DER, self-signed.
    certificate: Vec<u8>,
    signs_from: UnixTime,
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("cannot make a key that signs tokens: {0}")]
    Make(#[from] SigningError),
    #[error("cannot make a certificate for a key that signs tokens: {0}")]
    Certificate(#[from] rcgen::Error),
}

impl KeyRing {
    /// The stored keys, after what is due has been made and forgotten. `issuer` names new keys' certificates.
    pub fn maintain(store: &Store, issuer: &str, now: UnixTime) -> Result<Self, KeyError> {
        let stored = store.signing_keys()?;
        let plan = Plan::new(&stored.iter().map(|key| key.signs_from).collect::<Vec<_>>(), now);
        if let Some(signs_from) = plan.make_for {
            store.add_signing_key(&make(issuer, signs_from)?)?;
        }
        for key in stored.iter().take(plan.forget_first) {
            store.remove_signing_key(&key.kid)?;
        }
        let mut keys = Vec::new();
        for stored in store.signing_keys()? {
            let key = SigningKey::from_pkcs8(&stored.pkcs8)
                .map_err(|error| store.damaged(format!("signing key {:?}: {error}", stored.kid)))?;
            keys.push(RingKey {
                key,
                certificate: stored.certificate,
                signs_from: stored.signs_from,
            });
        }
        if keys.is_empty() {
            return Err(store.damaged("there is no signing key").into());
        }
        Ok(Self { keys })
    }

    /// Signs a token: a JSON Web Signature whose header says where the keys are.
    pub fn sign(&self, key_set_url: &str, claims: &Value, now: UnixTime) -> Result<String, SigningError> {
        let signer = self.keys.iter().rev().find(|key| key.signs_from <= now);
        // A clock that went back finds only keys of the future.
        let signer = signer.or(self.keys.first()).ok_or(SigningError::Key)?;
        let fields = HeaderFields {
            jku: Some(key_set_url),
            typ: Some("JWT"),
        };
        signer.key.sign(&fields, claims.to_string().as_bytes())
    }

    /// All published keys (RFC 7517).
    pub fn key_set(&self) -> Value {
        let keys = self.keys.iter().map(|key| key.key.jwk(&[&key.certificate]));
        json!({ "keys": keys.collect::<Vec<_>>() })
    }

    /// How many are published.
    pub fn len(&self) -> usize {
        self.keys.len()
    }
}

/// What is due.
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    /// When a new key is to begin, if one is to be made.
    make_for: Option<UnixTime>,
    /// How many of the oldest keys have served.
    forget_first: usize,
}

impl Plan {
    /// `begins`: when each key begins to sign, in order.
    fn new(begins: &[UnixTime], now: UnixTime) -> Self {
        let after = |time: UnixTime, seconds: u64| UnixTime(time.0.saturating_add(seconds));
        let make_for = match begins.last() {
            None => Some(now),
            Some(last) if after(*last, SIGNING_PERIOD - ANNOUNCEMENT_PERIOD) <= now => {
                Some(after(*last, SIGNING_PERIOD).max(after(now, ANNOUNCEMENT_PERIOD)))
            }
            Some(_) => None,
        };
        let successors = begins.iter().skip(1);
        let forget_first = successors
            .take_while(|begin| after(**begin, OVERLAP_PERIOD) < now)
            .count();
        Self {
            make_for,
            forget_first,
        }
    }
}

fn make(issuer: &str, signs_from: UnixTime) -> Result<StoredKey, KeyError> {
    let key = SigningKey::generate(KeySize::Rsa2048)?;
    let pkcs8 = key.to_pkcs8()?;
    let pair = KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8.as_slice().into(), &PKCS_RSA_SHA256)?;
    Ok(StoredKey {
        kid: key.kid().to_owned(),
        certificate: certificate(issuer, &pair)?,
        pkcs8,
        signs_from,
    })
}

/// Characters of the longest common name (RFC 5280, appendix A.1, `ub-common-name`).
const MAX_COMMON_NAME: usize = 64;

/// Self-signed, with the issuer's address as its name, as Azure's are; a long one is cut there, and is whole in the alternative
/// name. It carries a key to readers that want certificates;
/// when the key is valid is said by being published, so its dates say nothing.
fn certificate(issuer: &str, key: &KeyPair) -> Result<Vec<u8>, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    let name: String = issuer.chars().take(MAX_COMMON_NAME).collect();
    params.distinguished_name.push(DnType::CommonName, name);
    params.subject_alt_names = vec![SanType::URI(issuer.try_into()?)];
    params.serial_number = Some(SerialNumber::from(1_u64));
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2049, 12, 31);
    Ok(params.self_signed(key)?.der().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: u64 = 1_750_723_200;

    /// Hour by hour through half a year, as the service does it.
    #[test]
    fn every_token_can_be_verified_by_who_fetched_the_keys_in_time() {
        let mut keys: Vec<UnixTime> = Vec::new();
        let mut published_since = std::collections::BTreeMap::new();
        let mut last_signed = std::collections::BTreeMap::new();
        let mut most = 0;
        for now in (BEGIN..BEGIN + 180 * DAY).step_by(3600) {
            let plan = Plan::new(&keys, UnixTime(now));
            keys.extend(plan.make_for);
            for gone in keys.drain(..plan.forget_first) {
                let last: u64 = last_signed[&gone];
                assert!(last + TOKEN_LIFETIME < now, "a token of the key is still valid");
            }
            for key in &keys {
                published_since.entry(*key).or_insert(now);
            }
            let signer = *keys.iter().rev().find(|key| key.0 <= now).unwrap();
            last_signed.insert(signer, now);
            assert!(
                signer.0 == BEGIN || published_since[&signer] + DAY <= now,
                "not announced"
            );
            most = most.max(keys.len());
        }
        assert_eq!((last_signed.len(), most), (6, 2));
    }

    #[test]
    fn after_a_long_sleep_the_old_key_signs_until_the_new_one_was_announced() {
        let now = UnixTime(BEGIN + 400 * DAY);
        let plan = Plan::new(&[UnixTime(BEGIN)], now);
        assert_eq!(plan.make_for, Some(UnixTime(now.0 + DAY)));
        assert_eq!(plan.forget_first, 0);
    }
}
