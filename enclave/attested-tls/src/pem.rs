//! PEM (RFC 7468). The digits are computed and not looked up, because the bytes may be a secret key's: a table would be read at
//! places that depend on them.

use alloc::vec::Vec;

/// Bytes in a line of base64.
const LINE: usize = 48;

/// The text of DER under this label.
///
/// It is written into memory that is large enough from the beginning, so that no part of it stays elsewhere.
pub fn encode(label: &str, der: &[u8]) -> Vec<u8> {
    let lines = der.len().div_ceil(LINE);
    let base64 = der.len().div_ceil(3).saturating_mul(4);
    let frame = "-----BEGIN -----\n-----END -----\n".len() + 2 * label.len();
    let mut out = Vec::with_capacity(base64.saturating_add(lines).saturating_add(frame));
    put(&mut out, &["-----BEGIN ", label, "-----\n"]);
    for line in der.chunks(LINE) {
        for group in line.chunks(3) {
            out.extend_from_slice(&digits(group));
        }
        out.push(b'\n');
    }
    put(&mut out, &["-----END ", label, "-----\n"]);
    out
}

fn put(out: &mut Vec<u8>, texts: &[&str]) {
    for text in texts {
        out.extend_from_slice(text.as_bytes());
    }
}

/// Four digits of one to three bytes.
fn digits(group: &[u8]) -> [u8; 4] {
    let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
    let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
    let digit = |shift: u32| digit((bits >> shift & 0x3f) as u8);
    let mut all = [digit(18), digit(12), digit(6), digit(0)];
    // How many there are is no secret.
    for (at, padded) in all.iter_mut().enumerate() {
        if at > group.len() {
            *padded = b'=';
        }
    }
    all
}

/// The digit of six bits, without a branch or a table.
const fn digit(bits: u8) -> u8 {
    let value = bits as i16;
    // Each term adds what the range that begins above its number differs by from the range before; the sign bit says whether.
    let mut digit = value + b'A' as i16;
    digit += ((25 - value) >> 8) & 6;
    digit -= ((51 - value) >> 8) & 75;
    digit -= ((61 - value) >> 8) & 15;
    digit += ((62 - value) >> 8) & 3;
    digit as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_digits() {
        let all: Vec<u8> = (0..64).map(digit).collect();
        assert_eq!(
            all,
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        );
    }

    #[test]
    fn groups_are_padded_and_lines_broken() {
        let body = |der: &[u8]| {
            let text = core::str::from_utf8(&encode("X", der)).unwrap().to_owned();
            let body = text.strip_prefix("-----BEGIN X-----\n").unwrap();
            body.strip_suffix("-----END X-----\n").unwrap().to_owned()
        };
        // RFC 4648, section 10.
        for (der, expected) in [
            ("", ""),
            ("f", "Zg==\n"),
            ("fo", "Zm8=\n"),
            ("foo", "Zm9v\n"),
            ("foob", "Zm9vYg==\n"),
            ("fooba", "Zm9vYmE=\n"),
            ("foobar", "Zm9vYmFy\n"),
        ] {
            assert_eq!(body(der.as_bytes()), expected);
        }
        let long = body(&[0; 49]);
        assert_eq!(long, format!("{}\nAA==\n", "A".repeat(64)));
    }

    #[test]
    fn nothing_is_moved_while_it_is_written() {
        for len in [0, 1, 47, 48, 49, 138, 5000] {
            let text = encode("PRIVATE KEY", &alloc::vec![7; len]);
            assert_eq!(text.len(), text.capacity(), "{len}");
        }
    }

    extern crate std;
    use alloc::borrow::ToOwned;
    use alloc::format;
}
