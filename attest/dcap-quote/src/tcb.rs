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

    /// The platform's status, given that of a part of it: its quoting enclave or its TDX module. Only a part that is
    /// out of date, revoked or not supported makes it worse.
    #[must_use]
    pub(crate) const fn with_part(self, part: Self) -> Self {
        match (self, part) {
            (Self::Revoked, _) | (_, Self::Revoked) => Self::Revoked,
            (Self::NotSupported, _) | (_, Self::NotSupported) => Self::NotSupported,
            (Self::UpToDate | Self::SwHardeningNeeded, Self::OutOfDate) => Self::OutOfDate,
            (Self::ConfigurationNeeded | Self::ConfigurationAndSwHardeningNeeded, Self::OutOfDate) => {
                Self::OutOfDateConfigurationNeeded
            }
            _ => self,
        }
    }

    /// A trust domain's status, given that of its launch (`self`) and that of the platform as it is now.
    #[must_use]
    pub(crate) const fn with_current(self, current: Self) -> Self {
        use TcbStatus as S;
        match (self, current) {
            (S::Revoked, _) | (_, S::Revoked) => S::Revoked,
            (S::NotSupported, _) | (_, S::NotSupported) => S::NotSupported,
            (S::OutOfDate, S::UpToDate | S::SwHardeningNeeded) => S::TdRelaunchAdvised,
            (
                S::OutOfDate | S::OutOfDateConfigurationNeeded,
                S::ConfigurationNeeded | S::ConfigurationAndSwHardeningNeeded,
            )
            | (S::OutOfDateConfigurationNeeded, S::UpToDate | S::SwHardeningNeeded) => {
                S::TdRelaunchAdvisedConfigurationNeeded
            }
            _ => self,
        }
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
    fn a_part_makes_the_whole_worse_only_when_it_must_be_replaced() {
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
            (UpToDate, ConfigurationNeeded, UpToDate),
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
            (UpToDate, OutOfDate, UpToDate),
            (UpToDate, Revoked, Revoked),
        ] {
            assert_eq!(launch.with_current(current), together, "{launch}, now {current}");
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
