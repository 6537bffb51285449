//! Values for what an enclave or trust domain itself says: report data and nonces.

use anyhow::{Context, Result, bail};

/// Bytes of report data.
const REPORT_DATA: usize = 64;
/// Bytes of the shortest nonce: whoever waits long enough would see a shorter one again.
const SHORTEST_NONCE: usize = 8;

/// Bytes that were given in hexadecimal: clap takes a plain vector for several values.
#[derive(Clone, Debug)]
pub struct HexBytes(pub Vec<u8>);

/// Report data or the beginning of it: 1 to 64 bytes in hexadecimal.
///
/// # Errors
/// When the text is something else.
pub fn report_data(text: &str) -> Result<HexBytes> {
    let bytes = base16ct::mixed::decode_vec(text).ok();
    let bytes = bytes.filter(|bytes| (1..=REPORT_DATA).contains(&bytes.len()));
    bytes.map(HexBytes).context("not 1 to 64 bytes in hexadecimal")
}

/// A nonce of 8 to 64 bytes in hexadecimal.
///
/// # Errors
/// When the text is something else.
pub fn nonce(text: &str) -> Result<HexBytes> {
    let bytes = report_data(text)?;
    if bytes.0.len() < SHORTEST_NONCE {
        bail!("a nonce of less than 8 bytes proves nothing");
    }
    Ok(bytes)
}
