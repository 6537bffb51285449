//! Points in time and spans of time, as people write them.

use std::fmt;
use std::str::FromStr;

use dcap_quote::UnixTime;

use super::text::{NotOfThatForm, text_type};

/// Until when something holds: this second is the last. Written as RFC 3339 (`2027-06-30T12:00:00Z`), or as a date, which
/// means the end of that day in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Expiry(pub UnixTime);

impl Expiry {
    /// Whether it is over.
    #[must_use]
    pub fn is_past(self, now: UnixTime) -> bool {
        now > self.0
    }
}

impl FromStr for Expiry {
    type Err = NotOfThatForm;

    fn from_str(text: &str) -> Result<Self, NotOfThatForm> {
        let time = match text.len() {
            // YYYY-MM-DD
            10 => UnixTime::from_rfc3339(&format!("{text}T23:59:59Z")),
            _ => UnixTime::from_rfc3339(text),
        };
        let must = "is no time: write a date (2027-06-30) or a time of RFC 3339 (2027-06-30T12:00:00Z)";
        time.map(Self).ok_or_else(|| NotOfThatForm::new(text, must))
    }
}

impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text_type!(
    Expiry,
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt][0-9:.]+([Zz]|[+-][0-9]{2}:[0-9]{2}))?$",
    "A date (2027-06-30, to its end in UTC) or a time of RFC 3339 (2027-06-30T12:00:00Z)."
);

/// A span of time, in whole seconds: a number and `s`, `m`, `h` or `d`. Never zero, at most 100 years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lifetime(u64);

/// Units, the largest first, and their seconds.
const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];
const LONGEST: u64 = 100 * 365 * 86_400;

impl Lifetime {
    /// From days, for defaults; bounded as all are.
    pub(crate) const fn days(days: u16) -> Self {
        let seconds = (days as u64).saturating_mul(86_400);
        Self(if seconds == 0 { 1 } else { seconds })
    }

    /// In seconds; never zero.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0
    }
}

impl FromStr for Lifetime {
    type Err = NotOfThatForm;

    fn from_str(text: &str) -> Result<Self, NotOfThatForm> {
        let seconds = || {
            let unit = text.chars().next_back()?;
            let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
            let digits = text.get(..text.len().checked_sub(1)?)?;
            let count: u64 = match digits.bytes().all(|byte| byte.is_ascii_digit()) {
                true => digits.parse().ok()?,
                false => return None,
            };
            let seconds = count.checked_mul(*seconds)?;
            (1..=LONGEST).contains(&seconds).then_some(Self(seconds))
        };
        let must = "is no span of time: write a number and s, m, h or d, such as 12h or 90d, up to 36500d";
        seconds().ok_or_else(|| NotOfThatForm::new(text, must))
    }
}

/// In the largest unit that leaves no rest, so that a span has one canonical text.
impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |seconds: u64| self.0.checked_rem(seconds) == Some(0);
        let (unit, seconds) = UNITS
            .into_iter()
            .find(|(_, seconds)| whole(*seconds))
            .unwrap_or(('s', 1));
        write!(f, "{}{unit}", self.0.checked_div(seconds).unwrap_or(self.0))
    }
}

text_type!(
    Lifetime,
    "^[0-9]+[smhd]$",
    "A span of time: a number and s, m, h or d."
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_lasts_to_its_end() {
        let date: Expiry = "2027-06-30".parse().unwrap();
        assert_eq!(date.to_string(), "2027-06-30T23:59:59Z");
        assert_eq!("2027-07-01T01:59:59+02:00".parse::<Expiry>(), Ok(date));
        assert!(!date.is_past(date.0) && date.is_past(UnixTime(date.0.0 + 1)));
        for bad in [
            "",
            "2027-06-31",
            "2027",
            "30.06.2027",
            "2027-06-30 12:00",
            "tomorrow",
        ] {
            assert!(bad.parse::<Expiry>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn spans() {
        for (text, canonical, seconds) in [
            ("90d", "90d", 7_776_000),
            ("48h", "2d", 172_800),
            ("90m", "90m", 5_400),
            ("61s", "61s", 61),
            ("0060s", "1m", 60),
        ] {
            let span: Lifetime = text.parse().unwrap();
            assert_eq!((span.to_string().as_str(), span.seconds()), (canonical, seconds));
        }
        for bad in [
            "",
            "d",
            "0d",
            "1",
            "1y",
            "-1d",
            "+1d",
            "1.5h",
            "36501d",
            "99999999999999999999d",
            "1é",
        ] {
            assert!(bad.parse::<Lifetime>().is_err(), "{bad:?}");
        }
    }
}
