//! Points in time and windows of validity. Nothing here reads a clock: the time is always an argument.

use std::fmt;
use std::time::Duration;

use der::DateTime;
use serde::{Serialize, Serializer};

/// Seconds since 1970-01-01T00:00:00Z, without leap seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(pub u64);

/// From when until when something may be relied upon, both ends included (RFC 5280, 4.1.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Validity {
    /// The first second of the window.
    pub from: UnixTime,
    /// The last second of the window.
    pub until: UnixTime,
}

impl Validity {
    /// Whether `now` lies within the window.
    #[must_use]
    pub fn contains(&self, now: UnixTime) -> bool {
        self.from <= now && now <= self.until
    }
}

impl UnixTime {
    /// Reads an RFC 3339 time: `2025-06-24T00:00:00Z`, with an optional fraction (which is dropped) and a numeric
    /// offset instead of `Z` if so desired.
    #[must_use]
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let (date_time, zone) = text.split_at_checked("2025-06-24T00:00:00".len())?;
        let seconds = Self::from_utc(&format!("{date_time}Z"))?.0;
        let zone = match zone.strip_prefix('.') {
            Some(fraction) => {
                let zone = fraction.trim_start_matches(|character: char| character.is_ascii_digit());
                (zone.len() < fraction.len()).then_some(zone)?
            }
            None => zone,
        };
        let offset = match zone.split_at_checked(1)? {
            ("Z", "") => return Some(Self(seconds)),
            (sign @ ("+" | "-"), offset) => (sign, offset_seconds(offset)?),
            _ => return None,
        };
        match offset {
            ("+", offset) => seconds.checked_sub(offset),
            (_, offset) => seconds.checked_add(offset),
        }
        .map(Self)
    }

    /// Reads the one form that Intel's documents use: `2025-06-24T00:00:00Z`.
    pub(crate) fn from_utc(text: &str) -> Option<Self> {
        let time: DateTime = text.parse().ok()?;
        Some(Self(time.unix_duration().as_secs()))
    }
}

/// Seconds of `hh:mm`.
fn offset_seconds(text: &str) -> Option<u64> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str, limit: u64| {
        let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        let number: u64 = is_number.then(|| text.parse().ok())??;
        (number < limit).then_some(number)
    };
    let (hours, minutes) = (number(hours, 24)?, number(minutes, 60)?);
    hours.checked_mul(3600)?.checked_add(minutes.checked_mul(60)?)
}

/// As RFC 3339 in UTC; a time that this cannot express (after the year 9999) as `@seconds`.
impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::from_unix_duration(Duration::from_secs(self.0)) {
            Ok(time) => time.fmt(f),
            Err(_) => write!(f, "@{}", self.0),
        }
    }
}

impl Serialize for UnixTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_rfc3339() {
        let time = UnixTime(1_750_723_200);
        assert_eq!(time.to_string(), "2025-06-24T00:00:00Z");
        for text in [
            "2025-06-24T00:00:00Z",
            "2025-06-24T00:00:00.999Z",
            "2025-06-24T02:00:00+02:00",
            "2025-06-23T18:30:00-05:30",
        ] {
            assert_eq!(UnixTime::from_rfc3339(text), Some(time), "{text}");
        }
        assert_eq!(UnixTime(u64::MAX).to_string(), format!("@{}", u64::MAX));
    }

    #[test]
    fn refuses_what_is_not_a_time() {
        for text in [
            "",
            "2025-06-24",
            "2025-06-24T00:00:00",
            "2025-06-24T00:00:00z ",
            "2025-06-24T00:00:00.Z",
            "2025-02-30T00:00:00Z",
            "2025-06-24T00:00:00+2:00",
            "2025-06-24T00:00:00+24:00",
            "2025-06-24T00:00:00+02:00Z",
            "1970-01-01T00:00:00+00:01",
            "2025-06-2éT00:00:00Z",
        ] {
            assert_eq!(UnixTime::from_rfc3339(text), None, "{text}");
        }
        assert_eq!(UnixTime::from_utc("2025-06-24T00:00:00+00:00"), None);
    }

    #[test]
    fn a_window_includes_its_ends() {
        let window = Validity {
            from: UnixTime(10),
            until: UnixTime(20),
        };
        let inside: Vec<u64> = (0..30)
            .filter(|second| window.contains(UnixTime(*second)))
            .collect();
        assert_eq!(inside, (10..=20).collect::<Vec<_>>());
    }
}
