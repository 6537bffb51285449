//! What happens in a service when something that it was given is renewed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::text::{NotOfThatForm, text_type};

/// What to do when a secret or a certificate was replaced. Files with it are rewritten in any case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Renewal {
    /// No more than that.
    #[default]
    Rewrite,
    /// Sends the program this signal. TERM ends it, so that whoever started the container starts it again.
    Signal(SignalName),
}

impl Renewal {
    /// Whether it is what happens anyway.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Signals that programs take as "read your configuration again", as Linux numbers them.
const SIGNALS: [(&str, u8); 5] = [("HUP", 1), ("INT", 2), ("USR1", 10), ("USR2", 12), ("TERM", 15)];

/// A signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignalName(u8);

impl SignalName {
    /// Linux's number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl FromStr for SignalName {
    type Err = NotOfThatForm;

    fn from_str(text: &str) -> Result<Self, NotOfThatForm> {
        let name = text.strip_prefix("SIG").unwrap_or(text);
        let found = SIGNALS.iter().find(|(known, _)| *known == name);
        let must = "is no signal for this; there are HUP, INT, USR1, USR2 and TERM";
        found
            .map(|(_, number)| Self(*number))
            .ok_or_else(|| NotOfThatForm::new(text, must))
    }
}

impl fmt::Display for SignalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = SIGNALS.iter().find(|(_, number)| *number == self.0);
        f.write_str(found.map_or("HUP", |(name, _)| name))
    }
}

text_type!(
    SignalName,
    "^(SIG)?(HUP|INT|USR1|USR2|TERM)$",
    "A signal: HUP, INT, USR1, USR2 or TERM."
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals() {
        assert_eq!("SIGHUP".parse::<SignalName>().unwrap().to_string(), "HUP");
        assert_eq!("USR2".parse::<SignalName>().unwrap().number(), 12);
        assert!("KILL".parse::<SignalName>().is_err() && "hup".parse::<SignalName>().is_err());
    }
}
