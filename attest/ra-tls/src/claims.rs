//! The claims of an interoperable certificate: a CBOR map that the quote's report data is the hash of.
//!
//! Source: *Interoperable RA-TLS X.509 Cert and Evidence Formats*. Read is the one shortest form with definite lengths: what is
//! read is written again and must give the same bytes.

use aws_lc_rs::digest::{Algorithm, SHA256, SHA384, SHA512, digest};
use minicbor::{Decoder, Encoder};

use crate::evidence::EvidenceError;

const KEY_HASH: &str = "pubkey-hash";
const NONCE: &str = "nonce";

/// Claims at most; two are known.
const MAX_CLAIMS: u64 = 16;

/// What the attested environment says in a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// `pubkey-hash`: which key it vouches for.
    pub key_hash: KeyHash,
    /// `nonce`: what the relying party asked it to repeat, if it did.
    pub nonce: Option<Vec<u8>>,
}

/// A hash of a SubjectPublicKeyInfo (`hash-entry` of CoSWID).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyHash {
    /// SHA-256.
    Sha256(Vec<u8>),
    /// SHA-384.
    Sha384(Vec<u8>),
    /// SHA-512.
    Sha512(Vec<u8>),
}

impl Claims {
    /// For the key with this SubjectPublicKeyInfo (DER).
    pub(crate) fn of_key(info: &[u8], nonce: Option<Vec<u8>>) -> Self {
        Self {
            key_hash: KeyHash::Sha256(digest(&SHA256, info).as_ref().to_vec()),
            nonce,
        }
    }

    /// In CBOR, names in the order of RFC 8949, section 4.2.1.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let key_hash = self.key_hash.encode();
        let mut claims: Vec<(&str, &[u8])> = Vec::new();
        claims.extend(self.nonce.as_deref().map(|nonce| (NONCE, nonce)));
        claims.push((KEY_HASH, &key_hash));
        encode_map(&claims)
    }

    /// Reads claims that take up all of `cbor`. Unknown ones are passed over.
    pub(crate) fn parse(cbor: &[u8]) -> Result<Self, EvidenceError> {
        const WHAT: EvidenceError = EvidenceError::Claims;
        let mut decoder = Decoder::new(cbor);
        let count = decoder.map().map_err(|_| WHAT)?;
        let count = count.filter(|count| *count <= MAX_CLAIMS).ok_or(WHAT)?;
        let mut claims: Vec<(&str, &[u8])> = Vec::new();
        for _ in 0..count {
            let name = decoder.str().map_err(|_| WHAT)?;
            let value = decoder.bytes().map_err(|_| WHAT)?;
            if claims.iter().any(|(other, _)| *other == name) {
                return Err(WHAT);
            }
            claims.push((name, value));
        }
        if encode_map(&claims) != cbor {
            return Err(WHAT);
        }
        let find = |wanted| {
            claims
                .iter()
                .find(|(name, _)| *name == wanted)
                .map(|(_, value)| *value)
        };
        Ok(Self {
            key_hash: KeyHash::parse(find(KEY_HASH).ok_or(WHAT)?)?,
            nonce: find(NONCE).map(<[u8]>::to_vec),
        })
    }
}

impl KeyHash {
    /// Whether it is the hash of this SubjectPublicKeyInfo (DER).
    #[must_use]
    pub fn is_of(&self, info: &[u8]) -> bool {
        let (_, algorithm, value) = self.parts();
        digest(algorithm, info).as_ref() == value
    }

    /// Its number at IANA (*Named Information Hash Algorithm Registry*), the function, the hash.
    const fn parts(&self) -> (u64, &'static Algorithm, &Vec<u8>) {
        match self {
            Self::Sha256(value) => (1, &SHA256, value),
            Self::Sha384(value) => (7, &SHA384, value),
            Self::Sha512(value) => (8, &SHA512, value),
        }
    }

    fn encode(&self) -> Vec<u8> {
        let (number, _, value) = self.parts();
        let mut encoder = Encoder::new(Vec::new());
        // Writing to memory cannot fail.
        let _ = encoder.array(2).and_then(|entry| entry.u64(number)?.bytes(value));
        encoder.into_writer()
    }

