//! Fills templates.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::{Filter, Part, Reference, Template};

/// Where the values come from.
pub trait Values {
    /// Why one is not there.
    type Error;

    /// The value that is referred to, before its filters.
    ///
    /// # Errors
    /// When there is none.
    fn value(&self, reference: &Reference) -> Result<Zeroizing<Vec<u8>>, Self::Error>;
}

/// The template's text, with the values in their places. A value is never read as a template again.
///
/// # Errors
/// When a value is not there.
pub fn fill<V: Values>(template: &Template, values: &V) -> Result<Zeroizing<Vec<u8>>, V::Error> {
    let mut pieces = Vec::with_capacity(template.parts.len());
    for part in &template.parts {
        pieces.push(match part {
            Part::Text(text) => Zeroizing::new(text.as_bytes().to_vec()),
            Part::Reference(reference) => {
                let value = values.value(reference)?;
                reference
                    .filters
                    .iter()
                    .fold(value, |value, filter| filter.apply(&value))
            }
        });
    }
    // As large as it will be, so that no copy of a part of it is left behind when it grows.
    let len = pieces.iter().map(|piece| piece.len()).sum();
    let mut filled = Zeroizing::new(Vec::with_capacity(len));
    for piece in &pieces {
        filled.extend_from_slice(piece);
    }
    Ok(filled)
}

impl Filter {
    /// How many bytes it makes of so many; more than there can be if there are too many.
    pub(crate) fn len_of(self, len: usize) -> usize {
        match self {
            Self::Base64 => base64::encoded_len(len, true).unwrap_or(usize::MAX),
            Self::Hex => len.saturating_mul(2),
        }
    }

    fn apply(self, value: &[u8]) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(match self {
            Self::Base64 => STANDARD.encode(value).into_bytes(),
            Self::Hex => base16ct::lower::encode_string(value).into_bytes(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;

    impl Values for Fixed {
        type Error = String;

        fn value(&self, reference: &Reference) -> Result<Zeroizing<Vec<u8>>, String> {
            match reference.name.as_str() {
                "a" => Ok(Zeroizing::new(b"\x00\xff{{ secret \"b\" }}".to_vec())),
                name => Err(name.to_owned()),
            }
        }
    }

    #[test]
    fn values_stand_in_their_places_and_are_no_templates() {
        let filled = |source: &str| fill(&source.parse().unwrap(), &Fixed).map(|filled| filled.to_vec());
        assert_eq!(
            filled("<{{ secret \"a\" }}>").unwrap(),
            b"<\x00\xff{{ secret \"b\" }}>"
        );
        assert_eq!(
            filled("{{ secret \"a\" | hex }}").unwrap(),
            b"00ff7b7b20736563726574202262222 07d7d"
                .iter()
                .copied()
                .filter(|byte| *byte != b' ')
                .collect::<Vec<_>>()
        );
        assert_eq!(filled("{{ secret \"a\" | base64 | hex }}").unwrap().len(), 48);
        for filter in Filter::ALL {
            for len in 0..10 {
                assert_eq!(
                    filter.apply(&vec![7; len]).len(),
                    filter.len_of(len),
                    "{filter:?} {len}"
                );
            }
        }
        assert_eq!(filled("{{ secret \"b\" }}"), Err("b".to_owned()));
    }
}
