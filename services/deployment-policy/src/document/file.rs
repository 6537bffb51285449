//! Files that a service finds in its memory file system.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::text::{NotOfThatForm, text_type};
use crate::template::Template;

/// A file. It has one of the two contents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Text, a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Template>,
    /// Bytes in base64; no template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_base64: Option<Base64>,
    /// Who may do what with it, in octal; `0400` unless it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Whose it is; the user's whom the program runs as, unless it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
}

/// A user and a group, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// The user.
    pub user: u32,
    /// The group.
    pub group: u32,
}

/// The bits of a file's mode that a policy can set: read, write and execute, for owner, group and others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode(u16);

impl Mode {
    /// For the owner to read, which is the default.
    pub const PRIVATE: Self = Self(0o400);

    /// The bits.
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }
}

impl FromStr for Mode {
    type Err = NotOfThatForm;

    fn from_str(text: &str) -> Result<Self, NotOfThatForm> {
        let digits = text.strip_prefix('0').unwrap_or(text);
        let is_good = digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit());
        u16::from_str_radix(digits, 8)
            .ok()
            .filter(|_| is_good)
            .map(Self)
            .ok_or_else(|| NotOfThatForm::new(text, "is no mode: write three octal digits, such as \"0440\""))
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

text_type!(Mode, "^0?[0-7]{3}$", "The mode of a file in octal, such as 0440.");

/// Bytes, written in base64 (RFC 4648, with padding).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base64(pub Vec<u8>);

impl FromStr for Base64 {
    type Err = NotOfThatForm;

    fn from_str(text: &str) -> Result<Self, NotOfThatForm> {
        // As YAML folds it, and as base64(1) writes it.
        let text: String = text
            .chars()
            .filter(|character| !" \n".contains(*character))
            .collect();
        let bytes = STANDARD.decode(&text);
        bytes
            .map(Self)
            .map_err(|_| NotOfThatForm::new(&text, "is no base64 with its padding"))
    }
}

impl fmt::Display for Base64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(&self.0))
    }
}

text_type!(Base64, "^[A-Za-z0-9+/ \\n]*=?=?[ \\n]*$", "Bytes in base64.");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes() {
        assert_eq!("0640".parse::<Mode>().unwrap().bits(), 0o640);
        assert_eq!("640".parse::<Mode>().unwrap().to_string(), "0640");
        for bad in ["", "0", "64", "00640", "4755", "0o64", "68x", "080", "+64"] {
            assert!(bad.parse::<Mode>().is_err(), "{bad}");
        }
    }

    #[test]
    fn base64() {
        assert_eq!("AAH/\n /w==\n".parse::<Base64>().unwrap().0, [0, 1, 255, 255]);
        assert!("AAH/_w==".parse::<Base64>().is_err() && "AAH".parse::<Base64>().is_err());
    }
}
