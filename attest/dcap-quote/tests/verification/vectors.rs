//! Quotes of real processors with Intel's collateral, where they lie beside the checkout: `../shared/vectors`.

use std::fs;
use std::path::PathBuf;

use dcap_quote::UnixTime;

/// A genuine quote and its collateral.
pub struct Vector {
    pub name: &'static str,
    /// With the zeroes that may follow it.
    pub quote: Vec<u8>,
    /// The collateral file.
    pub collateral: Vec<u8>,
    /// A time at which all of it is valid.
    pub now: UnixTime,
}

/// An SGX quote of version 3, and TDX quotes of versions 4 and 5.
pub const SGX: (&str, &str) = ("sgx_quote", "2025-06-24T00:00:00Z");
pub const TDX: (&str, &str) = ("tdx_quote", "2025-06-24T00:00:00Z");
pub const TDX_OLD: (&str, &str) = ("tdx_quote_outdated", "2026-03-01T00:00:00Z");

/// Reads a vector; none, and it says so, where it is not.
pub fn read((name, now): (&'static str, &str)) -> Option<Vector> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
    let file = |name: String| fs::read(folder.join(name)).ok();
    let found = file(name.to_owned()).zip(file(format!("{name}_collateral.json")));
    if found.is_none() {
        eprintln!("SKIPPED: no genuine {name} in {}", folder.display());
    }
    let (quote, collateral) = found?;
    Some(Vector {
        name,
        quote,
        collateral,
        now: UnixTime::from_rfc3339(now).unwrap(),
    })
}
