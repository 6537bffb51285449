//! Secrets: values that the broker makes, or keeps for somebody, and gives to services.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::dates::Lifetime;
use super::names::Name;

/// A secret. Its value is never in a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "Fields", into = "Fields")]
pub struct Secret {
    /// What it is.
    pub value: SecretValue,
    /// Whether all instances of a service get the same.
    pub scope: Scope,
    /// For how long it is given out after it was made; then it is replaced. Without it, for ever. Certificates always have
    /// one.
    pub lifetime: Option<Lifetime>,
    /// How long before its end the next one is made and given out.
    pub renew_before: Option<Lifetime>,
}

/// What a secret is, and how the broker makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretValue {
    /// Random bytes.
    Random {
        /// How many, 16 to 1024.
        bytes: u16,
    },
    /// Random letters and digits.
    Password {
        /// How many, 12 to 256.
        length: u16,
    },
    /// A private key (PKCS #8).
    PrivateKey {
        /// Its kind.
        algorithm: KeyAlgorithm,
    },
    /// A private key, and a certificate of it that the broker issues.
    X509 {
        /// The key's kind.
        algorithm: KeyAlgorithm,
        /// What the certificate says.
        subject: CertificateSubject,
        /// An authority of this deployment; the deployment's own, which the broker keeps, without it.
        issuer: Option<Name>,
    },
    /// A certificate authority of this deployment. Its private key stays with the broker, unless a template asks for it.
    X509Ca {
        /// The key's kind.
        algorithm: KeyAlgorithm,
        /// Its name.
        common_name: String,
        /// The authority above it; the deployment's own without it.
        issuer: Option<Name>,
    },
    /// A value that people give to the broker (`nacre secret set`).
    Imported,
}

impl SecretValue {
    /// Its kind, as a policy names it.
    #[must_use]
    pub const fn kind(&self) -> SecretKind {
        match self {
            Self::Random { .. } => SecretKind::Random,
            Self::Password { .. } => SecretKind::Password,
            Self::PrivateKey { .. } => SecretKind::PrivateKey,
            Self::X509 { .. } => SecretKind::X509,
            Self::X509Ca { .. } => SecretKind::X509Ca,
            Self::Imported => SecretKind::Imported,
        }
    }

    /// The authority of the deployment that certifies it.
    #[must_use]
    pub const fn issuer(&self) -> Option<&Name> {
        match self {
            Self::X509 { issuer, .. } | Self::X509Ca { issuer, .. } => issuer.as_ref(),
            _ => None,
        }
    }
}

/// What a certificate says of its holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateSubject {
    /// Its name.
    pub common_name: String,
    /// Names of hosts that it is valid for; one may begin with `*.`.
    pub dns: Vec<String>,
    /// Addresses that it is valid for.
    pub ip: Vec<IpAddr>,
    /// What it may be used for.
    pub uses: Vec<Use>,
}

/// The kinds of secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SecretKind {
    /// Random bytes.
    Random,
    /// Random letters and digits.
    Password,
    /// A private key.
    PrivateKey,
    /// A private key with a certificate.
    X509,
    /// A certificate authority.
    X509Ca,
    /// A value that people give to the broker.
    Imported,
}

impl SecretKind {
    /// As a policy writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Random => "random",
            Self::Password => "password",
            Self::PrivateKey => "private_key",
            Self::X509 => "x509",
            Self::X509Ca => "x509_ca",
            Self::Imported => "imported",
        }
    }
}

/// Who shares a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// All services and instances that get it, get the same.
    #[default]
    Shared,
    /// Each instance has its own.
    Instance,
}

impl Scope {
    /// Whether it is what holds anyway.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Kinds of private keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum KeyAlgorithm {
    /// ECDSA over P-256.
    #[default]
    P256,
    /// ECDSA over P-384.
    P384,
    /// Ed25519.
    Ed25519,
    /// RSA with 2048 bits.
    Rsa2048,
    /// RSA with 3072 bits.
    Rsa3072,
    /// RSA with 4096 bits.
    Rsa4096,
}

/// What a certificate may be used for (extended key usage).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Use {
    /// To serve TLS.
    Server,
    /// To identify oneself as a client.
    Client,
}

