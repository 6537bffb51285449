//! Hexadecimal text in documents: of either case, but not of both.

/// Bytes of `text`, whose letters must all be of one case.
///
/// One case, because with both there would be two texts for the same bytes: a flipped bit would go
/// unnoticed.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let bytes = if text.bytes().any(|character| character.is_ascii_uppercase()) {
        base16ct::upper::decode_vec(text)
    } else {
        base16ct::lower::decode_vec(text)
    };
    bytes.ok()
}

/// As [`decode`], of exactly `N` bytes.
pub(crate) fn decode_array<const N: usize>(text: &str) -> Option<[u8; N]> {
    decode(text)?.try_into().ok()
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
    }
}
