//! Secrets: made when they are first needed, kept, renewed before they end.

use std::collections::BTreeMap;

use aws_lc_rs::rand;
use broker_store::{StoreError, Table, Transaction};
use dcap_quote::UnixTime;
use deployment_policy::document::{
    CertificateSubject, ImageKeyId, ImportKind, KeyAlgorithm, Name, Scope, Secret, SecretKind, SecretValue,
};
use deployment_policy::{Grant, Material, Policy, PolicyDigest, ReferenceKind, Secrets};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::authority::{Authority, AuthorityError, Leaf, generate_key, pem};
use crate::encoding::{Base64Bytes, Base64Secret};
use crate::identity::Identity;
use crate::policies::Policies;
use crate::records;

/// Seconds for which a deployment's authority is valid: ten years.
const AUTHORITY_LIFETIME: u64 = 10 * 365 * 24 * 60 * 60;
const SYMBOLS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// Authorities above each other at most, as policies have them.
const MAX_ISSUERS: usize = 16;

/// Why a secret could not be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Keys or certificates.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The other deployment does not give it.
    #[error("imports.{import}: {problem}")]
    Import {
        /// Its name here.
        import: Name,
        /// Why not.
        problem: String,
    },
    /// A policy that names what it does not have.
    #[error("the policy names the secret {0:?}, which is not there")]
    Unknown(String),
}

/// A secret as it is stored.
#[derive(Serialize, Deserialize)]
struct Stored {
    kind: SecretKind,
    made: u64,
    /// When it is not given out any more.
    until: Option<u64>,
    value: Value,
}

#[derive(Serialize, Deserialize)]
enum Value {
    /// Of `random`, `password` and `imported`.
    Bytes(Base64Secret),
    /// Of `private_key`, in PKCS #8.
    Key(Base64Secret),
    /// Of `x509`.
    Certified {
        key: Base64Secret,
        /// From the leaf up to the deployment's authority, without it.
        chain: Vec<Base64Bytes>,
        /// The issuer's certificate by itself.
        issuer: Base64Bytes,
        /// Of the policy by which it was issued.
        policy: String,
        /// What it says, to see whether the policy wants something else.
        says: String,
    },
    /// Of `x509_ca`.
    Authority {
        authority: Authority,
        /// From its own up to the deployment's authority, without it.
        chain: Vec<Base64Bytes>,
    },
}

/// What is known of a secret without its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SecretStatus {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: SecretKind,
    /// When it was made or set, in seconds since 1970; none if it is not there yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made: Option<u64>,
    /// When it is replaced at the latest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
    /// Of a secret for each instance: how many there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instances: Option<usize>,
}

/// Everything that a grant needs, gathered.
#[derive(Default)]
pub(crate) struct Gathered {
    materials: BTreeMap<(Name, ReferenceKind), Material>,
    image_keys: BTreeMap<ImageKeyId, Zeroizing<Vec<u8>>>,
}

impl Secrets for Gathered {
    fn material(&self, secret: &Name, wanted: ReferenceKind) -> Option<Material> {
        self.materials.get(&(secret.clone(), wanted)).cloned()
    }

    fn image_key(&self, key: ImageKeyId) -> Option<Zeroizing<Vec<u8>>> {
        self.image_keys.get(&key).cloned()
    }
}

/// The secrets of a deployment, within a transaction.
pub(crate) struct Keeper<'k, 't> {
    pub transaction: &'k mut Transaction<'t>,
    pub identity: &'k Identity,
    pub policies: &'k Policies,
    pub now: UnixTime,
}

impl Keeper<'_, '_> {
    /// What a grant needs for an instance; makes what is missing, and renews what is due.
    pub fn gather(&mut self, grant: &Grant<'_>, instance: &str) -> Result<Gathered, SecretError> {
        let policy = grant.policy();
        let needs = grant.needs();
        let mut gathered = Gathered::default();
        for (name, kinds) in needs.secrets {
            for kind in kinds {
                let material = match policy.document().imports.get(name.as_str()) {
                    Some(_) => self.imported(policy, name)?,
                    None => self.material(policy, name, kind, instance)?,
                };
                if let Some(material) = material {
                    gathered.materials.insert((name.clone(), kind), material);
                }
            }
        }
        if let Some(id) = needs.image_key {
            let record = self
                .transaction
                .get(Table::Secrets, &image_key_record(policy.name(), id))?;
            if let Some(record) = record {
                gathered.image_keys.insert(id, record.value);
            }
        }
        Ok(gathered)
    }

