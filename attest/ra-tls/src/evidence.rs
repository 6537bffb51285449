//! The extensions that carry quotes, and what binds a quote to the certificate's key.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use der::asn1::ObjectIdentifier;
use minicbor::data::Tag;
use minicbor::{Decoder, Encoder};

use crate::claims::Claims;

/// `tcg-dice-conceptual-message-wrapper` (TCG DICE), with CBOR of the tag below.
pub(crate) const TAGGED_EVIDENCE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.23.133.5.4.9");
/// The object identifier that Gramine intends.
const LEGACY_INTENDED: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113741.1337.6");
/// The object identifier that Gramine writes: it encodes tag and length of the object identifier as if they belonged to its value.
pub(crate) const LEGACY: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.6.9.42.840.113741.1337.6");

/// CBOR tag of Intel's quotes (IANA).
const INTEL_QUOTE: u64 = 60_000;

/// How a certificate carries a quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// Tagged evidence with claims (*Interoperable RA-TLS*).
    Interoperable,
    /// The plain quote (Gramine since 1.0).
    Legacy,
}

/// A quote in a certificate, unverified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    quote: Vec<u8>,
    content: Content,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    /// With the claims' bytes.
    Interoperable {
        claims: Claims,
        encoded: Vec<u8>,
    },
    Legacy,
}

/// Why an extension cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvidenceError {
    /// Larger than any quote.
    #[error("its evidence has {0} bytes, and at most {max} are read", max = Evidence::MAX_SIZE)]
    TooLarge(usize),
    /// Not 60000([quote, claims]).
    #[error("its evidence is not CBOR 60000([quote, claims]) in the shortest form")]
    Tagged,
    /// Not a map of texts to byte strings with a `pubkey-hash`.
    #[error("its claims are not a CBOR map with pubkey-hash in the shortest form")]
    Claims,
    /// Not a hash that the format has.
    #[error("its pubkey-hash is not a hash by SHA-256, SHA-384 or SHA-512")]
    KeyHash,
}

/// Why a quote does not speak for a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BindingError {
    /// The report data is not the hash of the claims.
    #[error(
        "the quote's report data is not the hash of the certificate's claims: the quote was made for something else"
    )]
    Claims,
    /// The report data is not the hash of the key.
    #[error(
        "the quote's report data is not the hash of the certificate's key: the quote was made for something else"
    )]
    ReportData,
    /// The claims are about another key.
    #[error("the certificate's claims are about another key: the quote was taken from another certificate")]
    KeyHash,
}

impl Format {
    /// By the extension's identifier.
    pub(crate) fn of(identifier: ObjectIdentifier) -> Option<Self> {
        match identifier {
            TAGGED_EVIDENCE => Some(Self::Interoperable),
            LEGACY | LEGACY_INTENDED => Some(Self::Legacy),
            _ => None,
        }
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Interoperable => "interoperable (2.23.133.5.4.9)",
            Self::Legacy => "legacy (1.2.840.113741.1337.6)",
        })
    }
}

impl Evidence {
    /// Bytes of the largest extension that is read. Quotes have about 5 KB.
    pub const MAX_SIZE: usize = 32 << 10;

    /// Reads an extension's value.
    ///
    /// # Errors
    /// When it is too large or not in the format; the quote itself is not looked at.
    pub fn parse(format: Format, value: &[u8]) -> Result<Self, EvidenceError> {
        if value.len() > Self::MAX_SIZE {
            return Err(EvidenceError::TooLarge(value.len()));
        }
        match format {
            Format::Legacy => Ok(Self {
                quote: value.to_vec(),
                content: Content::Legacy,
            }),
            Format::Interoperable => {
                let (quote, encoded) = decode_tagged(value).ok_or(EvidenceError::Tagged)?;
                if encode_tagged(quote, encoded) != value {
                    return Err(EvidenceError::Tagged);
                }
                Ok(Self {
                    quote: quote.to_vec(),
                    content: Content::Interoperable {
                        claims: Claims::parse(encoded)?,
                        encoded: encoded.to_vec(),
                    },
                })
            }
        }
    }

    /// How it was carried.
    #[must_use]
    pub const fn format(&self) -> Format {
        match self.content {
            Content::Interoperable { .. } => Format::Interoperable,
            Content::Legacy => Format::Legacy,
        }
    }

    /// The quote.
    #[must_use]
    pub fn quote(&self) -> &[u8] {
        &self.quote
    }

    /// The claims, in the interoperable format.
    #[must_use]
    pub const fn claims(&self) -> Option<&Claims> {
        match &self.content {
            Content::Interoperable { claims, .. } => Some(claims),
            Content::Legacy => None,
        }
    }

