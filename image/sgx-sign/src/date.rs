//! The date in a SIGSTRUCT.

use std::fmt;

use time::{Month, OffsetDateTime};

/// A date of the Gregorian calendar, as SIGSTRUCT holds it: binary-coded decimal, 0xYYYYMMDD.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Date(u32);

/// Not a date of the form YYYY-MM-DD.
#[derive(Clone, Debug, thiserror::Error)]
#[error("'{0}' is not a date; write YYYY-MM-DD")]
pub struct DateError(String);

impl Date {
    /// What is written unless someone asks for another date: a constant, so that signing is reproducible.
    pub const DEFAULT: Self = Self(0x2026_0101);

    /// The date at this time, in seconds since 1970 (UTC), if it is before the year 10000.
    pub fn from_unix(seconds: u64) -> Option<Self> {
        let time = OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).ok()?).ok()?;
        Self::new(time.date())
    }

    /// None outside of the years 1 to 9999, which have four digits.
    fn new(date: time::Date) -> Option<Self> {
        let year = u32::try_from(date.year()).ok()?;
        if !(1..=9999).contains(&year) {
            return None;
        }
        let decimal = year * 10_000 + u32::from(u8::from(date.month())) * 100 + u32::from(date.day());
        let coded = (0..8).map(|digit| (decimal / 10_u32.pow(digit) % 10) << (4 * digit));
        Some(Self(coded.sum()))
    }

    /// As SIGSTRUCT.DATE holds it.
    pub fn to_bcd(self) -> u32 {
        self.0
    }

    /// From SIGSTRUCT.DATE, which may hold anything.
    pub fn from_bcd(coded: u32) -> Self {
        Self(coded)
    }
}

impl std::str::FromStr for Date {
    type Err = DateError;

    fn from_str(text: &str) -> Result<Self, DateError> {
        let date = || {
            let (year, rest) = text.split_once('-')?;
            let (month, day) = rest.split_once('-')?;
            let month = Month::try_from(month.parse::<u8>().ok()?).ok()?;
            let date = time::Date::from_calendar_date(year.parse().ok()?, month, day.parse().ok()?);
            Self::new(date.ok()?)
        };
        date()
            .filter(|date| date.to_string() == text)
            .ok_or_else(|| DateError(text.into()))
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:04x}-{:02x}-{:02x}",
            self.0 >> 16,
            self.0 >> 8 & 0xff,
            self.0 & 0xff
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_become_dates() {
        for (seconds, date) in [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (1_709_164_799, "2024-02-28"),
            (1_767_225_600, "2026-01-01"),
            (253_402_300_799, "9999-12-31"),
        ] {
            assert_eq!(Date::from_unix(seconds).unwrap().to_string(), date);
        }
        assert_eq!(Date::from_unix(253_402_300_800), None);
        assert_eq!(Date::from_unix(u64::MAX), None);
    }

    #[test]
    fn only_real_dates_in_one_form_are_read() {
        assert_eq!("2024-02-29".parse::<Date>().unwrap().to_bcd(), 0x2024_0229);
        for wrong in [
            "",
            "2025-02-29",
            "2025-13-01",
            "2025-1-1",
            "2025-01-01x",
            "0000-01-01",
        ] {
            assert!(wrong.parse::<Date>().is_err(), "{wrong}");
        }
    }
}
