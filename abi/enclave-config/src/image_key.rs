//! Which key opens an encrypted root file system.

use core::fmt;

use sector_cipher::KeyId;

use crate::Rootfs;

/// Why the root file system cannot be opened with what was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrongKey {
    /// It is encrypted, with the key of this name, and none was given.
    Missing(KeyId),
    /// It is encrypted with the first of these keys, and the second was given.
    Other(KeyId, KeyId),
    /// It is not encrypted.
    NotEncrypted,
}

impl Rootfs {
    /// Whether the key of this name, or none, is what opens the root file system. The LibOS decides by this; the tools outside
    /// apply it to their copy of the configuration, to say the same words earlier.
    pub fn check_key(&self, given: Option<KeyId>) -> Result<(), WrongKey> {
        match (self.key_id, given) {
            (None, None) => Ok(()),
            (None, Some(_)) => Err(WrongKey::NotEncrypted),
            (Some(needed), None) => Err(WrongKey::Missing(needed)),
            (Some(needed), Some(given)) if needed == given => Ok(()),
            (Some(needed), Some(given)) => Err(WrongKey::Other(needed, given)),
        }
    }
}

impl fmt::Display for WrongKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(needed) => write!(
                f,
                "this image is encrypted: give its key with --image-key FILE (the key's name is {needed})"
            ),
            Self::Other(needed, given) => write!(
                f,
                "this image is encrypted with another key: it needs {needed}, and {given} was given"
            ),
            Self::NotEncrypted => f.write_str("this image is not encrypted: run it without --image-key"),
        }
    }
}
