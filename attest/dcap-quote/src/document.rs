//! Parts that TCB info and QE identity share: signed JSON, dates, and levels of security versions.

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};

use crate::forecast::{Concerned, Forecast};
use crate::hex;
use crate::report::Bytes;
use crate::tcb::{Component, Rating, Shortfall, TcbStatus};
use crate::time::{UnixTime, Validity};
use crate::verdict::{Gap, PartTcb};

/// Reads JSON whose signature was verified. Known members must be there once; unknown ones are what Intel may add.
pub(crate) fn parse<T: DeserializeOwned>(json: &str) -> Result<T, DocumentError> {
    serde_json::from_str(json).map_err(|error| DocumentError(error.to_string()))
}

/// Why a signed document cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DocumentError(pub(crate) String);

impl<'de> Deserialize<'de> for UnixTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_utc(&text).ok_or_else(|| D::Error::custom("not a time like 2025-06-24T00:00:00Z"))
    }
}

impl<'de, const N: usize> Deserialize<'de> for Bytes<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = hex::decode_array(&text);
        bytes
            .map(Bytes)
            .ok_or_else(|| D::Error::custom(format!("not {N} bytes in hexadecimal")))
    }
}

/// When a document was made and when the next one is due.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Dates {
    issue_date: UnixTime,
    next_update: UnixTime,
}

impl Dates {
    pub(crate) const fn validity(&self) -> Validity {
        Validity {
            from: self.issue_date,
            until: self.next_update,
        }
    }
}

/// `tcbDate`, `tcbStatus` and `advisoryIDs` of a level.
#[derive(Debug, Deserialize)]
pub(crate) struct RatingMembers {
    #[serde(rename = "tcbDate")]
    date: UnixTime,
    #[serde(rename = "tcbStatus")]
    status: TcbStatus,
    #[serde(rename = "advisoryIDs", default)]
    advisories: Vec<String>,
}

impl RatingMembers {
    /// The rating, if its status is one that such a document may have.
    pub(crate) fn rating(self, allowed: &[TcbStatus]) -> Result<Rating, DocumentError> {
        if !allowed.contains(&self.status) {
            return Err(DocumentError(format!(
                "the status {} has no meaning here",
                self.status
            )));
        }
        Ok(Rating {
            status: self.status,
            date: self.date,
            advisories: self.advisories,
        })
    }
}

/// A level of an enclave or module with one security version.
#[derive(Debug, Deserialize)]
pub(crate) struct IsvLevelMembers {
    tcb: IsvTcb,
    #[serde(flatten)]
    rating: RatingMembers,
}

#[derive(Debug, Deserialize)]
struct IsvTcb {
    isvsvn: u16,
}

/// What Intel says of the versions of an enclave or module, the highest first.
#[derive(Debug)]
pub(crate) struct IsvLevels(Vec<(u16, Rating)>);

impl IsvLevels {
    pub(crate) fn new(levels: Vec<IsvLevelMembers>, allowed: &[TcbStatus]) -> Result<Self, DocumentError> {
        let levels = levels
            .into_iter()
            .map(|level| Ok((level.tcb.isvsvn, level.rating.rating(allowed)?)));
        let mut levels: Vec<_> = levels.collect::<Result<_, DocumentError>>()?;
        levels.sort_by_key(|(isv_svn, _)| std::cmp::Reverse(*isv_svn));
        Ok(Self(levels))
    }

    /// What becomes of a version that is exactly at one of these levels once `next` applies.
    pub(crate) fn forecast(&self, next: &Self, concerned: &Concerned) -> Vec<Forecast> {
        let forecast = |(isv_svn, rating): &(u16, Rating)| {
            let later = next.rate(concerned.component(), *isv_svn);
            let dates = next.0.iter().map(|(_, rating)| rating.date);
            Forecast::new(concerned.clone(), rating, later.level.as_ref(), later.gap, dates)
        };
        self.0.iter().filter_map(forecast).collect()
    }

    /// The highest level that `isv_svn` reaches, and what it lacks of the highest of all.
    pub(crate) fn rate(&self, component: Component, isv_svn: u16) -> PartTcb {
        let level = self.0.iter().find(|(need, _)| *need <= isv_svn);
        let gap = self
            .0
            .first()
            .filter(|(need, _)| *need > isv_svn)
            .map(|(need, best)| Gap {
                status: best.status,
                date: best.date,
                recovery: recovery(
                    level.map(|(_, rating)| rating),
                    self.0.iter().map(|(_, rating)| rating.date),
                    best.date,
                ),
                shortfalls: vec![Shortfall {
                    component,
                    description: None,
                    have: isv_svn,
                    need: *need,
                }],
            });
        PartTcb {
            isv_svn,
            level: level.map(|(_, rating)| rating.clone()),
            gap,
        }
    }
}

/// The date of the first recovery after the level that was reached; `best` is the highest level's. What is below all levels
/// has reached none of them.
pub(crate) fn recovery(
    reached: Option<&Rating>,
    dates: impl Iterator<Item = UnixTime>,
    best: UnixTime,
) -> UnixTime {
    let reached = reached.map_or(UnixTime(0), |rating| rating.date);
    dates.filter(|date| *date > reached).min().unwrap_or(best)
}