/// The fields as they are written: which of them there may be depends on `kind`.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Secret"))]
#[serde(deny_unknown_fields)]
struct Fields {
    /// What it is.
    kind: SecretKind,
    /// Of `random`: how many bytes, 16 to 1024; 32 unless it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 16, max = 1024)))]
    bytes: Option<u16>,
    /// Of `password`: how many letters and digits, 12 to 256; 32 unless it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 12, max = 256)))]
    length: Option<u16>,
    /// Of `private_key`, `x509` and `x509_ca`: the kind of the key; `p256` unless it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    algorithm: Option<KeyAlgorithm>,
    /// Of `x509` and `x509_ca`: the subject's common name, 1 to 64 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    common_name: Option<String>,
    /// Of `x509`: names of hosts that the certificate is valid for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    dns: Vec<String>,
    /// Of `x509`: addresses that the certificate is valid for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ip: Vec<IpAddr>,
    /// Of `x509`: what it may be used for; both unless it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uses: Option<Vec<Use>>,
    /// Of `x509` and `x509_ca`: the `x509_ca` that issues it; the deployment's own authority unless it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    issuer: Option<Name>,
    /// `shared` by all (the default), or one for each `instance`.
    #[serde(default, skip_serializing_if = "Scope::is_default")]
    scope: Scope,
    /// For how long it is given out after it was made. Of `x509` 30d and of `x509_ca` 3650d unless it is given; of others,
    /// for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lifetime: Option<Lifetime>,
    /// How long before its end the next one is made and given out; of certificates, a third of the lifetime unless it is
    /// given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    renew_before: Option<Lifetime>,
}

/// What is wrong with a secret's fields.
#[derive(Debug, thiserror::Error)]
enum FieldsError {
    #[error("{field:?} is no field of a secret of the kind {}, but of {of}", kind.name())]
    NotOfThisKind {
        kind: SecretKind,
        field: &'static str,
        of: &'static str,
    },
    #[error("{field:?} is {found}, and must be {least} to {most}")]
    Range {
        field: &'static str,
        found: u16,
        least: u16,
        most: u16,
    },
    #[error("a secret of the kind x509 or x509_ca needs \"common_name\"")]
    NoCommonName,
    #[error("\"common_name\" must have 1 to 64 characters, and no control characters")]
    CommonName,
    #[error(
        "{0:?} is no name of a host: write letters, digits, '-' and '.', with at most one '*.' at the beginning"
    )]
    Dns(String),
    #[error("\"uses\" is empty: write server, client, or both")]
    NoUse,
    #[error("\"renew_before\" must be shorter than \"lifetime\"")]
    RenewBefore,
    #[error("\"renew_before\" needs \"lifetime\"")]
    NoLifetime,
    #[error("an authority cannot be one for each instance: remove \"scope\"")]
    AuthorityPerInstance,
    #[error("an imported value is shared: remove \"scope\"")]
    ImportedPerInstance,
    #[error("an imported value has no lifetime: set another with nacre secret set")]
    ImportedLifetime,
}

impl TryFrom<Fields> for Secret {
    type Error = FieldsError;

    fn try_from(fields: Fields) -> Result<Self, FieldsError> {
        let kind = fields.kind;
        fields.only_of_kind()?;
        let algorithm = fields.algorithm.unwrap_or_default();
        let value = match kind {
            SecretKind::Random => SecretValue::Random {
                bytes: within("bytes", fields.bytes.unwrap_or(32), 16, 1024)?,
            },
            SecretKind::Password => SecretValue::Password {
                length: within("length", fields.length.unwrap_or(32), 12, 256)?,
            },
            SecretKind::PrivateKey => SecretValue::PrivateKey { algorithm },
            SecretKind::X509 => SecretValue::X509 {
                algorithm,
                subject: CertificateSubject {
                    common_name: common_name(fields.common_name)?,
                    dns: fields.dns.into_iter().map(dns_name).collect::<Result<_, _>>()?,
                    ip: fields.ip,
                    uses: match fields.uses {
                        None => vec![Use::Server, Use::Client],
                        Some(uses) if uses.is_empty() => return Err(FieldsError::NoUse),
                        Some(uses) => uses,
                    },
                },
                issuer: fields.issuer,
            },
            SecretKind::X509Ca => SecretValue::X509Ca {
                algorithm,
                common_name: common_name(fields.common_name)?,
                issuer: fields.issuer,
            },
            SecretKind::Imported => SecretValue::Imported,
        };
        match (kind, fields.scope) {
            (SecretKind::X509Ca, Scope::Instance) => return Err(FieldsError::AuthorityPerInstance),
            (SecretKind::Imported, Scope::Instance) => return Err(FieldsError::ImportedPerInstance),
            (SecretKind::Imported, _) if fields.lifetime.is_some() => {
                return Err(FieldsError::ImportedLifetime);
            }
            _ => {}
        }
        let lifetime = fields.lifetime.or(match kind {
            SecretKind::X509 => Some(Lifetime::days(30)),
            SecretKind::X509Ca => Some(Lifetime::days(3650)),
            _ => None,
        });
        match (lifetime, fields.renew_before) {
            (None, Some(_)) => return Err(FieldsError::NoLifetime),
            (Some(lifetime), Some(before)) if before >= lifetime => return Err(FieldsError::RenewBefore),
            _ => {}
        }
        Ok(Self {
            value,
            scope: fields.scope,
            lifetime,
            renew_before: fields.renew_before,
        })
    }
}