    fn parse(cbor: &[u8]) -> Result<Self, EvidenceError> {
        const WHAT: EvidenceError = EvidenceError::KeyHash;
        let mut decoder = Decoder::new(cbor);
        if decoder.array().map_err(|_| WHAT)? != Some(2) {
            return Err(WHAT);
        }
        let number = decoder.u64().map_err(|_| WHAT)?;
        let value = decoder.bytes().map_err(|_| WHAT)?.to_vec();
        let hash = match (number, value.len()) {
            (1, 32) => Self::Sha256(value),
            (7, 48) => Self::Sha384(value),
            (8, 64) => Self::Sha512(value),
            _ => return Err(WHAT),
        };
        if hash.encode() != cbor {
            return Err(WHAT);
        }
        Ok(hash)
    }
}

fn encode_map(claims: &[(&str, &[u8])]) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    // Writing to memory cannot fail.
    let _ = encoder.map(claims.len() as u64);
    for (name, value) in claims {
        let _ = encoder.str(name).and_then(|claim| claim.bytes(value));
    }
    encoder.into_writer()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_byte_by_byte() {
        let claims = Claims::of_key(b"key", None);
        let encoded = claims.encode();
        // {"pubkey-hash": h'82 01 58 20 …'}, as Gramine writes it.
        assert_eq!(encoded[..17], *b"\xa1\x6bpubkey-hash\x58\x24\x82\x01");
        assert_eq!(encoded.len(), 17 + 2 + 32);
        assert_eq!(Claims::parse(&encoded), Ok(claims));
        let claims = Claims::of_key(b"key", Some(vec![7]));
        let encoded = claims.encode();
        assert_eq!(encoded[..9], *b"\xa2\x65nonce\x41\x07");
        assert_eq!(Claims::parse(&encoded), Ok(claims));
    }

    #[test]
    fn all_hashes_and_either_order() {
        let hashes = [
            KeyHash::Sha256(digest(&SHA256, b"key").as_ref().to_vec()),
            KeyHash::Sha384(digest(&SHA384, b"key").as_ref().to_vec()),
            KeyHash::Sha512(digest(&SHA512, b"key").as_ref().to_vec()),
        ];
        for key_hash in hashes {
            let entry = key_hash.encode();
            let encoded = encode_map(&[(KEY_HASH, &entry), ("other", b"x"), (NONCE, b"")]);
            let parsed = Claims::parse(&encoded).unwrap();
            assert!(parsed.key_hash.is_of(b"key") && !parsed.key_hash.is_of(b"other"));
            assert_eq!(parsed.nonce.as_deref(), Some(&[][..]));
        }
    }

    #[test]
    fn refuses_every_other_form() {
        let claims = Claims::of_key(b"key", None);
        let (good, entry) = (claims.encode(), claims.key_hash.encode());
        for len in 0..good.len() {
            assert!(Claims::parse(&good[..len]).is_err(), "{len}");
        }
        assert!(Claims::parse(&[&good[..], &[0]].concat()).is_err());
        // A longer length, an indefinite one, a claim twice, too many, none.
        let longer = [b"\xb8\x01", &good[1..]].concat();
        let indefinite = [b"\xbf", &good[1..], b"\xff"].concat();
        let twice = encode_map(&[(KEY_HASH, &entry), (KEY_HASH, &entry)]);
        let names: Vec<String> = (0..16).map(|number| number.to_string()).collect();
        let mut many: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
        many.push((KEY_HASH, &entry));
        for bad in [
            longer,
            indefinite,
            twice,
            encode_map(&many),
            encode_map(&[(NONCE, b"")]),
        ] {
            assert!(Claims::parse(&bad).is_err(), "{bad:x?}");
        }
        // Hashes of another kind or length, a number in a longer form.
        for bad in [
            [b"\x82\x02", &entry[2..]].concat(),
            [b"\x82\x18\x01", &entry[2..]].concat(),
            [b"\x82\x01\x58\x1f", &entry[4..35]].concat(),
            [&b"\x83"[..], &entry[1..], &[0]].concat(),
            b"\x82\x01".to_vec(),
        ] {
            assert_eq!(KeyHash::parse(&bad), Err(EvidenceError::KeyHash), "{bad:x?}");
        }
        // Claims that nest or lie about their lengths.
        assert!(Claims::parse(&[0xa1; 100_000]).is_err());
        assert!(Claims::parse(b"\xa1\x6bpubkey-hash\x5b\xff\xff\xff\xff\xff\xff\xff\xff").is_err());
    }
}
