//! Time limits of waits, as deadlines on CLOCK_MONOTONIC.

use kobject::{Result, clock};

use crate::uapi::Timespec;
use crate::user::{self, Address};

/// A time limit in milliseconds, negative for none, as a deadline.
pub(super) fn deadline_of_milliseconds(limit: i32) -> Option<u64> {
    match u64::try_from(limit) {
        Ok(0) => libos_io::NOW,
        Ok(limit) => Some(clock::monotonic().saturating_add(limit * 1_000_000)),
        Err(_) => None,
    }
}

/// A time limit as a deadline; null for none.
pub(super) fn deadline_of_timespec(at: Address) -> Result<Option<u64>> {
    let limit = user::get_if::<Timespec>(at)?
        .map(Timespec::nanoseconds)
        .transpose()?;
    Ok(limit.and_then(deadline_of_nanoseconds))
}

/// A time limit in nanoseconds as a deadline.
pub(super) fn deadline_of_nanoseconds(limit: u64) -> Option<u64> {
    if limit == 0 {
        return libos_io::NOW;
    }
    Some(clock::monotonic().saturating_add(limit))
}

/// Linux tells how much of the limit is left, in place.
pub(super) fn put_remaining(limit: Address, deadline: Option<u64>) -> Result<()> {
    let left = deadline.map_or(0, |deadline| deadline.saturating_sub(clock::monotonic()));
    user::put_if(if deadline.is_some() { limit } else { 0 }, &Timespec::of(left))
}