impl Fields {
    /// No field is there that would be ignored.
    fn only_of_kind(&self) -> Result<(), FieldsError> {
        use SecretKind::{Password, PrivateKey, Random, X509, X509Ca};
        let kind = self.kind;
        let fields: [(&str, bool, &[SecretKind], &str); 8] = [
            ("bytes", self.bytes.is_some(), &[Random], "random"),
            ("length", self.length.is_some(), &[Password], "password"),
            (
                "algorithm",
                self.algorithm.is_some(),
                &[PrivateKey, X509, X509Ca],
                "private_key, x509 and x509_ca",
            ),
            (
                "common_name",
                self.common_name.is_some(),
                &[X509, X509Ca],
                "x509 and x509_ca",
            ),
            ("dns", !self.dns.is_empty(), &[X509], "x509"),
            ("ip", !self.ip.is_empty(), &[X509], "x509"),
            ("uses", self.uses.is_some(), &[X509], "x509"),
            (
                "issuer",
                self.issuer.is_some(),
                &[X509, X509Ca],
                "x509 and x509_ca",
            ),
        ];
        for (field, is_there, kinds, of) in fields {
            if is_there && !kinds.contains(&kind) {
                return Err(FieldsError::NotOfThisKind { kind, field, of });
            }
        }
        Ok(())
    }
}

fn within(field: &'static str, found: u16, least: u16, most: u16) -> Result<u16, FieldsError> {
    if (least..=most).contains(&found) {
        Ok(found)
    } else {
        Err(FieldsError::Range {
            field,
            found,
            least,
            most,
        })
    }
}

fn common_name(name: Option<String>) -> Result<String, FieldsError> {
    let name = name.ok_or(FieldsError::NoCommonName)?;
    // ub-common-name of RFC 5280.
    let is_good = (1..=64).contains(&name.chars().count()) && !name.contains(char::is_control);
    is_good.then_some(name).ok_or(FieldsError::CommonName)
}

fn dns_name(name: String) -> Result<String, FieldsError> {
    let labels = name.strip_prefix("*.").unwrap_or(&name);
    let is_label = |label: &str| {
        let is_good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        (1..=63).contains(&label.len())
            && label.bytes().all(is_good)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.len() <= 253 && labels.split('.').all(is_label) {
        Ok(name)
    } else {
        Err(FieldsError::Dns(name.chars().take(80).collect()))
    }
}

impl From<Secret> for Fields {
    fn from(secret: Secret) -> Self {
        let mut fields = Self {
            kind: secret.value.kind(),
            bytes: None,
            length: None,
            algorithm: None,
            common_name: None,
            dns: Vec::new(),
            ip: Vec::new(),
            uses: None,
            issuer: None,
            scope: secret.scope,
            lifetime: secret.lifetime,
            renew_before: secret.renew_before,
        };
        match secret.value {
            SecretValue::Random { bytes } => fields.bytes = Some(bytes),
            SecretValue::Password { length } => fields.length = Some(length),
            SecretValue::PrivateKey { algorithm } => fields.algorithm = Some(algorithm),
            SecretValue::X509 {
                algorithm,
                subject,
                issuer,
            } => {
                fields.algorithm = Some(algorithm);
                fields.common_name = Some(subject.common_name);
                fields.dns = subject.dns;
                fields.ip = subject.ip;
                fields.uses = Some(subject.uses);
                fields.issuer = issuer;
            }
            SecretValue::X509Ca {
                algorithm,
                common_name,
                issuer,
            } => {
                fields.algorithm = Some(algorithm);
                fields.common_name = Some(common_name);
                fields.issuer = issuer;
            }
            SecretValue::Imported => {}
        }
        fields
    }
}
