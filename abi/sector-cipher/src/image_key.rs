//! The key of an encrypted image, and the number that names it.

use core::fmt;

use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize as _, ZeroizeOnDrop};

/// Bytes of a key: one half encrypts the data, the other the sectors' numbers.
pub const KEY_SIZE: usize = 64;

/// What is hashed before a key, so that a key's name is the digest of nothing else.
const ID_PREFIX: &[u8] = b"nacre image key\0";

/// The key of an encrypted image. It is wiped when it is dropped.
#[derive(Clone)]
pub struct ImageKey([u8; KEY_SIZE]);

impl Drop for ImageKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for ImageKey {}

/// By their names, so that a comparison takes the same time wherever two keys differ.
impl PartialEq for ImageKey {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for ImageKey {}

/// Why bytes are no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAKey {
    /// They are not 64.
    Length,
    /// The halves are the same, and XTS with such a key hides less than it should (FIPS 140-3 IG C.I forbids it).
    EqualHalves,
}

impl fmt::Display for NotAKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "this is no image key, which has 64 bytes",
            Self::EqualHalves => "this is no image key: its two halves are the same",
        })
    }
}

impl core::error::Error for NotAKey {}

impl ImageKey {
    /// The key of these bytes, which are the contents of a key file of `cryptsetup`.
    ///
    /// # Errors
    /// They cannot be a key.
    pub fn new(bytes: &[u8]) -> Result<Self, NotAKey> {
        let key = Self(bytes.try_into().map_err(|_| NotAKey::Length)?);
        let (data, tweak) = key.halves();
        if data == tweak {
            return Err(NotAKey::EqualHalves);
        }
        Ok(key)
    }

    /// The bytes, to be stored.
    pub fn as_bytes(&self) -> &[u8; KEY_SIZE] {
        &self.0
    }

    /// The number that names the key and says nothing about it: SHA-256 of a fixed text and the key. An image's measured
    /// configuration holds it, so that an enclave takes the right key only.
    pub fn id(&self) -> KeyId {
        let digest = Sha256::new_with_prefix(ID_PREFIX).chain_update(self.0);
        KeyId(digest.finalize().into())
    }

    /// The key of the data, and that of the sectors' numbers.
    pub(crate) fn halves(&self) -> (&[u8; 32], &[u8; 32]) {
        // A conversion of arrays would have to say what happens if they were shorter.
        match self.0.as_chunks::<32>().0 {
            [data, tweak] => (data, tweak),
            _ => (&[0; 32], &[0; 32]),
        }
    }
}

/// No part of a key is ever printed.
impl fmt::Debug for ImageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ImageKey({})", self.id())
    }
}

/// The name of a key: see [`ImageKey::id`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub [u8; 32]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_key_is_refused() {
        assert_eq!(ImageKey::new(&[7; KEY_SIZE]).err(), Some(NotAKey::EqualHalves));
        assert_eq!(ImageKey::new(&[7; KEY_SIZE - 1]).err(), Some(NotAKey::Length));
    }

    #[test]
    fn printing_a_key_prints_its_name() {
        let key = ImageKey::new(&core::array::from_fn::<u8, KEY_SIZE, _>(|at| at as u8)).unwrap();
        // `printf 'nacre image key\0' | cat - KEY | sha256sum`
        let printed = format!("{key:?}");
        assert_eq!(printed, format!("ImageKey({})", key.id()));
        assert_eq!(key.id(), key.clone().id());
        assert!(!printed.contains("000102"));
    }
}