    /// The deployment's own authority.
    pub fn deployment_authority(
        &mut self,
        deployment: &Name,
        policy: PolicyDigest,
    ) -> Result<Authority, SecretError> {
        let record = format!("{deployment}/authority");
        if let Some(authority) = records::read(self.transaction, Table::Secrets, &record)? {
            return Ok(authority);
        }
        let common_name = format!("{deployment} (broker {:.8})", self.identity.id);
        let above = Some(&self.identity.authority);
        let authority = Authority::make(
            KeyAlgorithm::P256,
            &common_name,
            above,
            Some(policy),
            self.now,
            AUTHORITY_LIFETIME,
        )?;
        records::write(self.transaction, Table::Secrets, &record, &authority)?;
        Ok(authority)
    }

    /// Keeps a value that somebody gives.
    pub fn set(&mut self, deployment: &Name, secret: &str, value: &[u8]) -> Result<(), StoreError> {
        let stored = Stored {
            kind: SecretKind::Imported,
            made: self.now.0,
            until: None,
            value: Value::Bytes(Base64Secret(Zeroizing::new(value.to_vec()))),
        };
        let record = secret_record(deployment, secret, None);
        records::write(self.transaction, Table::Secrets, &record, &stored)
    }

    /// Forgets a value, so that the next one is made when it is needed.
    pub fn forget(&mut self, deployment: &Name, secret: &str) {
        let record = secret_record(deployment, secret, None);
        self.transaction.delete(Table::Secrets, &record);
        for of_instance in self.transaction.names(Table::Secrets, &format!("{record}/")) {
            self.transaction.delete(Table::Secrets, &of_instance);
        }
    }

    /// Keeps the key of an encrypted image.
    pub fn set_image_key(&mut self, deployment: &Name, id: ImageKeyId, key: &[u8]) -> Result<(), StoreError> {
        self.transaction
            .put(Table::Secrets, &image_key_record(deployment, id), key)
    }

    /// All secrets of a policy, without their values.
    pub fn list(&mut self, policy: &Policy) -> Result<Vec<SecretStatus>, StoreError> {
        let mut list = Vec::new();
        for (name, secret) in policy.document().secrets.iter() {
            let record = secret_record(policy.name(), name.as_str(), None);
            let stored: Option<Stored> = match secret.scope {
                Scope::Shared => records::read(self.transaction, Table::Secrets, &record)?,
                Scope::Instance => None,
            };
            let instances = || {
                self.transaction
                    .names(Table::Secrets, &format!("{record}/"))
                    .len()
            };
            list.push(SecretStatus {
                name: name.to_string(),
                kind: secret.value.kind(),
                instances: (secret.scope == Scope::Instance).then(instances),
                made: stored.as_ref().map(|stored| stored.made),
                until: stored.and_then(|stored| stored.until),
            });
        }
        Ok(list)
    }

    /// Identifiers of the image keys that are kept for a deployment.
    pub fn image_keys(&self, deployment: &Name) -> Vec<String> {
        let prefix = format!("{deployment}/image-key/");
        let names = self.transaction.names(Table::Secrets, &prefix);
        names
            .iter()
            .filter_map(|name| name.strip_prefix(&prefix))
            .map(str::to_owned)
            .collect()
    }

    fn material(
        &mut self,
        policy: &Policy,
        name: &Name,
        wanted: ReferenceKind,
        instance: &str,
    ) -> Result<Option<Material>, SecretError> {
        let unknown = || SecretError::Unknown(name.to_string());
        let secret = policy.secret(name.as_str()).ok_or_else(unknown)?;
        let Some(stored) = self.current(policy, name, secret, instance)? else {
            return Ok(None);
        };
        let renew_after = stored.until.map(|until| {
            let due = until.saturating_sub(renew_before(secret));
            due.saturating_sub(self.now.0).max(1)
        });
        let value = match (wanted, stored.value) {
            (ReferenceKind::Secret, Value::Bytes(bytes)) => bytes.0,
            (ReferenceKind::PrivateKey, Value::Key(key) | Value::Certified { key, .. }) => {
                private_key_pem(&key)
            }
            (ReferenceKind::PrivateKey, Value::Authority { authority, .. }) => {
                private_key_pem(&authority.key)
            }
            (ReferenceKind::Certificate, Value::Certified { chain, .. } | Value::Authority { chain, .. }) => {
                certificates_pem(&chain)
            }
            (ReferenceKind::Ca, Value::Certified { issuer, .. }) => certificates_pem(&[issuer]),
            (ReferenceKind::Ca, Value::Authority { authority, .. }) => certificates_pem(&[authority.own]),
            _ => return Err(unknown()),
        };
        Ok(Some(Material { value, renew_after }))
    }

