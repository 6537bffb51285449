//! Chains of certificates in header fields: PEM with percent escapes.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What needs no escape (RFC 3986, unreserved).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Bytes of the longest chain that is read; Intel's take up two kilobytes.
const MAX_SIZE: usize = 64 << 10;

/// The field is no chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not certificates in PEM with percent escapes")]
pub struct ChainError;

/// The chain as PEM in the one form that the verifier reads: a line feed after every line.
pub(crate) fn decode(field: &str) -> Result<String, ChainError> {
    if field.len() > MAX_SIZE {
        return Err(ChainError);
    }
    let text = percent_decode_str(field).decode_utf8().map_err(|_| ChainError)?;
    let pem = one_line_feed(&text);
    let is_chain =
        pem.starts_with("-----BEGIN CERTIFICATE-----\n") && pem.ends_with("-----END CERTIFICATE-----\n");
    is_chain.then_some(pem).ok_or(ChainError)
}

/// As Intel sends it.
pub(crate) fn encode(pem: &str) -> String {
    utf8_percent_encode(pem, ESCAPED).to_string()
}

/// Lines as the verifier reads them. Some services leave out the last line feed, others have carriage returns.
pub(crate) fn one_line_feed(pem: &str) -> String {
    let lines: Cow<'_, str> = if pem.contains('\r') {
        pem.replace("\r\n", "\n").into()
    } else {
        pem.into()
    };
    format!("{}\n", lines.trim_matches('\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAIN: &str = "-----BEGIN CERTIFICATE-----\nAB+/\n-----END CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";

    #[test]
    fn is_read_as_it_was_written() {
        let field = encode(CHAIN);
        assert!(
            field.starts_with("-----BEGIN%20CERTIFICATE-----%0AAB%2B%2F%0A-----END"),
            "{field}"
        );
        assert_eq!(decode(&field).as_deref(), Ok(CHAIN));
    }

    #[test]
    fn other_ends_of_lines() {
        for text in [
            CHAIN.trim_end().to_owned(),
            CHAIN.replace('\n', "\r\n"),
            format!("{CHAIN}\n"),
        ] {
            assert_eq!(decode(&encode(&text)).as_deref(), Ok(CHAIN));
        }
    }

    #[test]
    fn anything_else_is_none() {
        for field in [
            "",
            "-----BEGIN%20CERTIFICATE-----",
            "%ff%fe",
            "AAAA",
            &"A".repeat(MAX_SIZE + 1),
        ] {
            assert_eq!(decode(field), Err(ChainError), "{field:.20}");
        }
    }
}
