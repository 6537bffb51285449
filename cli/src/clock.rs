//! Reads the time: from this machine's clock, or from an option.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use dcap_quote::UnixTime;

/// The current time.
///
/// # Errors
/// When the clock is before 1970.
pub fn now() -> Result<UnixTime> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let since = since.map_err(|_| anyhow!("the clock of this machine is before 1970; set it"))?;
    Ok(UnixTime(since.as_secs()))
}

/// Parses a time in RFC 3339 form, the value of an option.
///
/// # Errors
/// When the text is not such a time.
pub fn time(text: &str) -> Result<UnixTime> {
    UnixTime::from_rfc3339(text).context("not a time like 2025-06-24T00:00:00Z")
}