    /// A secret as it is to be given out now; none if people have to give it first.
    fn current(
        &mut self,
        policy: &Policy,
        name: &Name,
        secret: &Secret,
        instance: &str,
    ) -> Result<Option<Stored>, SecretError> {
        let instance = (secret.scope == Scope::Instance).then_some(instance);
        let record = secret_record(policy.name(), name.as_str(), instance);
        let stored: Option<Stored> = records::read(self.transaction, Table::Secrets, &record)?;
        let mut is_current = stored
            .as_ref()
            .is_some_and(|stored| self.is_current(policy, secret, stored));
        if let (SecretValue::X509 { issuer, .. }, Some(Value::Certified { issuer: of, .. }), true) = (
            &secret.value,
            stored.as_ref().map(|stored| &stored.value),
            is_current,
        ) {
            // An authority that was renewed has another key, which those who trust it are given.
            let (authority, _) = self.issuer(policy, issuer.as_ref(), 0)?;
            is_current = authority.own == *of;
        }
        if is_current || secret.value.kind() == SecretKind::Imported {
            return Ok(stored.filter(|stored| stored.kind == SecretKind::Imported || is_current));
        }
        let made = self.make(policy, name, secret)?;
        records::write(self.transaction, Table::Secrets, &record, &made)?;
        Ok(Some(made))
    }

    /// Whether a stored secret is what the policy wants, and not due to be renewed.
    fn is_current(&self, policy: &Policy, secret: &Secret, stored: &Stored) -> bool {
        let due = stored
            .until
            .map(|until| until.saturating_sub(renew_before(secret)));
        let is_due = due.is_some_and(|due| self.now.0 >= due);
        let is_same = match &stored.value {
            Value::Certified { policy: by, says, .. } => {
                *by == policy.digest().to_string() && *says == description(secret)
            }
            Value::Bytes(_) | Value::Key(_) | Value::Authority { .. } => true,
        };
        stored.kind == secret.value.kind() && !is_due && is_same
    }

    fn make(&mut self, policy: &Policy, name: &Name, secret: &Secret) -> Result<Stored, SecretError> {
        let mut until = secret
            .lifetime
            .map(|lifetime| self.now.0.saturating_add(lifetime.seconds()));
        let lifetime = secret
            .lifetime
            .map_or(AUTHORITY_LIFETIME, |lifetime| lifetime.seconds());
        let value = match &secret.value {
            SecretValue::Random { bytes } => Value::Bytes(Base64Secret(random(usize::from(*bytes))?)),
            SecretValue::Password { length } => Value::Bytes(Base64Secret(password(usize::from(*length))?)),
            SecretValue::PrivateKey { algorithm } => {
                let key = Zeroizing::new(generate_key(*algorithm)?.serialize_der());
                Value::Key(Base64Secret(key))
            }
            SecretValue::X509 {
                algorithm,
                subject,
                issuer,
            } => {
                let (authority, mut chain) = self.issuer(policy, issuer.as_ref(), 0)?;
                let service = policy.service_with_identity(name.as_str());
                let CertificateSubject {
                    common_name,
                    dns,
                    ip,
                    uses,
                } = subject;
                let leaf = Leaf {
                    common_name,
                    dns,
                    ip,
                    uri: service.map(|service| policy.spiffe_id(service)),
                    uses,
                    policy: Some(policy.digest()),
                    now: self.now,
                    lifetime,
                };
                let issued = authority.issue(*algorithm, &leaf)?;
                chain.insert(0, Base64Bytes(issued.certificate));
                until = Some(issued.until.0);
                Value::Certified {
                    key: Base64Secret(issued.key),
                    chain,
                    issuer: authority.own,
                    policy: policy.digest().to_string(),
                    says: description(secret),
                }
            }
            SecretValue::X509Ca {
                algorithm,
                common_name,
                issuer,
            } => {
                let (above, mut chain) = self.issuer(policy, issuer.as_ref(), 0)?;
                let digest = Some(policy.digest());
                let authority =
                    Authority::make(*algorithm, common_name, Some(&above), digest, self.now, lifetime)?;
                chain.splice(0..0, authority.issued.clone());
                until = Some(authority.until);
                Value::Authority { authority, chain }
            }
            // Nobody makes it.
            SecretValue::Imported => return Err(SecretError::Unknown(name.to_string())),
        };
        Ok(Stored {
            kind: secret.value.kind(),
            made: self.now.0,
            until,
            value,
        })
    }

