//! The status of a cache: what is in it, when it expires, and which TCB recoveries are to come.

use std::time::Duration;

use dcap_quote::{
    About, Bytes, CheckedCollateral, CheckedPiece, Dated, Forecast, PckCa, Tee, UnixTime, forecast,
};
use serde::Serialize;

use crate::cache_dir::{CacheDir, Wanted};
use crate::error::CacheError;
use crate::item::Name;
use crate::shelf::Shelf;

const DAY: u64 = 24 * 60 * 60;

/// How long Intel's standard edition is behind the early one: twelve months, by its announcement of 2025. No document
/// says it, so that a date made with it is an expectation.
const EARLY_EDITION_LEAD: u64 = 365 * DAY;

/// The state of a directory at some time.
#[derive(Debug, Serialize)]
pub struct Status {
    /// The time.
    pub at: UnixTime,
    /// The edition by which quotes are verified.
    pub edition: Shelf,
    /// Every piece, by name.
    pub entries: Vec<Entry>,
    /// What TCB recoveries will do, the first to take effect first.
    pub recoveries: Vec<Outlook>,
}

/// The state of a piece.
#[derive(Debug, Serialize)]
pub struct Entry {
    /// As a person calls it.
    pub name: String,
    /// Of a document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edition: Option<Shelf>,
    /// Whether quotes are verified by it.
    pub in_use: bool,
    /// Whether it is of use.
    #[serde(flatten)]
    pub state: State,
}

/// Whether a piece is of use.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum State {
    /// Genuine; see when.
    Genuine(Dates),
    /// Damaged, revoked or of another root.
    Useless {
        /// Why, in words.
        problem: String,
    },
}

/// When a piece may be used.
#[derive(Debug, Serialize)]
pub struct Dates {
    /// When it was issued.
    pub issued: UnixTime,
    /// When it, or something that it depends on, expires.
    pub expires: UnixTime,
    /// The piece or certificate that expires then.
    pub expires_first: Dated,
    /// Whole days from now to then; below zero when it has expired.
    pub days_left: i64,
    /// Number of the TCB recovery that a document takes into account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaluation_data_number: Option<u32>,
}

/// What a recovery will do to a kind of platform.
#[derive(Debug, Serialize)]
pub struct Outlook {
    /// For enclaves or for trust domains.
    pub tee: Tee,
    /// The kind of platform.
    pub fmspc: Bytes<6>,
    /// When the standard edition is expected to take it into account: a year after the recovery.
    pub expected: UnixTime,
    /// The statuses and advisories that change for platforms.
    #[serde(flatten)]
    pub forecast: Forecast,
}

impl CacheDir {
    /// Looks at every piece, for the time `now`.
    ///
    /// # Errors
    /// When the directory cannot be read; a piece that is useless is an entry that says so.
    pub fn status(&self, now: UnixTime) -> Result<Status, CacheError> {
        let (names, in_use) = (self.names()?, self.in_use()?);
        let mut recoveries = Vec::new();
        for name in &names {
            if let Name::TcbInfo(tee, fmspc, shelf) = *name
                && shelf == in_use
            {
                recoveries.extend(self.outlooks(tee, fmspc, shelf, &names));
            }
        }
        recoveries.sort_by_key(|outlook| outlook.expected);
        let entries = names.iter().map(|name| Entry {
            name: name.to_string(),
            edition: name.shelf(),
            in_use: name.shelf().is_none_or(|shelf| shelf == in_use),
            state: match self.checked(*name) {
                Ok((_, piece)) => State::Genuine(Dates::of(&piece, now)),
                Err(error) => State::Useless {
                    problem: error.to_string(),
                },
            },
        });
        Ok(Status {
            at: now,
            edition: in_use,
            entries: entries.collect(),
            recoveries,
        })
    }

    /// What is to come for a kind of platform; nothing when it is not known, or the pieces for it prove nothing, which
    /// their entries say.
    fn outlooks(&self, tee: Tee, fmspc: Bytes<6>, in_use: Shelf, names: &[Name]) -> Vec<Outlook> {
        // Any authority does: the documents do not depend on it.
        let ca = PckCa::ALL
            .into_iter()
            .find(|ca| names.contains(&Name::PckCrl(*ca)));
        let checked = |shelf| {
            let wanted = Wanted { tee, fmspc, ca: ca? };
            let collateral = self.load(&wanted, shelf).ok()?;
            CheckedCollateral::check(&collateral, self.root()).ok()
        };
        let (Some(now), Some(next)) = (checked(in_use), checked(Shelf::Early)) else {
            return Vec::new();
        };
        let outlook = |forecast: Forecast| Outlook {
            tee,
            fmspc,
            expected: UnixTime(forecast.recovery.0.saturating_add(EARLY_EDITION_LEAD)),
            forecast,
        };
        forecast(&now, &next).into_iter().map(outlook).collect()
    }
}

impl Status {
    /// Whether everything can be used, and still can be in this time; editions that are neither in use nor tell what is to come
    /// do not count.
    #[must_use]
    pub fn is_good(&self, within: Duration) -> bool {
        let end = UnixTime(self.at.0.saturating_add(within.as_secs()));
        let is_good = |entry: &Entry| match &entry.state {
            State::Genuine(dates) => dates.issued <= self.at && dates.expires >= end,
            State::Useless { .. } => false,
        };
        let counts = |entry: &&Entry| entry.in_use || entry.edition == Some(Shelf::Early);
        self.entries.iter().filter(counts).all(is_good)
    }
}

impl Dates {
    fn of(piece: &CheckedPiece, now: UnixTime) -> Self {
        // The piece itself is among its dates.
        let first = piece.dates.first().copied().unwrap_or(piece.own);
        let expires = first.validity.until;
        let days = |seconds: u64| i64::try_from(seconds / DAY).unwrap_or(i64::MAX);
        let days_left = match expires.0.checked_sub(now.0) {
            Some(left) => days(left),
            None => -1 - days(now.0 - expires.0),
        };
        Self {
            issued: piece.own.validity.from,
            expires,
            expires_first: first,
            days_left,
            evaluation_data_number: match piece.about {
                About::Root | About::PckCa(_) => None,
                About::TcbInfo {
                    evaluation_data_number,
                    ..
                }
                | About::QeIdentity {
                    evaluation_data_number,
                    ..
                } => Some(evaluation_data_number),
            },
        }
    }
}
