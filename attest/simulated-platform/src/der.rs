//! Writing DER (X.690): only what certificates and revocation lists need.

use dcap_quote::UnixTime;

/// A tag, the length and the parts one after the other.
fn tagged(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = content.len().to_be_bytes();
    let significant = length
        .iter()
        .skip_while(|byte| **byte == 0)
        .copied()
        .collect::<Vec<_>>();
    let mut bytes = vec![tag];
    match significant.as_slice() {
        [] => bytes.push(0),
        [short @ ..0x80] => bytes.push(*short),
        long => {
            bytes.push(0x80 | long.len() as u8);
            bytes.extend(long);
        }
    }
    bytes.extend(content);
    bytes
}

pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tagged(0x30, parts)
}

pub(crate) fn set(parts: &[&[u8]]) -> Vec<u8> {
    tagged(0x31, parts)
}

/// `[number]`, explicit.
pub(crate) fn explicit(number: u8, content: &[u8]) -> Vec<u8> {
    tagged(0xa0 | number, &[content])
}

/// `[number]`, implicit, of a primitive type.
pub(crate) fn implicit(number: u8, content: &[u8]) -> Vec<u8> {
    tagged(0x80 | number, &[content])
}

pub(crate) fn boolean(value: bool) -> Vec<u8> {
    tagged(0x01, &[&[if value { 0xff } else { 0 }]])
}

/// Of a number that is not negative, big-endian.
pub(crate) fn integer(big_endian: &[u8]) -> Vec<u8> {
    let zeroes = big_endian.iter().take_while(|byte| **byte == 0).count();
    let digits = &big_endian[zeroes..];
    // The first bit is the sign's.
    match digits.first() {
        Some(..0x80) => tagged(0x02, &[digits]),
        _ => tagged(0x02, &[&[0], digits]),
    }
}

pub(crate) fn enumerated(value: u8) -> Vec<u8> {
    tagged(0x0a, &[&[value]])
}

pub(crate) fn octet_string(content: &[u8]) -> Vec<u8> {
    tagged(0x04, &[content])
}

/// Of whole bytes, but for the last `unused` bits.
pub(crate) fn bit_string(unused: u8, content: &[u8]) -> Vec<u8> {
    tagged(0x03, &[&[unused], content])
}

pub(crate) fn utf8_string(text: &str) -> Vec<u8> {
    tagged(0x0c, &[text.as_bytes()])
}

pub(crate) fn printable_string(text: &str) -> Vec<u8> {
    tagged(0x13, &[text.as_bytes()])
}

/// Of an object identifier in dotted form.
pub(crate) fn object_identifier(dotted: &str) -> Vec<u8> {
    let mut arcs = dotted.split('.').map(|arc| arc.parse::<u32>().expect("a number"));
    let (first, second) = (arcs.next().expect("two arcs"), arcs.next().expect("two arcs"));
    let mut content = Vec::new();
    for arc in std::iter::once(first * 40 + second).chain(arcs) {
        let septets = (0..5).rev().map(|index| (arc >> (7 * index)) as u8 & 0x7f);
        let septets: Vec<u8> = septets.skip_while(|septet| *septet == 0).collect();
        match septets.split_last() {
            Some((last, others)) => {
                content.extend(others.iter().map(|septet| septet | 0x80));
                content.push(*last);
            }
            None => content.push(0),
        }
    }
    tagged(0x06, &[&content])
}

/// `UTCTime` until 2049, `GeneralizedTime` from then on (RFC 5280, 4.1.2.5).
pub(crate) fn time(time: UnixTime) -> Vec<u8> {
    let mut digits: String = time.to_string().chars().filter(char::is_ascii_digit).collect();
    digits.push('Z');
    if digits.as_str() < "2050" {
        tagged(0x17, &[&digits.as_bytes()[2..]])
    } else {
        tagged(0x18, &[digits.as_bytes()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_x690_says() {
        assert_eq!(
            object_identifier("1.2.840.113741.1.13.1"),
            [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 1, 13, 1]
        );
        assert_eq!(integer(&[0, 0x80]), [2, 2, 0, 0x80]);
        assert_eq!(integer(&[0]), [2, 1, 0]);
        assert_eq!(integer(&[1, 0]), [2, 2, 1, 0]);
        assert_eq!(octet_string(&[7; 300])[..5], [4, 0x82, 0x01, 0x2c, 7]);
        assert_eq!(octet_string(&[7; 200])[..4], [4, 0x81, 200, 7]);
        assert_eq!(sequence(&[]), [0x30, 0]);
        assert_eq!(time(UnixTime(1_750_723_200)), b"\x17\x0d250624000000Z");
        assert_eq!(time(UnixTime(2_524_608_000)), b"\x18\x0f20500101000000Z");
    }
}
