//! Claims: a type, a value and the issuer.

use std::fmt;

use serde::Serialize;

/// One statement. Claims are a collection: several may have the same type, and even be equal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// Its name, for instance `x-ms-sgx-mrsigner`. Names are compared byte by byte.
    #[serde(rename = "type")]
    pub claim_type: String,
    /// What it says.
    #[serde(flatten)]
    pub value: Value,
    /// Who says it.
    pub issuer: Issuer,
    /// See [`Claim::read_only`].
    #[serde(skip)]
    pub(crate) is_read_only: bool,
}

/// A claim's value. A JSON object or array is a string of JSON.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(tag = "valueType", content = "value")]
pub enum Value {
    /// Text, compared byte by byte.
    String(String),
    /// A signed number of 64 bits.
    Integer(i64),
    /// True or false.
    Boolean(bool),
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum ValueType {
    /// Text.
    String,
    /// A number.
    Integer,
    /// True or false.
    Boolean,
}

/// Who makes a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Issuer {
    /// The service, which has verified it.
    AttestationService,
    /// A rule of the policy.
    AttestationPolicy,
    /// Whoever asks to be attested; nobody has verified it.
    CustomClaim,
}

impl Claim {
    /// A claim that the service has verified.
    pub fn verified(claim_type: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::new(claim_type, value, Issuer::AttestationService)
    }

    /// A claim.
    pub fn new(claim_type: impl Into<String>, value: impl Into<Value>, issuer: Issuer) -> Self {
        Self {
            claim_type: claim_type.into(),
            value: value.into(),
            issuer,
            is_read_only: false,
        }
    }

    /// The same claim, which rules may examine but not issue, nor anything that a function made of it (the real service
    /// does so with the values of a TPM's registers).
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.is_read_only = true;
        self
    }
}

impl Value {
    /// Its type.
    #[must_use]
    pub const fn value_type(&self) -> ValueType {
        match self {
            Self::String(_) => ValueType::String,
            Self::Integer(_) => ValueType::Integer,
            Self::Boolean(_) => ValueType::Boolean,
        }
    }

    /// What it takes to store or to compare it.
    pub(crate) const fn size(&self) -> usize {
        match self {
            Self::String(text) => text.len(),
            Self::Integer(_) | Self::Boolean(_) => 8,
        }
    }
}

impl ValueType {
    /// As the language writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::String => "String",
            Self::Integer => "Integer",
            Self::Boolean => "Boolean",
        }
    }

    /// With its article, for messages.
    pub(crate) const fn noun(self) -> &'static str {
        match self {
            Self::String => "a string",
            Self::Integer => "an integer",
            Self::Boolean => "a boolean",
        }
    }
}

impl Issuer {
    /// As the language writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AttestationService => "AttestationService",
            Self::AttestationPolicy => "AttestationPolicy",
            Self::CustomClaim => "CustomClaim",
        }
    }

    /// Reads what [`Issuer::name`] writes.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::AttestationService,
            Self::AttestationPolicy,
            Self::CustomClaim,
        ]
        .into_iter()
        .find(|issuer| issuer.name() == name)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<bool> for Value {
    fn from(boolean: bool) -> Self {
        Self::Boolean(boolean)
    }
}

/// As a literal of the language. A string with control characters, which no literal can have, is written all the same.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String(text) => write!(f, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
            Self::Integer(number) => number.fmt(f),
            Self::Boolean(boolean) => boolean.fmt(f),
        }
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
