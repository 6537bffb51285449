//! Hexadecimal text.

use std::fmt::Write as _;

/// Bytes of `text`, whose letters must all be of one case.
///
/// One case, because with both there would be two texts for the same bytes: a flipped bit would go unnoticed.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.as_bytes();
    if text.iter().any(u8::is_ascii_lowercase) && text.iter().any(u8::is_ascii_uppercase) {
        return None;
    }
    let (pairs, []) = text.as_chunks::<2>() else {
        return None;
    };
    pairs
        .iter()
        .map(|[high, low]| Some((digit(*high)? << 4) | digit(*low)?))
        .collect()
}

/// As [`decode`], of exactly `N` bytes.
pub(crate) fn decode_array<const N: usize>(text: &str) -> Option<[u8; N]> {
    decode(text)?.try_into().ok()
}

/// Lower-case text of `bytes`.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn digit(character: u8) -> Option<u8> {
    char::from(character)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_case_and_whole_bytes_only() {
        assert_eq!(decode("00ff1a"), Some(vec![0, 0xff, 0x1a]));
        assert_eq!(decode("00FF1A"), Some(vec![0, 0xff, 0x1a]));
        for bad in ["0", "0g", "fF", "0x12", " 12", "é1"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
        assert_eq!(decode_array::<2>("0102"), Some([1, 2]));
        assert_eq!(decode_array::<2>("010203"), None);
        assert_eq!(encode(&[0, 0xab]), "00ab");
    }
}
