//! TCB statuses and levels, and how several statuses become one.
//!
//! Sources: Intel's *PCS API documentation, v4*, "Get TCB info" with its procedure for finding a platform's status, and
//! Intel's quote verification library (`TcbLevelCheck`, `convergeTcbStatuses`, `checkForRelaunch`).

use serde::{Deserialize, Serialize};

use crate::time::UnixTime;

/// What Intel says of a combination of security versions; all but the last three are the words of its documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum TcbStatus {
    /// No known weakness.
    UpToDate,
    /// Weaknesses that the attested software must mitigate itself.
    #[serde(rename = "SWHardeningNeeded")]
    SwHardeningNeeded,
    /// The platform's configuration (for instance hyperthreading) may expose it.
    ConfigurationNeeded,
    /// Both of the above.
    #[serde(rename = "ConfigurationAndSWHardeningNeeded")]
    ConfigurationAndSwHardeningNeeded,
    /// Updates with security fixes are missing.
    OutOfDate,
    /// Updates are missing, and the configuration may expose the platform.
    OutOfDateConfigurationNeeded,
    /// The platform's keys may be known to others. Never to be trusted.
    Revoked,
    /// The trust domain was launched before an update that the platform now has: relaunch it.
    #[serde(rename = "TDRelaunchAdvised", skip_deserializing)]
    TdRelaunchAdvised,
    /// As above, and the configuration may expose the platform.
    #[serde(rename = "TDRelaunchAdvisedConfigurationNeeded", skip_deserializing)]
    TdRelaunchAdvisedConfigurationNeeded,
    /// Below every level that Intel lists; Intel's library calls it `TCB_NOT_SUPPORTED`.
    #[serde(rename = "TCBNotSupported", skip_deserializing)]
    NotSupported,
}

impl TcbStatus {
    /// All of them, from the best to the worst in that order of declaration.
    pub const ALL: [Self; 10] = [
        Self::UpToDate,
        Self::SwHardeningNeeded,
        Self::ConfigurationNeeded,
        Self::ConfigurationAndSwHardeningNeeded,
        Self::OutOfDate,
        Self::OutOfDateConfigurationNeeded,
        Self::Revoked,
        Self::TdRelaunchAdvised,
        Self::TdRelaunchAdvisedConfigurationNeeded,
        Self::NotSupported,
    ];

    /// As Intel writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UpToDate => "UpToDate",
            Self::SwHardeningNeeded => "SWHardeningNeeded",
            Self::ConfigurationNeeded => "ConfigurationNeeded",
            Self::ConfigurationAndSwHardeningNeeded => "ConfigurationAndSWHardeningNeeded",
            Self::OutOfDate => "OutOfDate",
            Self::OutOfDateConfigurationNeeded => "OutOfDateConfigurationNeeded",
            Self::Revoked => "Revoked",
            Self::TdRelaunchAdvised => "TDRelaunchAdvised",
            Self::TdRelaunchAdvisedConfigurationNeeded => "TDRelaunchAdvisedConfigurationNeeded",
            Self::NotSupported => "TCBNotSupported",
        }
    }

    /// The platform's status, given that of a part of it: its quoting enclave or its TDX module. A part has one version, so
    /// that all that can be wrong with it is its age: whatever is not up to date counts as out of date.
    #[must_use]
    pub(crate) const fn with_part(self, part: Self) -> Self {
        match (self.finding(), part.finding()) {
            (Finding::Revoked, _) | (_, Finding::Revoked) => Self::Revoked,
            (Finding::NotSupported, _) | (_, Finding::NotSupported) => Self::NotSupported,
            (Finding::Weak(whole), Finding::Weak(part)) => Self::of(Weakness {
                out_of_date: whole.out_of_date || part.is_any(),
                ..whole
            }),
        }
    }

    /// A trust domain's status, given that of its launch (`self`) and that of the platform as it is now, which can be worse
    /// (after a migration): Intel's library does not ask for that.
    #[must_use]
    pub(crate) fn with_current(self, current: Self) -> Self {
        let (launch, now) = match (self.finding(), current.finding()) {
            (Finding::Revoked, _) | (_, Finding::Revoked) => return Self::Revoked,
            (Finding::NotSupported, _) | (_, Finding::NotSupported) => return Self::NotSupported,
            (Finding::Weak(launch), Finding::Weak(now)) => (launch, now),
        };
        let configuration = launch.configuration || now.configuration;
        if launch.out_of_date && !now.out_of_date {
            return if configuration {
                Self::TdRelaunchAdvisedConfigurationNeeded
            } else {
                Self::TdRelaunchAdvised
            };
        }
        if current <= self {
            return self;
        }
        Self::of(Weakness {
            out_of_date: launch.out_of_date || now.out_of_date,
            configuration,
            hardening: launch.hardening || now.hardening,
        })
    }

    /// Takes a status apart.
    const fn finding(self) -> Finding {
        let (out_of_date, configuration, hardening) = match self {
            Self::UpToDate => (false, false, false),
            Self::SwHardeningNeeded => (false, false, true),
            Self::ConfigurationNeeded => (false, true, false),
            Self::ConfigurationAndSwHardeningNeeded => (false, true, true),
            Self::OutOfDate | Self::TdRelaunchAdvised => (true, false, false),
            Self::OutOfDateConfigurationNeeded | Self::TdRelaunchAdvisedConfigurationNeeded => {
                (true, true, false)
            }
            Self::Revoked => return Finding::Revoked,
            Self::NotSupported => return Finding::NotSupported,
        };
        Finding::Weak(Weakness {
            out_of_date,
            configuration,
            hardening,
        })
    }

    /// The status of what has these weaknesses. None tells of hardening where updates are missing: they come first.
    const fn of(weakness: Weakness) -> Self {
        match (weakness.out_of_date, weakness.configuration, weakness.hardening) {
            (false, false, false) => Self::UpToDate,
            (false, false, true) => Self::SwHardeningNeeded,
            (false, true, false) => Self::ConfigurationNeeded,
            (false, true, true) => Self::ConfigurationAndSwHardeningNeeded,
            (true, false, _) => Self::OutOfDate,
            (true, true, _) => Self::OutOfDateConfigurationNeeded,
        }
    }
}

