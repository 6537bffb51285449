//! Sizes as people write them: `512M`, `4GiB`, `65536`.

use std::fmt;
use std::str::FromStr;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteSize(pub u64);

/// Not a size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByteSizeError(String);

impl fmt::Display for ByteSizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "'{}' is not a size; write a number of bytes with K, M, G or T, such as 512M or 4GiB",
            self.0
        )
    }
}

impl std::error::Error for ByteSizeError {}

/// Powers of 1024, as memory is counted.
const UNITS: [(&str, u32); 4] = [("K", 10), ("M", 20), ("G", 30), ("T", 40)];

impl FromStr for ByteSize {
    type Err = ByteSizeError;

    fn from_str(text: &str) -> Result<Self, ByteSizeError> {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let unit = unit.trim_start().to_ascii_uppercase();
        let unit = unit
            .strip_suffix("IB")
            .or_else(|| unit.strip_suffix('B'))
            .unwrap_or(&unit);
        let shift = match unit {
            "" => Some(0),
            unit => UNITS
                .iter()
                .find(|(name, _)| *name == unit)
                .map(|(_, shift)| *shift),
        };
        let size = shift.and_then(|shift| number.parse::<u64>().ok()?.checked_mul(1 << shift));
        size.map(Self).ok_or_else(|| ByteSizeError(text.into()))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS.iter().rev().find(|(_, shift)| self.0 >> shift > 0);
        match unit {
            None => write!(f, "{} B", self.0),
            Some((name, shift)) if self.0.is_multiple_of(1 << shift) => {
                write!(f, "{} {name}iB", self.0 >> shift)
            }
            Some((name, shift)) => write!(f, "{:.1} {name}iB", self.0 as f64 / (1u64 << shift) as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_shown() {
        for (text, bytes, shown) in [
            ("0", 0, "0 B"),
            ("4096", 4096, "4 KiB"),
            ("512M", 512 << 20, "512 MiB"),
            ("4GiB", 4 << 30, "4 GiB"),
            ("1 tb", 1 << 40, "1 TiB"),
            ("1500k", 1500 << 10, "1.5 MiB"),
        ] {
            let size: ByteSize = text.parse().unwrap();
            assert_eq!((size.0, size.to_string().as_str()), (bytes, shown), "{text}");
        }
        for wrong in ["", "M", "-1", "1.5G", "4X", "99999999999T", "1iB2"] {
            assert!(wrong.parse::<ByteSize>().is_err(), "{wrong}");
        }
    }
}
