//! Clocks, and how long a call may wait.

use crate::{Answer, CallCode, CallError, HostCall};

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

/// Reads the host's clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockRead;

/// What the host claims its clocks show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostClocks {
    /// CLOCK_MONOTONIC, nanoseconds.
    pub monotonic: u64,
    /// CLOCK_REALTIME, nanoseconds since 1970.
    pub realtime: u64,
}

impl HostCall for ClockRead {
    const CODE: CallCode = CallCode::ClockRead;
    type Answer = HostClocks;

    fn to_args(&self) -> [u64; 6] {
        [0; 6]
    }

    fn from_args(_: [u64; 6]) -> Option<Self> {
        Some(Self)
    }

    fn check(&self, answer: Answer) -> Result<HostClocks, CallError> {
        answer.unit()?;
        let [monotonic, realtime] = answer.extra;
        // Year 2262 is where a signed count of nanoseconds ends; nothing honest is beyond.
        if monotonic > i64::MAX as u64 || realtime > i64::MAX as u64 {
            return Err(CallError::Lie("a clock beyond the year 2262"));
        }
        Ok(HostClocks { monotonic, realtime })
    }
}
