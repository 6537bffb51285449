//! Seals rows: AES-256-GCM, each row under a key of its own.
//!
//! A sealed row is a random salt of 32 bytes, the ciphertext, and a tag of 16 bytes. Its key is HKDF-Expand of the store's key
//! with the salt, so that the nonce can be zero and no number of rows is too large: with one key for all, random nonces of 96
//! bits would be good for 2^32 rows only.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk};
use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use crate::backend::RecordId;
use crate::error::StoreError;
use crate::keys::{RootKey, expand};
use crate::record::{Record, Table};

const SALT_SIZE: usize = 32;

/// The place of a row, which is its associated data.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place<'a> {
    KeyCheck,
    Record { id: &'a RecordId, version: u64 },
    Commit { sequence: u64 },
    Journal { sequence: u64 },
}

/// The keys of a store.
pub(crate) struct Sealer {
    store_id: [u8; 16],
    rows: Prk,
    names: hmac::Key,
    leaves: hmac::Key,
}

impl Sealer {
    pub fn new(root: &RootKey, store_id: [u8; 16]) -> Result<Self, StoreError> {
        let derive = |purpose| root.derive(&store_id, purpose).ok_or(StoreError::Crypto);
        let hmac_key =
            |purpose| Ok::<_, StoreError>(hmac::Key::new(hmac::HMAC_SHA256, derive(purpose)?.as_ref()));
        Ok(Self {
            rows: Prk::new_less_safe(HKDF_SHA256, derive("nacre broker-store: rows, 1")?.as_ref()),
            names: hmac_key("nacre broker-store: names, 1")?,
            leaves: hmac_key("nacre broker-store: leaves, 1")?,
            store_id,
        })
    }

    pub fn seal(&self, place: Place<'_>, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut salt = [0; SALT_SIZE];
        aws_lc_rs::rand::fill(&mut salt).map_err(|_| StoreError::Crypto)?;
        let mut sealed = Vec::with_capacity(plain.len().saturating_add(SALT_SIZE).saturating_add(16));
        sealed.extend_from_slice(&salt);
        sealed.extend_from_slice(plain);
        let (_, in_place) = sealed.split_at_mut(SALT_SIZE);
        let tag = self
            .key(&salt)?
            .seal_in_place_separate_tag(zero_nonce(), Aad::from(self.associated_data(place)), in_place)
            .map_err(|_| StoreError::Crypto)?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// Nothing if the row is not what was sealed for this place.
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (salt, ciphertext) = sealed.split_at_checked(SALT_SIZE)?;
        let mut buffer = Zeroizing::new(ciphertext.to_vec());
        let key = self.key(salt).ok()?;
        let plain = key.open_in_place(zero_nonce(), Aad::from(self.associated_data(place)), &mut buffer);
        let size = plain.ok()?.len();
        buffer.truncate(size);
        Some(buffer)
    }

    /// The hidden name of a record.
    pub fn record_id(&self, table: Table, name: &str) -> RecordId {
        let mut context = hmac::Context::with_key(&self.names);
        context.update(&[table.number()]);
        context.update(name.as_bytes());
        bytes(&context.sign())
    }

    /// What the set of all records is the sum of. Nobody without the key can find records whose sum they want.
    pub fn leaf(&self, record: &crate::backend::SealedRecord) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.leaves);
        context.update(&record.id);
        context.update(&record.version.to_be_bytes());
        context.update(&record.sealed);
        bytes(&context.sign())
    }

    pub fn seal_record(
        &self,
        table: Table,
        name: &str,
        version: u64,
        value: &[u8],
    ) -> Result<crate::backend::SealedRecord, StoreError> {
        let id = self.record_id(table, name);
        let plain = crate::record::encode(table, name, value)?;
        let sealed = self.seal(Place::Record { id: &id, version }, &plain)?;
        Ok(crate::backend::SealedRecord { id, version, sealed })
    }

    /// Nothing if the record is not what was sealed under this id and version.
    pub fn open_record(&self, record: &crate::backend::SealedRecord) -> Option<Record> {
        let (id, version) = (&record.id, record.version);
        let plain = self.open(Place::Record { id, version }, &record.sealed)?;
        let (table, name, value) = crate::record::decode(&plain)?;
        (self.record_id(table, name) == *id).then(|| Record {
            table,
            name: name.to_owned(),
            version,
            value: Zeroizing::new(value.to_vec()),
        })
    }

    fn key(&self, salt: &[u8]) -> Result<LessSafeKey, StoreError> {
        let key = expand(&self.rows, &[b"row", salt]).ok_or(StoreError::Crypto)?;
        let key = UnboundKey::new(&AES_256_GCM, key.as_ref()).map_err(|_| StoreError::Crypto)?;
        Ok(LessSafeKey::new(key))
    }

    /// Kind of row, store, id or zeroes, version or sequence: 57 bytes.
    fn associated_data(&self, place: Place<'_>) -> Vec<u8> {
        let zeroes = [0; 32];
        let (kind, id, number) = match place {
            Place::KeyCheck => (0, &zeroes, 0),
            Place::Record { id, version } => (1, id, version),
            Place::Commit { sequence } => (2, &zeroes, sequence),
            Place::Journal { sequence } => (3, &zeroes, sequence),
        };
        [[kind].as_slice(), &self.store_id, id, &number.to_be_bytes()].concat()
    }
}

/// Each key seals one row.
fn zero_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

fn bytes(tag: &hmac::Tag) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes
        .iter_mut()
        .zip(tag.as_ref())
        .for_each(|(to, from)| *to = *from);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(store: u8) -> Sealer {
        Sealer::new(&RootKey::from_bytes(Zeroizing::new([7; 32])), [store; 16]).unwrap()
    }

    #[test]
    fn a_row_opens_in_its_place_only() {
        let sealer = sealer(1);
        let record = sealer.seal_record(Table::Secrets, "db", 4, b"password").unwrap();
        assert_eq!(sealer.open_record(&record).unwrap().value.as_slice(), b"password");
        let other = sealer.record_id(Table::Secrets, "other");
        let replayed = crate::SealedRecord {
            version: 5,
            ..record.clone()
        };
        let swapped = crate::SealedRecord {
            id: other,
            ..record.clone()
        };
        let mut cut = record.clone();
        cut.sealed.pop();
        let mut flipped = record.clone();
        flipped.sealed[40] ^= 1;
        let empty = crate::SealedRecord {
            sealed: Vec::new(),
            ..record.clone()
        };
        for changed in [&replayed, &swapped, &cut, &flipped, &empty] {
            assert!(sealer.open_record(changed).is_none());
        }
        let as_commit = sealer.open(Place::Commit { sequence: 4 }, &record.sealed);
        assert!(as_commit.is_none());
        assert!(self::sealer(2).open_record(&record).is_none());
    }

    #[test]
    fn the_same_value_is_never_sealed_to_the_same_bytes() {
        let sealer = sealer(1);
        let seal = || sealer.seal(Place::KeyCheck, b"x").unwrap();
        assert_ne!(seal(), seal());
    }
}