    /// Checks that a quote with this report data speaks for the key with this SubjectPublicKeyInfo (DER). The hash takes
    /// up the first half of the report data; the second half is zero.
    ///
    /// # Errors
    /// With the link that is broken.
    pub fn check_binding(&self, info: &[u8], report_data: &[u8; 64]) -> Result<(), BindingError> {
        let is = |expected: [u8; 64]| verify_slices_are_equal(report_data, &expected).is_ok();
        match &self.content {
            Content::Legacy if !is(report_data_of(info)) => Err(BindingError::ReportData),
            Content::Interoperable { encoded, .. } if !is(report_data_of(encoded)) => {
                Err(BindingError::Claims)
            }
            Content::Interoperable { claims, .. } if !claims.key_hash.is_of(info) => {
                Err(BindingError::KeyHash)
            }
            _ => Ok(()),
        }
    }
}

/// The report data that vouches for these bytes.
pub(crate) fn report_data_of(bytes: &[u8]) -> [u8; 64] {
    let mut report_data = [0; 64];
    for (to, from) in report_data.iter_mut().zip(digest(&SHA256, bytes).as_ref()) {
        *to = *from;
    }
    report_data
}

pub(crate) fn encode_tagged(quote: &[u8], claims: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    // Writing to memory cannot fail.
    let _ = encoder
        .tag(Tag::new(INTEL_QUOTE))
        .and_then(|evidence| evidence.array(2)?.bytes(quote)?.bytes(claims));
    encoder.into_writer()
}

fn decode_tagged(cbor: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut decoder = Decoder::new(cbor);
    let is_quote = decoder.tag().ok()?.as_u64() == INTEL_QUOTE;
    if !is_quote || decoder.array().ok()? != Some(2) {
        return None;
    }
    Some((decoder.bytes().ok()?, decoder.bytes().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Vec<u8> {
        Claims::of_key(b"key", None).encode()
    }

    #[test]
    fn tagged_evidence_byte_by_byte() {
        let encoded = encode_tagged(b"quote", &claims());
        assert_eq!(encoded[..10], *b"\xd9\xea\x60\x82\x45quote");
        let evidence = Evidence::parse(Format::Interoperable, &encoded).unwrap();
        assert_eq!(evidence.quote(), b"quote");
        assert!(evidence.claims().unwrap().key_hash.is_of(b"key"));
    }

    #[test]
    fn refuses_every_other_form() {
        let good = encode_tagged(b"quote", &claims());
        let parse = |bytes: &[u8]| Evidence::parse(Format::Interoperable, bytes);
        for len in 0..good.len() {
            assert!(parse(&good[..len]).is_err(), "{len}");
        }
        for bad in [
            [&good[..], &[0]].concat(),
            [b"\xda\x00\x00\xea\x60", &good[3..]].concat(),
            [b"\xd9\xea\x61", &good[3..]].concat(),
            good[3..].to_vec(),
            [b"\xd9\xea\x60\x9f", &good[4..], b"\xff"].concat(),
            [b"\xd9\xea\x60\x82\x58\x05", &good[5..]].concat(),
            [b"\xd9\xea\x60\x82\x5f\x45quote\xff", &good[10..]].concat(),
        ] {
            assert_eq!(parse(&bad), Err(EvidenceError::Tagged), "{bad:x?}");
        }
        let large = vec![0; Evidence::MAX_SIZE + 1];
        for format in [Format::Interoperable, Format::Legacy] {
            assert!(matches!(
                Evidence::parse(format, &large),
                Err(EvidenceError::TooLarge(_))
            ));
        }
    }

    #[test]
    fn bonds() {
        let interoperable = Evidence::parse(Format::Interoperable, &encode_tagged(b"", &claims())).unwrap();
        let good = report_data_of(&claims());
        assert_eq!(interoperable.check_binding(b"key", &good), Ok(()));
        assert_eq!(
            interoperable.check_binding(b"other", &good),
            Err(BindingError::KeyHash)
        );
        assert_eq!(
            interoperable.check_binding(b"key", &report_data_of(b"key")),
            Err(BindingError::Claims)
        );
        let legacy = Evidence::parse(Format::Legacy, b"").unwrap();
        let good = report_data_of(b"key");
        assert_eq!(legacy.check_binding(b"key", &good), Ok(()));
        assert_eq!(
            legacy.check_binding(b"other", &good),
            Err(BindingError::ReportData)
        );
        for byte in 0..64 {
            let mut other = good;
            other[byte] ^= 1;
            assert_eq!(
                legacy.check_binding(b"key", &other),
                Err(BindingError::ReportData)
            );
        }
    }
}
