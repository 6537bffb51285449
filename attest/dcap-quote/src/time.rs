//! Points in time and windows of validity. Nothing here reads a clock: the time is always an argument.

use std::fmt;

use serde::{Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

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
    /// Reads an RFC 3339 time: `2025-06-24T00:00:00Z`, with an optional fraction (which is dropped)
    /// and a numeric offset instead of `Z` if so desired.
    #[must_use]
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        u64::try_from(time.unix_timestamp()).ok().map(Self)
    }

    /// Reads the one form that Intel's documents use: `2025-06-24T00:00:00Z`.
    pub(crate) fn from_utc(text: &str) -> Option<Self> {
        // Written again, it must be the same: each time has one text.
        Self::from_rfc3339(text).filter(|time| time.to_string() == text)
    }

    /// RFC 3339 in UTC, up to the year 9999.
    fn to_rfc3339(self) -> Option<String> {
        let seconds = i64::try_from(self.0).ok()?;
        let time = OffsetDateTime::from_unix_timestamp(seconds).ok()?;
        time.format(&Rfc3339).ok()
    }
}

/// As RFC 3339 in UTC; a time that this cannot express (after the year 9999) as `@seconds`.
impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_rfc3339() {
            Some(time) => f.write_str(&time),
            None => write!(f, "@{}", self.0),
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
        for text in [
            "2025-06-24T00:00:00+00:00",
            "2025-06-24t00:00:00Z",
            "2025-06-24T00:00:00.0Z",
        ] {
            assert_eq!(UnixTime::from_utc(text), None, "{text}");
        }
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
