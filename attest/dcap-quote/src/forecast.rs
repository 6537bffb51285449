//! Forecasts: what an announced TCB recovery will do to platforms.
//!
//! Intel publishes TCB info and QE identity in two versions: `early` as of the day a weakness is disclosed, `standard` a
//! year behind it, so that there is time to update. Who verifies by the standard version can see in the early one what
//! is to come.

use serde::{Serialize, Serializer};

use crate::checked::CheckedCollateral;
use crate::tcb::{Component, Rating, TcbStatus};
use crate::time::UnixTime;
use crate::verdict::Gap;

/// A level whose status becomes worse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Forecast {
    /// The component whose level it is.
    pub concerned: Concerned,
    /// Date of the level: which of the levels it is.
    pub level: UnixTime,
    /// What it is worth now.
    pub status: TcbStatus,
    /// What it is going to be worth.
    pub later: TcbStatus,
    /// Weaknesses of the level that are not held against it now.
    pub advisories: Vec<String>,
    /// What separates it from the highest level to come; none when nothing can be updated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap: Option<Gap>,
    /// Date of the first level to come that is younger: the recovery that the level falls behind.
    pub recovery: UnixTime,
}

/// What a forecast is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Concerned {
    /// Processor, firmware and PCE.
    Platform,
    /// A generation of the TDX module, by Intel's name for it.
    TdxModule(String),
    /// The quoting enclave.
    QuotingEnclave,
}

/// Every level of `now` that is worth less by `next`, the platform's first and the highest of each first.
///
/// Both must be for the same kind of platform, which is the caller's to see to: for another one this says nothing.
#[must_use]
pub fn forecast(now: &CheckedCollateral, next: &CheckedCollateral) -> Vec<Forecast> {
    let mut forecasts = now.tcb_info.forecast(&next.tcb_info);
    forecasts.extend(now.qe_identity.forecast(&next.qe_identity));
    forecasts
}

impl Forecast {
    /// Compares what a level is worth now and later; none when it becomes no worse. `dates` are those of all levels to come.
    pub(crate) fn new(
        concerned: Concerned,
        now: &Rating,
        later: Option<&Rating>,
        gap: Option<Gap>,
        dates: impl Iterator<Item = UnixTime>,
    ) -> Option<Self> {
        let status = later.map_or(TcbStatus::NotSupported, |rating| rating.status);
        if status <= now.status {
            return None;
        }
        let recovery = dates.filter(|date| *date > now.date).min();
        let advisories = later.into_iter().flat_map(|rating| &rating.advisories);
        Some(Self {
            concerned,
            level: now.date,
            status: now.status,
            later: status,
            advisories: advisories
                .filter(|advisory| !now.advisories.contains(advisory))
                .cloned()
                .collect(),
            gap,
            recovery: recovery.unwrap_or(now.date),
        })
    }
}

impl Concerned {
    pub(crate) const fn component(&self) -> Component {
        match self {
            // A platform has many; its shortfalls name them.
            Self::Platform => Component::Sgx(0),
            Self::TdxModule(_) => Component::TdxModule,
            Self::QuotingEnclave => Component::QuotingEnclave,
        }
    }
}

impl std::fmt::Display for Concerned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Platform => f.write_str("platform"),
            Self::TdxModule(id) => write!(f, "TDX module {id}"),
            Self::QuotingEnclave => f.write_str("quoting enclave"),
        }
    }
}

impl Serialize for Concerned {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
