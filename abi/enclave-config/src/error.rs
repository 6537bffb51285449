//! Errors of reading and checking a configuration.

use core::fmt;

/// Why a configuration is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// Not the CBOR that the schema asks for: truncated, a wrong type, an unknown, missing or repeated key.
    Malformed,
    /// Written for another version of Nacre.
    Version,
    /// The right values in bytes that are not the canonical ones (or bytes behind them).
    NotCanonical,
    /// Longer than an enclave has room for.
    TooLong,
    /// A value breaks a rule of the schema; the words say which.
    Invalid(&'static str),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "it is not an enclave configuration (malformed CBOR)",
            Self::Version => "it was written by another version of Nacre; convert the image again",
            Self::NotCanonical => "its bytes are not in canonical form",
            Self::TooLong => "it is longer than 1 MiB",
            Self::Invalid(rule) => rule,
        })
    }
}

impl core::error::Error for ConfigError {}
