//! What a container is given.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Hex, SecretBytes, SecretText};

/// Everything that a service gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provision {
    /// The digest of the policy that said so.
    pub policy: Hex<32>,
    /// The deployment that it belongs to.
    pub deployment: String,
    /// The service that the container is.
    pub service: String,
    /// The program and its arguments, instead of the image's entry point and command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Vec<SecretText>>,
    /// Variables that are set, beside and instead of the image's.
    #[serde(default)]
    pub environment: BTreeMap<String, SecretText>,
    /// The working directory, instead of the image's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_directory: Option<String>,
    /// Files that are written before the program begins, in this order.
    #[serde(default)]
    pub files: Vec<File>,
    /// The key that the request names: the 64 bytes of `image-key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_key: Option<SecretBytes>,
    /// When to ask again, and what to do then. Without it never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewal: Option<Renewal>,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Its absolute path. Directories that are missing are made.
    pub path: String,
    /// What it holds.
    pub content: SecretBytes,
    /// Its permissions, as of chmod(2).
    pub mode: u32,
    /// Whose it is. Without it the user's whom the program runs as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
}

/// A user and a group, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Owner {
    /// The user.
    pub user: u32,
    /// The group.
    pub group: u32,
}

/// When a container asks again. Files whose content has changed are then replaced, each at once (rename(2)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renewal {
    /// Seconds from now on.
    pub after: u64,
    /// The signal that the program then gets, by number; none if it looks itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<u8>,
}
