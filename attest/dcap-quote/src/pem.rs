//! Chains of certificates as PEM text (RFC 7468).
//!
//! Collateral is read strictly: exactly one text stands for each chain, with 64 characters of canonical base64 a line, a line
//! feed after every line, nothing before, between or after. So a changed or missing byte is always noticed. The form of a
//! chain in a quote is the platform's, and read in lines of any length that end in line feeds, carriage returns or both.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Characters of a full line.
const LINE: usize = 64;

/// The text is not a sequence of PEM blocks in the strict form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not PEM with nothing else beside it; in collateral, of 64 base64 characters and a line feed a line")]
pub struct PemError;

/// The contents of the blocks called `label`, in their order; at least one.
pub(crate) fn decode(text: &str, label: &str) -> Result<Vec<Vec<u8>>, PemError> {
    let begin = format!("-----BEGIN {label}-----\n");
    let end = format!("-----END {label}-----\n");
    let mut blocks = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let body = rest.strip_prefix(begin.as_str()).ok_or(PemError)?;
        let (body, after) = body.split_once(end.as_str()).ok_or(PemError)?;
        blocks.push(decode_lines(body)?);
        rest = after;
    }
    if blocks.is_empty() {
        Err(PemError)
    } else {
        Ok(blocks)
    }
}

/// As [`decode`], with lines of any length and end, and empty lines; but for that nothing else than the blocks.
pub(crate) fn decode_in_any_form(text: &str, label: &str) -> Result<Vec<Vec<u8>>, PemError> {
    let begin = format!("-----BEGIN {label}-----");
    let end = format!("-----END {label}-----");
    let lines = text.split(['\n', '\r']).filter(|line| !line.is_empty());
    let mut blocks = Vec::new();
    let mut open: Option<String> = None;
    for line in lines {
        open = match open {
            None if line == begin => Some(String::new()),
            None => return Err(PemError),
            Some(characters) if line == end => {
                if characters.is_empty() {
                    return Err(PemError);
                }
                blocks.push(STANDARD.decode(&characters).map_err(|_| PemError)?);
                None
            }
            Some(characters) => Some(characters + line),
        };
    }
    if open.is_some() || blocks.is_empty() {
        return Err(PemError);
    }
    Ok(blocks)
}

/// Bytes of the base64 lines between the borders.
fn decode_lines(body: &str) -> Result<Vec<u8>, PemError> {
    let body = body.strip_suffix('\n').ok_or(PemError)?;
    let mut characters = String::with_capacity(body.len());
    let mut lines = body.split('\n').peekable();
    while let Some(line) = lines.next() {
        let is_last = lines.peek().is_none();
        if line.len() > LINE || line.is_empty() || (!is_last && line.len() != LINE) {
            return Err(PemError);
        }
        characters.push_str(line);
    }
    // Refuses other characters, and bits that stand for nothing.
    STANDARD.decode(&characters).map_err(|_| PemError)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(body: &str) -> String {
        format!("-----BEGIN X-----\n{body}-----END X-----\n")
    }

    #[test]
    fn reads_blocks_in_order() {
        let text = block("AAEC\n") + &block("Aw==\n");
        assert_eq!(decode(&text, "X"), Ok(vec![vec![0, 1, 2], vec![3]]));
    }

    #[test]
    fn refuses_every_other_form() {
        let good = block("AAEC\n");
        let bad = [
            String::new(),
            format!(" {good}"),
            format!("{good}\n"),
            format!("{good}{good}x"),
            good.replace('\n', "\r\n"),
            good.trim_end().to_owned(),
            block("AAEC"),
            block("AA\nEC\n"),
            block("AAEC\n\n"),
            block("Ax==\n"),
            block("AA=\n"),
            block("A A=\n"),
            // The other alphabet, of URLs.
            block("A_-C\n"),
            block(""),
            good.replace('X', "Y"),
        ];
        for text in bad {
            assert_eq!(decode(&text, "X"), Err(PemError), "{text:?}");
        }
    }

    #[test]
    fn any_form_of_the_same_bytes() {
        let good = block("AAEC\n") + &block("Aw==\n");
        for text in [
            good.clone(),
            good.replace('\n', "\r\n"),
            good.replace('\n', "\r"),
            good.trim_end().to_owned(),
            format!("\n{good}\r\n\n"),
            good.replace("AAEC", "AA\nE\r\nC"),
            good.replace("AAEC\n", "A\nA\nE\nC\n\n"),
        ] {
            assert_eq!(
                decode_in_any_form(&text, "X"),
                Ok(vec![vec![0, 1, 2], vec![3]]),
                "{text:?}"
            );
        }
        for text in [
            String::new(),
            "\n".to_owned(),
            format!(" {good}"),
            format!("{good}x"),
            format!("x\n{good}"),
            good.replace("AAEC", "AA EC"),
            good.replace("AAEC", "AA\tEC"),
            good.replace("Aw==", "Ax=="),
            good.replace("Aw==", "Aw"),
            good.replace("AAEC\n", ""),
            good.replace("AAEC\n", "AAEC"),
            good.replace("-----END X-----", ""),
            good.replace('X', "Y"),
            good.replace("-----END", "-----\nEND"),
        ] {
            assert_eq!(decode_in_any_form(&text, "X"), Err(PemError), "{text:?}");
        }
    }
}
