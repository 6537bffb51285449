//! Base64 as Azure Attestation's clients send it: the URL alphabet by its specification, the other one by its Python client,
//! with padding or without.

use base64ct::{Base64UrlUnpadded, Encoding as _};

/// Not base64 in either alphabet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not base64 (of the URL alphabet or the standard one, padded or not)")]
pub struct Base64Error;

/// The bytes that `text` stands for. Bits that stand for nothing must be zero, and the alphabets must not be mixed.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, Base64Error> {
    let unpadded = match text.len() % 4 {
        0 => text
            .strip_suffix("==")
            .or_else(|| text.strip_suffix('='))
            .unwrap_or(text),
        _ => text,
    };
    let has_any_of = |characters: [char; 2]| unpadded.contains(characters);
    if has_any_of(['+', '/']) {
        if has_any_of(['-', '_']) {
            return Err(Base64Error);
        }
        let url: String = unpadded
            .chars()
            .map(|character| match character {
                '+' => '-',
                '/' => '_',
                other => other,
            })
            .collect();
        return Base64UrlUnpadded::decode_vec(&url).map_err(|_| Base64Error);
    }
    Base64UrlUnpadded::decode_vec(unpadded).map_err(|_| Base64Error)
}

/// The URL alphabet, without padding.
pub(crate) fn encode(bytes: &[u8]) -> String {
    Base64UrlUnpadded::encode_string(bytes)
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
