//! Times in certificates (RFC 5280, section 4.1.2.5).

use alloc::format;
use alloc::vec::Vec;

use crate::der::{self, tag};

/// From when to when a certificate is valid, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub from: u64,
    /// The last second.
    pub until: u64,
}

/// The last second that a certificate can name: the end of the year 9999.
const LAST: u64 = 253_402_300_799;
const DAY: u64 = 86_400;

impl Validity {
    /// In DER.
    pub(crate) fn encode(self) -> Vec<u8> {
        der::sequence(&[&encode(self.from), &encode(self.until)])
    }
}

/// UTCTime up to 2049, GeneralizedTime from 2050 on, as RFC 5280 has it. What is later than certificates know is their last second.
fn encode(seconds: u64) -> Vec<u8> {
    let seconds = seconds.min(LAST);
    let (year, month, day) = date(seconds / DAY);
    let of_day = seconds % DAY;
    let rest = format!(
        "{month:02}{day:02}{:02}{:02}{:02}Z",
        of_day / 3600,
        of_day / 60 % 60,
        of_day % 60
    );
    if year < 2050 {
        der::value(tag::UTC_TIME, &[format!("{:02}{rest}", year % 100).as_bytes()])
    } else {
        der::value(tag::GENERALIZED_TIME, &[format!("{year:04}{rest}").as_bytes()])
    }
}

/// Year, month and day of a day since 1970, by the Gregorian calendar.
fn date(mut days: u64) -> (u64, u64, u64) {
    let is_leap = |year: u64| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let mut year = 1970;
    // 400 years have the same days each time; after that, at most 400 turns.
    const DAYS_OF_400_YEARS: u64 = 146_097;
    year += days / DAYS_OF_400_YEARS * 400;
    days %= DAYS_OF_400_YEARS;
    loop {
        let len = if is_leap(year) { 366 } else { 365 };
        if days < len {
            break;
        }
        days -= len;
        year += 1;
    }
    let february = if is_leap(year) { 29 } else { 28 };
    let mut month = 1;
    for len in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < len {
            break;
        }
        days -= len;
        month += 1;
    }
    (year, month, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_their_dates() {
        for (days, expected) in [
            (0, (1970, 1, 1)),
            (58, (1970, 2, 28)),
            (59, (1970, 3, 1)),
            (789, (1972, 2, 29)),
            (11_016, (2000, 2, 29)),
            (11_322, (2000, 12, 31)),
            (20_787, (2026, 11, 30)),
            (47_540, (2100, 2, 28)),
            (47_541, (2100, 3, 1)),
            (2_932_896, (9999, 12, 31)),
        ] {
            assert_eq!(date(days), expected, "{days}");
        }
    }

    #[test]
    fn the_form_changes_in_2050() {
        let text = |seconds| encode(seconds)[2..].to_vec();
        assert_eq!(text(0), b"700101000000Z");
        assert_eq!(text(2_524_607_999), b"491231235959Z");
        assert_eq!(text(2_524_608_000), b"20500101000000Z");
        assert_eq!(text(LAST), b"99991231235959Z");
        assert_eq!(text(u64::MAX), b"99991231235959Z");
        assert_eq!(encode(2_524_607_999)[0], tag::UTC_TIME);
        assert_eq!(encode(2_524_608_000)[0], tag::GENERALIZED_TIME);
    }
}
