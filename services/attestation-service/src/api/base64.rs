//! Base64 as Azure Attestation's clients send it: the URL alphabet by its specification, the other one by its Python client,
//! with padding or without.
//!
//! The `base64` crate and not `base64ct`: what is decoded here is public, and constant time costs more than a signature.

use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::{Engine as _, engine::general_purpose};

/// Not base64 in either alphabet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not base64 (of the URL alphabet or the standard one, padded or not)")]
pub struct Base64Error;

const EITHER_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, EITHER_PADDING);
const OTHER: GeneralPurpose = GeneralPurpose::new(&STANDARD, EITHER_PADDING);

/// The bytes that `text` stands for. Bits that stand for nothing must be zero, and the alphabets must not be mixed.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, Base64Error> {
    let engine = if text.contains(['+', '/']) { OTHER } else { URL };
    engine.decode(text).map_err(|_| Base64Error)
}

/// The URL alphabet, without padding.
pub(crate) fn encode(bytes: &[u8]) -> String {
    general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// The standard alphabet with padding, for certificates (RFC 7517, 4.7).
pub(crate) fn encode_standard(bytes: &[u8]) -> String {
    general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_alphabets_padded_or_not() {
        for text in ["-_8", "-_8=", "+/8", "+/8="] {
            assert_eq!(decode(text), Ok(vec![0xfb, 0xff]), "{text}");
        }
        assert_eq!(decode("-w=="), Ok(vec![0xfb]));
        assert_eq!(decode("-w"), Ok(vec![0xfb]));
        assert_eq!(decode(""), Ok(vec![]));
        assert_eq!(encode(&[0xfb, 0xff]), "-_8");
        assert_eq!(encode_standard(&[0xfb, 0xff]), "+/8=");
    }

    #[test]
    fn nothing_else() {
        for text in [
            "+_8", "-_8==", "-_8= ", "-_9", "=", "====", "A", "AA AA", "é", "AAA\n",
        ] {
            assert_eq!(decode(text), Err(Base64Error), "{text:?}");
        }
    }
}
