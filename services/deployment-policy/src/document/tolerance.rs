//! Tolerances: what is accepted although it is not as good as it could be, why, and until when.

use std::fmt;
use std::str::FromStr;

use dcap_quote::TcbStatus;
use serde::{Deserialize, Serialize};

use super::dates::Expiry;
use super::text::{NotOfThatForm, text_type};

/// Something that is accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Tolerance {
    /// A TCB status, an advisory, `*` for every advisory, `debug` or `simulated`.
    pub what: Tolerated,
    /// Why that is acceptable, for those who read the policy later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Until when. Afterwards the tolerance is as if it were not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Expiry>,
}

/// What a tolerance is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tolerated {
    /// Platforms of this TCB status. There is none for `UpToDate`, which is always accepted, and for `Revoked` and
    /// `TCBNotSupported`, which never are.
    Status(TcbStatus),
    /// Platforms with this known weakness.
    Advisory(String),
    /// Platforms with any known weaknesses: `*`.
    AnyAdvisory,
    /// Enclaves that their host can read and change with a debugger.
    Debug,
    /// Simulated platforms, which protect nothing.
    Simulated,
}

/// The statuses of SGX platforms that can be tolerated.
const STATUSES: [TcbStatus; 5] = [
    TcbStatus::SwHardeningNeeded,
    TcbStatus::ConfigurationNeeded,
    TcbStatus::ConfigurationAndSwHardeningNeeded,
    TcbStatus::OutOfDate,
    TcbStatus::OutOfDateConfigurationNeeded,
];

impl FromStr for Tolerated {
    type Err = NotOfThatForm;

    fn from_str(text: &str) -> Result<Self, NotOfThatForm> {
        if let Some(status) = STATUSES.into_iter().find(|status| status.name() == text) {
            return Ok(Self::Status(status));
        }
        let number = text.strip_prefix("INTEL-SA-");
        let is_number = |number: &str| {
            (5..=10).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit())
        };
        match text {
            "*" => Ok(Self::AnyAdvisory),
            "debug" => Ok(Self::Debug),
            "simulated" => Ok(Self::Simulated),
            _ if number.is_some_and(is_number) => Ok(Self::Advisory(text.to_owned())),
            "UpToDate" => Err(NotOfThatForm::new(
                text,
                "is always accepted: leave this tolerance out",
            )),
            "Revoked" | "TCBNotSupported" => Err(NotOfThatForm::new(text, "can never be tolerated")),
            _ => {
                let names = STATUSES.map(TcbStatus::name);
                let must = format!(
                    "cannot be tolerated; there are {}, advisories such as INTEL-SA-00615, * for all advisories, debug, and simulated",
                    names.join(", ")
                );
                Err(NotOfThatForm::new(text, &must))
            }
        }
    }
}

impl fmt::Display for Tolerated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Status(status) => status.name(),
            Self::Advisory(advisory) => advisory,
            Self::AnyAdvisory => "*",
            Self::Debug => "debug",
            Self::Simulated => "simulated",
        })
    }
}

text_type!(
    Tolerated,
    "^(SWHardeningNeeded|ConfigurationNeeded|ConfigurationAndSWHardeningNeeded|OutOfDate|OutOfDateConfigurationNeeded|INTEL-SA-[0-9]{5,10}|[*]|debug|simulated)$",
    "A TCB status, an advisory (INTEL-SA-00615), * for every advisory, debug, or simulated."
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_tolerated() {
        for text in [
            "SWHardeningNeeded",
            "OutOfDate",
            "INTEL-SA-00615",
            "*",
            "debug",
            "simulated",
        ] {
            assert_eq!(text.parse::<Tolerated>().unwrap().to_string(), text);
        }
        for (text, part) in [
            ("Revoked", "can never be tolerated"),
            ("TCBNotSupported", "can never be tolerated"),
            ("UpToDate", "always accepted"),
            ("INTEL-SA-", "there are SWHardeningNeeded"),
            ("INTEL-SA-00615x", "there are"),
            ("TDRelaunchAdvised", "there are"),
            ("outofdate", "there are"),
        ] {
            let error = text.parse::<Tolerated>().unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
