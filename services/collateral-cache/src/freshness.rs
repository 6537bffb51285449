//! Freshness: how old collateral may be to be used.

use std::time::Duration;

use dcap_quote::{CheckedCollateral, Dated, Item, UnixTime};

/// A policy on top of what always holds: nothing that has expired is used, by any policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// How long before the first expiry to ask for a refresh. The collateral is used all the same.
    pub refresh_before: Duration,
    /// How long ago TCB info, QE identity and PCK revocation list may have been issued, if that is to be sooner than they
    /// expire. The root's list is left out: Intel issues it once a year.
    pub max_age: Option<Duration>,
}

/// A week's notice, and no limit but the expiry.
impl Default for Freshness {
    fn default() -> Self {
        Self {
            refresh_before: Duration::from_secs(7 * 24 * 60 * 60),
            max_age: None,
        }
    }
}

/// Collateral that may be used.
#[derive(Debug)]
pub struct Fresh<T> {
    /// The collateral.
    pub collateral: T,
    /// What makes a refresh due, the first to expire.
    pub refresh_due: Option<Dated>,
}

/// Issued too long ago for the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {} was issued {}, which is longer ago than the {} days that are allowed", .dated.what, .dated.validity.from, .max_age.as_secs() / 86400)]
pub struct Stale {
    /// What is stale, with its dates.
    pub dated: Dated,
    /// The age that the policy allows.
    pub max_age: Duration,
}

impl Freshness {
    /// Judges collateral whose dates were checked for `now`: what makes a refresh due, if anything does.
    pub(crate) fn judge(
        &self,
        collateral: &CheckedCollateral,
        now: UnixTime,
    ) -> Result<Option<Dated>, Stale> {
        let dates = collateral.dates();
        if let Some(max_age) = self.max_age {
            let ages = dates.iter().filter(|dated| has_age(dated.what));
            let is_stale = |dated: &&Dated| {
                let since = now.0.saturating_sub(dated.validity.from.0);
                since > max_age.as_secs()
            };
            if let Some(dated) = ages.into_iter().find(is_stale) {
                return Err(Stale {
                    dated: *dated,
                    max_age,
                });
            }
        }
        let soon = UnixTime(now.0.saturating_add(self.refresh_before.as_secs()));
        Ok(dates.first().copied().filter(|first| first.validity.until < soon))
    }
}

/// What is issued anew all the time.
const fn has_age(item: Item) -> bool {
    matches!(item, Item::TcbInfo | Item::QeIdentity | Item::PckRevocationList)
}
