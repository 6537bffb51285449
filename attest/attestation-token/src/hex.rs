//! Hexadecimal text, as claims hold measurements.

use std::fmt::Write as _;

/// Exactly `N` bytes, in lower case.
pub(crate) fn decode_array<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    if pairs.len() != N {
        return None;
    }
    let mut bytes = [0; N];
    let mut seen = 0;
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let (high, low) = (digit(*high), digit(*low));
        seen |= high | low;
        *byte = (high << 4) | low;
    }
    (seen < 16).then_some(bytes)
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// What a character stands for. By a table: which character it is cannot be foreseen, and a processor that guesses wrong at
/// every other one takes longer for a measurement than for all of its token.
fn digit(character: u8) -> u8 {
    DIGITS.get(usize::from(character)).copied().unwrap_or(NO_DIGIT)
}

const NO_DIGIT: u8 = 0xff;

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut value = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value as usize] as usize] = value;
        value += 1;
    }
    digits
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form() {
        assert_eq!(decode_array("00ff1a"), Some([0, 0xff, 0x1a]));
        for bad in ["00FF1A", "00ff1", "00ff1a00", "00ff1g", "0x00ff", "é00f"] {
            assert_eq!(decode_array::<3>(bad), None, "{bad}");
        }
        assert_eq!(encode(&[0, 0xff, 0x1a]), "00ff1a");
    }
}