    /// An authority, and the certificates from it up to the deployment's own, without that.
    fn issuer(
        &mut self,
        policy: &Policy,
        issuer: Option<&Name>,
        depth: usize,
    ) -> Result<(Authority, Vec<Base64Bytes>), SecretError> {
        let Some(name) = issuer else {
            let authority = self.deployment_authority(policy.name(), policy.digest())?;
            return Ok((authority, Vec::new()));
        };
        let unknown = || SecretError::Unknown(name.to_string());
        if depth > MAX_ISSUERS {
            return Err(unknown());
        }
        let secret = policy.secret(name.as_str()).ok_or_else(unknown)?;
        let stored = self.current(policy, name, secret, "")?.ok_or_else(unknown)?;
        match stored.value {
            Value::Authority { authority, chain } => Ok((authority, chain)),
            _ => Err(unknown()),
        }
    }

    /// A value of another deployment, which must export it to this one.
    fn imported(&mut self, policy: &Policy, name: &Name) -> Result<Option<Material>, SecretError> {
        let refused = |problem: String| SecretError::Import {
            import: name.clone(),
            problem,
        };
        let import = policy.document().imports.get(name.as_str());
        let import = import.ok_or_else(|| SecretError::Unknown(name.to_string()))?;
        let other = self
            .policies
            .in_force(self.transaction, import.deployment.as_str())?;
        let other = other.ok_or_else(|| refused(format!("there is no deployment {}", import.deployment)))?;
        let secret = import.secret.as_ref().unwrap_or(name);
        let export = other.document().exports.get(secret.as_str());
        if !export.is_some_and(|export| export.to.contains(policy.name())) {
            return Err(refused(format!(
                "the deployment {} does not export {secret} to {}",
                import.deployment,
                policy.name()
            )));
        }
        let wanted = match import.kind {
            ImportKind::Value => ReferenceKind::Secret,
            ImportKind::Ca => ReferenceKind::Ca,
        };
        let shared = other.secret(secret.as_str());
        if shared.is_none_or(|secret| secret.scope != Scope::Shared) {
            return Err(refused(format!("{}/{secret} is not shared", import.deployment)));
        }
        self.material(&other, secret, wanted, "")
    }
}

/// How long before its end a secret is renewed; of certificates a third of their life.
fn renew_before(secret: &Secret) -> u64 {
    let of_certificate = || match secret.value.kind() {
        SecretKind::X509 | SecretKind::X509Ca => secret
            .lifetime
            .map_or(0, |lifetime| lifetime.seconds().div_euclid(3)),
        _ => 0,
    };
    secret
        .renew_before
        .map_or_else(of_certificate, |before| before.seconds())
}

/// What a secret's certificate says, to compare.
fn description(secret: &Secret) -> String {
    serde_json::to_string(secret).unwrap_or_default()
}

fn secret_record(deployment: &Name, secret: &str, instance: Option<&str>) -> String {
    match instance {
        None => format!("{deployment}/secret/{secret}"),
        Some(instance) => format!("{deployment}/secret/{secret}/{instance}"),
    }
}

fn image_key_record(deployment: &Name, id: ImageKeyId) -> String {
    format!("{deployment}/image-key/{id}")
}

fn private_key_pem(pkcs8: &Base64Secret) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(pem("PRIVATE KEY", &pkcs8.0).as_bytes().to_vec())
}

fn certificates_pem(chain: &[Base64Bytes]) -> Zeroizing<Vec<u8>> {
    let texts = chain
        .iter()
        .map(|der| pem("CERTIFICATE", &der.0).as_bytes().to_vec());
    Zeroizing::new(texts.collect::<Vec<_>>().concat())
}

fn random(size: usize) -> Result<Zeroizing<Vec<u8>>, AuthorityError> {
    let mut bytes = Zeroizing::new(vec![0; size]);
    rand::fill(&mut bytes).map_err(|_| AuthorityError::Random)?;
    Ok(bytes)
}

/// Letters and digits, each as likely as the others.
fn password(length: usize) -> Result<Zeroizing<Vec<u8>>, AuthorityError> {
    let mut password = Zeroizing::new(Vec::with_capacity(length));
    while password.len() < length {
        let bytes = random(length)?;
        // 248 is the largest multiple of 62 in a byte.
        let symbols = bytes.iter().filter(|byte| **byte < 248);
        let symbols = symbols.filter_map(|byte| SYMBOLS.get(usize::from(byte % 62)).copied());
        let missing = length.saturating_sub(password.len());
        password.extend(symbols.take(missing));
    }
    Ok(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_have_all_symbols_about_as_often() {
        let password = password(62_000).unwrap();
        assert_eq!(password.len(), 62_000);
        for symbol in SYMBOLS {
            let count = password.iter().filter(|other| *other == symbol).count();
            assert!((800..1200).contains(&count), "{count}");
        }
    }
}