/// A status, taken apart.
enum Finding {
    Revoked,
    NotSupported,
    Weak(Weakness),
}

/// What is wrong, each by itself.
struct Weakness {
    out_of_date: bool,
    configuration: bool,
    hardening: bool,
}

impl Weakness {
    const fn is_any(&self) -> bool {
        self.out_of_date || self.configuration || self.hardening
    }
}

impl std::fmt::Display for TcbStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The name is not one of a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a TCB status; they are {}", TcbStatus::ALL.map(TcbStatus::name).join(", "))]
pub struct UnknownStatus;

impl std::str::FromStr for TcbStatus {
    type Err = UnknownStatus;

    fn from_str(name: &str) -> Result<Self, UnknownStatus> {
        Self::ALL
            .into_iter()
            .find(|status| status.name() == name)
            .ok_or(UnknownStatus)
    }
}

/// What Intel says of everything at or above certain security versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rating {
    /// Its judgement.
    pub status: TcbStatus,
    /// All known weaknesses up to this date are fixed at this level.
    pub date: UnixTime,
    /// The weaknesses that are not, as INTEL-SA-….
    pub advisories: Vec<String>,
}

/// A security version that is below what a level asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shortfall {
    /// The component whose version is too low.
    pub component: Component,
    /// What Intel says of the component, for instance `BIOS: Early Microcode Update`; often nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The platform's version.
    pub have: u16,
    /// The least version of the level.
    pub need: u16,
}

/// Something with a security version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Component {
    /// Byte of CPUSVN, counted from 1 as Intel's documents do.
    Sgx(u8),
    /// Byte of TEE_TCB_SVN, counted from 1.
    Tdx(u8),
    /// Provisioning certification enclave.
    Pce,
    /// TDX module.
    TdxModule,
    /// Quoting enclave.
    QuotingEnclave,
}

impl std::fmt::Display for Component {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sgx(number) => write!(f, "SGX TCB component {number}"),
            Self::Tdx(number) => write!(f, "TDX TCB component {number}"),
            Self::Pce => f.write_str("PCE"),
            Self::TdxModule => f.write_str("TDX module"),
            Self::QuotingEnclave => f.write_str("quoting enclave"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::TcbStatus::*;
    use super::*;

    #[test]
    fn a_part_that_is_not_up_to_date_makes_the_whole_out_of_date() {
        for (whole, part, together) in [
            (UpToDate, UpToDate, UpToDate),
            (UpToDate, OutOfDate, OutOfDate),
            (SwHardeningNeeded, OutOfDate, OutOfDate),
            (ConfigurationNeeded, OutOfDate, OutOfDateConfigurationNeeded),
            (
                ConfigurationAndSwHardeningNeeded,
                OutOfDate,
                OutOfDateConfigurationNeeded,
            ),
            (OutOfDate, UpToDate, OutOfDate),
            (ConfigurationNeeded, Revoked, Revoked),
            (Revoked, NotSupported, Revoked),
            (UpToDate, NotSupported, NotSupported),
        ] {
            assert_eq!(whole.with_part(part), together, "{whole} with {part}");
        }
    }

    #[test]
    fn an_old_launch_on_a_good_platform_asks_for_a_relaunch() {
        for (launch, current, together) in [
            (UpToDate, UpToDate, UpToDate),
            (OutOfDate, OutOfDate, OutOfDate),
            (OutOfDate, UpToDate, TdRelaunchAdvised),
            (OutOfDate, SwHardeningNeeded, TdRelaunchAdvised),
            (
                OutOfDate,
                ConfigurationNeeded,
                TdRelaunchAdvisedConfigurationNeeded,
            ),
            (
                OutOfDateConfigurationNeeded,
                UpToDate,
                TdRelaunchAdvisedConfigurationNeeded,
            ),
            (UpToDate, OutOfDate, OutOfDate),
            (
                SwHardeningNeeded,
                ConfigurationNeeded,
                ConfigurationAndSwHardeningNeeded,
            ),
            (UpToDate, Revoked, Revoked),
        ] {
            assert_eq!(launch.with_current(current), together, "{launch}, now {current}");
        }
    }

    /// Whatever the words: nothing hides what is wrong with a part or with the platform of now.
    #[test]
    fn the_whole_is_up_to_date_only_when_all_of_it_is() {
        for one in TcbStatus::ALL {
            for other in TcbStatus::ALL {
                let all = one == UpToDate && other == UpToDate;
                assert_eq!(one.with_part(other) == UpToDate, all, "{one} with {other}");
                assert_eq!(one.with_current(other) == UpToDate, all, "{one}, now {other}");
                for worst in [Revoked, NotSupported] {
                    assert!(one.with_part(worst) >= Revoked && worst.with_current(one) >= Revoked);
                }
                if other != UpToDate {
                    assert!(one.with_part(other) >= OutOfDate, "{one} with {other}");
                }
            }
        }
    }

    #[test]
    fn names_are_read_back() {
        for status in TcbStatus::ALL {
            assert_eq!(status.name().parse(), Ok(status));
            assert_eq!(serde_json::to_value(status).unwrap(), status.name());
        }
        assert_eq!("uptodate".parse::<TcbStatus>(), Err(UnknownStatus));
    }
}
