//! Identifiers by which operators find a request in the log.

/// A new identifier: `N` random bytes in hexadecimal, so that it tells nothing.
#[must_use]
pub fn request_id<const N: usize>() -> String {
    let mut id = [0; N];
    // Without randomness the identifier is the same each time, which is not worth failing for.
    let _ = aws_lc_rs::rand::fill(&mut id);
    base16ct::lower::encode_string(&id)
}
