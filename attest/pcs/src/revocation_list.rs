//! Revocation lists in the forms that services have for them.

use base16ct::lower::encode_string as hex;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Bytes of the largest list that is read.
const MAX_SIZE: usize = 4 << 20;

/// Why bytes are no list in any known form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// Too large.
    #[error("the revocation list is larger than {MAX_SIZE} bytes")]
    TooLarge,
    /// In no known form.
    #[error("the revocation list is neither DER nor PEM nor hexadecimal")]
    Form,
}

/// A list as collateral has it: DER in hexadecimal.
///
/// Intel sends DER or PEM as it was asked, PCCS hexadecimal of either.
pub(crate) fn to_hex(body: &[u8]) -> Result<String, ListError> {
    if body.len() > MAX_SIZE {
        return Err(ListError::TooLarge);
    }
    match body.trim_ascii() {
        // PEM, or hexadecimal, which is of one of the two others.
        text if text.starts_with(b"-----BEGIN X509 CRL-----") => from_pem(text).map(|der| hex(&der)),
        text if !text.is_empty() && text.iter().all(u8::is_ascii_hexdigit) => {
            let decoded = from_hex(text).ok_or(ListError::Form)?;
            match decoded.trim_ascii() {
                pem if pem.starts_with(b"-----BEGIN X509 CRL-----") => from_pem(pem).map(|der| hex(&der)),
                _ if is_der(&decoded) => Ok(hex(&decoded)),
                _ => Err(ListError::Form),
            }
        }
        // White space may be the last bytes of DER.
        _ if is_der(body) => Ok(hex(body)),
        _ => Err(ListError::Form),
    }
}

/// DER of a list in hexadecimal or in PEM, as collateral may have it.
pub(crate) fn der(list: &str) -> Result<Vec<u8>, ListError> {
    from_hex(to_hex(list.as_bytes())?.as_bytes()).ok_or(ListError::Form)
}

/// The list as PEM.
pub(crate) fn pem(der: &[u8]) -> String {
    let base64 = STANDARD.encode(der);
    let mut pem = "-----BEGIN X509 CRL-----\n".to_owned();
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(64).unwrap_or((rest, ""));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem + "-----END X509 CRL-----\n"
}

/// Looks like a SEQUENCE. Whether it is a list is for the verifier to say.
fn is_der(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x30])
}

fn from_pem(pem: &[u8]) -> Result<Vec<u8>, ListError> {
    let text = std::str::from_utf8(pem).map_err(|_| ListError::Form)?;
    let body = text
        .strip_prefix("-----BEGIN X509 CRL-----")
        .ok_or(ListError::Form)?;
    let (body, rest) = body.split_once("-----END X509 CRL-----").ok_or(ListError::Form)?;
    if !rest.trim_ascii().is_empty() {
        return Err(ListError::Form);
    }
    let base64: String = body.split_ascii_whitespace().collect();
    let der = STANDARD.decode(&base64).map_err(|_| ListError::Form)?;
    if is_der(&der) {
        Ok(der)
    } else {
        Err(ListError::Form)
    }
}

fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    base16ct::mixed::decode_vec(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_the_same_list() {
        // With white space at its end, which belongs to it.
        let list: Vec<u8> = [0x30, 0x81, 0x80]
            .into_iter()
            .chain(1..=0x7f)
            .chain([b'\n'])
            .collect();
        let expected = Ok(hex(&list));
        let pem = pem(&list);
        for form in [
            list.clone(),
            pem.clone().into_bytes(),
            pem.trim_end().replace('\n', "\r\n").into_bytes(),
            hex(&list).into_bytes(),
            hex(&list).to_uppercase().into_bytes(),
            format!("{}\n", hex(&list)).into_bytes(),
            hex(pem.as_bytes()).into_bytes(),
        ] {
            assert_eq!(to_hex(&form), expected, "{form:?}");
        }
        assert_eq!(der(&pem), Ok(list));
    }

    #[test]
    fn anything_else_is_none() {
        let two = pem(&[0x30, 0]).repeat(2);
        let no_sequence = pem(&[0x38, 0]);
        for form in [
            b"".as_slice(),
            b" ",
            b"3",
            b"<html>",
            b"0123",
            b"-----BEGIN X509 CRL-----\n",
            two.as_bytes(),
            no_sequence.as_bytes(),
        ] {
            assert_eq!(to_hex(form), Err(ListError::Form), "{form:?}");
        }
        assert_eq!(to_hex(&vec![0x30; MAX_SIZE + 1]), Err(ListError::TooLarge));
    }
}
