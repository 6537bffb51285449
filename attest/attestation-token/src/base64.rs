//! Base64 in the two alphabets of JSON Web Signatures, each in its one form.
//!
//! The `base64` crate and not `base64ct`: what is decoded here is public, and constant time costs as much as the signature.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// Neither text nor padding that is not exactly what an encoder writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotBase64;

/// Base64url without padding (RFC 7515, section 2).
pub(crate) fn decode_url(text: &str) -> Result<Vec<u8>, NotBase64> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| NotBase64)
}

/// Base64url without padding (RFC 7515, section 2).
pub(crate) fn encode_url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Base64 with padding: certificates in `x5c` (RFC 7515, section 4.1.6).
pub(crate) fn decode_standard(text: &str) -> Result<Vec<u8>, NotBase64> {
    STANDARD.decode(text).map_err(|_| NotBase64)
}

/// Base64 with padding: certificates in `x5c` (RFC 7515, section 4.1.6).
pub(crate) fn encode_standard(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_for_the_same_bytes() {
        assert_eq!(decode_url("-_8"), Ok(vec![0xfb, 0xff]));
        assert_eq!(encode_url(&[0xfb, 0xff]), "-_8");
        for bad in ["+/8", "-_8=", "-_9", "-", "-_8 ", " -_8", "-_\n8", "-_é"] {
            assert_eq!(decode_url(bad), Err(NotBase64), "{bad:?}");
        }
        assert_eq!(decode_standard("+/8="), Ok(vec![0xfb, 0xff]));
        for bad in ["-_8=", "+/8", "+/9=", "+/8=\n"] {
            assert_eq!(decode_standard(bad), Err(NotBase64), "{bad:?}");
        }
    }
}
