//! Clocks, and how long a call may wait.

use crate::{Answer, CallError};

/// How long a call may block, in nanoseconds. A thread's wake token ([`crate::Unpark`]) ends any wait with
/// EINTR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wait(u64);

impl Wait {
    /// Does not block: EAGAIN instead.
    pub const NONE: Self = Self(0);
    /// Blocks until there is something to return.
    pub const FOREVER: Self = Self(u64::MAX);

    /// At most this long; about 584 years are for ever.
    pub const fn nanoseconds(nanoseconds: u64) -> Self {
        Self(nanoseconds)
    }

    /// The word that goes over the boundary.
    pub const fn raw(self) -> u64 {
        self.0
    }

    /// The limit in nanoseconds; `None` without one.
    pub const fn limit(self) -> Option<u64> {
        if self.0 == u64::MAX { None } else { Some(self.0) }
    }
}

/// What the host claims its clocks show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostClocks {
    /// CLOCK_MONOTONIC, nanoseconds.
    pub monotonic: u64,
    /// CLOCK_REALTIME, nanoseconds since 1970.
    pub realtime: u64,
}

impl HostClocks {
    /// The longest that Linux expects a machine to run, 30 years (TIME_UPTIME_SEC_MAX). Programs count nanoseconds in signed
    /// words, so a claim near the end of these would make time run back for them soon after.
    pub const MAX_MONOTONIC: u64 = 30 * 365 * 24 * 3600 * 1_000_000_000;
    /// The last date that Linux lets anybody set: so much before the end of signed nanoseconds in 2262.
    pub const MAX_REALTIME: u64 = i64::MAX as u64 - Self::MAX_MONOTONIC;
}

/// The clocks, within what Linux believes of a machine.
pub(crate) fn clocks(answer: Answer) -> Result<HostClocks, CallError> {
    answer.unit()?;
    let [monotonic, realtime] = answer.extra;
    if monotonic > HostClocks::MAX_MONOTONIC {
        return Err(CallError::Lie("a machine that runs for more than 30 years"));
    }
    if realtime > HostClocks::MAX_REALTIME {
        return Err(CallError::Lie("a date too near the end of time"));
    }
    Ok(HostClocks { monotonic, realtime })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ClockRead, HostCall};

    #[test]
    fn clocks_near_the_end_of_time_are_a_lie() {
        let check = |monotonic, realtime| {
            ClockRead.check(Answer {
                value: 0,
                extra: [monotonic, realtime],
            })
        };
        let (monotonic, realtime) = (HostClocks::MAX_MONOTONIC, HostClocks::MAX_REALTIME);
        assert_eq!(check(monotonic, realtime), Ok(HostClocks { monotonic, realtime }));
        assert!(check(monotonic + 1, 0).is_err());
        assert!(check(0, realtime + 1).is_err());
        assert!(check(u64::MAX, u64::MAX).is_err());
    }
}
