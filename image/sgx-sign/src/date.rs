//! The date in a SIGSTRUCT.

use std::fmt;

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
        // Howard Hinnant's `civil_from_days`, for dates after 1970: years begin in March, eras have 400 years.
        let days = seconds / 86400 + 719_468;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = era * 400 + year_of_era + u64::from(month <= 2);
        Self::new(year, month, day)
    }

    fn new(year: u64, month: u64, day: u64) -> Option<Self> {
        let days = match month {
            4 | 6 | 9 | 11 => 30,
            2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
            2 => 28,
            _ => 31,
        };
        let valid = (1..=9999).contains(&year) && (1..=12).contains(&month) && (1..=days).contains(&day);
        let decimal = year * 10000 + month * 100 + day;
        let coded = (0..8)
            .map(|digit| (decimal / 10u64.pow(digit) % 10) << (4 * digit))
            .sum::<u64>();
        u32::try_from(coded).ok().filter(|_| valid).map(Self)
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
        let mut parts = text.splitn(3, '-').map(|part| part.parse().ok());
        let mut part = || parts.next().flatten();
        let date = (|| Self::new(part()?, part()?, part()?))();
        date.filter(|date| date.to_string() == text)
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
