//! DER (X.690), as far as a certificate needs it: writing alone.

use alloc::vec::Vec;

/// Tags of the universal class, and those of the classes that a certificate has.
pub mod tag {
    pub const BOOLEAN: u8 = 0x01;
    pub const INTEGER: u8 = 0x02;
    pub const BIT_STRING: u8 = 0x03;
    pub const OCTET_STRING: u8 = 0x04;
    pub const OBJECT_IDENTIFIER: u8 = 0x06;
    pub const UTF8_STRING: u8 = 0x0c;
    pub const UTC_TIME: u8 = 0x17;
    pub const GENERALIZED_TIME: u8 = 0x18;
    pub const SEQUENCE: u8 = 0x30;
    pub const SET: u8 = 0x31;

    /// `[number]`, primitive.
    pub const fn context(number: u8) -> u8 {
        0x80 | number
    }

    /// `[number]`, constructed.
    pub const fn explicit(number: u8) -> u8 {
        0xa0 | number
    }
}

/// A value of these parts, with its tag and its length.
pub fn value(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let len: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = Vec::with_capacity(len.saturating_add(6));
    out.push(tag);
    match u8::try_from(len) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let bytes = len.to_be_bytes();
            let used = bytes.iter().skip_while(|&&byte| byte == 0);
            let count = used.clone().count();
            // At most the 8 bytes of a length.
            out.push(0x80 | count as u8);
            out.extend(used);
        }
    }
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

/// A sequence.
pub fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    value(tag::SEQUENCE, parts)
}

/// A bit string of whole bytes.
pub fn bit_string(bytes: &[u8]) -> Vec<u8> {
    value(tag::BIT_STRING, &[&[0], bytes])
}

/// A non-negative integer of these bytes, the highest first.
pub fn integer(bytes: &[u8]) -> Vec<u8> {
    let from = bytes.iter().take_while(|&&byte| byte == 0).count();
    let digits = bytes.get(from..).unwrap_or_default();
    match digits.first() {
        None => value(tag::INTEGER, &[&[0]]),
        Some(&first) if first & 0x80 != 0 => value(tag::INTEGER, &[&[0], digits]),
        Some(_) => value(tag::INTEGER, &[digits]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_as_short_as_they_can_be() {
        let head = |len: usize| value(tag::OCTET_STRING, &[&alloc::vec![0; len]])[..4].to_vec();
        assert_eq!(value(tag::OCTET_STRING, &[]), [4, 0]);
        assert_eq!(head(0x7f)[..2], [4, 0x7f]);
        assert_eq!(head(0x80)[..3], [4, 0x81, 0x80]);
        assert_eq!(head(0xff)[..3], [4, 0x81, 0xff]);
        assert_eq!(head(0x100), [4, 0x82, 1, 0]);
        assert_eq!(head(0xffff), [4, 0x82, 0xff, 0xff]);
    }

    #[test]
    fn integers_are_never_negative() {
        assert_eq!(integer(&[]), [2, 1, 0]);
        assert_eq!(integer(&[0, 0]), [2, 1, 0]);
        assert_eq!(integer(&[0, 0x7f]), [2, 1, 0x7f]);
        assert_eq!(integer(&[0x80, 1]), [2, 3, 0, 0x80, 1]);
    }
}
